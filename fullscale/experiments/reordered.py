"""Beyond the paper: why Eq. 10 and the law part behind a trained convolution: (b) 0.5, its weights in random order."""

from collections.abc import Callable, Mapping
from statistics import fmean

from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.reordered import Reordered
from fullscale.reordered import Row
from fullscale.sweep.run import Run

REORDERED = Reordered()
DROP = 0.5
ORDERS: Mapping[str, Callable[[Row], float]] = {
    "as trained": lambda row: row.own,
    "taps mixed": lambda row: row.taps,
    "channels mixed": lambda row: row.channels,
    "all mixed": lambda row: row.weights,
}
"""by what of a filter's order is random"""


def cell(scale: Scale, net: NetName) -> tuple[Run, ...]:
    """Return the runs of one net."""
    return scale.runs(net, "C10", "b", REORDERED, drop=DROP)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in CIFAR_NETS for run in cell(scale, net))


def of_eq10(row: Row, law: Callable[[Row], float]) -> float:
    """Return the law's 1 - Delta, in percent of that of Eq. 10."""
    return 100 * (1 - law(row)) / (1 - row.eq10)


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate how much of Eq. 10's 1 - Delta is there, a mean over the convolutions."""

    def mean(net: NetName, law: Callable[[Row], float]) -> Cell:
        own = cell(results.scale, net)
        return Cell(results.spread(own, REORDERED, lambda found: fmean(of_eq10(row, law) for row in found.rows)))

    rows = {net: tuple(mean(net, law) for law in ORDERS.values()) for net in CIFAR_NETS}
    title = (
        f"Reordered, {results.scale.called('C10')}: the law's 1 - Δ behind convolutions, in % of Eq. 10's, (b) {DROP}"
    )
    return (Table(title, tuple(ORDERS), rows, digits=1),)
