"""What is kept of the mutants: their counts by module, and those that no test can kill, each with its reason."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

from tests.mutants.catalog import Change

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COUNTS, EQUIVALENT = HERE / "counts.json", HERE / "equivalent"
COLUMNS = ("killed", "equivalent", "left")


class Counts(TypedDict):
    """Of a module.

    Attributes:
        code: 16 hex digits of the SHA-256 of the file that was mutated.
        killed: by a test that failed.
        equivalent: survivors that `equivalents` names.
        left: other survivors, and what no test has passed or failed, such as those that hang.
    """

    code: str
    killed: int
    equivalent: int
    left: int


def code_of(path: Path) -> str:
    """16 hex digits of the SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()[:16]


def counts() -> dict[str, Counts]:
    """By module."""
    return json.loads(COUNTS.read_bytes()) if COUNTS.exists() else {}


def keep(own: Mapping[str, Counts]) -> None:
    """Put the counts of some modules beside those of the others, in the place of older ones."""
    COUNTS.write_text(json.dumps(dict(sorted({**counts(), **own}.items())), indent=1) + "\n")


@cache
def equivalents() -> dict[Change, str]:
    """By what it changes, the reason why no test can tell it from the original."""
    groups = (group for file in EQUIVALENT.glob("*.toml") for group in tomllib.loads(file.read_text())["equivalent"])
    return {
        Change(group["file"], group["function"], before, after): group["because"]
        for group in groups
        for before, after in _changes(group)
    }


def _changes(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A line with all that may stand there, or lines with the three that mutmut makes of an argument."""
    yield from ((group["line"], other) for other in group.get("instead", ()))
    if argument := group.get("argument"):
        name, _, value = argument.partition("=")
        for line in group["lines"]:
            for found in re.finditer(re.escape(argument), line):
                for other in (f"{name}=None", f"{name}={value != 'True'}", ""):
                    yield line, line[: found.start()] + other + line[found.end() :]
