"""The mutants that mutmut has made: where each one is, what it changes, and what became of it."""

import ast
import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

METAS = "*.py.meta"
MARK, ORIGINAL = "__mutmut_", "orig"
# By pytest's exit code, or minus the signal: SIGXCPU comes where tests have computed for half a minute, and 30 times as
# long as without the mutant, which is as good as for ever. All others leave open what a test would say.
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", -signal.SIGXCPU: "killed"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


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


@dataclass(frozen=True)
class Mutant:
    """One mutant.

    Attributes:
        name: mutmut's, which `python -m tests.mutants ROOM NAME` takes.
        change: what it is.
        outcome: "killed", "survived" or "open".
    """

    name: str
    change: Change
    outcome: str


def catalog(made: Path) -> Iterator[Mutant]:
    """Yield all mutants below the folder that mutmut made, file by file, of the files that still stand beside it."""
    for meta in sorted(made.rglob(METAS)):
        if not (made.parent / meta.relative_to(made).with_suffix("")).exists():
            continue
        codes: Mapping[str, int | None] = json.loads(meta.read_bytes())["exit_code_by_key"]
        yield from _of_file(made, meta.with_suffix(""), codes)


def _of_file(made: Path, file: Path, codes: Mapping[str, int | None]) -> Iterator[Mutant]:
    source, path = file.read_text(), file.relative_to(made).as_posix()
    lines, functions = source.splitlines(), _functions(ast.parse(source))
    for key, code in codes.items():
        name = key.rpartition(".")[2]
        base = name.rpartition(MARK)[0]
        original, mutated = (_text(lines, functions[each]) for each in (f"{base}{MARK}{ORIGINAL}", name))
        outcome = OUTCOMES.get(code, "open") if code is not None else "open"
        yield Mutant(key, Change(path, _in_source(base), *_difference(original, mutated)), outcome)


def _functions(tree: ast.Module) -> dict[str, Function]:
    """Originals and mutants, by name."""
    found = (node for node in ast.walk(tree) if isinstance(node, Function))
    return {node.name: node for node in found if MARK in node.name}


def _text(lines: list[str], function: Function) -> list[str]:
    """The lines of a function, without the name that tells a mutant."""
    first, *others = lines[function.lineno - 1 : function.end_lineno]
    return [first.replace(function.name, "", 1), *others]


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, each side in one line."""
    lines = list(unified_diff(before, after, n=0, lineterm=""))[3:]
    removed, added = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return removed, added


def _in_source(mangled: str) -> str:
    """What a function is called, by what mutmut calls it."""
    _, *parts = mangled.split("ǁ")
    return ".".join(parts) if parts else mangled.removeprefix("x_")
