"""Table 5: top-1 and top-5 errors on the test set."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from fullscale.measurements.cost import Sizes
from fullscale.progress import Counted, Progress
from fullscale.specimen import faithful, specimen, switch
from fullscale.subject import Subject

FIVE = 5


@dataclass(frozen=True)
class Numbers:
    """Percent of the images whose label is not the likeliest class, and not among the five likeliest."""

    top1: float
    top5: float


@dataclass(frozen=True)
class Errors:
    """One pass over the test images, in float32."""

    kind: ClassVar = "errors"
    numbers: ClassVar = Numbers

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Count the errors."""
        net, counted = specimen(subject.net), Counted(progress)
        switch(net, noise=False, by_batch=False)
        with faithful(net):
            ranks = torch.cat([_ranks(net, *batch) for batch in counted.over(subject.test())])
        top1, top5 = (100 * (ranks >= k).double().mean().item() for k in (1, FIVE))
        return Numbers(top1, top5)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return sizes.test


def _ranks(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes are likelier than each image's own: (n,). What is no number makes it wrong."""
    logits = net(images)
    return (~(logits <= logits.gather(1, labels[:, None]))).sum(1)
