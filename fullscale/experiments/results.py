"""What the runs of an experiment came to, and its spread over seeds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from fullscale.contracts import refusal
from fullscale.experiments.complete import complete
from fullscale.experiments.scale import Scale
from fullscale.measurements.kinds import Measurement
from fullscale.record import Record
from fullscale.sweep.run import Run
from fullscale.sweep.state import measured, of_run
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
        refused: what is wrong with records that could not be used, a line each.
    """

    scale: Scale
    out: Path
    records: Mapping[str, Record]
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
        there = [(self.records[run.name], self.out / run.name / RECORD) for run in runs if run.name in self.records]
        found = [measured(record, measurement, path) for record, path in there]
        return [each for each in found if each is not None]

    def spread(self, runs: Iterable[Run], measurement: Measurement, read: Callable[[Any], float]) -> Spread | None:
        """Return the spread over runs of a number that a measurement has."""
        return spread(map(read, self.numbers(runs, measurement)))

    def test_error(self, runs: Iterable[Run]) -> Spread | None:
        """Return the spread of the final test error in percent."""
        return spread(record["final"]["test_error"] for record in self.of(runs))


def gather(scale: Scale, runs: Iterable[Run], out: Path) -> Results:
    """Read the records of runs; one that cannot be read, or is incomplete, is refused and not averaged in."""
    records: dict[str, Record] = {}
    refused: list[str] = []
    for run in runs:
        if not (out / run.name / RECORD).exists():
            continue
        try:
            records[run.name] = _whole(run, out)
        except ValueError as error:
            refused.append(str(error))
    return Results(scale, out, records, tuple(refused))


def _whole(run: Run, out: Path) -> Record:
    """Read a record, whose measurements must be complete; which of them there are is another question."""
    record, path = of_run(run, out), out / run.name / RECORD
    for measurement in run.measurements:
        numbers = measured(record, measurement, path)
        if numbers is not None and not complete(measurement, numbers):
            told = f"is no record of a run: its {measurement.kind} lacks numbers, or has some that cannot be"
            raise refusal("file", path, told)
    return record
