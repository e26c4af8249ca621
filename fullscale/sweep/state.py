"""What stands of a run in the folder of a sweep, and why it is run again or not."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fullscale import record
from fullscale.contracts import refusal
from fullscale.measurements.kinds import Measurement
from fullscale.record import Record
from fullscale.sources import behind, changes
from fullscale.sweep.possible import possible
from fullscale.sweep.run import Run
from fullscale.train import CHECKPOINTS, LOG, RECORD, TRAINED_BY

Phase: TypeAlias = Literal["done", "to measure", "to finish", "to train"]


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Attributes:
        missing: measurements.
        epochs: that have been trained.
    """

    phase: Phase
    missing: tuple[Measurement, ...]
    epochs: int

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase == "done"


def state(run: Run, out: Path) -> State:
    """Look at what stands of a run.

    Raises:
        ValueError: if there is a record that cannot be used, or no folder in the run's place.
    """
    place = out / run.name
    if not has_record(run, out):
        log, begun = place / LOG, any((place / CHECKPOINTS).glob("step-*.pt"))
        epochs = len(log.read_bytes().splitlines()) if begun and log.exists() else 0
        return State("to finish" if begun else "to train", run.measurements, epochs)
    there = of_run(run, out)
    missing = tuple(each for each in run.measurements if measured(there, each, place / RECORD) is None)
    return State("to measure" if missing else "done", missing, run.recipe.epochs)


def why(run: Run, out: Path) -> str:
    """Say in a line why a run is, or is not, run again.

    Raises:
        ValueError: as `state`.
    """
    found = state(run, out)
    match found.phase:
        case "to train":
            return f"is trained: {_anew(run, out)}"
        case "to finish":
            return f"is finished: it was interrupted after {found.epochs} of {run.recipe.epochs} epochs"
        case "to measure":
            there = of_run(run, out)
            return "; ".join(f"{each.kind} is measured: {_lack(there, each)}" for each in found.missing)
        case "done":
            return f"is not run again: the record is of recipe {run.recipe.hash} and of the code as it is"


def has_record(run: Run, out: Path) -> bool:
    """Whether there is a record in a run's folder.

    Raises:
        ValueError: if something else is in the folder's place, or it cannot be looked into.
    """
    place = out / run.name
    try:
        if place.exists() and not place.is_dir():
            raise refusal("out", place, "must be a run's folder, and is something else")
        return (place / RECORD).exists()
    except OSError as error:
        raise refusal("out", place, f"cannot be looked into: {error.strerror}") from error


def of_run(run: Run, out: Path) -> Record:
    """Read a finished run's record.

    Raises:
        ValueError: if it cannot be read, or is another run's, or by other code than its folder's name says.
    """
    path = out / run.name / RECORD
    there = by_whatever_code(run, path)
    if changed := changes(there["code"]["behind"], behind(TRAINED_BY)):
        raise refusal("file", path, f"was trained by other code than its folder says, in {', '.join(changed)}")
    return there


def by_whatever_code(run: Run, path: Path) -> Record:
    """Read a finished run's record, which may stand anywhere.

    Raises:
        ValueError: if it cannot be read, or is another run's.
    """
    there = record.read(path)
    if there["recipe_hash"] != run.recipe.hash:
        raise refusal("file", path, f"is the record of another recipe, not {run.recipe.hash}")
    return there


def measured(there: Record, measurement: Measurement, path: Path) -> Any:
    """Return what a measurement came to, as its dataclass; None where it is missing, or was made otherwise.

    Raises:
        ValueError: as `kept`.
    """
    return None if _lack(there, measurement) else kept(there, measurement, path)


def kept(there: Record, measurement: Measurement, path: Path) -> Any:
    """Return what a measurement came to, by whatever code; None where it is missing, or of other settings.

    Raises:
        ValueError: if the record, which stands in `path`, has something else in its place, or not all of it.
    """
    own = there.get("measured", {}).get(measurement.kind)
    if own is None or own["settings"] != record.plain(measurement):
        return None
    numbers = record.typed(own["numbers"], measurement.numbers, path)
    if not possible(measurement, numbers):
        told = f"is no record of a run: its {measurement.kind} lacks numbers, or has some that cannot be"
        raise refusal("file", path, told)
    return numbers


def _lack(there: Record, measurement: Measurement) -> str:
    """Say what stands against using what a record has; nothing if it is all right."""
    kept = there.get("measured", {}).get(measurement.kind)
    if kept is None:
        return "it has not been yet"
    if kept["settings"] != record.plain(measurement):
        return f"the record is of {_shown(kept['settings'])}"
    if changed := changes(kept["code"]["behind"], behind(type(measurement).__module__)):
        return f"the code has changed in {', '.join(changed)}"
    return ""


def _shown(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _anew(run: Run, out: Path) -> str:
    """Say why a run is trained, though there may be one of the same recipe."""
    older = sorted(out.glob(f"{run.stem}-*/{RECORD}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in older:
        with contextlib.suppress(ValueError):  # one that cannot be read tells nothing
            changed = changes(record.read(path)["code"]["behind"], behind(TRAINED_BY))
            if changed:
                return f"the code has changed since {path.parent.name}, in {', '.join(changed)}"
    return "there is no record of it"
