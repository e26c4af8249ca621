"""The records behind TRAINED claims: committed, sealed, and read for the checks.

evidence/RUN.json     the record of a run, as `python -m fullscale sweep` left it, without its layout
evidence/law.svg      drawn from them, for the README
evidence/SEALS        the SHA-256 of each, so that no number changes unseen
"""

import json
from collections.abc import Mapping
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from fullscale.experiments.catalogue import EXPERIMENTS, runs_of
from fullscale.experiments.pictures import drawn
from fullscale.experiments.results import Found, Results, gather_by
from fullscale.experiments.scale import REDUCED, Scale
from fullscale.files import folder, replace
from fullscale.pictures import svg
from fullscale.sources import behind, changes
from fullscale.sweep.run import Run
from fullscale.sweep.state import by_whatever_code, has_record, kept, measured, of_run
from fullscale.train import RECORD, TRAINED_BY

PLACE = Path(__file__).parent / "evidence"
SEALS, PICTURE = "SEALS", "law.svg"


def runs(scale: Scale = REDUCED) -> tuple[Run, ...]:
    """Return the runs whose records may stand here."""
    return runs_of(EXPERIMENTS.values(), scale)


def path_of(run: Run, place: Path = PLACE) -> Path:
    """Return where a run's record stands: named by its recipe alone, since the code may have changed since."""
    return place / f"{run.stem}.json"


def seal(out: Path, place: Path = PLACE, scale: Scale = REDUCED) -> list[Run]:
    """Take the records of trained runs from the folder of a sweep, draw the picture, and seal all that is there.

    A measurement that is missing, or that other code made, is left out.

    Raises:
        ValueError: if a record cannot be used, or something cannot be written.
    """
    taken = [run for run in runs(scale) if has_record(run, out)]
    folder(place)
    for run in taken:
        replace(path_of(run, place), f"{json.dumps(_usable(run, out), separators=(',', ':'))}\n".encode())
    replace(place / PICTURE, svg(drawn("law", results(place, scale), place)).encode())
    lines = [f"{_digest(file)}  {name}\n" for name, file in sorted(_files(place).items())]
    replace(place / SEALS, "".join(lines).encode())
    return taken


def _usable(run: Run, out: Path) -> Mapping[str, Any]:
    there, path = of_run(run, out), out / run.name / RECORD
    kinds = {each.kind for each in run.measurements if measured(there, each, path) is not None}
    return {**there, "measured": {kind: own for kind, own in there.get("measured", {}).items() if kind in kinds}}


def broken(place: Path = PLACE, scale: Scale = REDUCED) -> list[str]:
    """Say what is wrong with the evidence: changed, added or missing files, records of no recipe or no use."""
    sealed, there = _sealed(place), _files(place)
    known = {PICTURE, *(path_of(run, place).name for run in runs(scale))}
    return [
        *(f"{name} is sealed, and missing" for name in sorted(sealed.keys() - there.keys())),
        *(f"{name} is not sealed" for name in sorted(there.keys() - sealed.keys())),
        *(
            f"{name} has changed since it was sealed"
            for name in sorted(there.keys() & sealed.keys())
            if _digest(there[name]) != sealed[name]
        ),
        *(f"{name} is of a recipe that no experiment has" for name in sorted(there.keys() - known)),
        *results(place, scale).refused,
    ]


def results(place: Path = PLACE, scale: Scale = REDUCED) -> Results:
    """Read all records, as experiments take them."""
    return gather_by(partial(_read, place=place), scale, runs(scale), place)


@cache
def committed() -> Results:
    """Read the records that are committed, once."""
    return results()


def told(found: Results) -> str:
    """Say in a line how reduced the runs are, how many seeds they have, and what they ran on."""
    hardware = {_machine(there["hardware"]) for there in found.records.values()}
    return "; on ".join([found.scale.told, *filter(None, [", ".join(sorted(hardware))])])


def outdated(found: Results) -> list[str]:
    """Name the files of the code that trains which have changed since some of the runs were made."""
    now = behind(TRAINED_BY)
    return sorted({name for there in found.records.values() for name in changes(there["code"]["behind"], now)})


def _machine(hardware: Mapping[str, Any]) -> str:
    threads = hardware["threads"]
    return hardware["gpu"] or f"{hardware['processor']}, {threads} thread{'s' if threads > 1 else ''} a run"


def _files(place: Path) -> dict[str, Path]:
    return {path.name: path for path in place.iterdir() if path.name != SEALS}


def _sealed(place: Path) -> dict[str, str]:
    path = place / SEALS
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _read(run: Run, place: Path) -> Found | None:
    path = path_of(run, place)
    if not path.exists():
        return None
    there = by_whatever_code(run, path)
    return Found(there, {each: kept(there, each, path) for each in run.measurements}, path)
