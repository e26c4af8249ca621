"""The engine on this machine: a process a device, or as many as are asked for."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import ClassVar

from fullscale.sources import on_disk
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, code
from fullscale.sweep.worker import Barred, Worker
from fullscale.terminal import complain
from fullscale.train import Stopped

HOPELESS = 3
"""processes of a device that die in a row while no run gets on"""
BARRED = 3
"""the exit code of a process that could write into no folder that was left: another one could not, either"""


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
    stopping: ClassVar[str] = "stopping: what is under way writes a checkpoint; Ctrl-C again does not wait for it"
    leaving: ClassVar[str] = "the same command goes on"

    worker: Worker
    devices: Sequence[str]
    _processes: dict[int, SpawnProcess] = field(default_factory=dict)
    _died: Counter[int] = field(default_factory=Counter)
    _seen: dict[int, Sequence[int]] = field(default_factory=dict)

    def tend(self, left: Sequence[Run]) -> Mapping[Run, str]:
        """Start a process on each device that has none, though not more than there are runs left.

        As long as one is at work, there is hope for all.
        """
        places = range(min(len(self.devices), len(left)))
        idle = [place for place in places if place not in self._processes or not self._processes[place].is_alive()]
        changed = self.worker.other_code(code(on_disk)) if idle else ""
        hopeless = {place: changed or self._in_vain(place, left) for place in idle}
        for place in idle:
            if not hopeless[place]:
                self._processes[place] = started(replace(self.worker, device=self.devices[place]))
        given_up = len(idle) == len(places) and all(hopeless.values())
        return dict.fromkeys(left, hopeless[idle[0]]) if given_up else {}

    def _in_vain(self, place: int, left: Sequence[Run]) -> str:
        """Say why no other process is started on a device; nothing if there is hope."""
        process = self._processes.get(place)
        if process is None or not process.exitcode:
            return ""
        if process.exitcode == BARRED:
            return "nothing can be written into its folder, as was said"
        now = [attempts.last(self.worker.out / run.name, self.worker.sweep).count for run in left]
        if now != self._seen.get(place):
            self._seen[place], self._died[place] = now, 0
        self._died[place] += 1
        return f"its processes die, {HOPELESS} in a row; they have said why" if self._died[place] >= HOPELESS else ""

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
    # It inherits that Ctrl-C waits, until it has a session of its own; here, none is lost. The tracker of what
    # processes share would end that, were it started on the way.
    resource_tracker.ensure_running()
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # drops one that has waited: the sweep passes it on
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=follow, daemon=True).start()
    try:
        worker()
    except Stopped as stop:
        raise SystemExit(0) from stop
    except Barred as barred:
        raise SystemExit(BARRED) from barred
    except ValueError as error:
        complain(str(error))
        raise SystemExit(1) from None


def follow() -> None:
    """Ask this process to stop as soon as the one that started it is gone, however it went."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
