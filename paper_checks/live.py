"""The live tier: small nets that are trained on this machine, beside the other checks, which need one core only."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fullscale.measurements.adjust import Adjust
from fullscale.measurements.kinds import Measurement
from fullscale.measurements.responses import Responses
from fullscale.measurements.shift import Shift
from fullscale.placement import Where
from fullscale.recipes import recipe
from fullscale.sweep.run import Run
from fullscale.sweep.state import measured, of_run, state
from fullscale.sweep.worker import Worker
from fullscale.train import RECORD

IMAGES, EPOCHS = 1024, 6
SHIFT, ADJUST, RESPONSES = Shift(), Adjust(readings=("batch",)), Responses(keep=0)
TOLD = f"LIVE: {EPOCHS} epochs of {IMAGES:,} synthetic images, DenseNet-BC-10-4, 1 seed; on the machine of the run"
FIXTURE = "live"


@dataclass(frozen=True)
class Net:
    """What was measured of a trained net; None where no check asks for it."""

    shift: Any
    responses: Any = None
    adjust: Any = None


def run_of(placement: Where, drop: float | None, *measurements: Measurement) -> Run:
    """Return one run."""
    settings = {"epochs": EPOCHS, "images": IMAGES, "batch": 32}
    own = recipe("densenet-bc-10-4", "synthetic", placement, 0, drop=drop, **settings)
    return Run(own, measurements)


RUNS = {
    "none": run_of("none", None, SHIFT, RESPONSES, ADJUST),
    "a 0.1": run_of("a", 0.1, SHIFT),
    "a": run_of("a", 0.5, SHIFT, RESPONSES),
    "b": run_of("b", 0.5, SHIFT, RESPONSES, ADJUST),
}


class Live:
    """The plugin that trains them while other checks run, and checks them last."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._training: subprocess.Popen[bytes] | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Put the checks of what is trained last, and begin to train if there are any."""
        items.sort(key=_needs_training)
        if any(map(_needs_training, items)) and not config.getoption("collectonly"):
            self._folder = tempfile.TemporaryDirectory()
            command = [sys.executable, "-m", "paper_checks.live", self._folder.name]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            self._training = subprocess.Popen(command, env=environment, cwd=Path(__file__).parent.parent)  # noqa: S603

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind, however the session ended."""
        if self._training is not None:
            self._training.kill()
            self._training.wait()
        if self._folder is not None:
            self._folder.cleanup()

    def nets(self) -> dict[str, Net]:
        """Wait until all are trained, and return what was measured of them.

        Raises:
            RuntimeError: if they could not be trained.
        """
        if self._training is None or self._folder is None or self._training.wait():
            raise RuntimeError("the nets of the live tier could not be trained; what went wrong is told above")
        return {name: _net(run, Path(self._folder.name)) for name, run in RUNS.items()}


def _needs_training(item: pytest.Item) -> bool:
    return FIXTURE in getattr(item, "fixturenames", ())


def _net(run: Run, out: Path) -> Net:
    there, path = of_run(run, out), out / run.name / RECORD
    return Net(**{measurement.kind: measured(there, measurement, path) for measurement in run.measurements})


def main(arguments: Sequence[str]) -> int:
    """Train and measure all nets into a folder, in one thread."""
    (out,) = map(Path, arguments)
    Worker(tuple(RUNS.values()), out, out, FIXTURE)()
    return 0 if all(state(run, out).done for run in RUNS.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
