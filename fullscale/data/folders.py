"""ImageNet's folders, one a class, read as they are needed."""

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from fullscale.contracts import Refusal, refusal, whole
from fullscale.data.normalise import Normalise
from fullscale.data.order import epoch_generator, kept, mixed, parts
from fullscale.data.source import WHOLE, Batch, Share
from fullscale.interrupts import STOPPING

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Sample = tuple[str, int]
"""path, label"""
Prepare = Callable[[Any], Tensor]
"""makes (3, h, w) uint8 of Pillow's image"""


class ImageFolders:
    """A `Source` that reads `root`/train/CLASS/* and `root`/val/CLASS/*, for sets too large to hold.

    A training image is cropped at random in place, size and shape, resized, and flipped with probability 1/2, as a
    function of (seed, epoch, image), however many workers read. A test image is resized to 8/7 of `size`; its middle
    is cut out.

    Attributes:
        name: "imagenet".
        classes: how many folders there are.
        size: height and width of the images in pixels, after cropping.
        train_count: how many training images.
        test_count: how many test images.
        checksum: SHA-256 of the sorted paths and sizes of the files, in hex. Not of what they hold: that is 140 GB.

    Args:
        root: holds train and val.
        device: where the batches go.
        size: see above, >= 1.
        images: train on the first so many in stored order, which goes class by class; None for all.
        workers: processes that read, 0 for none; None for one a processor, at most 8.

    Raises:
        ValueError: if a folder is missing or empty, if train and val have not the same classes, or if an argument lies
            outside its domain.
    """

    name = "imagenet"

    def __init__(
        self,
        root: Path,
        device: torch.device,
        *,
        size: int = 224,
        images: int | None = None,
        workers: int | None = None,
    ) -> None:
        train, val = (_folder(root / half) for half in ("train", "val"))
        if strange := set(train.classes) ^ set(val.classes):
            raise refusal("root", root, f"must have the same classes in train and val: {min(strange)} is in one alone")
        self.size = whole("size", size, at_least=1)
        self._workers = _workers() if workers is None else whole("workers", workers, at_least=0)
        self._device, self._normalise = device, Normalise(MEAN, STD, device)
        self._train, self._test = train.samples[: kept(images, len(train))], val.samples
        self.classes, self.train_count, self.test_count = len(train.classes), len(self._train), len(self._test)
        self.checksum = _checksum(root, sorted(path for path, _ in (*self._train, *self._test)))

    def train_batches(
        self, batch: int, seed: int, epoch: int, *, start: int = 0, share: Share = WHOLE
    ) -> Iterator[Batch]:
        """Yield an epoch's batches from number `start` on: shuffled, cropped, flipped; the last may be smaller.

        Args:
            batch: images in a whole batch, over all shares.
            seed: of the run.
            epoch: its number; each has its own order, crops and flips.
            start: how many batches to leave out.
            share: which images of every batch to take.

        Raises:
            ValueError: if an argument lies outside its domain, or, in the midst, if a file is no image.
        """
        order = torch.randperm(self.train_count, generator=epoch_generator(seed, epoch))
        prepare = v2.Compose([v2.RandomResizedCrop(self.size), v2.RandomHorizontalFlip(), v2.PILToTensor()])
        return self._load(_Reader(self._train, prepare, self.size, (seed, epoch)), parts(order, batch, start, share))

    def test_batches(self, batch: int, *, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield the test images in their own order, not augmented.

        Raises:
            ValueError: if `batch` or `share` lies outside its domain, or, in the midst, if a file is no image.
        """
        return self._plain(self._test, parts(torch.arange(self.test_count), batch, share=share))

    def plain_batches(self, batch: int, order: Tensor | None = None) -> Iterator[Batch]:
        """Yield the training images prepared as those of the test, in an order: (n,) of indices, or in their own.

        Raises:
            ValueError: if `batch` < 1, or, in the midst, if a file is no image.
        """
        return self._plain(self._train, parts(torch.arange(self.train_count) if order is None else order, batch))

    def _plain(self, samples: list[Sample], taken: list[Tensor]) -> Iterator[Batch]:
        return self._load(_Reader(samples, middle(self.size, self.size), self.size, ()), taken)

    def _load(self, reader: "_Reader", taken: list[Tensor]) -> Iterator[Batch]:
        loader = DataLoader(
            reader,
            batch_size=None,  # an item of `reader` is a batch
            sampler=[part.tolist() for part in taken],
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
            generator=torch.Generator(),  # or else it draws from the default one
            worker_init_fn=_undisturbed,
        )
        return map(self._arrived, loader)

    def _arrived(self, read: Batch | Refusal) -> Batch:
        if isinstance(read, Refusal):
            raise read
        pixels, labels = (tensor.to(self._device, non_blocking=True) for tensor in read)
        return self._normalise(pixels), labels


def middle(height: int, width: int) -> Prepare:
    """What prepares a test image: its shorter side becomes 8/7 of the longer one wanted, its middle is cut out."""
    return v2.Compose([v2.Resize(max(height, width) * 8 // 7), v2.CenterCrop((height, width)), v2.PILToTensor()])


def read_image(path: str | Path, prepare: Prepare) -> Tensor:
    """Read an image in RGB, and prepare it.

    Raises:
        ValueError: if the file is no image.
    """
    try:
        return prepare(default_loader(path))
    except Exception as error:  # there is no end to what Pillow raises over a broken file
        raise refusal("file", path, f"is no image that can be read: {' '.join(str(error).split())}") from None


class _Reader(Dataset[Batch | Refusal]):
    """Maps a batch's indices to its pixels (uint8) and labels; returns a refusal, since workers garble what they raise.

    With a key, (seed, epoch), what is random about an image follows from it and the image's index alone.
    """

    def __init__(self, samples: list[Sample], prepare: Prepare, size: int, key: tuple[int, ...]) -> None:
        self._samples, self._prepare, self._size, self._key = samples, prepare, size, key

    def __getitem__(self, indices: list[int]) -> Batch | Refusal:
        pixels = torch.empty(len(indices), 3, self._size, self._size, dtype=torch.uint8)
        for image, index in zip(pixels, indices, strict=True):
            try:
                image.copy_(self._prepared(index))
            except Refusal as told:
                return told
        return pixels, torch.tensor([self._samples[index][1] for index in indices], dtype=torch.int64)

    def _prepared(self, index: int) -> Tensor:
        path, _ = self._samples[index]
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed the GPU too, and the noise of the network with it
            torch.default_generator.manual_seed(mixed(*self._key, index))
            return read_image(path, self._prepare)


def _undisturbed(_: int) -> None:
    """Let a signal to the whole process group stop the main process alone, which then finishes its step and saves."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _folder(path: Path) -> ImageFolder:
    if not path.is_dir():
        raise refusal("folder", path, "is missing")
    try:
        return ImageFolder(path)
    except FileNotFoundError as error:
        raise refusal("folder", path, f"must hold a folder of images for every class: {error}") from error


def _checksum(root: Path, paths: list[str]) -> str:
    digest = hashlib.sha256()
    for path in map(Path, paths):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _workers() -> int:
    processors = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return 0 if processors <= 1 else min(8, processors)
