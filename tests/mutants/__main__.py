"""Mutates rooms, and says what became of the mutants, by module. It keeps the counts, and names those that are left.

uv run --group mutation python -m tests.mutants [ROOM [NAME ...]]
"""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.catalog import Mutant, catalog
from tests.mutants.copied import FOUND, copy_for
from tests.mutants.kept import COLUMNS, ROOT, Counts, code_of, counts, equivalents, keep
from tests.mutants.rooms import ROOMS

MADE = ROOT / "mutants"
BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str]) -> int:
    """Mutate a room, or some mutants by name, and count; without a room, count what was found in all.

    Returns:
        0, or 1 if a mutant is left or mutmut fails, 2 if there is no such room or nothing to count, 130 after Ctrl-C.
    """
    if not arguments:
        return count(sorted(MADE.glob(f"*/{FOUND}")))
    room, *names = arguments
    if room not in ROOMS:
        return refused(f"ROOM = {room}: must be one of {', '.join(ROOMS)}")
    try:
        copy_for(ROOMS[room], MADE / room)
        return mutated(MADE / room, names) or count([MADE / room / FOUND])
    except KeyboardInterrupt:
        return INTERRUPTED


def refused(line: str) -> int:
    """Say what is wrong, and return the exit code."""
    print(line, file=sys.stderr)
    return BAD_INPUT


def mutated(place: Path, names: Sequence[str]) -> int:
    """Run mutmut in a folder, a process a core, and return its exit code."""
    command = [sys.executable, "-m", "mutmut", "run", *names]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=place, env=environment, check=False).returncode  # noqa: S603 - our own program


def count(folders: Iterable[Path]) -> int:
    """Count, keep and show what is in mutmut's folders; return 1 if a mutant is left, 2 if there are none at all."""
    found = defaultdict[tuple[Path, str], Counter[str]](Counter)
    for folder in folders:
        for mutant in catalog(folder):
            found[folder, mutant.change.file][sort := sort_of(mutant)] += 1
            if sort == "left":
                print(f"{mutant.name}: {mutant.outcome}\n- {mutant.change.before}\n+ {mutant.change.after}")
    if not found:
        return refused(f"ROOM: nothing has been mutated yet; name one of {', '.join(ROOMS)}")
    keep({file: counted(folder.parent / file, each) for (folder, file), each in found.items()})
    show(counts())
    return 1 if any(each["left"] for each in found.values()) else 0


def counted(source: Path, sorts: Mapping[str, int]) -> Counts:
    """Put down what became of a file's mutants, with the digest of what was mutated."""
    return Counts(code=code_of(source), **{name: sorts.get(name, 0) for name in COLUMNS})


def sort_of(mutant: Mutant) -> str:
    """Name the column that a mutant counts in."""
    if mutant.outcome == "survived" and mutant.change in equivalents():
        return "equivalent"
    return "killed" if mutant.outcome == "killed" else "left"


def show(table: Mapping[str, Counts]) -> None:
    """Print the table."""
    made = Table("module", *COLUMNS)
    for file, own in table.items():
        made.add_row(file, *(str(own[name]) for name in COLUMNS))
    made.add_row("all", *(str(sum(own[name] for own in table.values())) for name in COLUMNS), style="bold")
    Console().print(made)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
