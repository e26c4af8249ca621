"""Beyond the paper: nets that differ by their width alone, which those of Fig. 3 and Table 2 do not."""

from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.angles import Angles
from fullscale.measurements.shift import Shift
from fullscale.sweep.run import Run

SHIFT, ANGLES = Shift(), Angles()
DROP = 0.5


def cell(scale: Scale, net: str, drop: float) -> tuple[Run, ...]:
    """Return the runs of one net, with Dropout-(b) or without."""
    return scale.runs(net, "C10", "b", SHIFT, ANGLES, drop=drop)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in scale.widths for drop in (0.0, DROP) for run in cell(scale, net, drop))


def excess(results: Results, net: str, drop: float) -> Spread | None:
    """Return the mean shift ratio over all BNs, less 1."""
    return results.spread(cell(results.scale, net, drop), SHIFT, lambda found: found.shift_ratio - 1)


def d_cos2(results: Results, net: str, drop: float) -> Spread | None:
    """Return the mean d cos^2 over all convolutions."""
    return results.spread(cell(results.scale, net, drop), ANGLES, lambda found: found.d_cos2)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate both, with Dropout and without."""
    headings = ("d cos²θ, no Dropout", f"d cos²θ, (b) {DROP}", "excess, no Dropout", f"excess, (b) {DROP}")
    rows = {
        net: tuple(Cell(read(results, net, drop)) for read in (d_cos2, excess) for drop in (0.0, DROP))
        for net in results.scale.widths
    }
    title = f"Width, {results.scale.called('C10')}: mean d cos²θ, and mean shift ratio less 1"
    return (Table(title, headings, rows, digits=4),)
