"""Table 2: the shift ratio averaged over all BNs, Dropout-(b), C100."""

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.shift import Shift
from fullscale.sweep.run import Run

SHIFT = Shift()


def cell(scale: Scale, net: NetName, drop: float) -> tuple[Run, ...]:
    """Return the runs behind one number."""
    return scale.runs(net, "C100", "b", SHIFT, drop=drop)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all: the paper's drop ratios, and none, for the floor that they stand on."""
    return tuple(run for net in CIFAR_NETS for drop in scale.drops for run in cell(scale, net, drop))


def tables(results: Results) -> tuple[Table, ...]:
    """Make the table, with two columns more: no Dropout, and the floor there, which an absent shift would read."""
    rows = {net: (*_printed_columns(results, net), *_without(results, net)) for net in CIFAR_NETS}
    headings = [f"drop {drop}" for drop in results.scale.drops if drop]
    title = f"Table 2, Dropout-(b), {results.scale.called('C100')}: shift ratio averaged over all BNs"
    return (Table(title, (*headings, "no Dropout", "its floor"), rows, digits=4),)


def _printed_columns(results: Results, net: NetName) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            results.spread(cell(results.scale, net, drop), SHIFT, lambda found: found.shift_ratio),
            printed("TABLE2", net, str(drop)),
        )
        for drop in results.scale.drops
        if drop
    )


def _without(results: Results, net: NetName) -> tuple[Cell, Cell]:
    own = cell(results.scale, net, 0.0)
    return (
        Cell(results.spread(own, SHIFT, lambda found: found.shift_ratio)),
        Cell(results.spread(own, SHIFT, lambda found: found.floor)),
    )
