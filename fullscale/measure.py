"""The variance shift of every BN in a net (Section 4): what it keeps from training against what it gets in test."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor, nn

from fullscale.batchnorms import BatchNorm, batchnorms
from fullscale.contracts import refusal
from fullscale.data.source import Batch
from fullscale.progress import Counted, Progress, unheard
from fullscale.shift_ratio import ratio
from fullscale.specimen import faithful, specimen, switch
from fullscale.statistics import ChannelStatistics, Halves, Statistics
from fullscale.taps import InputTap


@dataclass(frozen=True)
class Row:
    """One BN. Every variance is a mean over its channels, and a ratio is one of such means, as in Section 4.

    Attributes:
        index: 1 for the first in order of execution.
        name: its path in the net.
        channels: how many.
        moving_var: MOVING, as training left it in the BN.
        real_var: MOVING, by the same estimator, in test mode.
        shift: real_var / moving_var, which is Var_Test / Var_Train.
        shift_ratio: max(shift, 1 / shift).
        floor: the larger of two real_vars, each of every other batch, over the smaller. This is what shift_ratio reads
            where there is no shift, in long passes: the two are as independent, and as noisy, as real_var and
            moving_var are. An average of momentum a forgets after some 2/a batches; in a pass shorter than twice
            that, each has fewer batches behind it than real_var has, and the floor is on the high side.
        real_var_pooled: POOLED unbiased variance, in test mode.
        train_var: MOVING, in train mode with the weights as they are: moving_var without the drift of training.
        train_var_pooled: the same, POOLED.
        drift_free_shift: real_var / train_var, both from the same images, which count the same in both.
    """

    index: int
    name: str
    channels: int
    moving_var: float
    real_var: float
    shift: float
    shift_ratio: float
    floor: float
    real_var_pooled: float
    train_var: float
    train_var_pooled: float
    drift_free_shift: float


@dataclass(frozen=True)
class Channels:
    """One BN, channel by channel.

    Attributes:
        moving_mean: (channels,) float64, as training left it in the BN.
        moving_var: (channels,) float64, as training left it in the BN.
        test: of its input in test mode.
        train: of its input in train mode.
    """

    moving_mean: Tensor
    moving_var: Tensor
    test: ChannelStatistics
    train: ChannelStatistics


@dataclass(frozen=True)
class Measurement:
    """The variance shift of a net.

    Attributes:
        rows: one per BN, in order of execution.
        channels: what each row averages.
        images: in a pass.
        batches: in a pass.
    """

    rows: tuple[Row, ...]
    channels: tuple[Channels, ...]
    images: int
    batches: int

    @property
    def shift_ratio(self) -> float:
        """Mean over all BNs (Table 2)."""
        return fmean(row.shift_ratio for row in self.rows)

    @property
    def floor(self) -> float:
        """Mean over all BNs: what `shift_ratio` reads where nothing shifts, since max(r, 1/r) never lies below 1."""
        return fmean(row.floor for row in self.rows)


def measure(net: nn.Module, batches: Iterable[Batch], *, seed: int, progress: Progress = unheard) -> Measurement:
    """Measure every BN's input in test mode and in train mode, on the same images, with the weights fixed.

    Args:
        net: comes back as it was.
        batches: of training images, of training's batch size and augmentation, on the net's device; >= 2.
        seed: of the noise in train mode.
        progress: is told after each batch how many images are done.

    Raises:
        ValueError: if there are fewer than two batches; if a BN keeps no moving statistics, is missed by a pass, is
            called twice in one, or gets fewer than two values a channel; or if a variance is 0 or not finite.
    """
    subject, counted = specimen(net), Counted(progress)
    bns = batchnorms(subject)
    test, train, halves = Statistics(bns.values()), Statistics(bns.values()), Halves(bns.values())
    with faithful(subject, seed), InputTap(bns) as tap:
        for images, _ in counted.over(batches):
            switch(subject, noise=False, by_batch=False)
            halves.update(tap.run(subject, images, test))
            switch(subject, noise=True, by_batch=True)
            tap.run(subject, images, train)
    if test.batches < 2:
        raise refusal("batches", test.batches, "there must be >= 2, for the floor")
    read = dict(zip(bns, zip(test.read(), train.read(), halves.read(), strict=True), strict=True))
    channels = [_channels(bns[name], *read[name][:2]) for name in tap.order]
    rows = [
        _row(index, name, own, *read[name][2])
        for index, (name, own) in enumerate(zip(tap.order, channels, strict=True), start=1)
    ]
    return Measurement(tuple(rows), tuple(channels), counted.images, test.batches)


def _channels(bn: BatchNorm, test: ChannelStatistics, train: ChannelStatistics) -> Channels:
    mean, var = (bn.get_buffer(name).double().cpu() for name in ("running_mean", "running_var"))
    return Channels(mean, var, test, train)


def _row(index: int, name: str, own: Channels, one: Tensor, other: Tensor) -> Row:
    moving_var, real_var = _mean(name, own.moving_var), _mean(name, own.test.moving_var)
    train_var = _mean(name, own.train.moving_var)
    return Row(
        index=index,
        name=name,
        channels=len(own.moving_var),
        moving_var=moving_var,
        real_var=real_var,
        shift=real_var / moving_var,
        shift_ratio=ratio(real_var / moving_var),
        floor=ratio(_mean(name, one) / _mean(name, other)),
        real_var_pooled=_mean(name, own.test.pooled_var),
        train_var=train_var,
        train_var_pooled=_mean(name, own.train.pooled_var),
        drift_free_shift=real_var / train_var,
    )


def _mean(name: str, variances: Tensor) -> float:
    mean = variances.mean().item()
    if not 0 < mean < math.inf:
        raise refusal(f"{name}'s variance", mean, "must be finite and > 0")
    return mean
