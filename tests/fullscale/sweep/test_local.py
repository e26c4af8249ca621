"""The engine on this machine: processes that are replaced, that stop when they are asked to, and never outlive it."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fullscale.sweep.local import Local
from fullscale.sweep.run import Run, code
from fullscale.sweep.state import State, state
from fullscale.sweep.watch import Onlooker, watch
from fullscale.sweep.worker import Worker
from fullscale.train import Stopped

PATIENCE = 120
"""seconds"""


class Listener(Onlooker):
    """Keeps what it is told, and does something when it first sees a run in the midst of its training."""

    def __init__(self, when_begun: Callable[[], None] = lambda: None) -> None:
        self.finished, self.given_up, self.left_alone = list[Run](), dict[Run, str](), dict[Run, str]()
        self._when_begun: Callable[[], None] | None = when_begun

    def look(self, states: Mapping[Run, State]) -> None:
        if self._when_begun and any(found.phase == "to finish" for found in states.values()):
            self._when_begun()
            self._when_begun = None

    def done(self, run: Run) -> None:
        self.finished.append(run)

    def failed(self, run: Run, told: str) -> None:
        self.given_up[run] = told

    def refused(self, run: Run, told: str) -> None:
        self.left_alone[run] = told


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_is_killed_is_replaced_and_its_run_finished(
    made: Callable[..., Run], worker: Callable[..., Worker]
) -> None:
    run = made(epochs=40)
    own, killed = worker(run), list[int]()

    def kill() -> None:
        for process in multiprocessing.active_children():
            process.kill()
            killed.append(process.pid or 0)

    listener = Listener(kill)
    assert watch([run], own.out, "this", Local(own, ["cpu"]), listener) == {}
    assert len(killed) == 1
    assert listener.finished == [run]
    assert not multiprocessing.active_children()


def test_two_processes_at_once_and_what_has_failed_is_told(
    three: tuple[Run, ...],
    made: Callable[..., Run],
    worker: Callable[..., Worker],
    records: Callable[[Path], dict[str, Any]],
    whole: dict[str, Any],
) -> None:
    bad = made(lr=1e30)
    own, listener = worker(bad, *three), Listener()
    failed = watch(own.runs, own.out, "this", Local(own, ["cpu", "cpu"]), listener)
    assert failed == listener.given_up
    assert list(failed) == [bad]
    assert "has diverged" in failed[bad]
    assert set(listener.finished) == set(three)
    assert records(own.out) == whole


def test_a_record_that_cannot_be_used_is_told_and_left_as_it_is(
    three: tuple[Run, ...], worker: Callable[..., Worker]
) -> None:
    own = worker(three[0])
    path = own.out / three[0].name / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": 7}')
    listener = Listener()
    assert watch(own.runs, own.out, "this", Local(own, ["cpu"]), listener) == {}
    assert listener.left_alone == {three[0]: f"schema = 7: {path} is of another version; 1 is read"}
    assert path.read_text() == '{"schema": 7}'


def test_a_run_whose_folder_is_barred_stops_no_other_and_is_given_up(
    three: tuple[Run, ...], worker: Callable[..., Worker]
) -> None:
    own, listener = worker(*three[:2]), Listener()
    (own.out / three[0].name / ".claim").mkdir(parents=True)
    failed = watch(own.runs, own.out, "this", Local(own, ["cpu"]), listener)
    assert failed == {three[0]: "nothing can be written into its folder, as was said"}
    assert listener.finished == [three[1]]


def test_no_process_is_started_by_other_code(made: Callable[..., Run], worker: Callable[..., Worker]) -> None:
    own = worker(made(), code=code() | {"noise.py": "of the sweep's beginning"})
    (told,) = watch(own.runs, own.out, "this", Local(own, ["cpu", "cpu"]), Listener()).values()
    assert told.startswith("code = noise.py: has changed since this sweep began; the same command goes on")
    with pytest.raises(ValueError, match=re.escape(told)):
        own()
    assert not own.out.exists()


def test_stopped_it_lets_each_process_write_a_checkpoint(
    made: Callable[..., Run], worker: Callable[..., Worker]
) -> None:
    run = made(epochs=10_000)
    own = worker(run)
    listener = Listener(lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Stopped, match="stopped with 1 runs left; the same command goes on"):
        watch([run], own.out, "this", Local(own, ["cpu"]), listener)
    assert state(run, own.out).phase == "to finish"
    assert not multiprocessing.active_children()


SCRIPT = """
import multiprocessing
import sys
from pathlib import Path
from fullscale.recipes import recipe
from fullscale.sweep.local import Local
from fullscale.sweep.run import Run
from fullscale.sweep.watch import Onlooker, watch
from fullscale.sweep.worker import Worker


class Listing(Onlooker):
    def look(self, states):
        Path(sys.argv[2]).write_text(" ".join(str(process.pid) for process in multiprocessing.active_children()))


if __name__ == "__main__":
    run = Run(recipe("wrn-10-1", "synthetic", "none", 0, epochs=10_000, batch=16, images=32))
    out = Path(sys.argv[1])
    worker = Worker((run,), out, out, "this", save_every=0)
    watch([run], out, "this", Local(worker, ["cpu"]), Listing())
"""


def test_a_sweep_that_is_killed_takes_its_processes_with_it_and_they_leave_a_checkpoint(tmp_path: Path) -> None:
    script, out, pids = tmp_path / "script.py", tmp_path / "runs", tmp_path / "pids"
    script.write_text(SCRIPT)
    sweep = subprocess.Popen([sys.executable, str(script), str(out), str(pids)])
    deadline = time.monotonic() + PATIENCE
    while not list(out.glob("*/checkpoints/*.pt")):
        assert sweep.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [int(pid) for pid in pids.read_text().split()]
    sweep.kill()
    sweep.wait()
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(workers) == 1
    assert list(out.glob("*/checkpoints/*.pt"))
