"""A run's folder: killed at any moment, it goes on to the same bits; whatever is wrong is one line, nothing lost."""

import json
import multiprocessing
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from fullscale.data import synthetic
from fullscale.launch import Team
from fullscale.recipes import Recipe, recipe
from fullscale.record import Record
from fullscale.runs import open_run
from fullscale.train import Stopped, Watcher, train
from fullscale.training import Epoch, Training

KILLS = 20
# Processes that start in a moment, from one that has imported torch and computed nothing.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["fullscale.train"])


def made(**changes: Any) -> Recipe:
    settings = {"drop": 0.5, "epochs": 3, "batch": 32} | changes
    return recipe("wrn-10-1", "synthetic", "a", 0, **settings)


class Listener(Watcher):
    """Keeps what it is told; at a step it may send a signal, or wait for one."""

    def __init__(self, at: int | None = None, number: int = signal.SIGINT) -> None:
        self.steps, self.epochs, self.said = 0, list[int](), list[str]()
        self._at, self._number = at, number

    def step(self, training: Training) -> None:
        self.steps += 1
        if training.step == self._at:
            signal.raise_signal(self._number)

    def epoch(self, training: Training, epoch: Epoch, rate: float) -> None:  # noqa: ARG002
        self.epochs.append(epoch.epoch)

    def complain(self, message: str) -> None:
        self.said.append(message)


def ran(out: Path, watcher: Watcher | None = None, *, resume: bool = False, **changes: Any) -> Record | None:
    torch.set_num_threads(1)
    source = synthetic(torch.device("cpu"), train=200, test=40, size=16)
    team = Team(torch.device("cpu"))
    return train(made(**changes), source, team, out, resume=resume, save_every=0, watcher=watcher or Watcher())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    ran(out)
    return out


