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
from fullscale.contracts import refusal, whole
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
from fullscale.terminal import BAD_INPUT, FAILED, Flag, Positional, complain
from fullscale.train import require_save_every

JOBS_AT_MOST = 1024
"""on this machine"""
JOBS_ON_SLURM, THREADS_ON_SLURM = 100, 4
OF_SLURM = ("minutes", "gpus", "slurm")


@dataclass(frozen=True)
class Sweep:
    """Do the runs of one of the paper's experiments that are missing, then show it beside the paper.

    Every run has a folder with one record, which counts as long as its recipe and the code behind it stay the same;
    experiments share runs. Ctrl-C keeps what is done, and the same command goes on. Several sweeps may work in one
    folder, on any machines that share it. A run that fails is tried again after the others.
    """

    name: Positional[str]
    """fig1, table1 (Fig. 3, too), fig4, table2, fig5, table3, fig6, table4, table5; beyond the paper law,
    reordered, width, chain, inference; or all"""
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
    """of a run on a CPU; by default all cores, shared by the jobs, and 4 on Slurm. Other numbers may change the last
    bits"""
    precision: Precision = "float32"
    """as in train; a part of the recipes"""
    compile: Compile = "off"
    """as in train; a part of the recipes"""
    retries: int = 1
    """of a run that fails; one that has diverged is not repeated"""
    save_every: float = 60
    """seconds between checkpoints"""
    throughput: tuple[str, ...] = ()
    """NET=RATE, images a second in training, of all nets: a plan for a machine that is not this one"""
    minutes: int = 24 * 60
    """of a Slurm job; a run that needs more goes on in another"""
    gpus: int | None = None
    """of a Slurm job, 0 or 1: by default 1, or none with --device cpu"""
    slurm: tuple[str, ...] = ()
    """OPTION=VALUE of sbatch, such as partition=gpu"""

    def __call__(self) -> int:
        """Plan, explain, or do and show."""
        self.require_consistent()
        experiments, scale = chosen(self.name), in_precision(SCALES[self.scale], self.precision, self.compile)
        runs = runs_of(experiments, scale)
        if self.why is not None:
            return BAD_INPUT if explain(runs, self.why, self.out) else 0
        if self.plan:
            return self.tell(plan(runs, self.out))
        failed = self.do(runs)
        code = shown(experiments, scale, self.out, self.root)
        return failed or code

    def require_consistent(self) -> None:
        """Refuse options that would be ignored, and settings of sbatch that cannot be.

        Raises:
            ValueError: if there are any.
        """
        if self.plan and self.why is not None:
            raise refusal("why", self.why, "cannot be asked together with --plan")
        if self.throughput and not self.plan:
            raise refusal("throughput", " ".join(self.throughput), "is only used with --plan")
        if self.engine == "local":
            for name in OF_SLURM:
                if (value := getattr(self, name)) != getattr(Sweep, name):
                    told = " ".join(value) if name == "slurm" else value
                    raise refusal(name, told, "is only used with --engine slurm")
        elif self.device not in (None, "cpu", "cuda"):
            raise refusal("device", self.device, "must be cpu or cuda on Slurm, which chooses the GPU")
        elif self.gpus is not None and self.gpus not in ((0,) if self.device == "cpu" else (0, 1)):
            raise refusal("gpus", self.gpus, "must be 0 or 1, since a run has one, and 0 with --device cpu")
        elif self.gpus == 0 and self.device == "cuda":
            raise refusal("gpus", self.gpus, "must be 1 with --device cuda")
        else:
            whole("minutes", self.minutes, at_least=1)
            sbatch_options(self.slurm)

    def do(self, runs: tuple[Run, ...]) -> int:
        """Have the runs done that are missing, and return the exit code."""
        whole("retries", self.retries, at_least=0)
        require_save_every(self.save_every)
        before, sweep = plan(runs, self.out), uuid.uuid4().hex
        worker = Worker(runs, self.out, self.root, sweep, self.retries + 1, save_every=self.save_every)
        engine = self.engine_for(worker)
        require_data((entry.run for entry in before.left), self.root)
        folder(self.out)
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
        from fullscale.sweep.slurm import Slurm  # noqa: PLC0415 - submitit takes its time

        gpus = self.gpus_of_job()
        own = replace(worker, threads=self.threads_of(1), device="cuda" if gpus else "cpu")
        return Slurm(own, self.jobs_on_slurm(), self.minutes, gpus, sbatch_options(self.slurm))

    def places(self, runs: Sequence[Run]) -> tuple[str, ...]:
        """Say which device each process has."""
        if self.jobs is not None and self.jobs > JOBS_AT_MOST:
            raise refusal("jobs", self.jobs, f"must be <= {JOBS_AT_MOST}")
        return devices(self.jobs, self.device, [run.recipe for run in runs])

    def jobs_on_slurm(self) -> int:
        """Say how many jobs run at once."""
        return JOBS_ON_SLURM if self.jobs is None else whole("jobs", self.jobs, at_least=1)

    def gpus_of_job(self) -> int:
        """Say how many GPUs a Slurm job has."""
        return int(self.device != "cpu") if self.gpus is None else self.gpus

    def threads_of(self, jobs: int) -> int:
        """Say how many threads a run has."""
        if self.threads is not None:
            return require_threads(self.threads)
        return THREADS_ON_SLURM if self.engine == "slurm" else max(1, (os.cpu_count() or 1) // jobs)

    def tell(self, before: Plan) -> int:
        """Print the plan, and return the exit code."""
        at_once = self.at_once([entry.run for entry in before.entries])
        threads = self.threads_of(at_once)
        machine = Machine(self.unit(threads), at_once, self.rates(before, threads))
        planned(before, machine, f"{self.name} at scale {self.scale}")
        return BAD_INPUT if before.refused else 0

    def at_once(self, runs: Sequence[Run]) -> int:
        """Say how many runs go on at once, in a plan: this machine has no say in what another one bears."""
        if self.engine == "slurm":
            return self.jobs_on_slurm()
        if self.throughput:
            return 1 if self.jobs is None else whole("jobs", self.jobs, at_least=1)
        return len(self.places(runs))

    def unit(self, threads: int) -> str:
        """Say what is paid for: the hours of the machine that the rates are of."""
        if self.throughput:
            gpu = self.device != "cpu" and (self.engine == "local" or self.gpus_of_job() > 0)
        else:
            gpu = device_named(self.device).type == "cuda"
        return "GPU-hours" if gpu else f"CPU-hours of {threads} threads"

    def rates(self, before: Plan, threads: int) -> dict[str, Rates]:
        """Return the rates of the nets that are left: all given, or all kept or measured here.

        Raises:
            ValueError: if some are given, and others not, or one of a net that no run has; or none for Slurm.
        """
        nets = {entry.run.recipe.net: entry.run.recipe for entry in before.left}
        if not self.throughput and nets:
            if self.engine == "slurm":
                raise refusal(
                    "throughput", "nothing", "must be given for Slurm: this machine tells nothing of its nodes"
                )
            torch.set_num_threads(threads)
            return rates([*nets.values()], Team(device_named(self.device)), self.out, complain)
        said, known = given(self.throughput), {entry.run.recipe.net for entry in before.entries}
        if unknown := said.keys() - known:
            rule = f"no run has this net; they have {', '.join(sorted(known))}"
            raise refusal("throughput", ", ".join(sorted(unknown)), rule)
        if missing := nets.keys() - said.keys():
            rule = f"must be given for all nets that are left, or for none; {', '.join(sorted(missing))} are missing"
            raise refusal("throughput", " ".join(self.throughput), rule)
        return {net: said[net] for net in nets}


def sbatch_options(settings: Sequence[str]) -> dict[str, str]:
    """Read OPTION=VALUE of sbatch.

    Raises:
        ValueError: if one has another form.
    """
    pairs = [setting.partition("=") for setting in settings]
    for setting, (name, equals, _) in zip(settings, pairs, strict=True):
        if not (name and equals):
            raise refusal("slurm", setting, "must be OPTION=VALUE of sbatch, such as partition=gpu")
    return {name: value for name, _, value in pairs}


def require_data(runs: Iterable[Run], root: Path) -> None:
    """Open every data set once, since a sweep should not begin what must fail.

    Raises:
        ValueError: as `fullscale.data.load`.
    """
    for own in {(run.recipe.data, run.recipe.crop, run.recipe.images): run.recipe for run in runs}.values():
        load(own.data, root, "cpu", crop=own.crop, images=own.images)
