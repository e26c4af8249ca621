"""What stands behind a run's numbers: the code, the software and the machine."""

import os
import platform
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

from fullscale.contracts import refusal
from fullscale.files import read_json
from fullscale.launch import Team

SCHEMA = 1
HERE = Path(__file__).parent
NEEDED = (
    "recipe",
    "data.checksum",
    "data.classes",
    "hardware.processes",
    "weights_sha256",
    "final.test_error",
    "final.train_error",
    "epochs",
)
"""what whoever opens a record relies on"""


def code() -> dict[str, Any]:
    """Return the version, the commit if there is one, and the SHA-256 of this room's sources."""
    try:
        version = metadata.version("variance-shift")
    except metadata.PackageNotFoundError:
        version = None
    files = sorted(HERE.rglob("*.py"))
    content = b"".join(f"{file.relative_to(HERE).as_posix()}\n".encode() + file.read_bytes() for file in files)
    return {"version": version, "commit": _commit(), "sources": sha256(content).hexdigest()}


def _commit() -> str | None:
    """Return the commit of this project's checkout; an installed copy may lie in somebody else's."""
    command = ["git", "-C", str(HERE), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    top, commit = told.splitlines()
    return commit if Path(top) == HERE.parent.resolve() else None


def read(path: Path) -> dict[str, Any]:
    """Read the record of a finished run.

    Raises:
        ValueError: if it cannot be read, is of another schema, or lacks what every record has.
    """
    there = read_json(path)
    if there.get("schema") != SCHEMA:
        raise refusal("schema", there.get("schema"), f"{path} is of another version; {SCHEMA} is read")
    if missing := [name for name in NEEDED if not _has(there, name.split("."))]:
        raise refusal("file", path, f"is no record of a run: it lacks {', '.join(missing)}")
    return there


def _has(there: Any, names: Sequence[str]) -> bool:
    """Whether an object has a name, in it the next, and so on."""
    if not names:
        return True
    return isinstance(there, dict) and names[0] in there and _has(there[names[0]], names[1:])


def software() -> dict[str, str | None]:
    """Return the versions that numbers may depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }


def hardware(team: Team) -> dict[str, Any]:
    """Return what computed: the GPU or processor, its threads, and how many processes."""
    gpu = torch.cuda.get_device_name(team.device) if team.device.type == "cuda" else None
    own = {"gpu": gpu, "processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    return own | {"processes": team.world}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
