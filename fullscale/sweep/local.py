"""The engine on this machine: a process a device, or as many as are asked for."""

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import ClassVar

from fullscale.sources import on_disk
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, code
from fullscale.sweep.worker import Worker
from fullscale.terminal import complain
from fullscale.train import Stopped

HOPELESS = 3
"""processes in a row that die while no run gets on"""


@dataclass
class Local:
    """Workers that share all runs.

    Not submitit's local executor: it gives a job one second between Ctrl-C and SIGKILL, in which no checkpoint is
    written, and its jobs go on when the sweep is killed.

    Attributes:
        worker: of all runs; the processes differ by the device alone.
        devices: of the processes, one each.
    """

    pause: ClassVar[float] = 0.5
    leaving: ClassVar[str] = "the same command goes on"

    worker: Worker
    devices: Sequence[str]
    _processes: dict[int, SpawnProcess] = field(default_factory=dict)
    _died: int = 0
    _seen: Sequence[int] = ()

    def tend(self, left: Sequence[Run]) -> Mapping[Run, str]:
        """Start a process on each device that has none, though not more than there are runs left."""
        for place, device in enumerate(self.devices[: len(left)]):
            process = self._processes.get(place)
            if process is not None and process.is_alive():
                continue
            if process is not None and process.exitcode and self._in_vain(left) >= HOPELESS:
                return dict.fromkeys(left, f"its processes die, {self._died} in a row; they have said why")
            try:
                self.worker.require_same_code(code(on_disk))
            except ValueError as error:
                return dict.fromkeys(left, str(error))
            self._processes[place] = started(replace(self.worker, device=device))
        return {}

    def _in_vain(self, left: Sequence[Run]) -> int:
        """Count the processes that have died since a run was begun or done."""
        now = [attempts.last(self.worker.out / run.name, self.worker.sweep).count for run in left]
        self._died = self._died + 1 if now == self._seen else 1
        self._seen = now
        return self._died

    def leave(self) -> None:
        """Let each process write a checkpoint, and wait for that."""
        alive = [process for process in self._processes.values() if process.is_alive()]
        for process in alive:
            process.terminate()
        try:
            for process in alive:
                process.join()
        except KeyboardInterrupt:  # asked twice
            for process in alive:
                process.kill()
            raise


def started(worker: Worker) -> SpawnProcess:
    """Start a worker in a fresh process: one that is forked has no use of CUDA."""
    process = get_context("spawn").Process(target=serve, args=(worker,))
    if sys.platform == "win32":
        process.start()
        return process
    # It inherits that Ctrl-C waits, until it has a session of its own; here, none is lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def serve(worker: Worker) -> None:
    """Be a worker: out of the reach of the terminal's Ctrl-C, which the sweep passes on, and not longer than it."""
    if sys.platform != "win32":
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=follow, daemon=True).start()
    try:
        worker()
    except Stopped as stop:
        raise SystemExit(0) from stop
    except ValueError as error:
        complain(str(error))
        raise SystemExit(1) from None


def follow() -> None:
    """Ask this process to stop as soon as the one that started it is gone, however it went."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
