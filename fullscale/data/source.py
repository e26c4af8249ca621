"""What a data set offers to whoever trains or measures: batches on one device, in an order that a seed fixes."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias

from torch import Tensor

Batch: TypeAlias = tuple[Tensor, Tensor]
"""images: (n, 3, h, w) float32, normalised; labels: (n,) int64"""


class Share(NamedTuple):
    """The part of every batch that one of several processes takes: images rank, rank + world, rank + 2 world, ..."""

    rank: int = 0
    world: int = 1


WHOLE = Share()


class Source(Protocol):
    """Images to train on and to test with.

    Nothing about the order or the augmentation is state: batch k of an epoch is a function of (seed, epoch, k), so that
    a run can go on in the midst of an epoch, and gets the same bits.

    Attributes:
        name: as on the command line, such as "cifar10".
        classes: how many.
        size: height and width of the images in pixels.
        train_count: how many training images.
        test_count: how many test images.
        checksum: SHA-256 of the images and labels, in hex, or of the names and sizes of what is read as it is needed.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def train_count(self) -> int: ...  # noqa: D102
    @property
    def test_count(self) -> int: ...  # noqa: D102
    @property
    def checksum(self) -> str: ...  # noqa: D102

    def train_batches(
        self, batch: int, seed: int, epoch: int, *, start: int = 0, share: Share = WHOLE
    ) -> Iterator[Batch]:
        """Yield an epoch's batches from number `start` on: shuffled, augmented; the last may be smaller."""
        ...

    def test_batches(self, batch: int, *, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield the test images in their own order, not augmented."""
        ...

    def plain_batches(self, batch: int, order: Tensor | None = None) -> Iterator[Batch]:
        """Yield the training images prepared as those of the test, in an order: (n,) of indices, or in their own."""
        ...
