"""Beyond the paper: the law and Eq. 10 against every BN that Dropout 0.5 reaches, in (a) and (b)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from statistics import fmean
from typing import TypeAlias

from fullscale.against_law import Comparison
from fullscale.experiments.results import Results, spread
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.law import Law
from fullscale.placement import Where
from fullscale.sweep.run import Run

LAW = Law()
PLACEMENTS: tuple[Where, ...] = ("a", "b")
DROP = 0.5
Pairs: TypeAlias = list[tuple[float, float]]
"""what is measured, and what is predicted"""


def cell(scale: Scale, net: NetName, placement: Where) -> tuple[Run, ...]:
    """Return the runs of one net and placement."""
    return scale.runs(net, "C10", placement, LAW, drop=DROP)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in CIFAR_NETS for placement in PLACEMENTS for run in cell(scale, net, placement))


def local(found: Comparison) -> Pairs:
    """Return the local shift of each BN that the law says something of, and by the law."""
    return [(row.local, row.predicted) for row in found.rows if row.predicted is not None]


def whole(found: Comparison) -> Pairs:
    """Return the whole shift of each such BN, and the law's local one times the inherited one."""
    return [(row.total, row.predicted * row.inherited) for row in found.rows if row.predicted is not None]


def behind(found: Comparison) -> Pairs:
    """Return the shift behind each convolution that noise goes into, by the law and by Eq. 10."""
    return [(each.law, each.eq10) for each in found.seen]


def at_bn(found: Comparison) -> Pairs:
    """Return the local shift of each BN that Eq. 10 speaks of, and by Eq. 10."""
    return [(row.local, row.eq10) for row in found.rows if row.eq10 is not None]


def of_shift(measured: float, predicted: float) -> float:
    """Return by how many percent a predicted Delta is off."""
    return 100 * abs(predicted / measured - 1)


def of_noise(measured: float, predicted: float) -> float:
    """Return by how many percent a predicted 1 - Delta is off."""
    return 100 * abs((1 - predicted) / (1 - measured) - 1)


Columns: TypeAlias = Mapping[str, tuple[Callable[[Comparison], Pairs], Callable[[float, float], float]]]
AT_BNS: Columns = {"law, local": (local, of_shift), "law, whole": (whole, of_shift), "Eq. 10": (at_bn, of_noise)}
BEHIND_LAYERS: Columns = {"Eq. 10": (behind, of_noise)}
"""in (b) alone: in (a) no layer lies between noise and BN"""


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate how far off predictions are, on average and at worst, over BNs and over layers right behind noise."""
    ways: dict[str, Callable[[Iterable[float]], float]] = {"on average": fmean, "at worst": max}
    called = results.scale.called("C10")
    at_bns = f"The law, {called}: % off at BNs, {{}}; the law of Δ, Eq. 10 of 1 - Δ"
    layers = f"The law, {called}: % that Eq. 10 is off the law behind convolutions, {{}}; of 1 - Δ"
    blocks = ((at_bns, PLACEMENTS, AT_BNS), (layers, PLACEMENTS[1:], BEHIND_LAYERS))
    return tuple(
        _table(results, title.format(how), placements, columns, reduce)
        for title, placements, columns in blocks
        for how, reduce in ways.items()
    )


def _table(
    results: Results,
    title: str,
    placements: Sequence[Where],
    columns: Columns,
    reduce: Callable[[Iterable[float]], float],
) -> Table:
    def row(net: NetName, placement: Where) -> tuple[Cell, ...]:
        numbers = results.numbers(cell(results.scale, net, placement), LAW)
        return tuple(
            Cell(spread(reduce(starmap(off, pairs)) for pairs in map(read, numbers) if pairs))
            for read, off in columns.values()
        )

    rows = {f"{net} ({placement})": row(net, placement) for net in CIFAR_NETS for placement in placements}
    return Table(title, tuple(columns), rows, digits=2)
