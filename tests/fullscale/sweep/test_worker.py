"""Workers: killed at any moment, several at once, failing, stopped - each run is done once, with the same record."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from fullscale.measurements.angles import Angles
from fullscale.measurements.ensemble import Ensemble
from fullscale.measurements.responses import Responses
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, merged
from fullscale.sweep.state import state
from fullscale.sweep.worker import TRACE, Worker

KILLS = 10


def trained(out: Path) -> dict[Path, tuple[int, int]]:
    """When the weights of each trained run were written, and which file they are."""
    runs = (path.parent / "weights.safetensors" for path in out.glob("*/record.json"))
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in runs}


def progress(out: Path) -> int:
    """Epochs and records that there are."""
    logs = [path.read_bytes().count(b"\n") for path in out.glob("*/log.jsonl")]
    return sum(logs) + len(list(out.glob("*/record.json")))


def test_killed_ten_times_at_random_a_sweep_ends_with_the_same_records_and_no_run_is_done_twice(
    made: Callable[..., Run],
    worker: Callable[..., Worker],
    records: Callable[[Path], dict[str, Any]],
    started: Callable[..., BaseProcess],
    tmp_path: Path,
) -> None:
    runs = [made(seed, epochs=3) for seed in range(8)]
    undisturbed, own = worker(*runs, out=tmp_path / "whole"), worker(*runs)
    undisturbed()
    moments, there = random.Random(0), trained(own.out)  # noqa: S311 - moments are no secret
    for kill in range(KILLS):
        process = started(replace(own, sweep=str(kill)))
        enough = progress(own.out) + moments.randint(0, 3)
        while progress(own.out) < enough or not any(attempts.last(own.out / run.name, str(kill)).count for run in runs):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.join()
        assert there.items() <= trained(own.out).items()
        there = trained(own.out)
    assert 0 < len(there) < len(runs)  # the kills came in the midst of the work
    own()
    assert there.items() <= trained(own.out).items()
    assert records(own.out) == records(undisturbed.out)


def test_a_worker_that_finds_all_done_changes_nothing(
    three: tuple[Run, ...], worker: Callable[..., Worker], whole: dict[str, Any]
) -> None:
    own = worker(*three)
    own()
    before = {path: path.stat().st_mtime_ns for path in own.out.rglob("*.*")}
    own()
    assert {path: path.stat().st_mtime_ns for path in own.out.rglob("*.*")} == before
    assert len(whole) == 3


def test_what_several_processes_trained_is_measured_in_the_batches_that_their_bns_saw(
    made: Callable[..., Run], worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, seen, take = made(0, Angles()), list[int](), Angles.take
    own = worker(run)
    own()
    path = own.out / run.name / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"hardware": record["hardware"] | {"processes": 2}, "measured": {}}))
    monkeypatch.setattr(
        Angles, "take", lambda self, subject, told: seen.append(subject.batch) or take(self, subject, told)
    )
    own()
    assert seen == [run.recipe.batch // 2]


def test_two_sweeps_at_once_share_the_runs_and_leave_the_same_records(
    three: tuple[Run, ...],
    worker: Callable[..., Worker],
    records: Callable[[Path], dict[str, Any]],
    whole: dict[str, Any],
    started: Callable[..., BaseProcess],
) -> None:
    own = worker(*three)
    both = [started(replace(own, sweep=name)) for name in ("one", "other")]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert records(own.out) == whole
    assert not list(own.out.glob(f"*/{attempts.NOTES}"))


def test_a_run_that_fails_is_tried_again_after_the_others_and_stops_none(
    made: Callable[..., Run], worker: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = made(data="cifar10"), made()  # there is no such data set here
    own = worker(bad, good)
    own()
    first, second = capsys.readouterr().err.splitlines(), attempts.last(own.out / bad.name, "this")
    assert [line for line in first if "tried again after the others" in line] == first[:1]
    assert (second.count, second.final) == (2, True)
    assert "cifar-10-batches-bin" in second.told
    assert state(good, own.out).done
    assert "Traceback" in (own.out / bad.name / TRACE).read_text()


def test_another_sweep_tries_anew_what_has_failed(made: Callable[..., Run], worker: Callable[..., Worker]) -> None:
    bad = made(data="cifar10")
    for sweep in ("one", "other"):
        own = worker(bad, sweep=sweep)
        own()
        assert attempts.last(own.out / bad.name, sweep).count == 2


def test_two_sweeps_that_fail_count_for_themselves_and_come_to_an_end(
    made: Callable[..., Run], worker: Callable[..., Worker], started: Callable[..., BaseProcess]
) -> None:
    own = worker(*(made(seed, data="cifar10") for seed in range(2)))
    both = [started(replace(own, sweep=sweep)) for sweep in ("one", "other")]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    for run in own.runs:
        assert [attempts.last(own.out / run.name, sweep).count for sweep in ("one", "other")] == [2, 2]


def test_a_run_that_diverges_is_not_repeated(made: Callable[..., Run], worker: Callable[..., Worker]) -> None:
    own = worker(made(lr=1e30))
    own()
    (attempt,) = [attempts.last(own.out / run.name, "this") for run in own.runs]
    assert (attempt.count, attempt.final) == (1, True)
    assert "has diverged" in attempt.told


def test_a_run_that_kills_its_process_is_given_up_after_two_attempts(
    three: tuple[Run, ...], worker: Callable[..., Worker], started: Callable[..., BaseProcess]
) -> None:
    own = worker(three[0])
    place = own.out / three[0].name
    for count in (1, 2):
        process = started(own)
        while attempts.last(place, "this").count < count:
            time.sleep(0.01)
        process.kill()
        process.join()
    own()
    assert attempts.last(place, "this") == attempts.Attempt("this", 2, "its process died", final=True)


def test_after_a_fault_of_the_device_the_process_ends_and_the_attempt_counts(
    three: tuple[Run, ...], worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any, **__: Any) -> None:
        raise torch.AcceleratorError("an illegal memory access was encountered")

    monkeypatch.setattr("fullscale.sweep.worker.train", fault)
    own = worker(*three)
    with pytest.raises(SystemExit):
        own()
    counts = [attempts.last(own.out / run.name, "this").count for run in three]
    assert counts == [1, 0, 0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_worker_that_is_stopped_keeps_a_checkpoint_and_no_attempt_is_counted(
    made: Callable[..., Run], worker: Callable[..., Worker], started: Callable[..., BaseProcess], number: int
) -> None:
    long = made(epochs=10_000)
    own = worker(long)
    process = started(own)
    while not list(own.out.glob("*/checkpoints/*.pt")):
        time.sleep(0.01)
    os.kill(process.pid or 0, number)
    process.join()
    assert process.exitcode == 1  # Stopped was raised
    found = state(long, own.out)
    assert (found.phase, attempts.last(own.out / long.name, "this").count) == ("to finish", 0)


def test_a_worker_that_is_stopped_while_it_measures_keeps_the_trained_run(
    made: Callable[..., Run], worker: Callable[..., Worker], started: Callable[..., BaseProcess]
) -> None:
    endless = made(0, Angles(), Ensemble(samples=1, groups=100_000))
    own = worker(endless)
    process = started(own)
    while not list(own.out.glob("*/record.json")) or len(state(endless, own.out).missing) > 1:
        time.sleep(0.01)
    process.terminate()
    process.join(60)
    assert process.exitcode == 1  # Stopped was raised
    assert state(endless, own.out).missing == endless.measurements[1:]
    assert attempts.last(own.out / endless.name, "this").count == 0


def test_a_measurement_that_comes_later_is_added_and_nothing_is_trained_again(
    made: Callable[..., Run], worker: Callable[..., Worker]
) -> None:
    first = made()
    own = worker(first)
    own()
    path = own.out / first.name / "record.json"
    before, weights = json.loads(path.read_text()), trained(own.out)
    more = replace(first, measurements=(*first.measurements, Responses(keep=1)))
    worker(more)()
    after = json.loads(path.read_text())
    assert after["measured"].keys() - before["measured"].keys() == {"responses"}
    assert {**after, "measured": before["measured"]} == before
    assert trained(own.out) == weights


def test_a_finished_run_keeps_no_checkpoints(three: tuple[Run, ...], worker: Callable[..., Worker]) -> None:
    own = worker(three[0])
    own()
    assert not list(own.out.rglob("*.pt"))


def test_runs_of_one_recipe_are_one_run_with_the_measurements_of_all(made: Callable[..., Run]) -> None:
    one, other = made(), made(0, Responses(), made().measurements[0])
    assert merged([one, made(1), other]) == (replace(one, measurements=(*one.measurements, Responses())), made(1))
