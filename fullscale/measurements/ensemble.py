"""Fig. 6: the error of averaged samples of the net against weight scaling's."""

from dataclasses import dataclass
from typing import ClassVar

from fullscale.ensemble import ensemble
from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Numbers:
    """Test errors in percent: see `fullscale.ensemble.Ensemble`.

    Attributes:
        errors: of each group, over the number of sampled nets, from 1 on.
        weight_scaling: of the net in test mode.
    """

    errors: tuple[tuple[float, ...], ...]
    weight_scaling: float


@dataclass(frozen=True)
class Ensemble:
    """Independent groups of sampled nets.

    Attributes:
        samples: nets in a group.
        groups: how many.
    """

    kind: ClassVar = "ensemble"
    numbers: ClassVar = Numbers

    samples: int
    groups: int

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Average.

        Raises:
            ValueError: as `fullscale.ensemble.ensemble`.
        """
        seeds = range(subject.seed, subject.seed + self.groups)
        found = ensemble(subject.net, subject.test, samples=self.samples, seeds=seeds, progress=progress)
        return Numbers(tuple(map(tuple, found.errors.tolist())), found.weight_scaling)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return sizes.test * (self.samples * self.groups + 1)
