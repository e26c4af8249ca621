"""The command `sweep`: all runs of an experiment, those that are missing, here or on a cluster."""

import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from fullscale.commands.of_sweep import Machine, Narrator, explain, planned
from fullscale.commands.show import shown
from fullscale.contracts import whole
from fullscale.data import load
from fullscale.experiments.catalogue import chosen, runs_of
from fullscale.experiments.scale import SCALES, ScaleName, in_precision
from fullscale.files import folder
from fullscale.launch import Team, device_named, require_threads
from fullscale.recipes import Compile, Precision
from fullscale.sweep.engine import Engine
from fullscale.sweep.local import Local
from fullscale.sweep.machine import devices
from fullscale.sweep.plan import Plan, plan
from fullscale.sweep.run import Run
from fullscale.sweep.throughput import Rates, given, rates
from fullscale.sweep.watch import watch
from fullscale.sweep.worker import Worker
from fullscale.terminal import Flag, Positional, complain
from fullscale.train import require_save_every

FAILED, BAD_INPUT = 1, 2
JOBS_ON_SLURM = 100


@dataclass(frozen=True)
class Sweep:
    """Do the runs of one of the paper's experiments that are missing, then show it beside the paper.

    Every run has a folder with one record, which counts as long as its recipe and the code behind it stay the same;
    experiments share runs. Ctrl-C keeps what is done, and the same command goes on. Several sweeps may work in one
    folder, on any machines that share it. A run that fails is tried again after the others.
    """

    name: Positional[str]
    """fig1, table1 (Fig. 3, too), fig4, table2, fig5, table3, fig6, table4, table5, or all"""
    scale: ScaleName = "smoke"
    """smoke: seconds, shows that the program works; reduced: CPU hours; paper: as printed"""
    plan: Flag = False
    """only say what is there, what is left, and what it costs"""
    why: str | None = None
    """only say why runs are, or are not, run again: all that have this in their names"""
    engine: Literal["local", "slurm"] = "local"
    """slurm: arrays of jobs, one a run, through submitit"""
    out: Path = Path("runs")
    """the folder of all runs; for slurm, on a disk that the nodes share"""
    root: Path = Path("data")
    """where the data are"""
    jobs: int | None = None
    """runs at once: by default one a GPU, one on a CPU, 100 on Slurm"""
    device: str | None = None
    """cpu, cuda or cuda:N; by default all GPUs where there are some"""
    threads: int | None = None
    """of a run on a CPU; by default all cores, shared by the jobs. Other numbers may change the last bits"""
    precision: Precision = "float32"
    """as in train; a part of the recipes"""
    compile: Compile = "off"
    """as in train; a part of the recipes"""
    retries: int = 1
    """of a run that fails; one that has diverged is not repeated"""
    save_every: float = 60
    """seconds between checkpoints"""
    throughput: tuple[str, ...] = ()
    """NET=RATE, images a second in training: a plan for a machine that is not this one"""
    minutes: int = 24 * 60
    """of a Slurm job; a run that needs more goes on in another"""
    gpus: int | None = None
    """of a Slurm job: by default 1, or none with --device cpu"""
    slurm: tuple[str, ...] = ()
    """OPTION=VALUE of sbatch, such as partition=gpu"""

    def __call__(self) -> int:
        """Plan, explain, or do and show."""
        experiments, scale = chosen(self.name), in_precision(SCALES[self.scale], self.precision, self.compile)
        runs = runs_of(experiments, scale)
        if self.why is not None:
            explain(runs, self.why, self.out)
            return 0
        if self.plan:
            return self.tell(plan(runs, self.out))
        failed = self.do(runs)
        code = shown(experiments, scale, self.out, self.root)
        return failed or code

    def do(self, runs: tuple[Run, ...]) -> int:
        """Have the runs done that are missing, and return the exit code."""
        whole("retries", self.retries, at_least=0)
        require_save_every(self.save_every)
        before, sweep = plan(runs, folder(self.out)), uuid.uuid4().hex
        worker = Worker(runs, self.out, self.root, sweep, self.retries + 1, save_every=self.save_every)
        engine = self.engine_for(worker)
        require_data((entry.run for entry in before.left), self.root)
        with Narrator(before, self.out) as narrator:
            failed = watch(runs, self.out, sweep, engine, narrator)
        if failed:
            complain(f"{len(failed)} of {len(runs)} runs have failed; the same command tries them again")
        return FAILED if failed else 0

    def engine_for(self, worker: Worker) -> Engine:
        """Make the engine for workers like this one."""
        if self.engine == "local":
            places = self.places(worker.runs)
            return Local(replace(worker, threads=self.threads_of(len(places))), places)
        from fullscale.sweep.slurm import Slurm, options  # noqa: PLC0415 - submitit takes its time

        gpus = self.gpus_of_job()
        own = replace(worker, threads=self.threads_of(1), device=self.device or ("cuda" if gpus else "cpu"))
        return Slurm(own, self.jobs_on_slurm(), whole("minutes", self.minutes, at_least=1), gpus, options(self.slurm))

    def places(self, runs: Sequence[Run]) -> tuple[str, ...]:
        """Say which device each process has."""
        return devices(self.jobs, self.device, [run.recipe for run in runs])

    def jobs_on_slurm(self) -> int:
        """Say how many jobs run at once."""
        return JOBS_ON_SLURM if self.jobs is None else whole("jobs", self.jobs, at_least=1)

    def gpus_of_job(self) -> int:
        """Say how many GPUs a Slurm job has."""
        return int(self.device != "cpu") if self.gpus is None else whole("gpus", self.gpus, at_least=0)

    def threads_of(self, jobs: int) -> int:
        """Say how many threads a run has."""
        return max(1, (os.cpu_count() or 1) // jobs) if self.threads is None else require_threads(self.threads)

    def tell(self, before: Plan) -> int:
        """Print the plan, and return the exit code."""
        if self.engine == "local":
            places = self.places([entry.run for entry in before.entries])
            at_once, gpu = len(places), places[0] != "cpu"
        else:
            at_once, gpu = self.jobs_on_slurm(), self.gpus_of_job() > 0
        threads = self.threads_of(1 if self.engine == "slurm" else at_once)
        unit = "GPU-hours" if gpu or self.throughput else f"CPU-hours of {threads} threads"
        machine = Machine(unit, at_once, self.rates(before, threads))
        planned(before, machine, f"{self.name} at scale {self.scale}")
        return BAD_INPUT if before.refused else 0

    def rates(self, before: Plan, threads: int) -> dict[str, Rates]:
        """Return the rates of the nets that are left: given, kept, or measured here."""
        said = given(self.throughput)
        nets = {entry.run.recipe.net: entry.run.recipe for entry in before.left}
        torch.set_num_threads(threads)
        unknown = [recipe for net, recipe in nets.items() if net not in said]
        here = rates(unknown, Team(device_named(self.device)), self.out, complain)
        return {net: (said | here)[net] for net in nets}


def require_data(runs: Iterable[Run], root: Path) -> None:
    """Open every data set once, since a sweep should not begin what must fail.

    Raises:
        ValueError: as `fullscale.data.load`.
    """
    for own in {(run.recipe.data, run.recipe.crop, run.recipe.images): run.recipe for run in runs}.values():
        load(own.data, root, "cpu", crop=own.crop, images=own.images)
