"""After `mutmut run`: what became of the mutants, by module. It keeps the counts, and names those that are left.

uv run --group mutation python -m tests.mutants [FOLDER]
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.catalog import METAS, Mutant, catalog
from tests.mutants.kept import COLUMNS, COUNTS, Counts, code_of, counts, equivalents

MADE = Path("mutants")


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


def main(arguments: Sequence[str]) -> int:
    """Count, keep and show; return 1 if a mutant is left, 2 if there are none at all."""
    made = Path(arguments[0]) if arguments else MADE
    if len(arguments) > 1 or not any(made.rglob(METAS)):
        print(f"FOLDER = {' '.join(arguments) or MADE}: must be the one that `mutmut run` has made", file=sys.stderr)
        return 2
    found = defaultdict[str, Counter[str]](Counter)
    for mutant in catalog(made):
        found[mutant.change.file][sort := sort_of(mutant)] += 1
        if sort == "left":
            print(f"{mutant.name}: {mutant.outcome}\n- {mutant.change.before}\n+ {mutant.change.after}")
    own = {file: {"code": code_of(file)} | {name: each[name] for name in COLUMNS} for file, each in found.items()}
    COUNTS.write_text(json.dumps(dict(sorted((counts() | own).items())), indent=1) + "\n")
    show(counts())
    return 1 if any(each["left"] for each in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
