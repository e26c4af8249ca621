"""How often a sweep has begun a run: a note in the run's folder, so that a run that kills its process counts, too."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fullscale.files import read_json, write_json
from fullscale.record import typed

NOTES = "attempt-*.json"


@dataclass(frozen=True)
class Attempt:
    """What a sweep has tried.

    Attributes:
        sweep: which; each counts for itself.
        count: attempts that were begun.
        told: what went wrong in the last one; empty while it goes on, and where its process died.
        final: no more are made.
    """

    sweep: str
    count: int
    told: str = ""
    final: bool = False


def last(place: Path, sweep: str) -> Attempt:
    """Return this sweep's last attempt at the run in a folder; one of count 0 where there was none."""
    path = _path(place, sweep)
    try:
        return typed(read_json(path), Attempt, path, "note of attempts")
    except ValueError:  # missing, or not to be understood: nothing but the count is lost
        return Attempt(sweep, 0)


def note(place: Path, attempt: Attempt) -> None:
    """Keep an attempt."""
    write_json(_path(place, attempt.sweep), asdict(attempt))


def begun(place: Path, sweep: str, at_most: int) -> bool:
    """Begin another attempt, unless so many were made: then the run has failed for good, whatever ended them."""
    before = last(place, sweep)
    if before.final:
        return False
    if before.count >= at_most:
        note(place, replace(before, told=before.told or "its process died", final=True))
        return False
    note(place, Attempt(sweep, before.count + 1))
    return True


def failed(place: Path, sweep: str, told: str, *, final: bool) -> None:
    """Note what went wrong in the attempt that was begun."""
    note(place, replace(last(place, sweep), told=told, final=final))


def forget(place: Path, sweep: str) -> None:
    """Remove the note: the run is finished, or was asked to stop, which does not count."""
    _path(place, sweep).unlink(missing_ok=True)


def _path(place: Path, sweep: str) -> Path:
    return place / NOTES.replace("*", sweep)
