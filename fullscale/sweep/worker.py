"""A process that goes through the runs of a sweep, and does those that nobody else has at hand.

The folder is the queue: a run is taken by locking its folder, and its record says that it is done. So any number of
workers, of one sweep or of several, on one machine or on many that share a disk, do each run once.
"""

import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch

from fullscale import record
from fullscale.contracts import refusal, told
from fullscale.data import Crop, DataName, Source, load
from fullscale.files import Busy, folder, replace, sole_writer, write_json
from fullscale.interrupts import Request, noted
from fullscale.launch import Team, team
from fullscale.measurements.kinds import Measurement
from fullscale.runs import open_run
from fullscale.sources import changes
from fullscale.subject import Subject
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, code
from fullscale.sweep.state import of_run, state
from fullscale.terminal import complain
from fullscale.train import CHECKPOINTS, RECORD, Stopped, Watcher, train
from fullscale.training import Diverged

CLAIM, TRACE = ".claim", "error.log"
PAUSE = 0.5
"""seconds between looks at runs that other workers have"""


class Barred(RuntimeError):  # noqa: N818 (the file system is at fault)
    """Runs are left whose folders nothing can be written into; why was told."""


@dataclass(frozen=True)
class Worker:
    """Does runs, one after the other.

    Attributes:
        runs: that may be done.
        out: the folder of the sweep.
        root: of the data.
        sweep: whose attempts are counted.
        attempts: at a run, at most; one that has diverged is not repeated.
        device: as `fullscale.launch.team` takes it.
        threads: on the CPU. Other numbers may change the last bits.
        save_every: seconds between checkpoints.
        code: that the sweep began with; see `fullscale.sweep.run.code`.
    """

    runs: tuple[Run, ...]
    out: Path
    root: Path
    sweep: str
    attempts: int = 2
    device: str | None = None
    threads: int = 1
    save_every: float = 60
    code: Mapping[str, str] = field(default_factory=code)

    def __call__(self) -> None:
        """Do what is left, and wait for what others have: they may fail to do it.

        Raises:
            Stopped: after a signal (`fullscale.interrupts`), with a checkpoint written.
            Barred: if nothing can be written into the folders of runs that are left.
            ValueError: if the code is not the sweep's.
        """
        if changed := self.other_code(code()):
            raise ValueError(changed)
        torch.set_num_threads(self.threads)
        left, barred = self.runs, set[Run]()
        with team(self.device) as processes, noted() as request:
            while left := [run for run in left if run not in barred and not settled(run, self.out, self.sweep)]:
                taken = [self.tried(run, processes, request, barred) for run in left]
                if not any(taken):
                    heed(request)
                    time.sleep(PAUSE)
        if barred:
            raise Barred(", ".join(run.name for run in barred))

    def other_code(self, now: Mapping[str, str]) -> str:
        """Say in what the code is not the one that the sweep began with: numbers would stand under a wrong name."""
        changed = changes(self.code, now)
        rule = "has changed since this sweep began; the same command goes on by the new code"
        return str(refusal("code", ", ".join(changed), rule)) if changed else ""

    def tried(self, run: Run, processes: Team, request: Request, barred: set[Run]) -> bool:
        """Do a run, unless another worker has it, or its folder is barred: nothing can be noted there."""
        heed(request)
        place = self.out / run.name
        try:
            with sole_writer(folder(place), CLAIM):
                if not settled(run, self.out, self.sweep) and attempts.begun(place, self.sweep, self.attempts):
                    self.attempt(run, processes, request)
        except Busy:
            return False
        except ValueError as error:
            complain(str(error))
            barred.add(run)
        return True

    def attempt(self, run: Run, processes: Team, request: Request) -> None:
        """Do a run, and note what goes wrong, which must not stop the others."""
        place = self.out / run.name
        try:
            self.do(run, processes, request)
        except (Stopped, KeyboardInterrupt, Busy):
            attempts.forget(place, self.sweep)
            raise
        except Exception as error:
            hopeless = isinstance(error, Diverged) or attempts.last(place, self.sweep).count >= self.attempts
            replace(place / TRACE, traceback.format_exc().encode())
            attempts.failed(place, self.sweep, told(error), final=hopeless)
            if not hopeless:  # who watches the sweep tells the rest
                complain(f"{run.name}: {told(error)}; it is tried again after the others")
            if isinstance(error, torch.AcceleratorError):  # nothing on this device succeeds in this process any more
                raise SystemExit(1) from None
        else:
            attempts.forget(place, self.sweep)

    def do(self, run: Run, processes: Team, request: Request) -> None:
        """Train what is left, then take the measurements that are missing; each is in the record once it is taken."""
        recipe, place = run.recipe, self.out / run.name
        source = loaded(recipe.data, self.root, processes.device, recipe.crop, recipe.images)
        if not (place / RECORD).exists():
            train(recipe, source, processes, place, resume=True, save_every=self.save_every, watcher=Complaining())
        shutil.rmtree(place / CHECKPOINTS, ignore_errors=True)
        if missing := state(run, self.out).missing:
            opened = open_run(place)
            opened.require_same(source)
            shared_by = opened.record["hardware"]["processes"]
            subject = Subject(opened.net.to(processes.device), recipe, source, shared_by)
            for measurement in missing:
                taken = measured(subject, measurement, processes, request)
                there = of_run(run, self.out)
                there["measured"] = there.get("measured", {}) | {measurement.kind: taken}
                write_json(place / RECORD, there)


class Complaining(Watcher):
    """Says what is wrong, such as a damaged checkpoint."""

    def complain(self, message: str) -> None:
        """Print one line."""
        complain(message)


@cache
def loaded(name: DataName, root: Path, device: torch.device, crop: Crop, images: int | None) -> Source:
    """Open a data set once for all runs of a worker."""
    return load(name, root, device, crop=crop, images=images)


def claimed(place: Path) -> bool:
    """Whether a worker has a run at hand just now."""
    try:
        with sole_writer(place, CLAIM):
            return False
    except Busy:
        return True
    except ValueError:  # no folder, or not writable
        return False


def settled(run: Run, out: Path, sweep: str) -> bool:
    """Whether a run is done, or has failed for good in this sweep; or has a record that cannot be used."""
    if attempts.last(out / run.name, sweep).final:
        return True
    try:
        return state(run, out).done
    except ValueError:
        return True


def measured(subject: Subject, measurement: Measurement, processes: Team, request: Request) -> record.Measured:
    """Take one measurement of a trained net.

    Raises:
        Stopped: if a signal asks for it; the measurement is then lost.
    """
    started = time.perf_counter()
    numbers = record.plain(measurement.take(subject, lambda _: heed(request)))
    stamp = record.stamp(type(measurement).__module__, processes)
    settings, seconds = record.plain(measurement), time.perf_counter() - started
    return {**stamp, "settings": settings, "numbers": numbers, "seconds": seconds}


def heed(request: Request) -> None:
    """Stop if a signal has asked for it.

    Raises:
        Stopped: then.
    """
    if request.signal:
        raise Stopped("stopped; what was done is kept", request.signal)
