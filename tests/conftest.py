"""The whole suite runs in two processes, a file in one of them; a part of it runs as it is asked to."""

import os
import shutil
from pathlib import Path

import pytest

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
        options.numprocesses, options.dist = PROCESSES, "loadfile"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "report")

    def left_out(folder: str, names: list[str]) -> set[str]:
        made_here = {"data", "dist", "mutants", "runs"} if Path(folder) == HERE.parent else set[str]()
        return unneeded(folder, names) | made_here

    return shutil.copytree(HERE.parent, tmp_path / "tree", ignore=left_out)
