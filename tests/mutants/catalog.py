"""The mutants that `mutmut run` has made: where each one is, what it changes, and what became of it."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from enum import Enum
from pathlib import Path
from typing import Any

METAS = "*.py.meta"
MARK, ORIGINAL = "__mutmut_", "orig"
KILLED, TIMEOUT = {1, 3, 37}, {-24, 24, 36, 152}


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_RUN = "not run"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Mutant:
    """One mutant.

    Attributes:
        name: mutmut's, which `mutmut run NAME` takes.
        file: of the original, in the project.
        function: with its class.
        before: the code that it changes.
        after: what stands there instead.
        wording: whether it changes nothing but words that people read: a string with a space.
        outcome: what became of it.
    """

    name: str
    file: str
    function: str
    before: str
    after: str
    wording: bool
    outcome: Outcome


def catalog(made: Path) -> Iterator[Mutant]:
    """Yield all mutants below the folder that mutmut made, file by file."""
    for meta in sorted(made.rglob(METAS)):
        outcomes: dict[str, int | None] = json.loads(meta.read_bytes())["exit_code_by_key"]
        yield from _of_file(made, meta.with_suffix(""), outcomes)


def _of_file(made: Path, file: Path, outcomes: dict[str, int | None]) -> Iterator[Mutant]:
    source, path = file.read_text(), file.relative_to(made).as_posix()
    lines, functions = source.splitlines(), _functions(ast.parse(source))
    for key, code in outcomes.items():
        name = key.rpartition(".")[2]
        base, _, _ = name.rpartition(MARK)
        original, mutated = functions[f"{base}{MARK}{ORIGINAL}"], functions[name]
        before, after = _difference(*(lines[node.lineno : node.end_lineno] for node in (original, mutated)))
        words = _only_words(*(_first_difference(original, mutated) or (None, None)))
        yield Mutant(key, path, _in_source(base), before, after, words, _outcome(code))


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Originals and mutants, by name."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: node for node in found if MARK in node.name}


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, each side in one line."""
    lines = list(unified_diff(before, after, n=0, lineterm=""))[3:]
    removed, added = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return removed, added


def _first_difference(before: Any, after: Any) -> tuple[Any, Any] | None:
    """The first pair of nodes that differ themselves, not in what they contain."""
    if type(before) is not type(after):
        return before, after
    if isinstance(before, list):
        pairs = zip(before, after, strict=True) if len(before) == len(after) else [(None, 0)]
        return next((found for pair in pairs if (found := _first_difference(*pair))), None)
    if not isinstance(before, ast.AST):
        return None if before == after else (before, after)
    names = [name for name in before._fields if name != "name"]
    for name in names:
        if found := _first_difference(getattr(before, name), getattr(after, name)):
            return found if isinstance(found[0], ast.AST) else (before, after)
    return None


def _only_words(before: Any, after: Any) -> bool:
    texts = [node.value for node in (before, after) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return len(texts) == 2 and " " in texts[0].strip()


def _in_source(mangled: str) -> str:
    """What a function is called, by what mutmut calls it."""
    _, *parts = mangled.split("ǁ")
    return ".".join(parts) if parts else mangled.removeprefix("x_")


def _outcome(code: int | None) -> Outcome:
    if code is None:
        return Outcome.NOT_RUN
    if code in KILLED | TIMEOUT:
        return Outcome.KILLED
    return Outcome.SURVIVED if code == 0 else Outcome.UNCLEAR
