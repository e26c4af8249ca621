"""The mutants that are called equivalent are of code that stands, and the table counts them."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.kept import COLUMNS, Change, counts, equivalents

ROOT = Path(__file__).parents[2]
EQUIVALENT = equivalents()


def function(change: Change) -> str:
    """The code of a change's function, a line for a line."""
    *owners, name = change.function.split(".")
    tree: ast.AST = ast.parse((ROOT / change.file).read_text())
    for each in (*owners, name):
        tree = next(node for node in ast.walk(tree) if getattr(node, "name", None) == each)
    return ast.unparse(tree)


@pytest.mark.parametrize("change", EQUIVALENT, ids=lambda change: f"{change.file}-{change.function}-{change.after}")
def test_an_equivalent_mutant_changes_code_that_stands(change: Change) -> None:
    source = " ".join((ROOT / change.file).read_text().split())
    assert " ".join(change.before.split()) in source
    assert function(change)
    assert change.before != change.after
    assert len(EQUIVALENT[change].split()) > 3


def test_what_does_not_stand_is_noticed() -> None:
    change = next(iter(EQUIVALENT))
    with pytest.raises(AssertionError):
        test_an_equivalent_mutant_changes_code_that_stands(change._replace(before=f"{change.before} + 1"))
    with pytest.raises(StopIteration):
        function(change._replace(function="no_such_function"))


def test_the_table_counts_them_and_leaves_none() -> None:
    table = counts()
    assert all(set(own) == set(COLUMNS) for own in table.values())
    assert Counter(change.file for change in EQUIVALENT) == {
        file: own["equivalent"] for file, own in table.items() if own["equivalent"]
    }
    assert [file for file, own in table.items() if own["left"]] == []
