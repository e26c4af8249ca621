"""The command `train`: one run, from its flags to its record."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fullscale.contracts import refusal
from fullscale.data import Crop, DataName, Source, load
from fullscale.launch import require_threads, team
from fullscale.placement import Where
from fullscale.recipes import Compile, Precision, Recipe, recipe
from fullscale.record import Record
from fullscale.terminal import Bar, Flag, Positional, complain, duration, say
from fullscale.train import Watcher, train
from fullscale.training import Epoch, Training


@dataclass(frozen=True)
class Train:
    """Train a network, with checkpoints, into a folder that ends with one record.

    What is not given follows the paper's recipe for the family of the net. Ctrl-C keeps what is done; --resume goes
    on. Several GPUs: torchrun --nproc-per-node N -m fullscale train ...; --batch counts over all of them.
    """

    net: Positional[str]
    """such as preresnet-110, resnext-29, wrn-28-10, densenet-bc-100-12, or smaller: wrn-10-2"""
    data: DataName
    """cifar10, cifar100, imagenet (folders train/ and val/), or synthetic, for trying things"""
    out: Path
    """the folder of the run"""
    placement: Where = "none"
    """a: before the last BN of each block; b: before its last convolution; last: before the classifier"""
    drop: float | None = None
    """Dropout: the probability of dropping an element, 1 - p"""
    uout: float | None = None
    """Uout instead: x + x r, r ~ U(-beta, beta)"""
    sigma: float | None = None
    """Gaussian Dropout instead: x + x r, r ~ N(0, sigma^2)"""
    seed: int = 0
    """of the weights, the order, the augmentation and the noise"""
    resume: Flag = False
    """go on with the run in the folder, if there is one"""
    root: Path = Path("data")
    """where the data are"""
    download: Flag = False
    """let torchvision fetch CIFAR if it is not there"""
    images: int | None = None
    """a reduced run: the first so many training images only"""
    epochs: int | None = None
    """a shorter schedule of the same shape"""
    batch: int | None = None
    """images a step, over all processes"""
    lr: float | None = None
    """the first learning rate"""
    weight_decay: float | None = None
    """of all parameters"""
    crop: Crop = "pixels"
    """pad with black pixels before normalising, as the authors' code does, or with zeros after: normalised"""
    precision: Precision = "float32"
    """bf16: autocast; weights and BN's buffers stay float32"""
    channels_last: Flag = True
    """the memory format in which most machines convolve fastest"""
    compile: Compile = "off"
    """a mode of torch.compile; reduce-overhead records CUDA graphs"""
    device: str | None = None
    """cpu, cuda or cuda:N; by default a GPU where there is one"""
    threads: int | None = None
    """on a CPU; one a core by default. Other numbers may change the last bits"""
    save_every: float = 60
    """seconds between checkpoints"""
    tensorboard: Flag = False
    """write curves into the folder, too (needs the extra of that name)"""

    def __call__(self) -> int:
        """Train, or go on."""
        planned = self.recipe()
        if self.threads is not None:
            torch.set_num_threads(require_threads(self.threads))
        with team(self.device) as processes:
            source = processes.first_then_others(lambda: self.source(processes.device))
            images = planned.epochs * source.train_count
            talk = Narrator(images, self.curves()) if processes.first else nullcontext(Watcher())
            with talk as watcher:
                finished = train(
                    planned,
                    source,
                    processes,
                    self.out,
                    resume=self.resume,
                    save_every=self.save_every,
                    watcher=watcher,
                )
        if finished is not None:
            if finished["recipe_hash"] != planned.hash:
                raise refusal("out", self.out, "holds the record of another run")
            say(f"{self.out}: {told(finished)}")
        return 0

    def recipe(self) -> Recipe:
        """Complete the flags by the paper's recipe."""
        fields = {field.name for field in dataclasses.fields(Recipe)} & vars(self).keys()
        settings: dict[str, Any] = {name: getattr(self, name) for name in fields}
        return recipe(**settings)

    def source(self, device: torch.device) -> Source:
        """Open the data."""
        return load(self.data, self.root, device, crop=self.crop, images=self.images, download=self.download)

    def curves(self) -> Path | None:
        """Say where curves go, if they are wanted."""
        return self.out / "tensorboard" if self.tensorboard else None


class Narrator(Watcher):
    """Tells of a run: a bar where stderr is a terminal, a line an epoch where it is not, curves if wanted.

    Args:
        images: training images of the whole run, every epoch counted.
        curves: a folder for tensorboard, which the first epoch makes: a run that is refused or finished gets none.

    Raises:
        ValueError: if curves are wanted and tensorboard is not installed.
    """

    def __init__(self, images: int, curves: Path | None) -> None:
        self._bar, self._curves = Bar(images), None
        self._images, self._last = images, "first epoch"
        self._writer = None if curves is None else partial(summary_writer(), str(curves))

    def __enter__(self) -> "Narrator":
        self._bar.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._bar.__exit__(*raised)
        if self._curves is not None:
            self._curves.close()

    def step(self, training: Training) -> None:
        """Move the bar, if it is time to look."""
        if self._bar.due():
            loss, error = training.so_far()
            self._bar.show(training.images, f"{self._last}; now loss {loss:.3f}, error {error:.1f}%")

    def epoch(self, training: Training, epoch: Epoch, rate: float) -> None:
        """Tell what an epoch came to."""
        self._last = f"epoch {epoch.epoch}/{training.recipe.epochs}: test error {epoch.test_error:.2f}%"
        if self._bar.disable:
            learnt = f"train loss {epoch.train_loss:.3f}, train error {epoch.train_error:.2f}%"
            complain(", ".join([self._last, learnt, *self._pace(training, rate)]))
        if self._writer is not None:
            self._curves = self._curves or self._writer(purge_step=epoch.epoch)
            for name, value in dataclasses.asdict(epoch).items():
                if value is not None:
                    self._curves.add_scalar(name, value, epoch.epoch)

    def complain(self, message: str) -> None:
        """Print one line."""
        complain(message)

    def _pace(self, training: Training, rate: float) -> list[str]:
        if not rate:  # resumed after an epoch's last step
            return []
        left = (self._images - training.images) / rate
        return [f"{rate:,.0f} images/s", f"{duration(left)} left"]


def summary_writer() -> Callable[..., Any]:
    """Import tensorboard's class, an extra that few have."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError:
        raise refusal("tensorboard", True, "needs the extra: uv sync --extra tensorboard") from None  # noqa: FBT003
    return SummaryWriter


def told(finished: Record) -> str:
    """Say in a line what a finished run came to."""
    final, run = finished["final"], finished["recipe"]
    reduced = f" of {run['images']:,} images" if run["images"] else ""
    errors = f"test error {final['test_error']:.2f}%, train error {final['train_error']:.2f}%"
    return f"{run['net']} after {run['epochs']} epochs{reduced}: {errors}"
