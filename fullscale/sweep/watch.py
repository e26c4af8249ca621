"""Watching a sweep until every run is done or has failed for good, whoever does it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fullscale.interrupts import noted
from fullscale.sweep import attempts
from fullscale.sweep.engine import Engine
from fullscale.sweep.run import Run
from fullscale.sweep.state import State, state
from fullscale.train import Stopped


class Onlooker:
    """Told of what happens; the base class looks away."""

    def look(self, states: Mapping[Run, State]) -> None:
        """So far have the runs come that are neither done nor given up."""

    def done(self, run: Run) -> None:
        """A run is done."""

    def failed(self, run: Run, told: str) -> None:
        """A run is given up."""

    def refused(self, run: Run, told: str) -> None:
        """A run has a record that cannot be used, and is left alone."""

    def stopping(self, told: str) -> None:
        """A signal has asked to stop, and what is told takes a moment; nothing if it is empty."""


def watch(runs: Sequence[Run], out: Path, sweep: str, engine: Engine, onlooker: Onlooker) -> dict[Run, str]:
    """Have runs done, and return those that failed for good, and why; records that cannot be used are no failures.

    Raises:
        Stopped: after a signal (`fullscale.interrupts`).
    """
    failed: dict[Run, str] = {}
    left = list(runs)
    with noted() as request:
        try:
            while left := _left(left, out, sweep, failed, onlooker):
                if request.signal:
                    onlooker.stopping(engine.stopping)
                    raise Stopped(f"stopped with {len(left)} runs left; {engine.leaving}", request.signal)
                for run, told in engine.tend(left).items():
                    failed[run] = told
                    onlooker.failed(run, told)
                time.sleep(engine.pause)
        finally:
            engine.leave()
    return failed


def _left(runs: Sequence[Run], out: Path, sweep: str, failed: dict[Run, str], onlooker: Onlooker) -> list[Run]:
    """Sort out which runs are done or failed, tell of those, and return the others."""
    states: dict[Run, State] = {}
    for run in runs:
        if run in failed:
            continue
        attempt = attempts.last(out / run.name, sweep)
        try:
            found = state(run, out)
        except ValueError as error:
            onlooker.refused(run, str(error))
            continue
        if found.done:
            onlooker.done(run)
        elif attempt.final:
            failed[run] = attempt.told
            onlooker.failed(run, attempt.told)
        else:
            states[run] = found
    onlooker.look(states)
    return list(states)
