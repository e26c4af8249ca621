"""After `mutmut run`: what became of the mutants, by module. It keeps the counts, and names those that are left.

uv run --group mutation python -m tests.mutants [FOLDER]
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.catalog import Mutant, Outcome, catalog
from tests.mutants.kept import COLUMNS, COUNTS, Change, counts, equivalents

MADE = Path("mutants")


def sort_of(mutant: Mutant, equivalent: Iterable[Change]) -> str:
    """Name the column that a mutant counts in."""
    if mutant.outcome is Outcome.KILLED:
        return "killed"
    if mutant.wording:
        return "wording"
    change = Change(mutant.file, mutant.function, mutant.before, mutant.after)
    if change.unstrict:
        return "strict"
    return "equivalent" if change in equivalent else "left"


def show(table: Mapping[str, Mapping[str, int]]) -> None:
    """Print the table."""
    made = Table("module", *COLUMNS)
    for file, own in table.items():
        made.add_row(file, *(str(own[name]) for name in COLUMNS))
    made.add_row("all", *(str(sum(own[name] for own in table.values())) for name in COLUMNS), style="bold")
    Console().print(made)


def main(arguments: list[str]) -> int:
    """Count, keep and show; return 1 if a mutant is left."""
    known, found = set(equivalents()), defaultdict[str, Counter[str]](Counter)
    for mutant in catalog(Path(*arguments) if arguments else MADE):
        sort = sort_of(mutant, known)
        found[mutant.file][sort] += 1
        if sort == "left":
            print(f"{mutant.name}: {mutant.outcome.value}\n- {mutant.before}\n+ {mutant.after}")
    table = counts() | {file: {name: own[name] for name in COLUMNS} for file, own in found.items()}
    COUNTS.write_text(json.dumps(dict(sorted(table.items())), indent=1) + "\n")
    show(table)
    return 1 if any(own["left"] for own in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
