"""A data set held on the device as bytes: whole batches are cropped and flipped there by one gather."""

import hashlib
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from fullscale.contracts import refusal
from fullscale.data.normalise import Normalise
from fullscale.data.order import epoch_generator, kept, parts
from fullscale.data.source import WHOLE, Batch, Share

Crop: TypeAlias = Literal["pixels", "normalised"]
"""What a random crop finds beyond the image: black pixels, or zeros after normalising (the mean colour)."""


class Images(NamedTuple):
    """pixels: (n, 3, h, h) uint8; labels: (n,) int64."""

    pixels: Tensor
    labels: Tensor

    def first(self, images: int | None) -> "Images":
        """Return the first so many in stored order; all where `images` is None.

        Raises:
            ValueError: if `images` is no whole number in 1 .. how many there are.
        """
        count = kept(images, len(self.labels))
        return Images(self.pixels[:count], self.labels[:count])


class InMemory:
    """A `Source` whose images lie on the device.

    Training images are cropped at random out of a copy padded by an eighth of their size on every side (4 of 32),
    and flipped with probability 1/2.

    Attributes:
        name: as on the command line, such as "cifar10".
        classes: how many.
        size: height and width of the images in pixels.
        train_count: how many training images.
        test_count: how many test images.
        checksum: SHA-256 of the training images, their labels, the test images and theirs, in hex.

    Args:
        name: see above.
        classes: see above.
        train: at least one image.
        test: at least one image, of the same size.
        normalise: lives on `device`.
        device: where the images are held and the batches are made.
        crop: "pixels" pads with black before normalising, as the code of record does; "normalised" with zeros after.

    Raises:
        ValueError: if `crop` is neither.
    """

    def __init__(  # noqa: PLR0913 (a set is its two halves and four facts)
        self,
        name: str,
        classes: int,
        train: Images,
        test: Images,
        *,
        normalise: Normalise,
        device: torch.device,
        crop: Crop,
    ) -> None:
        if crop not in get_args(Crop):
            raise refusal("crop", crop, f"must be one of {', '.join(get_args(Crop))}")
        self.name, self.classes, self.size = name, classes, train.pixels.shape[-1]
        self.train_count, self.test_count = len(train.labels), len(test.labels)
        self.checksum = _checksum(*train, *test)
        self._normalise, self._device, self._crop = normalise, device, crop
        self._margin = self.size // 8
        self._padded = pad(train.pixels, (self._margin,) * 4).to(device)
        self._train_labels = train.labels.to(device)
        self._test = Images(test.pixels.to(device), test.labels.to(device))

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
            ValueError: if an argument lies outside its domain.
        """
        draw, n = epoch_generator(seed, epoch), self.train_count
        order = self._moved(torch.randperm(n, generator=draw))
        corners = self._moved(torch.randint(2 * self._margin + 1, (n, 2), generator=draw))
        flips = self._moved(torch.randint(2, (n,), generator=draw).bool())
        taken = parts(order, batch, start, share)
        return ((self._augmented(i, corners[i], flips[i]), self._train_labels[i]) for i in taken)

    def test_batches(self, batch: int, *, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield the test images in their own order, not augmented.

        Raises:
            ValueError: if `batch` or `share` lies outside its domain.
        """
        return self._plain(self._test, parts(torch.arange(self.test_count), batch, share=share))

    def plain_batches(self, batch: int, order: Tensor | None = None) -> Iterator[Batch]:
        """Yield the training images prepared as those of the test, in an order: (n,) of indices, or in their own.

        Raises:
            ValueError: if `batch` < 1.
        """
        inner = slice(self._margin, self._margin + self.size)
        images = Images(self._padded[:, :, inner, inner], self._train_labels)
        return self._plain(images, parts(torch.arange(self.train_count) if order is None else order, batch))

    def _plain(self, images: Images, taken: list[Tensor]) -> Iterator[Batch]:
        places = map(self._moved, taken)
        return ((self._normalise(images.pixels[i]), images.labels[i]) for i in places)

    def _augmented(self, images: Tensor, corners: Tensor, flips: Tensor) -> Tensor:
        along = torch.arange(self.size, device=self._device)
        rows = corners[:, 0, None] + along
        columns = corners[:, 1, None] + torch.where(flips[:, None], along.flip(0), along)
        rows, columns = rows[:, None, :, None], columns[:, None, None, :]
        planes = 3 * images[:, None] + torch.arange(3, device=self._device)
        side = self._padded.shape[-1]
        # one index into all the bytes: half as fast again as an index for each axis
        places = (planes[:, :, None, None] * side + rows) * side + columns
        x = self._normalise(self._padded.take(places))
        return x if self._crop == "pixels" else x.masked_fill_(self._beyond(rows) | self._beyond(columns), 0)

    def _beyond(self, place: Tensor) -> Tensor:
        return (place < self._margin) | (place >= self._margin + self.size)

    def _moved(self, drawn: Tensor) -> Tensor:
        return drawn.to(self._device, non_blocking=True)


def _checksum(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.flatten().numpy().data)
    return digest.hexdigest()
