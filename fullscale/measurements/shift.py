"""Fig. 4 and Table 2: the shift ratio of every BN."""

from dataclasses import dataclass
from typing import ClassVar

from fullscale.measure import Row, measure
from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Numbers:
    """See `fullscale.measure.Measurement`.

    Attributes:
        shift_ratio: mean over all BNs.
        floor: mean over all BNs.
    """

    rows: tuple[Row, ...]
    shift_ratio: float
    floor: float
    images: int
    batches: int


@dataclass(frozen=True)
class Shift:
    """One pass over the training images, as in training, in test mode and in train mode."""

    kind: ClassVar = "shift"
    numbers: ClassVar = Numbers

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Measure.

        Raises:
            ValueError: as `fullscale.measure.measure`.
        """
        found = measure(subject.net, subject.augmented(), seed=subject.seed, progress=progress)
        return Numbers(found.rows, found.shift_ratio, found.floor, found.images, found.batches)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return 2 * sizes.train
