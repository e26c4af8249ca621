"""When a sweep saves, what it tells meanwhile, and what it says of files that are not its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulator.description import Experiment
from simulator.sweep import Done, Sweep
from tests.simulator.descriptions import BN, dropout, experiment

SAMPLES = 96  # of a point: 3 replicas of 2 batches of 16


def sweep(*retain: float) -> Sweep:
    """One BN behind Dropout."""
    measured = experiment(dropout("$retain"), BN, replicas=3, batches=2, batch=16)
    return Sweep(measured | {"grid": {"retain": [*retain]}})


@pytest.mark.parametrize(("save_every", "saved"), [(0.0, [0, 1, 2, 3]), (1e9, [0, 1, 1, 1])])
def test_the_first_point_is_saved_at_once_and_others_when_it_is_time(
    save_every: float, saved: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that stands."""
    monkeypatch.setattr("simulator.sweep.time", SimpleNamespace(monotonic=lambda: 10.0))
    file, found = tmp_path / "a.csv", dict[int, int]()

    def look(done: Done) -> None:
        found[done.points] = len(file.read_text().splitlines()) - 1 if file.exists() else 0

    assert sweep(0.5, 0.7, 0.9, 1).run(file, progress=look, save_every=save_every) == 4
    assert [found[points] for points in range(4)] == saved
    assert len(file.read_text().splitlines()) == 1 + 4


def test_progress_tells_points_and_samples_after_each_replica(tmp_path: Path) -> None:
    seen: list[Done] = []
    sweep(0.5, 0.7).run(tmp_path / "a.csv", progress=seen.append)
    of_a_point = [Done(0, 0), Done(0, 64), Done(0, 96), Done(1, 96)]
    assert seen == [*of_a_point, *(Done(done.points + 1, done.samples + SAMPLES) for done in of_a_point[1:])]


def test_every_point_may_use_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure, threads = Experiment.measure, list[Any]()
    monkeypatch.setattr(Experiment, "require_memory", lambda _self, asked: threads.append(asked))

    def measured(self: Experiment, **given: Any) -> Any:
        threads.append(given["threads"])
        return measure(self, **given)

    monkeypatch.setattr(Experiment, "measure", measured)
    sweep(0.5, 0.7).run(tmp_path / "a.csv", threads=3)
    assert threads == [3, 3, 3]  # the first for the memory of both, which is the same


def test_a_file_of_a_single_row_is_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    assert [sweep(0.5).run(file), sweep(0.5).run(file), sweep(0.5, 0.7).run(file)] == [1, 0, 1]
    assert b"\r" not in file.read_bytes()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("experiment,p,q,bn,", 'line 1: has other columns than this sweep: it has "p" and lacks "retain"'),
        ("experiment,bn,", 'line 1: has other columns than this sweep: it lacks "retain"'),
        ("experiment,retain,q,bn,", 'line 1: has other columns than this sweep: it has "q"'),
    ],
)
def test_a_file_with_other_columns_is_told_the_first_that_it_has_and_lacks(
    header: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    sweep(0.5).run(file)
    file.write_text(header + file.read_text().splitlines()[0].partition(",bn,")[2] + "\n")
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        sweep(0.5).run(file)
    assert str(refused.value) == f"out = {file}: {told}"


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    file = tmp_path / "a.csv"
    file.write_text("anything")
    monkeypatch.setattr("simulator.sweep.read_results", broken)
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        sweep(0.5).run(file)
    assert str(refused.value) == f"out = {file}: cannot be read: Input/output error"
