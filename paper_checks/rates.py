"""How often the simulated checks alarm in vain, and whether they notice an equation that is wrong by one percent.

The record, `rates.json`, is read by the checks of ERROR-RATES.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from statistics import fmean
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
TOGETHER = 10  # seeds a process, which share the time of its start
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
    """how many processes at once"""
    out: Path = RECORD
    """the record"""

    def __call__(self) -> int:
        """Return the exit code."""
        whole("seeds", self.seeds, at_least=1)
        whole("jobs", self.jobs, at_least=1)
        if whole("falsified", self.falsified, at_least=0) > self.seeds:
            raise refusal("falsified", self.falsified, f"must be <= {self.seeds}, the seeds")
        self.notes.mkdir(parents=True, exist_ok=True)
        clean, wrong = (_parts(self.notes.resolve(), upto) for upto in (self.seeds, self.falsified))
        _each(Part.check, clean, self.jobs, "clean")
        _each(Part.falsify, wrong, self.jobs, "with falsified equations")
        found = rates([part.noted for part in clean], [part.noted_wrong for part in wrong])
        write_json(self.out, found)
        say(told(found))
        return 0


@dataclass(frozen=True)
class Part:
    """Some seeds, which one process takes.

    Attributes:
        folder: of the notes.
        seeds: one after the other.
    """

    folder: Path
    seeds: range

    @property
    def noted(self) -> Path:
        """What was compared."""
        return self.folder / f"seeds-{self.seeds[0]}-{self.seeds[-1]}.json"

    @property
    def noted_wrong(self) -> Path:
        """What was compared while equations were falsified."""
        return self.noted.with_suffix(".falsified.json")

    def check(self) -> None:
        """Make the checks, unless that was noted."""
        self._make(self.noted)

    def falsify(self) -> None:
        """Make each check with each of the equations that it evaluates falsified, unless that was noted."""
        self.check()
        self._make(self.noted_wrong, "--falsify", str(self.noted))

    def _make(self, notes: Path, *falsify: str) -> None:
        """Have pytest write notes.

        Raises:
            ValueError: if it cannot.
        """
        if notes.exists():
            return
        seeds = ["--first", str(self.seeds[0]), "--seeds", str(len(self.seeds))]
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "paper_checks.falsifying", "--notes", str(notes)]
        command = [sys.executable, "-m", "pytest", str(ROOM), *options, *seeds, *falsify]
        alone = os.environ | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(command, cwd=ROOM.parent, env=alone, capture_output=True, text=True, check=False)  # noqa: S603
        if not notes.exists():
            raise refusal("notes", notes, f"was not written: {(ended.stderr or ended.stdout)[-300:]}")


def _parts(folder: Path, seeds: int) -> list[Part]:
    return [Part(folder, range(first, min(first + TOGETHER, seeds))) for first in range(0, seeds, TOGETHER)]


def _each(do: Callable[[Part], None], parts: Sequence[Part], jobs: int, called: str) -> None:
    """Do something for each part, several at once; shows how far it has come, and how long the rest will take."""
    columns = TextColumn(called), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress, _pool(jobs) as pool:
        for done in progress.track(as_completed([pool.submit(do, part) for part in parts]), total=len(parts)):
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


def rates(clean: Iterable[Path], wrong: Iterable[Path]) -> Rates:
    """Sum up what was noted.

    Args:
        clean: files of notes.
        wrong: likewise, with falsified equations.
    """
    made, falsified = (list(chain.from_iterable(map(_read, paths))) for paths in (clean, wrong))
    comparisons = list(chain.from_iterable(note["comparisons"] for note in made))
    seeds = _seeds(made)
    return {
        "seeds": len(seeds),
        "checks": len(made) // len(seeds),
        "comparisons": len(comparisons),
        "alarms": [f"{note['test']}, seed {note['seed']}" for note in made if not note["passed"]],
        "promised": POWER,
        "noticed": fmean(map(noticed, comparisons)),
        "falsified": len(_seeds(falsified)),
        "caught": caught(falsified),
        "software": {"python": platform.python_version()} | {name: version(name) for name in SOFTWARE},
    }


def _seeds(notes: Iterable[Mapping[str, Any]]) -> set[int]:
    return {note["seed"] for note in notes}


def noticed(made: Sequence[Any]) -> float:
    """The share of the two values, off by what a comparison promises to notice, that it would have rejected."""
    *numbers, catches, replicas = made
    value, stderr, exact = numbers
    comparison = Comparison(Estimate(value, stderr, 0), exact, catches, replicas)
    return sum(comparison.rejects(exact * (1 + sign * catches)) for sign in (-1, 1)) / 2


def caught(notes: Iterable[Mapping[str, Any]]) -> dict[str, Caught]:
    """In how many seeds a comparison rejected an equation while it was falsified; by equation."""
    meant = [note for note in notes if note["falsified"] in note["evaluated"]]
    by_equation = {name: [note for note in meant if note["falsified"] == name] for name in _names(meant)}
    return {
        name: {
            "checks": len({note["test"] for note in own}),
            "seeds": len(_seeds(note for note in own if note["rejected"])),
        }
        for name, own in by_equation.items()
    }


def _names(notes: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({note["falsified"] for note in notes})


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
