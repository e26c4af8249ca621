"""What one process notes of the simulated checks: what of it is there, what is stale, and what makes that anew."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fullscale.files import write_json
from paper_checks.rates import Noted, read
from paper_checks.repeating import OF_RATES, Note, changed, evaluated, software, upgraded
from simulator.contracts import refusal

ROOM = Path(__file__).parent
OF_A_NOTE = {field.name for field in fields(Note)}


def file_of(test: str) -> str:
    """The file of a check, by its path in the project."""
    return test.partition("::")[0]


def simulated() -> set[str]:
    """The files of simulated checks, by their paths in the project; those of these rates are left out."""
    sources = {path.relative_to(ROOM.parent).as_posix(): path.read_text() for path in ROOM.glob("test_*.py")}
    return {
        name for name, source in sources.items() if "Evidence.SIMULATED" in source and f'"{OF_RATES}"' not in source
    }


@dataclass(frozen=True)
class Part:
    """The notes of one process.

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

    @property
    def new(self) -> Path:
        """What is noted anew, until it is taken."""
        return self.file.with_suffix(".new")

    def read(self) -> Noted:
        """Return what was noted.

        Raises:
            ValueError: if it is missing or damaged, or other code or software has changed, on which all notes rest.
        """
        there = _noted(self.file)
        own = {file_of(note["test"]) for note in there["notes"]}
        shared = [name for name in changed(there["code"]) if name not in own]
        if others := [*shared, *upgraded(there["software"])]:
            raise refusal("notes", self.file, f"was noted by other code or software: {', '.join(others)}; move it away")
        return there

    def stale(self) -> list[str]:
        """Name the files of checks that have changed since, are new, or evaluate other equations than noted.

        Raises:
            ValueError: as `read` does.
        """
        return self._stale(self.read()) if self.file.exists() else sorted(simulated())

    def fresh(self) -> Noted:
        """Return what was noted, all of it of the checks that are here.

        Raises:
            ValueError: as `read` does, or if something is stale.
        """
        there = self.read()
        if others := self._stale(there):
            raise refusal("notes", self.file, f"{', '.join(others)} changed meanwhile; run the command again")
        return there

    def _stale(self, there: Noted) -> list[str]:
        other = _falsified_otherwise(there, self.clean) if self.clean else simulated() - there["code"].keys()
        return sorted({*changed(there["code"]), *other})

    def command(self, checks: Sequence[str]) -> list[str]:
        """What makes those of some files of checks."""
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "paper_checks.repeating", "--notes", str(self.new)]
        seeds = ["--first", str(self.seeds[0]), "--seeds", str(len(self.seeds))]
        falsify = ["--falsify", str(self.clean)] if self.clean else []
        return [sys.executable, "-m", "pytest", *checks, *options, *seeds, *falsify]

    def take(self, checks: Sequence[str]) -> None:
        """Put what was made of some files of checks, if anything, in the place of what was noted of them.

        Raises:
            ValueError: if something is damaged or cannot be written, or the code on which all rest changed meanwhile.
        """
        nothing = Noted(code={}, software=software(), notes=[])
        made = _noted(self.new) if self.new.exists() else nothing
        there = self.read() if self.file.exists() else nothing
        code = {name: digest for name, digest in there["code"].items() if name not in checks}
        if others := [name for name, digest in made["code"].items() if code.get(name, digest) != digest]:
            raise refusal("notes", self.file, f"could not be made: {', '.join(others)} changed meanwhile")
        notes = [note for note in there["notes"] if file_of(note["test"]) not in checks]
        both = dict(sorted((code | made["code"]).items()))
        write_json(self.file, made | {"code": both, "notes": [*notes, *made["notes"]]})
        self.new.unlink(missing_ok=True)


def _falsified_otherwise(there: Noted, clean: Path) -> set[str]:
    made = {(note["test"], note["falsified"]) for note in there["notes"]}
    return {file_of(test) for test, _ in evaluated(_noted(clean)["notes"]) ^ made}


def _noted(path: Path) -> Noted:
    there = read(path, Noted)
    notes = there["notes"]
    if not isinstance(notes, list) or not all(isinstance(note, dict) and note.keys() >= OF_A_NOTE for note in notes):
        raise refusal("file", path, f"notes must be a list of tables with {', '.join(sorted(OF_A_NOTE))}")
    return there
