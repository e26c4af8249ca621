"""What the doctor shows a model: random numbers, a folder of images, or batches in a file; the same in every pass."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from fullscale.contracts import refusal, seeding, whole
from fullscale.data import DataName, Source, load
from fullscale.data.cifar import CIFAR10, CIFAR100, SIDE, Layout
from fullscale.data.order import parts
from fullscale.doctor.patient import samples
from fullscale.files import read_torch
from fullscale.recipes import EPOCHS_AT_MOST

LAYOUTS: dict[DataName, Layout] = {"cifar10": CIFAR10, "cifar100": CIFAR100}
NUMBERS_AT_MOST = 2**31
"""in a batch; torch fails otherwise where it counts bytes in 63 bits"""
UNSEEN = EPOCHS_AT_MOST
"""An epoch that no run was trained on, so that no image is cropped and flipped as it was there."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Batches:
    """Batches that can be gone through any number of times, and are the same each time.

    Attributes:
        start: begins a pass.
        samples: in a pass.
        told: what they are, in a few words.
        real: whether they are data, and not random numbers.
    """

    start: Callable[[], Iterator[Any]]
    samples: int
    told: str
    real: bool = True

    def __iter__(self) -> Iterator[Any]:
        return self.start()


def shape(text: str) -> Shape:
    """Read the sizes of an input without its batch, such as 3x224x224.

    Raises:
        ValueError: if they are no whole numbers >= 1, joined by x.
    """
    if not re.fullmatch(r"[1-9]\d{0,9}(x[1-9]\d{0,9})*", text, re.ASCII):
        raise refusal("input", text, "must be whole numbers >= 1 joined by x, such as 3x224x224, without the batch")
    return tuple(map(int, text.split("x")))


def random_batches(shape: Shape, batch: int, count: int, seed: int) -> Batches:
    """Standard normal inputs.

    Args:
        shape: of an input.
        batch: inputs in a batch, >= 2: BN in training needs more than one.
        count: batches in a pass, >= 1.
        seed: of the numbers.

    Raises:
        ValueError: if an argument lies outside its domain.
    """
    _require(batch, count)
    seeding("seed", seed)
    if batch * math.prod(shape) > NUMBERS_AT_MOST:
        raise refusal("input", "x".join(map(str, shape)), f"is too large for batches of {batch}")

    def start() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return (torch.randn(batch, *shape, generator=generator) for _ in range(count))

    return Batches(start, batch * count, "random numbers", real=False)


def folder_batches(  # noqa: PLR0913 (the command line has them all)
    path: Path, shape: Shape, batch: int, count: int, device: torch.device, *, seed: int = 0
) -> Batches:
    """Training images of CIFAR, augmented, if the folder holds it or is its own; else images anywhere below it.

    The latter are spread evenly over the folder in the order of their paths, then mixed, since a batch of one class
    has less variance; the shorter side becomes 8/7 of the longer one of `shape`, the middle is cut out, and ImageNet's
    mean and standard deviation normalise it. A last batch smaller than the others is left out.

    Args:
        path: of the folder.
        shape: (3, height, width) of an image.
        batch: images in a batch, >= 2: BN in training needs more than one.
        count: batches in a pass at most, >= 1.
        device: where the batches shall be.
        seed: of order and augmentation.

    Raises:
        ValueError: if an argument lies outside its domain, the folder is missing or holds too little, or, in the
            midst, if a file is no image.
    """
    _require(batch, count)
    seeding("seed", seed)
    if len(shape) != 3 or shape[0] != 3:
        raise refusal("input", "x".join(map(str, shape)), "must be 3xHEIGHTxWIDTH, since --data reads images in colour")
    if not path.is_dir():
        raise refusal("data", path, "is no folder")
    if found := _cifar(path):
        if shape != (3, SIDE, SIDE):
            raise refusal("input", "x".join(map(str, shape)), f"must be 3x{SIDE}x{SIDE}, as {found[0]} in {path} is")
        return _training_images(load(*found, device), batch, count, seed)
    from fullscale.doctor import images  # noqa: PLC0415 - torchvision takes its time, which --help should not

    files, read = _spread(path, sorted(images.below(path)), batch, count), images.reader(shape[1], shape[2], device)
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(seed))

    def start() -> Iterator[Tensor]:
        return (read([files[i] for i in part.tolist()]) for part in parts(order, batch))

    return Batches(start, len(files), f"images below {path}")


def file_batches(path: Path) -> Batches:
    """Batches that torch.save wrote: a list of them, or one alone, which is a tensor, a pair or a mapping.

    Raises:
        ValueError: if the file cannot be read, needs more than tensors and plain containers, or a batch of it holds no
            tensor that counts samples.
    """
    read = read_torch(path)
    if any(isinstance(leaf, Tensor) and leaf.is_meta for leaf in tree_leaves(read)):
        raise refusal("batches", path, "holds tensors on the meta device, which hold no numbers")
    batches = read if isinstance(read, list) else [read]
    if not batches:
        raise refusal("batches", path, "holds an empty list")
    return Batches(lambda: iter(batches), sum(map(samples, batches)), path.name)


def _require(batch: int, count: int) -> None:
    whole("batch", batch, at_least=2)
    whole("count", count, at_least=1)


def _whole(available: int, batch: int, count: int) -> int:
    """How many batches to take, at most `count`, that none is smaller than the others."""
    return min(count, max(1, available // batch))


def _cifar(path: Path) -> tuple[DataName, Path] | None:
    """Which set it is, and the folder that holds the set's own."""
    path = path.resolve()
    for name, layout in LAYOUTS.items():
        for own in (layout.folder, layout.folder_of_torchvision):
            if path.name == own:
                return name, path.parent
            if (path / own).is_dir():
                return name, path
    return None


def _training_images(source: Source, batch: int, count: int, seed: int) -> Batches:
    taken = _whole(source.train_count, batch, count)
    seen = min(taken * batch, source.train_count)
    return Batches(lambda: islice(source.train_batches(batch, seed, UNSEEN), taken), seen, source.name)


def _spread(path: Path, found: list[Path], batch: int, count: int) -> list[Path]:
    """The images to take of those found below a folder."""
    if len(found) < 2:
        raise refusal("data", path, f"must hold images, at least 2 in it or below: there are {len(found)}")
    taken = min(len(found), batch * _whole(len(found), batch, count))
    return [found[i * len(found) // taken] for i in range(taken)]
