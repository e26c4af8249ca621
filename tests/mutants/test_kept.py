"""The mutants that are called equivalent are of code that stands, and the table counts them."""

import ast
from collections import Counter

import pytest

from tests.mutants.catalog import Change
from tests.mutants.kept import COLUMNS, ROOT, code_of, counts, equivalents
from tests.mutants.rooms import ROOMS

EQUIVALENT = equivalents()


def stands(change: Change) -> bool:
    """Whether the code that a mutant changes is a part of its function."""
    text = (ROOT / change.file).read_text()
    node: ast.AST = ast.parse(text)
    for name in change.function.split("."):
        node = next(each for each in ast.walk(node) if getattr(each, "name", None) == name)
    # As the catalog tells it: without the name.
    own = (ast.get_source_segment(text, node) or "").replace(change.function.rpartition(".")[2], "", 1)
    return " ".join(change.before.split()) in " ".join(own.split())


@pytest.mark.parametrize("change", EQUIVALENT, ids=lambda change: f"{change.file}-{change.function}-{change.after}")
def test_an_equivalent_mutant_changes_code_that_stands_and_has_a_reason(change: Change) -> None:
    assert stands(change)
    assert change.before != change.after
    assert len(EQUIVALENT[change].split()) > 3


def test_what_does_not_stand_is_noticed() -> None:
    change = next(iter(EQUIVALENT))
    assert not stands(change._replace(before=f"{change.before} + 1"))
    assert not stands(change._replace(function="adjust"))
    with pytest.raises(StopIteration):
        stands(change._replace(function="no_such_function"))


def test_the_table_counts_them_and_leaves_none() -> None:
    table = counts()
    found = Counter(change.file for change in EQUIVALENT)
    assert {file: own["equivalent"] for file, own in table.items()} == {file: found[file] for file in table}
    assert found.keys() <= table.keys()
    assert [file for file, own in table.items() if own["left"] or set(own) != {"code", *COLUMNS}] == []


def test_the_table_is_of_the_code_that_stands_and_of_all_that_is_mutated() -> None:
    """A module that has changed is mutated again: CONTRIBUTING.md says how."""
    mutated = {path.relative_to(ROOT).as_posix() for room in ROOMS.values() for path in room.files()}
    assert counts().keys() == mutated
    assert [file for file, own in counts().items() if own["code"] != code_of(ROOT / file)] == []
