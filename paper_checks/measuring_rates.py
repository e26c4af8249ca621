"""The command `rates`: the simulated checks with many seeds, and with falsified equations, in their own processes."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from fullscale.files import Busy, require_writable, sole_writer, write_json
from paper_checks.parts import ROOM, Part
from paper_checks.rates import RECORD, rates, told
from simulator.contracts import refusal, whole
from simulator.terminal import say

TOGETHER = 10  # seeds a process, which share the time of its start
MADE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)  # all checks


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
        """Return the exit code.

        Raises:
            ValueError: if something cannot be measured, read or written.
        """
        whole("seeds", self.seeds, at_least=1)
        whole("jobs", self.jobs, at_least=1)
        if whole("falsified", self.falsified, at_least=1) > self.seeds:
            raise refusal("falsified", self.falsified, f"must be <= {self.seeds}, the seeds")
        require_writable(self.out)
        if self.notes.exists() and not self.notes.is_dir():
            raise refusal("notes", self.notes, "must be a folder")
        self.notes.mkdir(parents=True, exist_ok=True)
        try:
            with sole_writer(self.notes), _interrupted_by(signal.SIGTERM):
                self.measure()
        except Busy:
            raise refusal("notes", self.notes, "another process is at work in it") from None
        return 0

    def measure(self) -> None:
        """Make what is missing, and the record.

        Raises:
            ValueError: if something cannot be read or made, or checks changed meanwhile.
        """
        clean, wrong = self.parts()
        for part in (*clean, *wrong):
            if part.file.exists():
                part.read()
        for parts, called in ((clean, "clean"), (wrong, "falsified")):
            Processes(self.jobs).make(parts, called)
        found = rates(*([part.fresh() for part in parts] for parts in (clean, wrong)))
        write_json(self.out, found)
        say(told(found))

    def parts(self) -> "tuple[list[Part], list[Part]]":
        """Clean ones of some seeds each, and falsified ones of a single seed."""
        starts = range(0, self.seeds, TOGETHER)
        clean = [Part(self.notes.resolve(), range(at, min(at + TOGETHER, self.seeds))) for at in starts]
        wrong = [Part(part.folder, range(at, at + 1), part.file) for part in clean for at in part.seeds]
        return clean, wrong[: self.falsified]


@contextmanager
def _interrupted_by(number: int) -> Iterator[None]:
    """Take a signal for Ctrl-C, so that it ends the processes, too."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@dataclass
class Processes:
    """So many at once, of which none outlives what has begun them."""

    jobs: int
    running: set[Popen[str]] = field(default_factory=set)
    ended: bool = False

    def make(self, parts: Sequence[Part], called: str) -> None:
        """Make what is not noted, or has changed since; shows how far it has come, and how long the rest will take.

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
        part.new.unlink(missing_ok=True)
        checks = part.stale()
        if there := [name for name in checks if (ROOM.parent / name).exists()]:
            self._run(part, there)
        if checks:
            part.take(checks)

    def _run(self, part: Part, checks: Sequence[str]) -> None:
        process = Popen(part.command(checks), cwd=ROOM.parent, stdout=PIPE, stderr=STDOUT, text=True)  # noqa: S603
        self.running.add(process)
        if self.ended:
            process.terminate()
        last = process.communicate()[0].strip().rpartition("\n")[2]
        self.running.discard(process)
        made = process.returncode in MADE and part.new.exists()
        if not made and process.returncode != pytest.ExitCode.NO_TESTS_COLLECTED:
            raise refusal("notes", part.file, f"could not be made: {last}")
