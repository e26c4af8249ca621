"""Section 2: the test error with BN's moving statistics, and with those of test batches of several sizes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import torch
from torch import nn

from fullscale.contracts import refusal
from fullscale.data import Batch
from fullscale.measurements.cost import Sizes
from fullscale.progress import Counted, Progress
from fullscale.specimen import faithful, specimen, switch
from fullscale.subject import Subject


@dataclass(frozen=True)
class Numbers:
    """Test errors in percent.

    Attributes:
        moving: in test mode.
        by_batch: with BN normalising by its batch, all else in test mode, for each size of batch.
    """

    moving: float
    by_batch: tuple[float, ...]


@dataclass(frozen=True)
class Inference:
    """A pass over the test images for each size, in float32.

    Attributes:
        sizes: images of a batch.
    """

    kind: ClassVar = "inference"
    numbers: ClassVar = Numbers

    sizes: tuple[int, ...] = (4, 16, 64, 256)

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Test.

        Raises:
            ValueError: if there are no test images.
        """
        net, counted = specimen(subject.net), Counted(progress)
        with faithful(net):
            switch(net, noise=False, by_batch=False)
            moving = _error(net, counted.over(subject.test()))
            switch(net, noise=False, by_batch=True)
            passes = [islice(subject.source.test_batches(size), subject.batches) for size in self.sizes]
            by_batch = [_error(net, counted.over(batches)) for batches in passes]
        return Numbers(moving, tuple(by_batch))

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return sizes.test * (1 + len(self.sizes))


def _error(net: nn.Module, batches: Iterable[Batch]) -> float:
    """Return the error in percent, in the modes that the net is in."""
    wrong = [net(images).argmax(1) != labels for images, labels in batches]
    if not wrong:
        raise refusal("test images", 0, "there must be at least one")
    return 100 * torch.cat(wrong).double().mean().item()
