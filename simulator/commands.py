"""The commands that take files: `measure` a stack, `sweep` a grid, `plot` what a sweep has found."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np

from simulator.contracts import Refusal, refusal, whole
from simulator.description import Experiment, described
from simulator.fields import meant
from simulator.files import output, read_toml, require_other, whole_file
from simulator.results import AFTER_KEYS, cells
from simulator.stack import Reading
from simulator.sweep import Done, Sweep
from simulator.terminal import INTERRUPTED, Bar, Flag, Positional, arg, complain, say, show, table

Result = TypeVar("Result")

READY_MADE = Path(__file__).parent / "grids"
MOST_THREADS = 1024


@dataclass(frozen=True)
class Measure:
    """Measure every Batch Normalization of a stack that a TOML file describes.

    Ctrl-C stops early and prints what was measured so far.
    """

    stack: Positional[Path]
    """the TOML file: [inputs], [[layers]] and, if you like, [measure]"""
    seed: int | None = None
    """instead of the file's: of the weights, the inputs and the noise"""
    threads: int | None = None
    """how many; one a core by default. The bits do not depend on it"""
    json: Flag = False
    """print a JSON list with one object a BN, and nothing else"""
    out: Path | None = None
    """file to write that JSON list to, whole or not at all"""

    def __call__(self) -> int:
        """Measure and show the readings, or after Ctrl-C what there is of them; only complete ones go to `out`."""
        started = time.perf_counter()
        few(self.threads)
        if self.seed is not None:
            generator(self.seed)
        require_other(self.out, self.stack)
        with whole_file(self.out) as file, in_file(self.stack):
            experiment = self.experiment()
            readings, complete = self.measured(experiment)
            if file is not None and complete:
                file.write(self.as_json(readings) + "\n")
        self.report(readings, time.perf_counter() - started, complete=complete)
        told = f"interrupted at n = {readings[0].shift.n} of {experiment.measuring.samples} samples"
        return 0 if complete else complain(told, INTERRUPTED)

    def experiment(self) -> Experiment:
        """Read what is to be measured."""
        experiment = described(read_toml(self.stack))
        if self.seed is None:
            return experiment
        return replace(experiment, measuring=replace(experiment.measuring, seed=self.seed))

    def measured(self, experiment: Experiment) -> tuple[tuple[Reading, ...], bool]:
        """Measure, and tell whether to the end."""
        return to_the_end(
            lambda keep: experiment.measure(threads=self.threads, progress=keep),
            experiment.measuring.samples,
            lambda readings: readings[0].shift.n,
            "replicas",
        )

    def as_json(self, readings: tuple[Reading, ...]) -> str:
        """Write the columns of a sweep, as one object a BN."""
        rows = [dict(zip(AFTER_KEYS, map(json.loads, cells(reading)), strict=True)) for reading in readings]
        return json.dumps(rows)

    def report(self, readings: tuple[Reading, ...], seconds: float, *, complete: bool) -> None:
        """Print the readings on stdout, as JSON or as a table."""
        if self.json:
            say(self.as_json(readings))
            return
        title = "Each BN, estimate ± standard error" + ("" if complete else ", INTERRUPTED")
        caption = f"n = {readings[0].shift.n:,} samples in {seconds:.2f} s"
        shown = ("moving_var", "real_var", "shift", "shift_ratio")
        made = table(title, caption, ("BN", *shown))
        for reading in readings:
            made.add_row(str(reading.bn), *(str(getattr(reading, name)) for name in shown))
        show(str(self.stack), made)


