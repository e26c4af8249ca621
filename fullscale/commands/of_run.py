"""What the commands share that measure a finished run."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from torch import nn

from fullscale import record
from fullscale.contracts import refusal, seeding, whole
from fullscale.data import load
from fullscale.files import read_json, sole_writer
from fullscale.launch import Team, device_named
from fullscale.runs import Run, open_run
from fullscale.subject import Subject
from fullscale.terminal import Positional


@dataclass(frozen=True, kw_only=True)
class Opened(Subject):
    """A finished run, ready to be measured."""

    run: Run
    team: Team
    started: float = dataclasses.field(default_factory=time.perf_counter)

    def scored(self, net: nn.Module) -> dict[str, Any]:
        """Test a net in float32: error in percent, and mean loss, None where it is not finite."""
        own = self.score(net)
        return {"error": own.error, "loss": own.finite_loss}

    def stamp(self, module: str, since: float | None = None) -> dict[str, Any]:
        """Say which module measured, on what, and how long since a `time.perf_counter`, or since it was opened."""
        seconds = time.perf_counter() - (self.started if since is None else since)
        return {**record.stamp(module, self.team), "seconds": seconds}

    def __str__(self) -> str:
        """Say in a line which run it is; a reduced one says so."""
        return f"{self.recipe}; {self.batches} batches only" if self.batches else str(self.recipe)


@dataclass(frozen=True)
class OfRun:
    """The flags that all these commands have."""

    dir: Positional[Path]
    """the folder of a finished run"""
    root: Path = Path("data")
    """where the data are, which must be those of the run"""
    batches: int | None = None
    """a reduced pass: the first so many batches only"""
    seed: int = 0
    """of order, augmentation and noise"""
    device: str | None = None
    """cpu, cuda or cuda:N; by default a GPU where there is one"""

    @contextlib.contextmanager
    def opened(self) -> Iterator[Opened]:
        """Open the run and its data, and keep other commands out of the folder."""
        seeding("seed", self.seed)
        if self.batches is not None:
            whole("batches", self.batches, at_least=2)
        run, device = open_run(self.dir), device_named(self.device)
        recipe = run.recipe
        source = load(recipe.data, self.root, device, crop=recipe.crop, images=recipe.images)
        run.require_same(source)
        run.net.to(device)
        with sole_writer(self.dir):
            processes = run.record["hardware"]["processes"]
            given = (run.net, recipe, source, processes, self.batches, self.seed)
            yield Opened(*given, run=run, team=Team(device))

    def settings(self, opened: Opened, **others: Any) -> dict[str, Any]:
        """Say what the numbers depend on, but for the machine."""
        own = {"weights_sha256": opened.run.record["weights_sha256"], "batches": self.batches, "seed": self.seed}
        return {"schema": record.SCHEMA, "settings": own | others}


class Score(record.Stamp):
    """A test of one net, as a command writes it.

    Attributes:
        loss: None where it is not finite.
        weights_sha256: of the file with its weights, if they were kept.
    """

    error: record.Percent
    loss: float | None
    seconds: float
    weights_sha256: NotRequired[str]


class Results(TypedDict):
    """What a command writes bit by bit, and goes on with."""

    schema: int
    settings: dict[str, Any]


def resumed(path: Path, fresh: dict[str, Any], kind: type[Results]) -> dict[str, Any]:
    """Return what a file has so far, or what it starts from.

    Raises:
        ValueError: if it is of other settings, or not complete, of its kind.
    """
    if not path.exists():
        return fresh
    there = read_json(path)
    if any(there.get(name) != fresh[name] for name in ("schema", "settings")):
        raise refusal("file", path, "has results of other settings; move it away, or repeat its settings")
    return {**record.typed(there, kind, path, f"result of {path.stem}")}
