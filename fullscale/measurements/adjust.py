"""Table 3's "-A": the test error with BN's statistics re-estimated without noise."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from fullscale.adjust import READINGS, Reading, adjust
from fullscale.evaluate import Score
from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Tested:
    """On the test set, in float32.

    Attributes:
        error: percent.
        loss: mean cross-entropy, in nats; None where it is not finite.
    """

    error: float
    loss: float | None


@dataclass(frozen=True)
class Numbers:
    """The net as it was trained, and by each reading of "-A" (see `fullscale.adjust`)."""

    before: Tested
    readings: dict[Reading, Tested]


@dataclass(frozen=True)
class Adjust:
    """Each reading's passes over the training images, and a test after it."""

    kind: ClassVar = "adjust"
    numbers: ClassVar = Numbers

    readings: tuple[Reading, ...] = tuple(READINGS)

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Adjust a copy of the net by each reading, and test it.

        Raises:
            ValueError: as `fullscale.adjust.adjust`.
        """
        adjusted = partial(adjust, subject.net, subject.augmented, progress=progress)
        found: dict[Reading, Tested] = {}
        for reading in self.readings:
            found[reading] = _tested(subject.score(adjusted(reading=reading)))
        return Numbers(_tested(subject.score(subject.net)), found)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net; a pass for a BN ends, on average, half-way through it."""
        passes = {"batch": 1.0, "at-once": 1.0, "layerwise": sizes.bns / 2}
        trained = sizes.train * sum(passes[reading] for reading in self.readings)
        return round(trained) + sizes.test * (1 + len(self.readings))


def _tested(score: Score) -> Tested:
    return Tested(score.error, score.finite_loss)