@dataclass(frozen=True)
class SweepOver:
    """Measure a stack at every point of a grid, or at random points, into a CSV file.

    Ctrl-C keeps the points that are done, and the same command goes on with the rest. Points that cannot be
    measured are told when all others are done.
    """

    grid: Positional[str]
    """a ready-made grid (retain, d, rho, map, depth, noise), or a TOML file with [grid] or [draws]"""
    out: Path
    """the CSV file: a new one, or one of this experiment to go on with"""
    threads: int | None = None
    """how many; one a core by default. The bits do not depend on it"""

    def __call__(self) -> int:
        """Measure what is missing."""
        path, threads, out = self.file(), few(self.threads), output(self.out)
        require_other(out, path)
        with in_file(path):
            sweep = Sweep(read_toml(path))
        points, done = len(sweep.grid.settings), 0
        try:
            with in_file(path), Bar(sweep.samples) as bar:

                def keep(now: Done) -> None:
                    nonlocal done
                    done = now.points
                    bar.show(now.samples, f"{done} of {points} points")

                new = sweep.run(out, threads=threads, progress=keep)
        except KeyboardInterrupt:
            if not out.exists():
                return complain(f"interrupted before one of {points} points was done; nothing is kept", INTERRUPTED)
            told = f"interrupted with {done} of {points} points done, which are kept in {self.out}"
            return complain(f"{told}; the same command goes on", INTERRUPTED)
        say(f"{self.out}: {points} points, {new} of them new")
        return 0

    def file(self) -> Path:
        """Find the file of a ready-made grid, or the one that is named."""
        names = sorted(path.stem for path in READY_MADE.glob("*.toml"))
        if self.grid in names:
            return READY_MADE / f"{self.grid}.toml"
        if "/" not in self.grid and not Path(self.grid).exists():
            rule = f"is no file, and none of {', '.join(names)}{meant(self.grid, names)}"
            raise refusal("grid", self.grid, rule)
        return Path(self.grid)


@dataclass(frozen=True)
class Plot:
    """Draw a sweep's file: a quantity against one key of the grid or down the stack, or as a map over two keys."""

    file: Positional[Path]
    """the CSV of a sweep"""
    x: str
    """a key of the grid, or bn: the number of the BN in the stack, or d_cos2 where d and cos2 are keys"""
    out: Path
    """the picture: .svg, .png or .pdf"""
    y: str = "shift"
    """a measured column: shift, shift_ratio, moving_var, real_var, ..."""
    map_over: Annotated[str | None, arg(name="map")] = None
    """a second key: draw y as colours over x and this"""

    def __call__(self) -> int:
        """Draw."""
        from simulator import pictures  # noqa: PLC0415 - matplotlib takes its time, which no other command should

        require_other(output(self.out), self.file)
        try:
            sweep = pictures.read_sweep(self.file)
        except OSError as error:
            raise ValueError(f"{self.file}: cannot be read: {error.strerror}") from error
        figure = pictures.draw(sweep, x=self.x, y=self.y, map_over=self.map_over)
        pictures.save(figure, self.out)
        return 0


def to_the_end(
    measure: Callable[[Callable[[Result], None]], Result], samples: int, seen: Callable[[Result], int], parts: str
) -> tuple[Result, bool]:
    """Measure under a bar; after Ctrl-C return the last result so far, and that it is not complete.

    Args:
        measure: is given what takes a result so far.
        samples: how many there are to see.
        seen: how many a result has seen.
        parts: two of which make the first result.

    Raises:
        KeyboardInterrupt: if there is no result so far.
    """
    so_far: Result | None = None
    try:
        with Bar(samples) as bar:

            def keep(result: Result) -> None:
                nonlocal so_far
                so_far = result
                bar.show(seen(result))

            return measure(keep), True
    except KeyboardInterrupt:
        if so_far is None:
            raise KeyboardInterrupt(f"interrupted before there were 2 {parts} to estimate from") from None
        return so_far, False


def few(threads: int | None) -> int | None:
    """Check a number of threads, which None leaves to the simulator.

    Raises:
        ValueError: if it is below 1 or above 1024.
    """
    if threads is not None and whole("threads", threads, at_least=1) > MOST_THREADS:
        raise refusal("threads", threads, f"must be <= {MOST_THREADS}")
    return threads


def generator(seed: int) -> np.random.Generator:
    """Start a source of randomness.

    Raises:
        ValueError: if the seed is negative.
    """
    return np.random.default_rng(whole("seed", seed, at_least=0))


@contextlib.contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Name the file that a refusal is about, unless it is about another, which is written."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, Refusal) and error.name == "out":
            raise
        raise ValueError(f"{path}: {error}") from None
