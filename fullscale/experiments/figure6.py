"""Fig. 6: averaging nets that Dropout samples, against weight scaling and no Dropout: PreResNet, (b) 0.5, C100."""

from statistics import fmean

from fullscale.ensemble import SHOWN
from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.ensemble import Numbers
from fullscale.measurements.sampled import Sampled
from fullscale.measurements.shift import Shift
from fullscale.sweep.run import Run

SHIFT, SAMPLED = Shift(), Sampled()


def sampled(scale: Scale) -> tuple[Run, ...]:
    """Return the runs whose nets are sampled."""
    return scale.runs("PreResNet", "C100", "b", scale.ensemble, SAMPLED, drop=0.5)


def baseline(scale: Scale) -> tuple[Run, ...]:
    """Return the runs without Dropout."""
    return scale.runs("PreResNet", "C100", "none", SHIFT)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return (*sampled(scale), *baseline(scale))


def error(results: Results, k: int) -> Spread | None:
    """Return the test error of k averaged samples, a mean over groups in each run."""

    def of_run(found: Numbers) -> float:
        return fmean(group[k - 1] for group in found.errors)

    return results.spread(sampled(results.scale), results.scale.ensemble, of_run)


def weight_scaling(results: Results) -> Spread | None:
    """Return the test error of the one net in test mode."""
    return results.spread(sampled(results.scale), results.scale.ensemble, lambda found: found.weight_scaling)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate the curve, and the two lines; the paper prints their values in Table 3."""
    samples = results.scale.ensemble.samples
    shown = sorted({k for k in SHOWN if k < samples} | {samples})
    rows = {f"{k} samples" if k > 1 else "1 sample": (Cell(error(results, k)),) for k in shown}
    rows["weight scaling"] = (Cell(weight_scaling(results), printed("TABLE3", "C100", "PreResNet", "b")),)
    without = results.test_error(baseline(results.scale))
    rows["no Dropout"] = (Cell(without, printed("TABLE3", "C100", "PreResNet", "none")),)
    title = f"Fig. 6, PreResNet, Dropout-(b) 0.5, {results.scale.called('C100')}"
    return (Table(title, ("test error (%)",), rows, digits=2), _shifts(results, title))


def _shifts(results: Results, title: str) -> Table:
    """Tabulate what the text claims: with Dropout on in test, no variance shifts."""
    on = results.spread(sampled(results.scale), SAMPLED, lambda found: found.shift_ratio)
    without = results.spread(baseline(results.scale), SHIFT, lambda found: found.shift_ratio)
    rows = {"Dropout on": (Cell(on),), "no Dropout": (Cell(without),)}
    return Table(title, ("mean shift ratio",), rows, digits=4)
