"""Runs that take a moment, and processes that start in one."""

import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from fullscale.measurements.angles import Angles
from fullscale.measurements.kinds import Measurement
from fullscale.measurements.shift import Shift
from fullscale.recipes import recipe
from fullscale.sweep.run import Run
from fullscale.sweep.worker import Worker

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["fullscale.sweep.worker"])
# What may differ between two ways of doing the same run.
TIMES_AND_PLACES = {"seconds", "images_per_second", "hardware", "commit"}


def run_of(seed: int = 0, *measurements: Measurement, **changes: Any) -> Run:
    settings = {"data": "synthetic", "drop": 0.5, "epochs": 2, "batch": 16, "images": 32} | changes
    return Run(recipe("wrn-10-1", placement="a", seed=seed, **settings), measurements or (Shift(), Angles()))


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if name not in TIMES_AND_PLACES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def records_in(out: Path) -> dict[str, Any]:
    """All records in the folder of a sweep, without times and places."""
    return {path.parent.name: timeless(json.loads(path.read_text())) for path in sorted(out.glob("*/record.json"))}


@pytest.fixture(scope="session")
def made() -> Callable[..., Run]:
    return run_of


@pytest.fixture(scope="session")
def three() -> tuple[Run, ...]:
    return tuple(run_of(seed) for seed in range(3))


@pytest.fixture(scope="session")
def records() -> Callable[[Path], dict[str, Any]]:
    return records_in


@pytest.fixture
def worker(tmp_path: Path) -> Callable[..., Worker]:
    """A worker in a folder of its own, with a checkpoint after every step."""

    def made(*runs: Run, out: Path = tmp_path / "runs", **changes: Any) -> Worker:
        settings: dict[str, Any] = {"sweep": "this", "save_every": 0} | changes
        return Worker(runs, out, tmp_path / "data", **settings)

    return made


@pytest.fixture
def started() -> Callable[..., BaseProcess]:
    """Start a function in a process of its own."""

    def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
        process = FORKS.Process(target=work, args=arguments)
        process.start()
        return process

    return start


@pytest.fixture(scope="session")
def whole(three: tuple[Run, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The records of three runs that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "runs"
    Worker(three, out, out, "whole")()
    return records_in(out)
