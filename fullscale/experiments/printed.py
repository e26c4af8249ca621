"""The paper's printed numbers, as strings: precision is information.

Their one home is `paper_checks/reported.py`, which this room must not import, lest its runs know what they ought to
find. It is read as text, for tables that show the paper beside our own numbers. Where it is missing, there are none.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[2] / "paper_checks" / "reported.py"


def printed(*names: str) -> str | None:
    """Return the number at the end of a way, such as "TABLE3", "C10", "WRN", "a-A"; None if it is not printed."""
    found: Any = _literals()
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


@cache
def _literals() -> dict[str, Any]:
    """Return what the module assigns that is written out."""
    if not HOME.exists():
        return {}
    assigned = [node for node in ast.parse(HOME.read_text()).body if isinstance(node, ast.AnnAssign)]
    return {
        node.target.id: ast.literal_eval(node.value)
        for node in assigned
        if isinstance(node.target, ast.Name) and isinstance(node.value, ast.Dict) and _is_literal(node.value)
    }


def _is_literal(node: ast.Dict) -> bool:
    return not any(isinstance(each, ast.Name) for each in ast.walk(node))
