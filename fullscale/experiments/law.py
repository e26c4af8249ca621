"""Beyond the paper: the law and Eq. 10 against every BN that Dropout 0.5 reaches, in (a) and (b)."""

from collections.abc import Callable, Iterable
from statistics import fmean

from fullscale.experiments.results import Results, spread
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.law import Law, Numbers
from fullscale.placement import Where
from fullscale.sweep.run import Run

LAW = Law()
PLACEMENTS: tuple[Where, ...] = ("a", "b")
DROP = 0.5


def cell(scale: Scale, net: NetName, placement: Where) -> tuple[Run, ...]:
    """Return the runs of one net and placement."""
    return scale.runs(net, "C10", placement, LAW, drop=DROP)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in CIFAR_NETS for placement in PLACEMENTS for run in cell(scale, net, placement))


def local_errors(found: Numbers) -> list[float]:
    """Return by how many percent the law's local shift is off, of each BN that it says something of."""
    return [100 * abs(row.predicted / row.local - 1) for row in found.rows if row.predicted is not None]


def total_errors(found: Numbers) -> list[float]:
    """Return by how many percent the law's local shift, times the inherited one, is off the whole."""
    rows = (row for row in found.rows if row.predicted is not None)
    return [100 * abs(row.predicted * row.inherited / row.total - 1) for row in rows if row.predicted is not None]


def eq10_errors(found: Numbers) -> list[float]:
    """Return by how many percent Eq. 10's 1 - Delta is off the law's, behind each convolution that noise goes into."""
    return [100 * abs((1 - each.eq10) / (1 - each.law) - 1) for each in found.seen]


def bn_errors(found: Numbers) -> list[float]:
    """Return by how many percent Eq. 10's 1 - Delta is off the measured local one, at each BN that it speaks of."""
    return [100 * abs((1 - row.eq10) / (1 - row.local) - 1) for row in found.rows if row.eq10 is not None]


COLUMNS: dict[str, Callable[[Numbers], list[float]]] = {
    "law, local": local_errors,
    "law, whole": total_errors,
    "Eq. 10 behind its layer": eq10_errors,
    "Eq. 10 at the BN": bn_errors,
}


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate how far off predictions are, on average over BNs and at worst."""
    ways: dict[str, Callable[[Iterable[float]], float]] = {"on average": fmean, "at worst": max}
    return tuple(_table(results, how, reduce) for how, reduce in ways.items())


def _table(results: Results, how: str, reduce: Callable[[Iterable[float]], float]) -> Table:
    def row(net: NetName, placement: Where) -> tuple[Cell, ...]:
        numbers = results.numbers(cell(results.scale, net, placement), LAW)
        return tuple(Cell(spread(reduce(read(each)) for each in numbers if read(each))) for read in columns)

    columns = COLUMNS.values()
    title = f"The law, {results.scale.called('C10')}: % off, {how}; local and whole of Δ, Eq. 10 of 1 - Δ"
    rows = {f"{net} ({placement})": row(net, placement) for net in CIFAR_NETS for placement in PLACEMENTS}
    return Table(title, tuple(COLUMNS), rows, digits=2)
