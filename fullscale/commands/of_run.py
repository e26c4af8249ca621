"""What the commands share that measure a finished run."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fullscale import record
from fullscale.contracts import refusal, seeding, whole
from fullscale.data import Batch, Source, load
from fullscale.evaluate import evaluate
from fullscale.files import read_json, sole_writer
from fullscale.launch import Team, device_named
from fullscale.runs import Run, open_run
from fullscale.specimen import faithful
from fullscale.terminal import Positional


@dataclass(frozen=True)
class Opened:
    """A finished run, ready to be measured.

    Attributes:
        batches: of a pass, at most; all where None.
        seed: of order and augmentation.
    """

    run: Run
    source: Source
    team: Team
    batches: int | None
    seed: int
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def batch(self) -> int:
        """Images that a BN saw together in training: a process's share of a batch."""
        return self.run.recipe.batch // self.run.record["hardware"]["processes"]

    @property
    def net(self) -> nn.Module:
        """The trained net, on the device."""
        return self.run.net

    def augmented(self) -> Iterator[Batch]:
        """Start a pass over the training images, in training's batches and augmentation, of an epoch not trained on."""
        return islice(self.source.train_batches(self.batch, self.seed, self.run.recipe.epochs), self.batches)

    def plain(self, order: Tensor) -> Iterator[Batch]:
        """Start a pass over the training images as they are, in an order: (n,) of their indices."""
        return islice(self.source.plain_batches(self.batch, order), self.batches)

    def test(self) -> Iterator[Batch]:
        """Start a pass over the test images."""
        return islice(self.source.test_batches(self.batch), self.batches)

    def seen(self, images: int) -> int:
        """Say how many of so many images a pass sees."""
        return images if self.batches is None else min(images, self.batches * self.batch)

    def score(self, net: nn.Module) -> dict[str, Any]:
        """Test a net in float32: error in percent, and mean loss, None where it is not finite."""
        with faithful(net):
            own = evaluate(net, self.test())
        return {"error": own.error, "loss": own.finite_loss}

    def stamp(self, since: float | None = None) -> dict[str, Any]:
        """Say what measured, and how long it took since a `time.perf_counter`, or since the run was opened."""
        made = {"code": record.code(), "software": record.software(), "hardware": record.hardware(self.team)}
        return made | {"seconds": time.perf_counter() - (self.started if since is None else since)}

    def __str__(self) -> str:
        """Say in a line which run it is; a reduced one says so."""
        recipe = self.run.recipe
        strength = {"drop": recipe.drop, "uout": recipe.uout, "sigma": recipe.sigma}
        noise = [f"({recipe.placement}) {name} {value:g}" for name, value in strength.items() if value is not None]
        reduced = f", {recipe.images:,} images" if recipe.images else ""
        reduced += f"; {self.batches} batches only" if self.batches else ""
        return f"{recipe.net} {noise[0] if noise else 'without noise'}, {recipe.data}, {recipe.epochs} epochs{reduced}"


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
            yield Opened(run, source, Team(device), self.batches, self.seed)

    def settings(self, opened: Opened, **others: Any) -> dict[str, Any]:
        """Say what the numbers depend on, but for the machine."""
        own = {"weights_sha256": opened.run.record["weights_sha256"], "batches": self.batches, "seed": self.seed}
        return {"schema": record.SCHEMA, "settings": own | others}


def resumed(path: Path, fresh: dict[str, Any]) -> dict[str, Any]:
    """Return what a file has so far, or what it starts from.

    Raises:
        ValueError: if it is of other settings.
    """
    if not path.exists():
        return fresh
    there = read_json(path)
    alike = [there.get(name) == fresh[name] for name in ("schema", "settings")]
    alike += [isinstance(there.get(name), type(start)) for name, start in fresh.items() if start is not None]
    if not all(alike):
        raise refusal("file", path, "has results of other settings; move it away, or repeat its settings")
    return there
