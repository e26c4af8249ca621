"""A sweep on a real Slurm, jobs interrupted and queued again in its midst, leaves the records that the local one does.

    tests/slurm/cluster python tests/slurm/sweep.py

1. The command: `sweep table5 --scale smoke`, on Slurm and here.
2. A run that is long enough to be caught at work, beside short ones: its job is warned as submitit has Slurm warn
   before time is up, and writes a checkpoint and queues itself again; then it is killed and queued again by Slurm.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullscale.measurements.shift import Shift
from fullscale.recipes import recipe
from fullscale.sweep.local import Local
from fullscale.sweep.run import Run
from fullscale.sweep.slurm import JOBS, Slurm
from fullscale.sweep.state import State
from fullscale.sweep.watch import Onlooker, watch
from fullscale.sweep.worker import Worker

TIMES_AND_PLACES = {"seconds", "images_per_second", "hardware"}
EPOCHS = 150
"""of the long run: some twenty seconds"""


def timeless(value: Any) -> Any:
    """Leave out what may differ between two ways of doing the same run."""
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if name not in TIMES_AND_PLACES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def records(out: Path) -> dict[str, Any]:
    """Read all records in the folder of a sweep."""
    return {path.parent.name: timeless(json.loads(path.read_text())) for path in sorted(out.glob("*/record.json"))}


def commanded(out: Path, *flags: str) -> dict[str, Any]:
    """Sweep by the command line."""
    command = [sys.executable, "-m", "fullscale", "sweep", "table5", "--device", "cpu", "--threads", "1"]
    subprocess.run([*command, "--out", str(out), *flags], check=True)
    return records(out)


class Disturber(Onlooker):
    """Interrupts the job of a run when it has come so far, first gently, then not.

    Attributes:
        disturbed: how often.
    """

    def __init__(self, run: Run, out: Path) -> None:
        self.disturbed = 0
        self._run, self._jobs = run, out / "slurm" / JOBS

    def look(self, states: Mapping[Run, State]) -> None:
        """Disturb after a third, and after two thirds of the epochs."""
        found = states.get(self._run)
        if found is None or self.disturbed == 2 or found.epochs < (1 + self.disturbed) * EPOCHS / 3:
            return
        job = json.loads(self._jobs.read_text())[self._run.name]
        warn, kill = ["scancel", "--signal=USR2", job], ["scontrol", "requeue", job]
        subprocess.run(kill if self.disturbed else warn, check=True)
        self.disturbed += 1

    def restarts(self) -> int:
        """Ask Slurm how often the job was queued again."""
        job = json.loads(self._jobs.read_text())[self._run.name]
        told = subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout
        return int(told.partition("Restarts=")[2].split()[0])


def disturbed(scratch: Path) -> None:
    """Sweep with a run whose job is interrupted twice."""
    settings: dict[str, Any] = {"drop": 0.5, "batch": 16, "images": 64}
    recipes = [recipe("wrn-10-1", "synthetic", "a", seed, epochs=2, **settings) for seed in range(2)]
    long = recipe("wrn-10-1", "synthetic", "a", 2, epochs=EPOCHS, **settings)
    runs = tuple(Run(each, (Shift(),)) for each in (long, *recipes))
    here = Worker(runs, scratch / "here", scratch, "here")
    there = Worker(runs, scratch / "there", scratch, "there", device="cpu", save_every=0.5)
    disturber = Disturber(runs[0], there.out)
    slurm = Slurm(there, at_once=2, minutes=60, gpus=0, options={})
    require(watch(runs, there.out, "there", slurm, disturber) == {}, "no run fails on Slurm")
    require(watch(runs, here.out, "here", Local(here, ["cpu"]), Onlooker()) == {}, "no run fails here")
    require(records(there.out) == records(here.out), "the records are equal, interrupted or not")
    require(disturber.disturbed == 2 and disturber.restarts() == 2, "one job was queued again twice")


def require(held: bool, what: str) -> None:  # noqa: FBT001
    """Say what held, and leave if it did not."""
    print(("holds: " if held else "DOES NOT HOLD: ") + what, flush=True)
    if not held:
        sys.exit(1)


def main() -> None:
    """Do both parts."""
    with tempfile.TemporaryDirectory() as scratch:
        there = commanded(Path(scratch) / "slurm", "--engine", "slurm", "--jobs", "2")
        require(len(there) == 8, "all runs of table5 were done on Slurm")
        require(there == commanded(Path(scratch) / "local"), "the records are those of the local engine")
        disturbed(Path(scratch))


if __name__ == "__main__":
    main()
