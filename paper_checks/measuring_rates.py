"""The command `rates`: the simulated checks with many seeds, and with falsified equations, in their own processes."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fullscale.files import require_writable, write_json
from paper_checks.rates import RECORD, Note, Noted, rates, read, told
from paper_checks.repeating import changed, upgraded
from simulator.contracts import refusal, whole
from simulator.terminal import say

ROOM = Path(__file__).parent
TOGETHER = 10  # seeds a process, which share the time of its start
MADE = (0, 1)  # pytest's exit codes where all checks were made


@dataclass(frozen=True)
class MeasureRates:
    """Make the simulated checks with many seeds, and with each equation too large by one percent; takes hours.

    What was noted stands, so that a run that was stopped goes on; where checks have changed since, theirs is made anew.
    In the end there is one record.
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
        for part in (*clean, *wrong):
            if part.file.exists():
                part.stale()
        for parts, called in ((clean, "clean"), (wrong, "falsified")):
            Processes(self.jobs).make(parts, called)
        found = rates(*([part.read() for part in parts] for parts in (clean, wrong)))
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

    def read(self) -> Noted:
        """Return what was noted.

        Raises:
            ValueError: if it is damaged.
        """
        return read(self.file, Noted)

    def stale(self) -> list[str]:
        """Name the files of checks that have changed since their notes, or evaluate other equations than there.

        Raises:
            ValueError: if the notes are damaged, or other code or software has changed, on which all of them rest.
        """
        there = self.read()
        own, others = {file_of(note) for note in there["notes"]}, changed(there["code"])
        if shared := [*(name for name in others if name not in own), *upgraded(there["software"])]:
            raise refusal("notes", self.file, f"was noted by other code or software: {', '.join(shared)}; move it away")
        return sorted({*others, *self._falsified_otherwise(there)})

    def _falsified_otherwise(self, there: Noted) -> set[str]:
        if self.clean is None or not self.clean.exists():
            return set()
        clean = [note for note in read(self.clean, Noted)["notes"] if note["comparisons"]]
        meant = {(file_of(note), note["test"], name) for note in clean for name in note["evaluated"]}
        made = {(file_of(note), note["test"], note["falsified"]) for note in there["notes"]}
        return {file for file, _, _ in meant ^ made}

    def command(self, checks: Sequence[str]) -> list[str]:
        """What makes those of some files of checks."""
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "paper_checks.repeating", "--notes", str(self.new)]
        seeds = ["--first", str(self.seeds[0]), "--seeds", str(len(self.seeds))]
        falsify = ["--falsify", str(self.clean)] if self.clean else []
        return [sys.executable, "-m", "pytest", *checks, *options, *seeds, *falsify]

    @property
    def new(self) -> Path:
        """What is noted anew, until it is taken."""
        return self.file.with_suffix(".new")

    def take(self, checks: Sequence[str]) -> None:
        """Put what was made of some files of checks in the place of what was noted of them."""
        made = read(self.new, Noted)
        there = self.read() if self.file.exists() else Noted(code={}, software={}, notes=[])
        code = {name: digest for name, digest in there["code"].items() if name not in checks}
        notes = [note for note in there["notes"] if file_of(note) not in checks]
        write_json(self.file, made | {"code": code | made["code"], "notes": [*notes, *made["notes"]]})
        self.new.unlink()


def file_of(note: Note) -> str:
    """The file of a check, by its path in the project."""
    return note["test"].partition("::")[0]


@dataclass
class Processes:
    """So many at once, of which none outlives what has begun them."""

    jobs: int
    running: set[Popen[str]] = field(default_factory=set)
    ended: bool = False

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
                self._end()
                raise

    def _end(self) -> None:
        """End what still runs, and what has just begun."""
        self.ended = True
        for process in list(self.running):
            process.terminate()

    def _make(self, part: Part) -> None:
        checks = part.stale() if part.file.exists() else [ROOM.name]
        if not checks:
            return
        part.new.unlink(missing_ok=True)
        process = Popen(part.command(checks), cwd=ROOM.parent, stdout=PIPE, stderr=STDOUT, text=True)  # noqa: S603
        self.running.add(process)
        if self.ended:
            process.terminate()
        last = process.communicate()[0].strip().rpartition("\n")[2]
        self.running.discard(process)
        if process.returncode not in MADE or not part.new.exists():
            raise refusal("notes", part.file, f"could not be made: {last}")
        part.take(checks)
