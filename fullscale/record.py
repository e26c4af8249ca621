"""What stands behind a run's numbers: the code, the software and the machine."""

import dataclasses
import json
import os
import platform
import subprocess
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict, TypeVar

import msgspec
import numpy as np
import torch

from fullscale import recipes, sources
from fullscale.contracts import refusal
from fullscale.files import read_json
from fullscale.launch import Team

SCHEMA = 1
HERE = Path(__file__).parent

Typed = TypeVar("Typed")
Percent: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=100)]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class Data(TypedDict):
    """The data set: as `fullscale.data.Source` says, with its training and test images counted."""

    name: str
    checksum: str
    classes: Count
    train: Count
    test: Count


class Checkout(TypedDict):
    """By what state of the project; the commit is None where there is none.

    Attributes:
        sources: the SHA-256 of this room's sources.
    """

    version: str | None
    commit: str | None
    sources: str


class Code(Checkout):
    """By what code.

    Attributes:
        behind: `fullscale.sources.behind` what computed: the files that matter.
    """

    behind: dict[str, str]


class Hardware(TypedDict):
    """On what, by how many threads and processes."""

    gpu: str | None
    processor: str
    cores: int | None
    threads: Count
    processes: Count


class Final(TypedDict):
    """Of the last epoch; errors in percent. The training error is of train mode, as the weights changed."""

    test_error: Percent
    test_loss: float | None
    train_error: Percent


class Epoch(Final):
    """One epoch: see `fullscale.training.Epoch`; training images a second of the sitting, seconds of all sittings."""

    epoch: Count
    lr: float
    train_loss: float
    images_per_second: float
    seconds: float


class Stamp(TypedDict):
    """What stands behind numbers."""

    code: Code
    software: dict[str, str | None]
    hardware: Hardware


class Measured(Stamp):
    """One measurement of the trained net: see `fullscale.measurements`."""

    settings: dict[str, Any]
    numbers: dict[str, Any]
    seconds: float


class Record(Stamp):
    """A finished run.

    Attributes:
        seconds: of training, over all sittings.
        measured: by kind; a run that no sweep has measured has none.
    """

    schema: int
    recipe: dict[str, Any]
    recipe_hash: str
    data: Data
    weights_sha256: str
    seconds: float
    final: Final
    epochs: Annotated[list[Epoch], msgspec.Meta(min_length=1)]
    measured: NotRequired[dict[str, Measured]]


def stamp(module: str, team: Team) -> Stamp:
    """Say what stands behind numbers that a module of this package computed."""
    return {"code": code(module), "software": software(), "hardware": hardware(team)}


def code(module: str) -> Code:
    """Say what code a module of this package computes by: as it was when this process first asked, not as it ends."""
    return {**_checkout(), "behind": dict(sources.behind(module))}


@cache
def _checkout() -> Checkout:
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


def read(path: Path) -> Record:
    """Read the record of a finished run.

    Raises:
        ValueError: if it cannot be read, is of another schema, lacks or has mistaken what every record has, or
            contradicts itself.
    """
    there = read_json(path)
    if there.get("schema") != SCHEMA:
        raise refusal("schema", there.get("schema"), f"{path} is of another version; {SCHEMA} is read")
    checked = typed(there, Record, path)
    try:
        recipe = recipes.read(checked["recipe"])
    except (TypeError, ValueError) as error:
        raise refusal("file", path, f"is no record of a run: {error}") from None
    typed(checked["recipe"], recipes.Recipe, path)
    if contradiction := _contradiction(checked, recipe):
        raise refusal("file", path, f"is altered: {contradiction}")
    return checked


def _contradiction(there: Record, recipe: recipes.Recipe) -> str:
    """Say in what a record contradicts itself; nothing if it does not."""
    epochs, final = there["epochs"], there["final"]
    if recipe.hash != there["recipe_hash"]:
        return f"its recipe is not the one of hash {there['recipe_hash']}"
    if [epoch["epoch"] for epoch in epochs] != [*range(1, recipe.epochs + 1)]:
        return f"its epochs are not those from 1 to {recipe.epochs}"
    if any(final[name] != epochs[-1][name] for name in Final.__annotations__):
        return "its final numbers are not those of its last epoch"
    if there["data"]["name"] != recipe.data:
        return f"its data are {there['data']['name']}, and those of its recipe {recipe.data}"
    if recipe.batch % (processes := there["hardware"]["processes"]):
        return f"a batch of {recipe.batch} cannot be shared by its {processes} processes"
    return ""


def typed(value: Any, kind: type[Typed], path: Path, called: str = "record of a run") -> Typed:
    """Turn plain JSON into a type, as which it must be complete.

    Raises:
        ValueError: if something is missing, or of another type.
    """
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError) as error:  # the latter over half of a surrogate pair
        raise refusal("file", path, f"is no {called}: {error}") from None


def plain(settings: Any) -> dict[str, Any]:
    """Turn a dataclass into what reading its JSON gives."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def software() -> dict[str, str | None]:
    """Return the versions that numbers may depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torchvision": metadata.version("torchvision"),  # importing it takes seconds
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }


def hardware(team: Team) -> Hardware:
    """Return what computed: the GPU or processor, its threads, and how many processes."""
    gpu = torch.cuda.get_device_name(team.device) if team.device.type == "cuda" else None
    return {
        "gpu": gpu,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": team.world,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
