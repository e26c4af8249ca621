"""Fig. 3 and Table 1: the angle between the filters of every convolution and (1, ..., 1)."""

from dataclasses import dataclass
from typing import ClassVar

from fullscale.angles import Row, angles
from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Numbers:
    """See `fullscale.angles.Angles`.

    Attributes:
        cos2: mean over all convolutions.
        d_cos2: mean over all convolutions.
    """

    rows: tuple[Row, ...]
    cos2: float
    d_cos2: float


@dataclass(frozen=True)
class Angles:
    """A look at the weights."""

    kind: ClassVar = "angles"
    numbers: ClassVar = Numbers

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Measure.

        Raises:
            ValueError: as `fullscale.angles.angles`.
        """
        del progress
        found = angles(subject.net)
        return Numbers(found.rows, found.cos2, found.d_cos2)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        del sizes
        return 0
