"""What the runs of an experiment came to, and its spread over seeds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from fullscale.contracts import refusal
from fullscale.experiments.scale import Scale
from fullscale.measurements.kinds import Measurement
from fullscale.record import Record
from fullscale.sweep.run import Run
from fullscale.sweep.state import has_record, measured, of_run
from fullscale.train import RECORD


class Spread(NamedTuple):
    """Over runs that differ by their seed.

    Attributes:
        std: from the UNBIASED variance; None of one run.
        n: runs.
    """

    mean: float
    std: float | None
    n: int


def spread(values: Iterable[float]) -> Spread | None:
    """Return the spread of values; None where there is none."""
    kept = list(values)
    if not kept:
        return None
    return Spread(fmean(kept), stdev(kept) if len(kept) > 1 else None, len(kept))


@dataclass(frozen=True)
class Results:
    """Records of finished runs, by run.

    Attributes:
        out: the folder of the sweep.
        measured: what each measurement of a run came to; None, or nothing, where it is missing.
        refused: what is wrong with records that could not be used, a line each.
    """

    scale: Scale
    out: Path
    records: Mapping[str, Record]
    measured: Mapping[tuple[str, Measurement], Any]
    refused: tuple[str, ...] = ()

    def of(self, runs: Iterable[Run]) -> list[Record]:
        """Return the records that there are of runs, in their order."""
        return [self.records[run.name] for run in runs if run.name in self.records]

    def done(self, runs: Iterable[Run]) -> int:
        """Count the runs that have all their measurements, too."""
        return sum(
            run.name in self.records and all(self.numbers([run], measurement) for measurement in run.measurements)
            for run in runs
        )

    def numbers(self, runs: Iterable[Run], measurement: Measurement) -> list[Any]:
        """Return what a measurement came to in those of the runs that have it."""
        found = (self.measured.get((run.name, measurement)) for run in runs)
        return [each for each in found if each is not None]

    def spread(self, runs: Iterable[Run], measurement: Measurement, read: Callable[[Any], float]) -> Spread | None:
        """Return the spread over runs of a number that a measurement has."""
        return spread(map(read, self.numbers(runs, measurement)))

    def test_error(self, runs: Iterable[Run]) -> Spread | None:
        """Return the spread of the final test error in percent."""
        return spread(record["final"]["test_error"] for record in self.of(runs))


class Found(NamedTuple):
    """One run's record, what its measurements came to, and where it stands."""

    record: Record
    measured: Mapping[Measurement, Any]
    path: Path


def gather(scale: Scale, runs: Iterable[Run], out: Path) -> Results:
    """Read the records of runs; one that cannot be used, or is of other data, is refused and not averaged in."""

    def read(run: Run) -> Found | None:
        if not has_record(run, out):
            return None
        record, path = of_run(run, out), out / run.name / RECORD
        return Found(record, {each: measured(record, each, path) for each in run.measurements}, path)

    return gather_by(read, scale, runs, out)


def gather_by(read: Callable[[Run], Found | None], scale: Scale, runs: Iterable[Run], out: Path) -> Results:
    """Gather what `read` makes of runs: None where there is no record, a ValueError where it is of no use."""
    records: dict[str, Record] = {}
    data: dict[str, str] = {}
    numbers: dict[tuple[str, Measurement], Any] = {}
    refused: list[str] = []
    for run in runs:
        try:
            found = read(run)
            if found is None:
                continue
            _require_same(data, found.record, found.path)
        except ValueError as error:
            refused.append(str(error))
        else:
            records[run.name] = found.record
            numbers |= {(run.name, measurement): own for measurement, own in found.measured.items()}
    return Results(scale, out, records, numbers, tuple(refused))


def _require_same(data: dict[str, str], record: Record, path: Path) -> None:
    """Note by which data a set is known, those of its first record, and refuse others."""
    name, checksum = record["data"]["name"], record["data"]["checksum"]
    if data.setdefault(name, checksum) != checksum:
        raise refusal("file", path, f"is of other data than the records before it: {name} with checksum {checksum}")
