"""Table 1 and Fig. 3: the angles of trained filters, nets without Dropout."""

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale, SetName
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.angles import Angles
from fullscale.sweep.run import Run

ANGLES = Angles()
SETS: tuple[SetName, ...] = ("C10", "C100")


def cell(scale: Scale, net: NetName, data: SetName) -> tuple[Run, ...]:
    """Return the runs behind one row."""
    return scale.runs(net, data, "none", ANGLES)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for data in scale.there(*SETS) for net in CIFAR_NETS for run in cell(scale, net, data))


def tables(results: Results) -> tuple[Table, ...]:
    """Make a table for each data set."""
    return tuple(_table(results, data) for data in results.scale.there(*SETS))


def _table(results: Results, data: SetName) -> Table:
    def row(net: NetName) -> tuple[Cell, Cell]:
        own = cell(results.scale, net, data)
        cos2 = results.spread(own, ANGLES, lambda found: found.cos2)
        d_cos2 = results.spread(own, ANGLES, lambda found: found.d_cos2)
        return (
            Cell(cos2, printed("TABLE1", data, net, "cos2")),
            Cell(d_cos2, printed("TABLE1", data, net, "d_cos2")),
        )

    title = f"Table 1, {results.scale.called(data)}: means over all convolutions, without Dropout"
    return Table(title, ("cos²θ", "d cos²θ"), {net: row(net) for net in CIFAR_NETS}, digits=5)
