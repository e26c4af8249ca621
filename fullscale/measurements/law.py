"""The law and Eq. 10 against the net: what they say of each BN that noise reaches, and what is measured there."""

from dataclasses import dataclass, replace
from typing import ClassVar

from fullscale.against_law import Comparison, compare
from fullscale.measurements.cost import AT_MOST, Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Law:
    """Some batches of the training images, as in training, in all regimes.

    Attributes:
        batches: how many.
    """

    kind: ClassVar = "law"
    numbers: ClassVar = Comparison

    batches: int = 8

    def take(self, subject: Subject, progress: Progress) -> Comparison:
        """Compare.

        Raises:
            ValueError: as `fullscale.against_law.compare`.
        """
        few = replace(subject, batches=self.batches)
        return compare(subject.net, few.augmented, seed=subject.seed, progress=progress)

    def images(self, sizes: Sizes) -> int:
        """Estimate the images that pass through the net: the doctor's passes, five regimes, and one for each BN."""
        return min(sizes.train, self.batches * AT_MOST) * (10 + sizes.bns)
