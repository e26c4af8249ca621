"""What a sweep tells: its plan, its progress, and why a run is run again."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullscale.commands.train import told
from fullscale.contracts import refusal
from fullscale.sweep.cost import Work, work
from fullscale.sweep.plan import Plan, elapsed
from fullscale.sweep.run import Run
from fullscale.sweep.state import State, of_run, why
from fullscale.sweep.throughput import FORWARD, Rates
from fullscale.sweep.watch import Onlooker
from fullscale.terminal import Bar, add, complain, duration, say, show, table

LEFT_ALONE = "is not run again, nor used: its record cannot be; remove it to have the run repeated"


@dataclass(frozen=True)
class Machine:
    """Where runs go.

    Attributes:
        unit: of what is paid for, such as GPU-hours.
        at_once: runs.
        rates: of the nets.
    """

    unit: str
    at_once: int
    rates: Mapping[str, Rates]


def explain(runs: Sequence[Run], part: str, out: Path) -> int:
    """Say why runs are, or are not, run again.

    Returns:
        how many have records that cannot be used.

    Raises:
        ValueError: if none has such a part in its name.
    """
    meant = [run for run in runs if part in run.name]
    if not meant:
        raise refusal("why", part, f"must be a part of the name of a run, such as {runs[0].name}; --plan names all")
    refused = 0
    for run in meant:
        try:
            say(f"{run.name} {why(run, out)}")
        except ValueError as error:
            refused += 1
            say(f"{run.name} {LEFT_ALONE}")
            complain(str(error))
    return refused


def planned(plan: Plan, machine: Machine, title: str) -> None:
    """Print every run, and what all that is left costs; refused records on stderr."""
    estimates = dict(zip((entry.run for entry in plan.left), plan.seconds(machine.rates), strict=True))
    if not math.isfinite(sum(estimates.values())):
        slowest = min(rates.train for rates in machine.rates.values())
        raise refusal("throughput", slowest, "is so low that the time to wait for is beyond all numbers")
    made = table(title, "", ("run", "state", "epochs", "estimate"))
    for entry in plan.entries:
        state, epochs = ("refused", "-") if entry.state is None else (entry.state.phase, str(entry.state.epochs))
        estimate = duration(estimates[entry.run]) if entry.run in estimates else "-"
        add(made, entry.run.name, state, f"{epochs} of {entry.run.recipe.epochs}", estimate)
    show("", made)
    for entry in plan.refused:
        complain(entry.refused)
    say(_totals(plan, list(estimates.values()), machine))


def _totals(plan: Plan, seconds: Sequence[float], machine: Machine) -> str:
    done = f"{len(plan.done)} of {len(plan.entries)} runs are done"
    if not seconds:
        return f"{done}, and nothing is left to do"
    pace = ", ".join(f"{net} {rates.train:,.0f}" for net, rates in machine.rates.items())
    until_done = duration(elapsed(seconds, min(machine.at_once, len(seconds))))
    cost = f"{sum(seconds) / 3600:,.2f} {machine.unit}, {until_done} with"
    return f"{done}; left: {cost} {machine.at_once} at once, by images a second in training: {pace}"


class Narrator(Onlooker):
    """Tells of a sweep: a bar where stderr is a terminal, a line a run where it is not."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self._out, self._runs, self._known = out, len(plan.entries), {entry.run for entry in plan.done}
        self._done, self._failed, self._started = len(plan.done), 0, time.perf_counter()
        self._all = self._left = _weight(entry.left for entry in plan.left)
        self._bar = Bar(self._all)

    def __enter__(self) -> "Narrator":
        self._bar.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._bar.__exit__(*raised)

    def look(self, states: Mapping[Run, State]) -> None:
        """Move the bar."""
        self._left = _weight(work(run, state) for run, state in states.items())
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.show(self._all - self._left, f"{self._done} of {self._runs} runs{failed}")

    def done(self, run: Run) -> None:
        """Tell what a run came to, unless it was there before."""
        if run in self._known:
            return
        self._done += 1
        if self._bar.disable:
            complain(f"{self._done} of {self._runs}: {run.name}: {told(of_run(run, self._out))}{self._time_left()}")

    def _time_left(self) -> str:
        """Say how long the rest takes at the pace so far; the last look was before this run was done."""
        passed = self._all - self._left
        left = (time.perf_counter() - self._started) * self._left / passed if passed else 0
        return f"; {duration(left)} left" if left else ""

    def failed(self, run: Run, told: str) -> None:
        """Tell what was wrong."""
        self._failed += 1
        complain(f"{run.name} has failed: {told}")

    def refused(self, run: Run, told: str) -> None:
        """Say that it is left alone; what is wrong with it is told with the results."""
        del told
        complain(f"{run.name} {LEFT_ALONE}")

    def stopping(self, told: str) -> None:
        """Say why it takes a moment."""
        if told:
            complain(told)


def _weight(works: Iterable[Work]) -> int:
    """Count images, one that is trained on for several that are only passed."""
    return round(sum(work.trained + work.passed / FORWARD for work in works))
