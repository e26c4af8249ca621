"""How often the simulated checks alarm in vain, and whether they notice an equation that is wrong by one percent.

The record, `rates.json`, is read by the checks of ERROR-RATES.
"""

import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fullscale.files import write_json
from paper_checks.error_rates import POWER, Comparison
from simulator import Estimate
from simulator.contracts import refusal, whole
from simulator.terminal import say

ROOM = Path(__file__).parent
RECORD = ROOM / "rates.json"
SOFTWARE = ("numpy", "sympy", "hypothesis")


class Caught(TypedDict):
    """Of an equation: the checks that compare with it, and in how many seeds one of them at least noticed."""

    checks: int
    seeds: int


class Rates(TypedDict):
    """The record.

    Attributes:
        seeds: with which all checks were made.
        checks: a seed.
        comparisons: with a value, in all.
        alarms: the checks that failed, though nothing was wrong, each with its seed.
        promised: the probability of noticing an error of the size that a comparison names.
        noticed: the share of comparisons that would have rejected a value off by that much, either way.
        falsified: with how many seeds each equation was made wrong by one percent.
        caught: by equation.
        software: versions.
    """

    seeds: int
    checks: int
    comparisons: int
    alarms: list[str]
    promised: float
    noticed: float
    falsified: int
    caught: dict[str, Caught]
    software: dict[str, str]


@dataclass(frozen=True)
class MeasureRates:
    """Make the simulated checks with many seeds, and with each equation wrong by one percent; takes hours.

    What each seed has shown is noted, so that a run that was stopped goes on. In the end there is one record.
    """

    notes: tyro.conf.Positional[Path]
    """the folder of what was noted; made where there is none"""
    seeds: int = 300
    """how many"""
    falsified: int = 20
    """with how many of them each equation is falsified, too"""
    jobs: int = 1
    """how many seeds at once"""
    out: Path = RECORD
    """the record"""

    def __call__(self) -> int:
        """Return the exit code."""
        whole("seeds", self.seeds, at_least=1)
        whole("jobs", self.jobs, at_least=1)
        if whole("falsified", self.falsified, at_least=0) > self.seeds:
            raise refusal("falsified", self.falsified, f"must be <= {self.seeds}, the seeds")
        self.notes.mkdir(parents=True, exist_ok=True)
        _each(self._note_clean, range(self.seeds), self.jobs, "seeds")
        _each(self._note_falsified, range(self.falsified), self.jobs, "seeds, falsified")
        found = rates(map(self._clean, range(self.seeds)), map(self._wrong, range(self.falsified)))
        write_json(self.out, found)
        say(told(found))
        return 0

    def _clean(self, seed: int) -> Path:
        return self.notes / f"seed-{seed}.json"

    def _wrong(self, seed: int) -> Path:
        return self.notes / f"seed-{seed}-falsified.json"

    def _note_clean(self, seed: int) -> None:
        _check(seed, self._clean(seed))

    def _note_falsified(self, seed: int) -> None:
        _check(seed, self._wrong(seed), "--falsify", str(self._clean(seed).resolve()))


def _each(note: Callable[[int], None], seeds: Sequence[int], jobs: int, called: str) -> None:
    """Do something for each seed, several at once; shows how far it has come, and how long the rest will take."""
    columns = BarColumn(), MofNCompleteColumn(), TextColumn(called), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress, _pool(jobs) as pool:
        for done in progress.track(as_completed([pool.submit(note, seed) for seed in seeds]), total=len(seeds)):
            done.result()


@contextmanager
def _pool(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more where one of them fails, or the user has seen enough."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check(seed: int, notes: Path, *falsify: str) -> None:
    """Make the simulated checks with a seed, unless that was noted.

    Raises:
        ValueError: if they cannot be made.
    """
    if notes.exists():
        return
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "paper_checks.falsifying", f"--hypothesis-seed={seed}"]
    command = [sys.executable, "-m", "pytest", str(ROOM), *options, "--notes", str(notes.resolve()), *falsify]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOM.parent, env=alone, capture_output=True, text=True, check=False)  # noqa: S603
    if not notes.exists():
        raise refusal("notes", notes, f"was not written: {(ended.stderr or ended.stdout)[-300:]}")


def rates(clean: Iterable[Path], wrong: Iterable[Path]) -> Rates:
    """Sum up what was noted.

    Args:
        clean: a file a seed.
        wrong: likewise, with falsified equations.
    """
    runs, falsified = [_read(path) for path in clean], [_read(path) for path in wrong]
    comparisons = [made for note in chain(*runs) for made in note["comparisons"]]
    return {
        "seeds": len(runs),
        "checks": len(runs[0]),
        "comparisons": len(comparisons),
        "alarms": [
            f"{note['test']}, seed {seed}" for seed, run in enumerate(runs) for note in run if not note["passed"]
        ],
        "promised": POWER,
        "noticed": sum(map(noticed, comparisons)) / len(comparisons),
        "falsified": len(falsified),
        "caught": caught(falsified),
        "software": {"python": platform.python_version()} | {name: version(name) for name in SOFTWARE},
    }


def noticed(made: Sequence[Any]) -> float:
    """The share of the two values, off by what a comparison promises to notice, that it would have rejected."""
    *numbers, catches, replicas = made
    value, stderr, exact = numbers
    comparison = Comparison(Estimate(value, stderr, 0), exact, catches, replicas)
    return sum(comparison.rejects(exact * (1 + sign * catches)) for sign in (-1, 1)) / 2


def caught(runs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Caught]:
    """In how many seeds a comparison rejected an equation while it was falsified; by equation."""
    checks, seeds = defaultdict[str, set[str]](set), defaultdict[str, set[int]](set)
    for seed, note in ((seed, note) for seed, run in enumerate(runs) for note in run):
        if (name := note["falsified"]) in note["evaluated"]:
            checks[name].add(note["test"])
            if note["rejected"]:
                seeds[name].add(seed)
    return {name: {"checks": len(checks[name]), "seeds": len(seeds[name])} for name in sorted(checks)}


def told(found: Rates) -> str:
    """One line, and one more for each equation that was not always caught."""
    missed = {name: each for name, each in found["caught"].items() if each["seeds"] < found["falsified"]}
    head = (
        f"{found['seeds']} seeds, {found['comparisons']:,} comparisons: {len(found['alarms'])} checks failed; "
        f"{found['noticed']:.2%} of errors of the size that is named were noticed, {found['promised']:.1%} were "
        f"promised; of {len(found['caught'])} equations, each wrong by 1% in {found['falsified']} seeds, "
        f"{len(found['caught']) - len(missed)} were caught every time"
    )
    return "\n".join([head, *(f"{name}: caught in {each['seeds']} seeds" for name, each in missed.items())])


def _read(path: Path) -> list[Mapping[str, Any]]:
    return json.loads(path.read_bytes())
