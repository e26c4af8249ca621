"""Records made by hand, of runs that were never run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullscale import record
from fullscale.measurements.kinds import Measurement
from fullscale.sources import behind
from fullscale.sweep.run import Run
from fullscale.train import TRAINED_BY

HARDWARE = {"gpu": None, "processor": "made by hand", "cores": 1, "threads": 1, "processes": 1}


def stamped(module: str) -> dict[str, Any]:
    code = {"version": None, "commit": None, "sources": "", "behind": dict(behind(module))}
    return {"code": code, "software": {}, "hardware": HARDWARE}


def made(run: Run, error: float, numbers: Callable[[Measurement], dict[str, Any]]) -> dict[str, Any]:
    final = {"test_error": error, "test_loss": None, "train_error": 0.0}
    epoch = final | {"lr": 0.1, "train_loss": 1.0, "images_per_second": 1.0, "seconds": 1.0}
    measured = {
        each.kind: stamped(type(each).__module__)
        | {"settings": record.plain(each), "numbers": numbers(each), "seconds": 1.0}
        for each in run.measurements
    }
    return {
        "schema": record.SCHEMA,
        "recipe": record.plain(run.recipe),
        "recipe_hash": run.recipe.hash,
        "data": {"name": run.recipe.data, "checksum": "", "classes": 10, "train": 64, "test": 16},
        **stamped(TRAINED_BY),
        "weights_sha256": "",
        "seconds": 1.0,
        "final": final,
        "epochs": [epoch | {"epoch": index + 1} for index in range(run.recipe.epochs)],
        "measured": measured,
    }


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write the record of a run, in the folder of a sweep, with an error and what its measurements came to."""

    def write(
        run: Run, error: float, numbers: Callable[[Measurement], dict[str, Any]] = lambda _: {}, checksum: str = ""
    ) -> Path:
        path = tmp_path / run.name / "record.json"
        path.parent.mkdir(parents=True)
        there = made(run, error, numbers)
        there["data"]["checksum"] = checksum
        path.write_text(json.dumps(there))
        return path

    return write
