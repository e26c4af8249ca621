"""The whole suite runs in two processes, a part of it as it is asked to."""

import os
from pathlib import Path

import pytest

from tests.folders import copy_project

HERE = Path(__file__).parent
PROCESSES = 2


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Ask pytest-xdist for it, unless `-n` does, and share the cores, which threads of both would fight over."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # one of the two, which must not ask again
        return
    options = config.option
    whole = [Path(argument).resolve() for argument in config.args] == [HERE] and not options.keyword
    if whole and not options.usepdb and getattr(options, "numprocesses", 0) is None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Which files are long, pytest-xdist cannot know: the process that is done first takes tests from the other.
        options.numprocesses, options.dist = PROCESSES, "worksteal"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project."""
    return copy_project(tmp_path / "tree")
