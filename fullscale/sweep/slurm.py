"""The engine on a Slurm cluster, through submitit: a job a run, in arrays, each with a checkpoint to go on from.

Only `squeue` is asked what became of jobs: many clusters keep no accounts that `sacct`, and so submitit, could read.
"""

import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import submitit
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from fullscale.contracts import refusal
from fullscale.files import Busy, folder, read_json, sole_writer, write_json
from fullscale.interrupts import WARNING
from fullscale.sources import on_disk
from fullscale.sweep import attempts
from fullscale.sweep.run import Run, code
from fullscale.sweep.worker import Worker, claimed
from fullscale.train import Stopped

JOBS = "jobs.json"
OFTEN = 1000
"""times that a job may run out of its time: each goes on from the last one's checkpoint"""


@dataclass(frozen=True)
class Job:
    """What a job does: one run."""

    worker: Worker

    def __call__(self) -> None:
        """Work; after a warning, with a checkpoint written, let submitit queue the job again."""
        requeue = signal.getsignal(WARNING)
        try:
            self.worker()
        except Stopped as stop:
            if stop.signal != WARNING or not callable(requeue):
                raise
            requeue(WARNING, None)

    def checkpoint(self) -> DelayedSubmission:
        """Say what goes on later; being interrupted is no failed attempt."""
        for run in self.worker.runs:
            attempts.forget(self.worker.out / run.name, self.worker.sweep)
        return DelayedSubmission(self)


@dataclass
class Slurm:
    """Jobs of one run each.

    Attributes:
        worker: of all runs.
        at_once: jobs, at most.
        minutes: of a job, at most; one that needs more goes on in another.
        gpus: of a job: 0 or 1.
        options: of sbatch, such as partition and account.
    """

    pause: ClassVar[float] = 2.0
    stopping: ClassVar[str] = ""
    leaving: ClassVar[str] = "the jobs go on, and the same command watches them again; scancel stops them"

    worker: Worker
    at_once: int
    minutes: int
    gpus: int
    options: Mapping[str, str]
    _missed: set[str] = field(default_factory=set)
    _submitted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if missing := [
            command for command in ("sbatch", "squeue", "scontrol", "srun") if shutil.which(command) is None
        ]:
            raise refusal("engine", "slurm", f"needs Slurm's commands, and {', '.join(missing)} cannot be found")
        if in_queue() is None:
            raise refusal("engine", "slurm", "squeue gets no answer from Slurm; is its controller running?")

    @property
    def place(self) -> Path:
        """Of submitit's files, and the jobs' logs."""
        return self.worker.out / "slurm"

    def tend(self, left: Sequence[Run]) -> Mapping[Run, str]:
        """Submit the runs whose jobs are gone, as one array; one sweep at a time, since they share the list of jobs."""
        try:
            with sole_writer(folder(self.place)):
                return self._tended(left)
        except Busy:
            return {}

    def _tended(self, left: Sequence[Run]) -> Mapping[Run, str]:
        queued, jobs = in_queue(), self._jobs()
        if queued is None:
            return {}
        gone = [run for run in left if jobs.get(run.name) not in queued and not claimed(self.worker.out / run.name)]
        # A job that has just ended may have left a record since `left` was made: it is asked for twice.
        missed, self._missed = self._missed, {run.name for run in gone if run.name in jobs}
        gone = [run for run in gone if run.name not in jobs or run.name in missed]
        hopeless = [run for run in gone if self._submitted[run.name] > self.worker.attempts]
        if again := [run for run in gone if run not in hopeless]:
            if changed := self.worker.other_code(code(on_disk)):
                return dict.fromkeys(left, changed)
            write_json(self.place / JOBS, jobs | self._submit(again))
        return dict.fromkeys(hopeless, f"its jobs end without a record; their logs are in {self.place}")

    def leave(self) -> None:
        """Let the jobs go on."""

    def _jobs(self) -> dict[str, str]:
        """Return the last job of each run, of this sweep and of those before."""
        path = self.place / JOBS
        return read_json(path) if path.exists() else {}

    def _submit(self, runs: Sequence[Run]) -> dict[str, str]:
        executor = submitit.SlurmExecutor(self.place, max_num_timeout=OFTEN)
        executor.update_parameters(
            job_name="variance-shift",
            time=self.minutes,
            cpus_per_task=self.worker.threads,
            array_parallelism=self.at_once,
            additional_parameters=dict(self.options),
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
        )
        try:
            with executor.batch():
                jobs = [executor.submit(Job(replace(self.worker, runs=(run,)))) for run in runs]
        except FailedJobError as error:
            raise refusal("engine", "slurm", f"sbatch refuses: {' '.join(str(error).split())}") from None
        self._submitted.update(run.name for run in runs)
        return {run.name: job.job_id for run, job in zip(runs, jobs, strict=True)}


def in_queue() -> set[str] | None:
    """Return the ids of this user's jobs that wait or run; None where Slurm does not answer just now."""
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return set(answer.split())
