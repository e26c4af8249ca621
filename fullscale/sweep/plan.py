"""What is there, what is left, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullscale.sweep.cost import Work, work
from fullscale.sweep.run import Run
from fullscale.sweep.state import State, state
from fullscale.sweep.throughput import Rates


@dataclass(frozen=True)
class Entry:
    """One run.

    Attributes:
        refused: what is wrong with its record; such a run is neither used nor repeated.
    """

    run: Run
    state: State | None
    refused: str = ""

    @property
    def left(self) -> Work:
        """What is left of it."""
        return Work(0, 0) if self.state is None else work(self.run, self.state)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep."""

    entries: tuple[Entry, ...]

    @property
    def done(self) -> tuple[Entry, ...]:
        """Return those that are done."""
        return tuple(entry for entry in self.entries if entry.state is not None and entry.state.done)

    @property
    def left(self) -> tuple[Entry, ...]:
        """Return those that are not done."""
        return tuple(entry for entry in self.entries if entry.state is not None and not entry.state.done)

    @property
    def refused(self) -> tuple[Entry, ...]:
        """Return those whose records cannot be used."""
        return tuple(entry for entry in self.entries if entry.state is None)

    def seconds(self, rates: Mapping[str, Rates]) -> list[float]:
        """Estimate the seconds that each run that is left takes, by the rates of the nets."""
        return [entry.left.seconds(rates[entry.run.recipe.net]) for entry in self.left]


def plan(runs: Sequence[Run], out: Path) -> Plan:
    """Look at what stands of each run."""
    return Plan(tuple(_entry(run, out) for run in runs))


def _entry(run: Run, out: Path) -> Entry:
    try:
        return Entry(run, state(run, out))
    except ValueError as error:
        return Entry(run, None, str(error))


def elapsed(seconds: Sequence[float], workers: int) -> float:
    """Estimate when the last of so many workers is done, which take the runs in order, each the next one."""
    busy = [0.0] * workers
    for each in seconds:
        first = busy.index(min(busy))
        busy[first] += each
    return max(busy)
