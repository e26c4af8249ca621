"""Beyond the paper: the chain reaction in trained nets, (a) 0.5, of which Sections 3.1 and 4 speak without a figure."""

from collections.abc import Callable

from fullscale.chain import Chain as Mended
from fullscale.experiments.ranks import rank_correlation
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.chain import Chain
from fullscale.sweep.run import Run

CHAIN = Chain()
DROP = 0.5


def cell(scale: Scale, net: NetName) -> tuple[Run, ...]:
    """Return the runs of one net."""
    return scale.runs(net, "C10", "a", CHAIN, drop=DROP)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in CIFAR_NETS for run in cell(scale, net))


def deepening(found: Mended) -> float:
    """Return the rank correlation of a BN's deviation with its place."""
    return rank_correlation(range(len(found.deviations)), found.deviations)


def mending(found: Mended) -> float:
    """Return the rank correlation of the error with the number of BNs that are mended."""
    return rank_correlation(range(len(found.errors)), found.errors)


COLUMNS: dict[str, Callable[[Mended], float]] = {
    "deviation with place": deepening,
    "error with BNs mended": mending,
    "error (%), none mended": lambda found: found.errors[0],
    "error (%), all mended": lambda found: found.errors[-1],
}


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate both rank correlations, and the errors at the ends."""
    rows = {
        net: tuple(Cell(results.spread(cell(results.scale, net), CHAIN, read)) for read in COLUMNS.values())
        for net in CIFAR_NETS
    }
    title = f"Chain reaction, Dropout-(a) {DROP}, {results.scale.called('C10')}: rank correlations, and test errors"
    return (Table(title, tuple(COLUMNS), rows, digits=2),)
