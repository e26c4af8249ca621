"""The law and Eq. 10 against the net: what they say of each BN that noise reaches, and what is measured there."""

from dataclasses import dataclass, replace
from typing import ClassVar

from fullscale.against_law import Row, Seen, compare
from fullscale.measurements.cost import Sizes
from fullscale.specimen import Progress
from fullscale.subject import Subject

AT_MOST = 128
"""images of a batch, for an estimate of the cost"""


@dataclass(frozen=True)
class Numbers:
    """See `fullscale.against_law.Comparison`."""

    rows: tuple[Row, ...]
    seen: tuple[Seen, ...]
    images: int


@dataclass(frozen=True)
class Law:
    """Some batches of the training images, as in training, in all regimes.

    Attributes:
        batches: how many.
    """

    kind: ClassVar = "law"
    numbers: ClassVar = Numbers

    batches: int = 8

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Compare.

        Raises:
            ValueError: as `fullscale.against_law.compare`.
        """
        few = replace(subject, batches=self.batches)
        found = compare(subject.net, few.augmented, seed=subject.seed, progress=progress)
        return Numbers(found.rows, found.seen, found.images)

    def images(self, sizes: Sizes) -> int:
        """Estimate the images that pass through the net: the doctor's passes, five regimes, and one for each BN."""
        return min(sizes.train, self.batches * AT_MOST) * (10 + sizes.bns)
