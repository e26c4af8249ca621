"""Fig. 4: the shift ratio of every BN, by placement, data set, network and drop ratio; and the test errors."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale, SetName
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.shift import Shift
from fullscale.placement import Where
from fullscale.sweep.run import Run

SHIFT = Shift()
SETS: tuple[SetName, ...] = ("C10", "C100")


class Column(NamedTuple):
    """A column of the figure."""

    placement: Where
    data: SetName

    def cell(self, scale: Scale, net: NetName, drop: float) -> tuple[Run, ...]:
        """Return the runs of one curve."""
        return scale.runs(net, self.data, self.placement, SHIFT, drop=drop)

    def title(self, scale: Scale) -> str:
        """Name it as the paper does."""
        return f"Dropout-({self.placement}) {scale.called(self.data)}"


def columns(scale: Scale) -> tuple[Column, ...]:
    """Return the columns, in the paper's order."""
    placements: tuple[Where, ...] = ("a", "b")
    return tuple(Column(placement, data) for placement in placements for data in scale.there(*SETS))


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for column in columns(scale) for run in _runs(column, scale))


def _runs(column: Column, scale: Scale) -> Iterator[Run]:
    for net in CIFAR_NETS:
        for drop in scale.drops:
            yield from column.cell(scale, net, drop)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate for each column what its curves average to, and its error rates."""
    return tuple(make(results, column) for column in columns(results.scale) for make in (_shifts, _errors))


def _shifts(results: Results, column: Column) -> Table:
    def cell(net: NetName, drop: float) -> Cell:
        ours = results.spread(column.cell(results.scale, net, drop), SHIFT, lambda found: found.shift_ratio)
        return Cell(ours, printed("TABLE2", net, str(drop)) if column == ("b", "C100") else None)

    return _table(results, f"Fig. 4, {column.title(results.scale)}: shift ratio averaged over all BNs", cell, digits=3)


def _errors(results: Results, column: Column) -> Table:
    def cell(net: NetName, drop: float) -> Cell:
        name = {0.0: "none", 0.5: column.placement}.get(drop, "")
        ours = results.test_error(column.cell(results.scale, net, drop))
        return Cell(ours, printed("TABLE3", column.data, net, name))

    return _table(results, f"Fig. 4, {column.title(results.scale)}: test error (%)", cell, digits=2)


def _table(results: Results, title: str, cell: Callable[[NetName, float], Cell], digits: int) -> Table:
    drops = results.scale.drops
    rows = {net: tuple(cell(net, drop) for drop in drops) for net in CIFAR_NETS}
    return Table(title, tuple(f"drop {drop}" for drop in drops), rows, digits)
