"""What is kept of the mutants: their counts by module, and those that no test can kill, each with its reason."""

import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
COUNTS, EQUIVALENT = HERE / "counts.json", HERE / "equivalent.toml"
# Of survivors: named in EQUIVALENT; without zip's `strict`; of other words, which people read; and all others, among
# them what did not run.
STRICT = r", (strict=\w+)?\)"
COLUMNS = ("killed", "equivalent", "strict", "wording", "left")


class Change(NamedTuple):
    """What a mutant changes.

    Attributes:
        file: in the project.
        function: with its class.
        before: the code that it changes.
        after: what stands there instead.
    """

    file: str
    function: str
    before: str
    after: str

    @property
    def unstrict(self) -> bool:
        """Whether only zip's `strict` is another: it objects to mistakes that the code does not make."""
        return re.sub(STRICT, ")", self.before) == re.sub(STRICT, ")", self.after)


def counts() -> dict[str, dict[str, int]]:
    """By module and column."""
    return json.loads(COUNTS.read_bytes()) if COUNTS.exists() else {}


def equivalents() -> dict[Change, str]:
    """By what it changes, the reason why no test can tell it from the original."""
    groups = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {
        Change(group["file"], group["function"], *change): group["because"]
        for group in groups
        for change in group["changes"]
    }
