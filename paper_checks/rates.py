"""How often the simulated checks alarm in vain, and whether they notice an equation that is wrong by one percent."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from math import sqrt
from pathlib import Path
from statistics import fmean
from subprocess import PIPE, STDOUT, Popen
from typing import Any, TypedDict

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fullscale.files import read_json, require_writable, write_json
from paper_checks.error_rates import POWER, Comparison, rejects_at
from paper_checks.repeating import made_by
from simulator import Estimate
from simulator.contracts import refusal, whole
from simulator.terminal import say
from theory import EQUATIONS

ROOM = Path(__file__).parent
RECORD = ROOM / "rates.json"
TOGETHER = 10  # seeds a process, which share the time of its start
MADE = (0, 1)  # pytest's exit codes where all checks were made

Note = Mapping[str, Any]
"""a `paper_checks.repeating.Note`, as JSON"""


class Deviations(TypedDict):
    """How far estimates lay from what they were held against, in their standard errors.

    Attributes:
        rms: their root mean square; 1 where standard errors are right.
        beyond: the share beyond 1, 2 and 3; of normal ones 0.3173, 0.0455 and 0.0027.
        largest: of all.
        rejects_at: from where on the least patient comparison rejects.
    """

    rms: float
    beyond: dict[str, float]
    largest: float
    rejects_at: float


class Caught(TypedDict):
    """Of an equation: how many checks compare with it, and in how many seeds one of them at least rejected it."""

    checks: int
    seeds: int


class Rates(TypedDict):
    """The record.

    Attributes:
        made_by: digest of the code, and versions.
        seeds: with which all checks were made.
        checks: a seed.
        comparisons: with a value, in all; those of order alone, and controls, are not counted.
        alarms: the checks that failed, though nothing was wrong, each with its seed.
        deviations: of all comparisons.
        promised: the probability of noticing an error of the size that a comparison names.
        noticed: by check, the share of its estimates that reject a value off by that much, either way.
        falsified: with how many seeds each equation was made too large by one percent.
        caught: by equation.
        not_simulated: the equations that no simulated check compares with.
    """

    made_by: dict[str, str]
    seeds: int
    checks: int
    comparisons: int
    alarms: list[str]
    deviations: Deviations
    promised: float
    noticed: dict[str, float]
    falsified: int
    caught: dict[str, Caught]
    not_simulated: list[str]


@dataclass(frozen=True)
class MeasureRates:
    """Make the simulated checks with many seeds, and with each equation too large by one percent; takes hours.

    What was noted stands, so that a run that was stopped goes on. In the end there is one record.
    """

    notes: tyro.conf.Positional[Path]
    """the folder of what is noted; made where there is none"""
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
        if whole("falsified", self.falsified, at_least=1) > self.seeds:
            raise refusal("falsified", self.falsified, f"must be <= {self.seeds}, the seeds")
        require_writable(self.out)
        if self.notes.exists() and not self.notes.is_dir():
            raise refusal("notes", self.notes, "must be a folder")
        self.notes.mkdir(parents=True, exist_ok=True)
        clean, wrong = self.parts()
        with Checking(self.jobs) as checking:
            checking.make(clean, "clean")
            checking.make(wrong, "falsified")
        found = rates(*(list(chain.from_iterable(map(noted, parts))) for parts in (clean, wrong)))
        write_json(self.out, found)
        say(told(found))
        return 0

    def parts(self) -> "tuple[list[Part], list[Part]]":
        """Clean ones of some seeds each, and falsified ones of a single seed."""
        starts = range(0, self.seeds, TOGETHER)
        clean = [Part(self.notes.resolve(), range(at, min(at + TOGETHER, self.seeds))) for at in starts]
        wrong = [Part(part.folder, range(at, at + 1), part.file) for part in clean for at in part.seeds]
        return clean, wrong[: self.falsified]


@dataclass(frozen=True)
class Part:
    """What one process makes.

    Attributes:
        folder: of the notes.
        seeds: those of its checks.
        clean: the notes from which it falsifies; None for clean checks.
    """

    folder: Path
    seeds: range
    clean: Path | None = None

    @property
    def file(self) -> Path:
        """Its notes."""
        return self.folder / f"{'falsified' if self.clean else 'clean'}-{self.seeds[0]}-{len(self.seeds)}.json"

    @property
    def command(self) -> list[str]:
        """What makes them."""
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "paper_checks.repeating", "--notes", str(self.file)]
        seeds = ["--first", str(self.seeds[0]), "--seeds", str(len(self.seeds))]
        falsify = ["--falsify", str(self.clean)] if self.clean else []
        return [sys.executable, "-m", "pytest", str(ROOM), *options, *seeds, *falsify]


@dataclass
class Checking:
    """Processes at work, of which none outlives the block."""

    jobs: int
    running: set[Popen[str]] = field(default_factory=set)
    ended: bool = False

    def __enter__(self) -> "Checking":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, and what has just begun."""
        self.ended = True
        for process in list(self.running):
            process.terminate()

    def make(self, parts: Sequence[Part], called: str) -> None:
        """Make what is not noted; shows how far it has come, and how long the rest will take.

        Raises:
            ValueError: if that cannot be done.
        """
        columns = TextColumn(called), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as progress, self._pool() as pool:
            made = as_completed([pool.submit(self._make, part) for part in parts])
            for each in progress.track(made, total=len(parts)):
                each.result()

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads that wait for processes; where one fails, or the user interrupts, the others end, too."""
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.__exit__()
                raise

    def _make(self, part: Part) -> None:
        if part.file.exists():
            return
        process = Popen(part.command, cwd=ROOM.parent, stdout=PIPE, stderr=STDOUT, text=True)  # noqa: S603
        self.running.add(process)
        if self.ended:
            process.terminate()
        last = process.communicate()[0].strip().rpartition("\n")[2]
        self.running.discard(process)
        if process.returncode not in MADE or not part.file.exists():
            raise refusal("notes", part.file, f"could not be made: {last}")


def noted(part: Part) -> list[Note]:
    """Return the notes of a part.

    Raises:
        ValueError: if they are damaged, or by other code.
    """
    there = read_json(part.file)
    if there.get("made_by") != made_by():
        raise refusal("notes", part.file, "were made by other code or software; move them away")
    return there["notes"]


def rates(clean: Sequence[Note], wrong: Sequence[Note]) -> Rates:
    """Sum up what was noted, as it is and with falsified equations.

    Raises:
        ValueError: unless all checks were made with each seed.
    """
    seeds = _seeds(clean)
    checks, rest = divmod(len(clean), len(seeds))
    if rest:
        raise ValueError(f"notes: {len(clean)} checks are no whole number for each of {len(seeds)} seeds")
    comparisons = [comparison for note in clean for comparison in compared(note)]
    caught = caught_by_equation(wrong)
    return {
        "made_by": made_by(),
        "seeds": len(seeds),
        "checks": checks,
        "comparisons": len(comparisons),
        "alarms": [f"{note['test']}, seed {note['seed']}" for note in clean if not note["passed"]],
        "deviations": deviations(comparisons),
        "promised": POWER,
        "noticed": noticed_by_check(clean),
        "falsified": len(_seeds(wrong)),
        "caught": caught,
        "not_simulated": [name for name in EQUATIONS if name not in caught],
    }


def compared(note: Note) -> list[Comparison]:
    """The comparisons of a note."""
    return [Comparison(**made | {"estimate": Estimate(**made["estimate"])}) for made in note["comparisons"]]


def deviations(comparisons: Iterable[Comparison]) -> Deviations:
    """How far estimates lay from their values; exact ones, without a standard error, do not count."""
    rough = [made for made in comparisons if made.estimate.stderr]
    off = [abs(made.estimate.value - made.exact) / made.estimate.stderr for made in rough]
    return {
        "rms": sqrt(fmean(each**2 for each in off)),
        "beyond": {str(k): fmean(each > k for each in off) for k in (1, 2, 3)},
        "largest": max(off),
        "rejects_at": min(rejects_at(made.replicas) for made in rough),
    }


def noticed_by_check(notes: Iterable[Note]) -> dict[str, float]:
    """The share of values off by what a comparison promises to notice, half of them below, that it rejects."""
    found = defaultdict[str, list[bool]](list)
    for note in notes:
        for made in compared(note):
            found[note["test"]] += [made.rejects(made.exact * (1 + sign * made.catches)) for sign in (-1, 1)]
    return {test: fmean(rejected) for test, rejected in sorted(found.items())}


def caught_by_equation(notes: Iterable[Note]) -> dict[str, Caught]:
    """In how many seeds a comparison rejected an equation while it was falsified."""
    meant = [note for note in notes if note["falsified"] in note["evaluated"]]
    by_equation = defaultdict[str, list[Note]](list)
    for note in meant:
        by_equation[note["falsified"]].append(note)
    return {
        name: {"checks": len({note["test"] for note in own}), "seeds": len(_seeds(filter(_rejected, own)))}
        for name, own in sorted(by_equation.items())
    }


def _rejected(note: Note) -> bool:
    return any(made.rejects(made.exact) for made in compared(note))


def _seeds(notes: Iterable[Note]) -> set[int]:
    return {note["seed"] for note in notes}


def told(found: Rates) -> str:
    """A few lines: what failed, what was noticed, and what was not always caught."""
    seeds, off, (least, share) = found["falsified"], found["deviations"], min(found["noticed"].items(), key=_second)
    missed = {name: each["seeds"] for name, each in found["caught"].items() if each["seeds"] < seeds}
    lines = [
        f"{found['seeds']} seeds, {found['checks']} checks each, {found['comparisons']:,} comparisons with a value",
        f"failed: {len(found['alarms'])}",
        *found["alarms"],
        f"deviations: rms {off['rms']:.3f} standard errors, the largest {off['largest']:.2f}; rejected from "
        f"{off['rejects_at']:.2f} on",
        f"power: {found['promised']:.1%} is promised, {share:.2%} the least ({least})",
        f"equations too large by 1%: {len(found['caught']) - len(missed)} of {len(found['caught'])} were caught in "
        f"each of {seeds} seeds",
        *(f"{name}: caught in {caught} of {seeds} seeds" for name, caught in missed.items()),
        f"in no simulated check: {', '.join(found['not_simulated'])}",
    ]
    return "\n".join(lines)


def _second(pair: tuple[str, float]) -> float:
    return pair[1]
