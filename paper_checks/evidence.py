"""The records behind TRAINED claims: committed, sealed, and read for the checks.

evidence/RUN.json     the record of a run, as `python -m fullscale sweep` left it, without its layout
evidence/law.svg      drawn from them, for the README
evidence/SEALS        the SHA-256 of each, so that no number changes unseen
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fullscale.contracts import refusal
from fullscale.experiments.catalogue import EXPERIMENTS, runs_of
from fullscale.experiments.pictures import drawn
from fullscale.experiments.results import Found, Results, gather_by
from fullscale.experiments.scale import REDUCED, Scale
from fullscale.files import folder, replace, replace_all
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
        ValueError: if what stands here is not as it was sealed, there is nothing to take, a record cannot be used or
            lacks what the one here has, or something cannot be written; nothing is changed then. Or if all is written,
            but the disk may not have it yet.
    """
    if wrong := _unlike_seals(place):
        raise refusal("out", place, f"is not as it was sealed: {'; '.join(wrong)}")
    taken = [run for run in runs(scale) if has_record(run, out)]
    if not taken:
        rule = "has no record of a reduced run by the code as it is; `python -m fullscale sweep all --why` says more"
        raise refusal("runs", out, rule)
    with TemporaryDirectory() as scratch:
        stage = Path(scratch)
        for path in _files(place).values():
            shutil.copy(path, stage)
        for run in taken:
            _take(run, out, path_of(run, stage))
        if refused := results(stage, scale).refused:
            raise ValueError(refused[0])
        replace(stage / PICTURE, svg(drawn("law", results(stage, scale), stage)).encode())
        _move(stage, folder(place))
    return taken


def _take(run: Run, out: Path, path: Path) -> None:
    """Write what a record has that can be used, which must not be less than what stands there."""
    there, source = of_run(run, out), out / run.name / RECORD
    kinds = {each.kind for each in run.measurements if measured(there, each, source) is not None}
    own = {kind: found for kind, found in there.get("measured", {}).items() if kind in kinds}
    if path.exists() and (lost := set(json.loads(path.read_bytes())["measured"]) - own.keys()):
        raise refusal("runs", source, f"lacks what its sealed record has: {', '.join(sorted(lost))}")
    replace(path, f"{json.dumps({**there, 'measured': own}, separators=(',', ':'))}\n".encode())


def _move(stage: Path, place: Path) -> None:
    """Put all files in their place, with their seals."""
    files = sorted(_files(stage).items())
    seals = "".join(f"{_digest(file)}  {name}\n" for name, file in files)
    replace_all({**{place / name: file.read_bytes() for name, file in files}, place / SEALS: seals.encode()})


def broken(place: Path = PLACE, scale: Scale = REDUCED) -> list[str]:
    """Say what is wrong with the evidence: changed, added or missing files, records of no recipe or no use."""
    known = {PICTURE, *(path_of(run, place).name for run in runs(scale))}
    return [
        *_unlike_seals(place),
        *(f"{name} is of a recipe that no experiment has" for name in sorted(_files(place).keys() - known)),
        *results(place, scale).refused,
    ]


def _unlike_seals(place: Path) -> list[str]:
    sealed, there = _sealed(place), _files(place)
    return [
        *(f"{name} is sealed, and missing" for name in sorted(sealed.keys() - there.keys())),
        *(f"{name} is not sealed" for name in sorted(there.keys() - sealed.keys())),
        *(
            f"{name} has changed since it was sealed"
            for name in sorted(there.keys() & sealed.keys())
            if _digest(there[name]) != sealed[name]
        ),
    ]


def results(place: Path = PLACE, scale: Scale = REDUCED) -> Results:
    """Read all records, as experiments take them."""
    return gather_by(partial(_read, place=place), scale, runs(scale), place)


@cache
def committed() -> Results:
    """Read the records that are committed, once."""
    return results()


def told(found: Results, of: Iterable[Run]) -> str:
    """Say in a line how reduced runs are, how many seeds they have, and what they ran on."""
    stamps = [stamp for there in found.of(of) for stamp in (there, *there.get("measured", {}).values())]
    machines = sorted({_machine(stamp["hardware"]) for stamp in stamps})
    return "; on ".join([found.scale.told, *filter(None, [", ".join(machines)])])


def outdated(found: Results) -> list[str]:
    """Name the files of the code behind the numbers, trained or measured, that have changed since."""
    changed: set[str] = set()
    for there in found.records.values():
        changed |= set(changes(there["code"]["behind"], behind(TRAINED_BY)))
    for (run, measurement), _ in found.measured.items():
        own = found.records[run].get("measured", {}).get(measurement.kind)
        changed |= set(changes(own["code"]["behind"], behind(type(measurement).__module__))) if own else set()
    return sorted(changed)


def _machine(hardware: Mapping[str, Any]) -> str:
    threads = hardware["threads"]
    return hardware["gpu"] or f"{hardware['processor']}, {threads} thread{'s' if threads > 1 else ''} a run"


def _files(place: Path) -> dict[str, Path]:
    return {path.name: path for path in place.glob("[!.]*") if path.name != SEALS}


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
