"""Fig. 1, lower part: what Dropout does to DenseNet's shift ratios and to its accuracy, C100."""

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.shift import Shift
from fullscale.sweep.run import Run

SHIFT = Shift()
DROPS = {"none": 0.0, "a": 0.5}


def cell(scale: Scale, drop: float) -> tuple[Run, ...]:
    """Return the runs of one curve."""
    return scale.runs("DenseNet", "C100", "a", SHIFT, drop=drop)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return both curves' runs."""
    return tuple(run for drop in DROPS.values() for run in cell(scale, drop))


def accuracy(results: Results, drop: float) -> Spread | None:
    """Return the accuracy in percent."""
    error = results.test_error(cell(results.scale, drop))
    return error and error._replace(mean=100 - error.mean)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate the figure's two accuracies, and the shift ratio averaged over all BNs."""
    rows = {
        f"Dropout-(a) {drop}" if drop else "no Dropout": (
            Cell(accuracy(results, drop), printed("FIGURE1", name)),
            Cell(results.spread(cell(results.scale, drop), SHIFT, lambda found: found.shift_ratio)),
        )
        for name, drop in DROPS.items()
    }
    title = f"Fig. 1, lower part: DenseNet, {results.scale.called('C100')}"
    return (Table(title, ("accuracy (%)", "mean shift ratio"), rows, digits=2),)
