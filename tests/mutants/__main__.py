"""Mutates rooms, and says what became of the mutants, by module. It keeps the counts, and names those that are left.

uv run --group mutation python -m tests.mutants [ROOM [NAME ...]]
"""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
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
        0, or 1 if a mutant is left or mutmut fails, 2 if there is no such room, 130 after Ctrl-C.
    """
    if not arguments:
        return count(sorted(MADE.glob(f"*/{FOUND}")))
    room, *names = arguments
    if room not in ROOMS:
        print(f"ROOM = {room}: must be one of {', '.join(ROOMS)}", file=sys.stderr)
        return BAD_INPUT
    copy_for(ROOMS[room], MADE / room)
    try:
        return mutated(MADE / room, names) or count([MADE / room / FOUND])
    except KeyboardInterrupt:
        return INTERRUPTED


def mutated(place: Path, names: Sequence[str]) -> int:
    """Run mutmut in a folder, a process a core, and return its exit code."""
    command = [sys.executable, "-m", "mutmut", "run", *names]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=place, env=environment, check=False).returncode  # noqa: S603 - our own program


def count(folders: Iterable[Path]) -> int:
    """Count, keep and show what is in mutmut's folders; return 1 if a mutant is left."""
    found = defaultdict[str, Counter[str]](Counter)
    for mutant in chain.from_iterable(map(catalog, folders)):
        found[mutant.change.file][sort := sort_of(mutant)] += 1
        if sort == "left":
            print(f"{mutant.name}: {mutant.outcome}\n- {mutant.change.before}\n+ {mutant.change.after}")
    keep({file: Counts(code=code_of(file), **{name: each[name] for name in COLUMNS}) for file, each in found.items()})
    show(counts())
    return 1 if any(each["left"] for each in found.values()) else 0


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
