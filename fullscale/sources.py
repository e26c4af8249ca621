"""Which code numbers depend on: a module, and all of this package that it imports, directly or not."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@cache
def behind(module: str) -> Mapping[str, str]:
    """Return `on_disk`, as it was when this process first asked: who works for long asks at the beginning."""
    return on_disk(module)


def on_disk(module: str) -> dict[str, str]:
    """Return the files behind a module of this package, by path in it, with 16 hex digits of each one's SHA-256.

    Digests are of syntax trees without docstrings: neither comments nor layout change them. Imports count wherever
    they stand, and so do the packages that a module lies in.
    """
    found: dict[str, str] = {}
    waiting = _with_packages(module)
    while waiting:
        file = _file(waiting.pop())
        if file is None or (name := file.relative_to(HERE).as_posix()) in found:
            continue
        found[name], imported = _read(file.read_bytes())
        waiting += imported
    return dict(sorted(found.items()))


def digest(files: Mapping[str, str]) -> str:
    """Return 16 hex digits of the SHA-256 of such files' names and digests."""
    return sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name the files that differ."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


@cache
def _read(source: bytes) -> tuple[str, tuple[str, ...]]:
    """Return a source's digest and what it imports; one that is just being written may be no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return f"no Python: {sha256(source).hexdigest()[:16]}", ()
    return sha256(repr(_essence(tree)).encode()).hexdigest()[:16], tuple(_imported(tree))


def _file(module: str) -> Path | None:
    package, *rest = module.split(".")
    path = HERE.joinpath(*rest)
    places = [path / "__init__.py", path.with_suffix(".py")] if rest else [path / "__init__.py"]
    return next((place for place in places if package == HERE.name and place.is_file()), None)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names of what may be modules, and of the packages that they lie in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield from _with_packages(name)


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _essence(node: Any) -> Any:
    """Turn a tree into nested lists, alike in all versions of Python: empty fields, which differ, are left out."""
    if isinstance(node, list):
        return [_essence(each) for each in node if not _is_docstring(each)]
    if not isinstance(node, ast.AST):
        return repr(node)
    full = [(name, _essence(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
    return [type(node).__name__, full]


def _is_docstring(node: Any) -> bool:
    """Whether a statement is a string that nothing uses: of a module, a class, a function or an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
