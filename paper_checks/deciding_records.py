"""What criteria read from records, a seed after the other, and what flaws in some places come to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from statistics import median
from typing import Any, NamedTuple, TypeAlias, TypeVar

from fullscale.experiments import figure4, law, table3
from fullscale.experiments.results import Results
from fullscale.experiments.scale import NetName
from fullscale.measurements.kinds import Measurement
from fullscale.placement import Where
from fullscale.sweep.run import Run
from paper_checks.ledger import Verdict

PLACEMENTS: tuple[Where, ...] = ("a", "b")
Value = TypeVar("Value")
Places: TypeAlias = Mapping[str, float | None]
"""how far off each place of one run is, in units of what it may be off; None where nothing can be said"""


class Finding(NamedTuple):
    """What a criterion came to.

    Attributes:
        seen: the figures that it looked at.
    """

    verdict: Verdict
    seen: str


class MissingError(LookupError):
    """A run or a measurement that a criterion needs is not there."""


def finding(seen: str, *, holds: bool, contradicted: bool = False) -> Finding:
    """Return what a criterion's two sentences come to."""
    return Finding(Verdict.HOLDS if holds else Verdict.CONTRADICTED if contradicted else Verdict.OPEN, seen)


def reach(values: Iterable[float], form: str = ".3f") -> str:
    """Say from where to where values reach, if there are any."""
    kept = list(values)
    return f"{min(kept):{form}} to {max(kept):{form}}" if kept else "nothing"


def numbers(results: Results, runs: Sequence[Run], measurement: Measurement) -> list[Any]:
    """Return what a measurement came to, a seed after the other.

    Raises:
        MissingError: if a run lacks it.
    """
    return _all_of(runs, results.numbers(runs, measurement))


def errors(results: Results, runs: Sequence[Run]) -> list[float]:
    """Return the final test errors, a seed after the other.

    Raises:
        MissingError: if there is no record of a run.
    """
    return [record["final"]["test_error"] for record in _all_of(runs, results.of(runs))]


def _all_of(runs: Sequence[Run], found: list[Any]) -> list[Any]:
    if len(found) != len(runs):
        raise MissingError
    return found


def shifts(results: Results, net: NetName, placement: Where, drop: float) -> list[Any]:
    """Return the shifts of a net, as `numbers`."""
    return numbers(results, figure4.Column(placement, "C10").cell(results.scale, net, drop), figure4.SHIFT)


def excess(results: Results, net: NetName, placement: Where, drop: float) -> list[float]:
    """Return the mean shift ratios of a net less 1, as `numbers`."""
    return [found.shift_ratio - 1 for found in shifts(results, net, placement, drop)]


def compared(results: Results, net: NetName, placement: Where) -> list[Any]:
    """Return how the law compares with a net of drop 0.5, as `numbers`."""
    return numbers(results, law.cell(results.scale, net, placement), law.LAW)


def adjusted(results: Results, net: NetName, placement: Where) -> list[Any]:
    """Return what adjusting a net of drop 0.5 did, as `numbers`."""
    return numbers(results, table3.cell(results.scale, net, "C10", placement), table3.ADJUST)


def drops(results: Results) -> list[float]:
    """Return the drop ratios above 0."""
    return [drop for drop in results.scale.drops if drop]


def each_seed(cells: Iterable[Iterable[Value]], right: Callable[[Value], bool]) -> bool:
    """Whether a thing is right in every seed of every cell."""
    return all(right(value) for seeds in cells for value in seeds)


def some_cell(cells: Iterable[Iterable[Value]], wrong: Callable[[Value], bool]) -> bool:
    """Whether a thing is wrong in all seeds of a cell."""
    return any(all(map(wrong, seeds)) for seeds in cells)


def times(value: float, allowed: float) -> float:
    """Return how many times what is allowed a value is."""
    return value / allowed if allowed else inf


def place_by_place(what: str, kind: str, cells: Sequence[Sequence[Places]]) -> Finding:
    """Return what all places of all runs come to, a cell for each net, and in it a seed after the other.

    It holds where each place of each run is less off than it may be, and is contradicted where one and the same is
    further off in all seeds of a cell.

    Args:
        what: holds or does not at a place, in words.
        kind: of places, in the plural.
        cells: of seeds.

    Raises:
        MissingError: if nothing can be said of any place of a run.
    """
    if not each_seed(cells, lambda places: any(value is not None for value in places.values())):
        raise MissingError
    off = [value for seeds in cells for places in seeds for value in places.values()]
    known = [value for value in off if value is not None]
    within = sum(value < 1 for value in known)
    same = [[seed.get(place) for seed in seeds] for seeds in cells for place in seeds[0]]
    return finding(
        f"{what} at {within} of {len(off)} {kind} over all runs; the median is off by {median(known):.3g} times what "
        f"the criterion allows, the worst by {max(known):.3g} times.",
        holds=within == len(off),
        contradicted=some_cell(same, lambda value: value is not None and value > 1),
    )
