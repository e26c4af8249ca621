"""Helps mutmut to choose and order the tests of a mutant; a pytest plugin for `mutmut run` alone."""

import functools
import gc
import json
import os
from itertools import accumulate
from pathlib import Path

import pytest
from mutmut.state import state  # pyright: ignore[reportMissingImports] - of the group "mutation" alone

from tests.mutants.rooms import PACKAGES

STATS = Path("mutmut-stats.json")
PATIENCE = float(os.environ.get("PATIENCE", "inf"))  # seconds of tests for a mutant; what outlives them has survived
COLLECTED: set[str] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Short tests first, to which most mutants fall, and as many as patience allows, but one at least."""
    durations: dict[str, float] = json.loads(STATS.read_text())["duration_by_test"] if STATS.exists() else {}
    items.sort(key=lambda item: durations.get(item.nodeid, 0.0))
    spent = accumulate(durations.get(item.nodeid, 0.0) for item in items)
    items[1:] = [item for item, seconds in zip(items[1:], list(spent)[1:], strict=True) if seconds <= PATIENCE]


def pytest_collection_finish() -> None:
    """What runs while tests are collected is of all tests; mutmut would take it for the first one's."""
    COLLECTED.update(state()._stats)


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """What is cached by the first test would not be seen to be run by the next, so mutmut would not choose that."""
    if os.environ.get("MUTANT_UNDER_TEST") != "stats":
        return
    state()._stats.update(COLLECTED)
    for wrapper in [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]:
        if (wrapper.__module__ or "").split(".")[0] in PACKAGES:
            wrapper.cache_clear()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A mutant with which tests cannot even be collected is killed; mutmut would take it for one that hangs."""
    if report.failed:
        pytest.exit(f"{report.nodeid} cannot be collected", returncode=pytest.ExitCode.TESTS_FAILED)
