"""Fig. 6's regime: the variance of every BN's input with Dropout on and BN by its moving statistics."""

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from fullscale.measurements.cost import Sizes
from fullscale.one_pass import input_statistics
from fullscale.progress import Counted, Progress
from fullscale.shift_ratio import ratio
from fullscale.specimen import faithful, specimen, switch
from fullscale.subject import Subject


@dataclass(frozen=True)
class Row:
    """One BN; variances are means over its channels.

    Attributes:
        name: its path in the net.
        moving_var: MOVING, as training left it in the BN.
        sampled_var: MOVING, by the same estimator, with Dropout on.
    """

    name: str
    moving_var: float
    sampled_var: float

    @property
    def shift_ratio(self) -> float:
        """max(r, 1/r) of their ratio, as in Section 4."""
        return ratio(self.sampled_var / self.moving_var)


@dataclass(frozen=True)
class Numbers:
    """All BNs, in order of execution."""

    rows: tuple[Row, ...]

    @property
    def shift_ratio(self) -> float:
        """Mean over all BNs."""
        return fmean(row.shift_ratio for row in self.rows)


@dataclass(frozen=True)
class Sampled:
    """One pass over the training images, as in training."""

    kind: ClassVar = "sampled"
    numbers: ClassVar = Numbers

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Measure.

        Raises:
            ValueError: if a BN cannot be measured (see `fullscale.measure`).
        """
        net, counted = specimen(subject.net), Counted(progress)
        switch(net, noise=True, by_batch=False)
        with faithful(net, subject.seed):
            heard = input_statistics(net, counted.over(subject.augmented()))
        kept = {name: net.get_submodule(name).get_buffer("running_var").double().mean().item() for name in heard}
        return Numbers(tuple(Row(name, kept[name], own.moving_var.mean().item()) for name, own in heard.items()))

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return sizes.train
