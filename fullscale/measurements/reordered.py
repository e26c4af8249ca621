"""Eq. 10 and the law behind each convolution that noise goes into, its weights in their order and in others."""

from dataclasses import dataclass, replace
from typing import ClassVar

from fullscale.measurements.cost import AT_MOST, Sizes
from fullscale.progress import Progress
from fullscale.reordered import Reordered as Found
from fullscale.reordered import reorder
from fullscale.subject import Subject


@dataclass(frozen=True)
class Reordered:
    """Some batches of the training images, as in training.

    Attributes:
        batches: how many.
    """

    kind: ClassVar = "reordered"
    numbers: ClassVar = Found

    batches: int = 8

    def take(self, subject: Subject, progress: Progress) -> Found:
        """Reorder.

        Raises:
            ValueError: as `fullscale.reordered.reorder`.
        """
        few = replace(subject, batches=self.batches)
        return reorder(subject.net, few.augmented, seed=subject.seed, progress=progress)

    def images(self, sizes: Sizes) -> int:
        """Estimate the images that pass through the net: the doctor's passes, and one in which layers are heard."""
        return min(sizes.train, self.batches * AT_MOST) * 6
