"""Sweeps: an experiment at every point of a grid, into a CSV that is whole at every moment and can be gone on with."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from simulator.contracts import refusal
from simulator.description import Experiment, described
from simulator.fields import shown
from simulator.files import output, replace, sole_writer
from simulator.grid import Grid, Scalar, Setting, digest, read_grid
from simulator.results import AFTER_KEYS, Results, Row, cells, columns, lines, read_results

# Seconds between two saves: what a power cut costs at most, besides the point that was being measured.
SAVE_EVERY = 2.0


@dataclass(frozen=True)
class Done:
    """How far a sweep is.

    Attributes:
        points: how many points are measured.
        samples: how many samples of the inputs, those of the point in hand and of points that failed included.
    """

    points: int
    samples: int


Progress: TypeAlias = Callable[[Done], None]


class Sweep:
    """A description with a grid, checked at all of its points.

    Attributes:
        grid: the points.
        samples: how many samples of the inputs the whole sweep takes.

    Raises:
        ValueError: if anything is not in order, at any point: the place, the value, what is allowed, the point.
    """

    def __init__(self, description: Mapping[str, object]) -> None:
        self.grid = read_grid(description)
        self._samples: dict[Setting, int] = {}
        self._norms: dict[Setting, int] = {}
        self._alike: defaultdict[Hashable, list[Setting]] = defaultdict(list)
        for setting in self.grid.settings:
            experiment = self._experiment(setting)
            self._samples[setting] = experiment.measuring.samples
            self._norms[setting] = experiment.plan.norms
            self._alike[experiment.footprint].append(setting)
        self.samples = sum(self._samples.values())

    def run(
        self,
        path: Path,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
        save_every: float = SAVE_EVERY,
    ) -> int:
        """Measure the points that a file does not hold yet, in order, and save them in it.

        At every moment the file holds whole points, in order. Interrupted anywhere, even by the kill of the process,
        it can be gone on with, and ends with the bytes of a run that never stopped. A point's numbers depend on its
        setting and on measure.seed, and neither on the other points nor on the threads.

        Args:
            path: the CSV. One that is there must be of this experiment, and hold only points of this grid.
            threads: as for `Stack.measure`.
            progress: called at the start, and after every replica.
            save_every: seconds between two saves.

        Returns:
            How many points were missing.

        Raises:
            ValueError: if the file is anything else, and then it stays as it is; if another sweep is writing it; if
                it cannot be written; if a missing point does not fit the memory; or, when all others are measured and
                saved, if there are points that cannot be: how many, and why the first cannot.
        """
        path = output(path)
        with sole_writer(path):
            found = self._found(path)
            self._require_memory(found, threads)
            before = len(found)
            try:
                self._measure_missing(found, path, threads, progress or (lambda _done: None), save_every)
            finally:
                self._save(found, path)
        return len(found) - before

    def _require_memory(self, found: Collection[Setting], threads: int | None) -> None:
        """Refuse the first point that is missing and would not fit, of each footprint."""
        for alike in self._alike.values():
            missing = next((setting for setting in alike if setting not in found), None)
            if missing is not None:
                with _at(self.grid, missing):
                    self._experiment(missing).require_memory(threads)

    def _measure_missing(
        self, found: dict[Setting, str], path: Path, threads: int | None, progress: Progress, save_every: float
    ) -> None:
        saved, refused = -math.inf, list[str]()
        done = Done(len(found), sum(self._samples[setting] for setting in found))
        progress(done)
        for setting in self.grid.settings:
            if setting in found:
                continue
            try:
                found[setting] = self._measure(setting, threads, partial(_tell, progress, done))
            except ValueError as error:
                refused.append(str(error))
            done = Done(len(found), done.samples + self._samples[setting])
            progress(done)
            if time.monotonic() - saved >= save_every:
                self._save(found, path)
                saved = time.monotonic()
        if refused:
            told = f"{len(refused)} of {len(self.grid.settings)} points could not be measured"
            raise ValueError(f"{told}; the first: {refused[0]}")

    def _experiment(self, setting: Setting) -> Experiment:
        with _at(self.grid, setting):
            return described(self.grid.description(setting))

    def _measure(self, setting: Setting, threads: int | None, progress: Callable[[int], None]) -> str:
        experiment = self._experiment(setting)
        named = dict(zip(self.grid.keys, setting, strict=True))
        entropy = int(digest("point", experiment.measuring.seed, named), 16)
        with _at(self.grid, setting):
            readings = experiment.measure(
                entropy=entropy, threads=threads, progress=lambda so_far: progress(so_far[0].shift.n)
            )
            return self._lines(setting, [cells(reading) for reading in readings])

    def _found(self, path: Path) -> dict[Setting, str]:
        """Read the points that the file holds, each as its lines; none where there is no file, or an empty one."""
        try:
            if not path.exists() or path.stat().st_size == 0:
                return {}
            points = self._points(read_results(path))
        except ValueError as error:
            raise refusal("out", path, str(error)) from None
        except OSError as error:
            raise refusal("out", path, f"cannot be read: {error.strerror}") from error
        return {
            setting: self._lines(setting, [[row[name] for name in AFTER_KEYS] for row in rows.values()])
            for setting, rows in points.items()
        }

    def _points(self, results: Results) -> dict[Setting, dict[int, Row]]:
        """Return for each point that a file holds its rows, by line."""
        _require_keys(results.keys, self.grid.keys)
        if results.rows and results.rows[0]["experiment"] != self.grid.experiment():
            rule = "inputs, layers or measure have changed; write to a new file"
            raise ValueError(f"line 2: is of another experiment: {rule}")
        known = {setting: setting for setting in self.grid.settings}
        points: dict[Setting, dict[int, Row]] = {}
        for line, row in enumerate(results.rows, start=2):
            points.setdefault(self._setting(row, line, known), {})[line] = row
        for setting, rows in points.items():
            self._require_whole(setting, rows)
        return points

    def _setting(self, row: Row, line: int, known: Mapping[Setting, Setting]) -> Setting:
        """Find the setting of a row, as this sweep writes it: 1 where the row has 1.0."""
        columns_read = zip(self.grid.keys, self.grid.settings[0], strict=True)
        read = tuple(_value(key, row[key], line, example) for key, example in columns_read)
        if read not in known:
            raise ValueError(f"line {line}: holds a point that this sweep does not: {self.grid.told(read)}")
        return known[read]

    def _require_whole(self, setting: Setting, rows: Mapping[int, Row]) -> None:
        bns = [row["bn"] for row in rows.values()]
        if bns != [str(bn) for bn in range(1, self._norms[setting] + 1)]:
            rule = f"each bn from 1 to {self._norms[setting]} must stand there once, in order"
            raise ValueError(f"line {max(rows)}: ends a point that is not whole: {self.grid.told(setting)}: {rule}")

    def _lines(self, setting: Setting, measured: list[list[str]]) -> str:
        before = [self.grid.experiment(), *map(str, setting)]
        return lines([*before, *row] for row in measured)

    def _save(self, found: Mapping[Setting, str], path: Path) -> None:
        if found:
            points = (found[setting] for setting in self.grid.settings if setting in found)
            replace(path, "".join([lines([columns(self.grid.keys)]), *points]).encode())


def _tell(progress: Progress, done: Done, in_hand: int) -> None:
    progress(Done(done.points, done.samples + in_hand))


def _require_keys(found: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if found != expected:
        there = [f"has {shown(name)}" for name in found if name not in expected]
        missing = [f"lacks {shown(name)}" for name in expected if name not in found]
        told = " and ".join([*there[:1], *missing[:1]]) or "has them in another order"
        raise ValueError(f"line 1: has other columns than this sweep: it {told}")


def _value(key: str, text: str, line: int, example: Scalar) -> Scalar:
    """Read a setting's value, of the type that its column has."""
    if isinstance(example, str):
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line {line}: {key} = {shown(text)}: must be a number, as in this sweep") from None


@contextmanager
def _at(grid: Grid, setting: Setting) -> Iterator[None]:
    """Add to a refusal which point it is about."""
    try:
        yield
    except ValueError as error:
        told = grid.told(setting) + ("; all that may be drawn together must be feasible" if grid.random else "")
        raise ValueError(f"{error} (at {told})") from None
