"""Sections 3.1 and 4: how far BNs' means are off, and the test error as the first k BNs are mended."""

from dataclasses import dataclass
from typing import ClassVar

from fullscale.chain import Chain as Mended
from fullscale.chain import chain
from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.subject import Subject


@dataclass(frozen=True)
class Chain:
    """A pass over the training images for each BN, as far as that, and a test after it."""

    kind: ClassVar = "chain"
    numbers: ClassVar = Mended

    def take(self, subject: Subject, progress: Progress) -> Mended:
        """Mend BN by BN.

        Raises:
            ValueError: as `fullscale.chain.chain`.
        """
        return chain(subject.net, subject.augmented, subject.test, progress=progress)

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net; a pass for a BN ends, on average, half-way through it."""
        return sizes.train + sizes.train * sizes.bns // 2 + sizes.test * (1 + sizes.bns)