def files(out: Path) -> dict[str, Any]:
    """What must not depend on the interruptions: all but the times."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    untimed = [{name: row[name] for name in row.keys() - {"images_per_second", "seconds"}} for row in rows]
    return {"log": untimed} | {name: (out / name).read_bytes() for name in ("weights.safetensors", "recipe.json")}


def test_killed_at_twenty_random_moments_a_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    # A checkpoint is written after every step, so that many a kill comes in the midst of writing one.
    out, moments = tmp_path / "killed", random.Random(0)  # noqa: S311 - moments are no secret
    for _ in range(KILLS):
        process = FORKS.Process(target=long_run, args=(out,))
        process.start()
        wait_for_another(out, process)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    long_run(out)
    long_run(tmp_path / "whole")
    assert files(out) == files(tmp_path / "whole")


def long_run(out: Path) -> None:
    ran(out, resume=True, epochs=20)


def wait_for_another(out: Path, process: BaseProcess) -> None:
    """Each process gets a step further than the one before it, however busy the machine is."""
    before, deadline = newest(out), time.monotonic() + 120
    while newest(out) == before and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)


def newest(out: Path) -> str:
    return max((path.name for path in (out / "checkpoints").glob("step-*.pt")), default="")


def test_killed_in_the_midst_of_writing_a_checkpoint_it_goes_on_from_the_one_before(
    tmp_path: Path, whole: Path
) -> None:
    out = tmp_path / "run"
    process, deadline = FORKS.Process(target=stuck_in_writing, args=(out,)), time.monotonic() + 120
    process.start()
    while not (sizes := unfinished(out)) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    assert len(sizes) == 1
    listener = Listener()
    ran(out, listener, resume=True)
    assert listener.steps == 21 - 6
    assert files(out) == files(whole)


def unfinished(out: Path) -> list[int]:
    """Sizes of what was begun to be written of the checkpoint of step 7."""
    return [size for path in out.glob("checkpoints/.step-000000007-*.unfinished") if (size := path.stat().st_size)]


def stuck_in_writing(out: Path) -> None:
    class Sticking(Watcher):
        def step(self, training: Training) -> None:
            if training.step == 7:
                os.fsync = lambda _: time.sleep(300)

    ran(out, Sticking())


def test_a_finished_run_is_not_run_again(whole: Path) -> None:
    before, listener = files(whole), Listener()
    assert ran(whole, listener, resume=True) == json.loads((whole / "record.json").read_text())
    assert (listener.steps, files(whole)) == (0, before)


def test_a_record_vouches_for_the_weights_and_tells_the_last_epoch(whole: Path) -> None:
    run = open_run(whole)
    rows = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["images_per_second"] > 0 for row in rows)
    assert 0 < rows[0]["seconds"] < rows[2]["seconds"] <= run.record["seconds"]
    assert run.record["epochs"] == rows
    assert run.record["final"]["test_error"] == rows[-1]["test_error"]
    assert run.recipe == made()
    kept = safetensors.torch.load_file(whole / "weights.safetensors")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in run.net.state_dict().items())
    assert not run.net.training


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_and_what_was_done_is_kept(tmp_path: Path, whole: Path, number: int) -> None:
    out, before = tmp_path / "run", signal.getsignal(number)
    with pytest.raises(Stopped, match=r"^stopped at step 9 of 21; --resume goes on from there$") as stopped:
        ran(out, Listener(9, number))
    assert stopped.value.signal == number
    assert signal.getsignal(number) is before
    listener = Listener()
    ran(out, listener, resume=True)
    assert (listener.steps, listener.epochs) == (12, [2, 3])
    assert files(out) == files(whole)


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_leads_to_the_same_bits(tmp_path: Path, whole: Path) -> None:
    out, listener = tmp_path / "run", Listener()
    with pytest.raises(Stopped):
        ran(out, Listener(9))
    latest = out / "checkpoints" / newest(out)
    latest.write_bytes(latest.read_bytes()[:-1])
    ran(out, listener, resume=True)
    assert listener.steps == 21 - 8
    assert [line.startswith(f"{latest}: is damaged") for line in listener.said] == [True]
    assert files(out) == files(whole)


def test_a_folder_with_a_run_is_not_taken_without_resume(whole: Path) -> None:
    before = files(whole)
    with pytest.raises(ValueError, match=r"^out = .*: holds a run already; --resume goes on with it$"):
        ran(whole)
    assert files(whole) == before


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        ran(tmp_path / "run", Listener(2))
    with pytest.raises(ValueError, match=r"^lr = 0\.05: the run in .* has 0\.1; it goes on as it began$"):
        ran(tmp_path / "run", resume=True, lr=0.05)


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        ran(tmp_path / "run", Listener(2))
    other = synthetic(torch.device("cpu"), train=201, test=40, size=16)
    with pytest.raises(ValueError, match=r"^data = [0-9a-f]{64}: the run began with [0-9a-f]{64}; it goes on as it"):
        train(made(), other, Team(torch.device("cpu")), tmp_path / "run", resume=True)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"

    class Second(Watcher):
        def step(self, training: Training) -> None:  # noqa: ARG002
            with pytest.raises(ValueError, match=r"^out = .*run: another process is at work in it$"):
                ran(out, resume=True)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        ran(out, Second())
    with pytest.raises(Stopped, match="step 3 of 21"):
        ran(out, Listener(3), resume=True)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, whole: Path, monkeypatch) -> None:
    out, real = tmp_path / "run", os.fsync

    class Filling(Watcher):
        def step(self, training: Training) -> None:
            if training.step == 7:
                monkeypatch.setattr(os, "fsync", full)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match=r"^out = .*step-000000007.*: cannot be written: No space left on device$"):
        ran(out, Filling())
    monkeypatch.setattr(os, "fsync", real)
    listener = Listener()
    ran(out, listener, resume=True)
    assert listener.steps == 21 - 6
    assert files(out) == files(whole)


def forget(out: Path, *names: str) -> None:
    record = json.loads((out / "record.json").read_text())
    del record[names[0]][names[1]]
    (out / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda out: (out / "record.json").unlink(), "dir = .*: holds no finished run: there is no record.json"),
        (lambda out: (out / "weights.safetensors").unlink(), "file = .*weights.safetensors: cannot be read"),
        (lambda out: (out / "weights.safetensors").write_bytes(b"x"), "file = .*weights.safetensors: is damaged"),
        (lambda out: (out / "record.json").write_text("{"), "file = .*record.json: is no JSON"),
        (lambda out: (out / "record.json").write_text("[]"), "file = .*record.json: must hold one JSON object"),
        (lambda out: (out / "record.json").write_text('{"schema": 2}'), "schema = 2: .*record.json is of another"),
        (lambda out: (out / "record.json").write_text('{"schema": 1}'), "file = .*record.json: is no record of a run"),
        (lambda out: forget(out, "hardware", "processes"), "file = .*: is no record of a run: .* field `processes`"),
        (lambda out: forget(out, "data", "checksum"), "file = .*: is no record of a run: .* field `checksum`"),
        (lambda out: forget(out, "recipe", "lr"), "file = .*: is no record of a run: recipe = lr: missing, or not"),
        (lambda out: (out / "record.json").write_text("{}"), "schema = None: .*record.json is of another"),
    ],
)
def test_what_is_no_finished_run_is_told_in_one_line(tmp_path: Path, whole: Path, spoil, told: str) -> None:
    for name in ("record.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    assert open_run(tmp_path).recipe == made()
    spoil(tmp_path)
    with pytest.raises(ValueError, match=rf"^{told}[^\n]*$"):
        open_run(tmp_path)
