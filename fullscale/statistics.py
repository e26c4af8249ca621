"""Per-channel statistics of what goes into each BN, from one read of it: moving, over batches, and pooled.

All BNs' channels lie in one vector, so that a batch costs as many small operations as it would for a single BN.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fullscale.batchnorms import BatchNorm
from fullscale.contracts import refusal


class Moments(NamedTuple):
    """One BN's input in one batch, pooled over batch and positions as BN does.

    Attributes:
        mean: (channels,)
        biased: (channels,) variance.
        values: how many a channel.
    """

    mean: Tensor
    biased: Tensor
    values: int


def moments(x: Tensor) -> Moments:
    """Read x: (n, channels, ...) once.

    The kernel is BN's own, which also accumulates as BN does; `torch.var_mean` takes three times as long. Of a
    half-precision x it would return moments rounded to that.

    Raises:
        ValueError: if a channel has fewer than two values.
    """
    values = x.numel() // x.shape[1]
    if values < 2:
        raise refusal("values a channel", values, "a batch must bring >= 2 to every BN")
    x = x if x.dtype == torch.float64 else x.float()
    mean, biased = torch.batch_norm_update_stats(x, None, None, 0.0)
    return Moments(mean, biased, values)


class MovingAverage:
    """BN's moving average without the value that it starts from.

    BN keeps m_k = (1 - a) m_(k-1) + a x_k. Started at 0 and divided by 1 - (1 - a)^k, the sum of its weights, it is
    unbiased from the first batch on, and the same as BN's once (1 - a)^k has vanished. That quotient moves by
    a / (1 - (1 - a)^k) of its distance to x_k; for a -> 0 this is 1/k, the plain mean.

    Args:
        momentum: (channels,) float64, a of every channel; 0 for the plain mean (BN's `momentum=None`).

    Attributes:
        value: (channels,) float64; 0 before the first batch.
    """

    def __init__(self, momentum: Tensor) -> None:
        self.value = torch.zeros_like(momentum)
        self._momentum = momentum
        self._batches = 0

    def update(self, new: Tensor) -> None:
        """Let new: (channels,) float64 in."""
        self._batches += 1
        seen = 1 - (1 - self._momentum) ** self._batches
        self.value.lerp_(new, torch.where(seen > 0, self._momentum / seen, 1 / self._batches))


class Pooled:
    """Mean and variance over all values of all batches together, by Chan, Golub and LeVeque's merge.

    E[x^2] - E[x]^2 would lose what the variance is made of where the mean is large beside it.

    Args:
        like: (channels,) float64, whose shape and device are taken.

    Attributes:
        mean: (channels,) float64.
    """

    def __init__(self, like: Tensor) -> None:
        self.mean = torch.zeros_like(like)
        self._count = torch.zeros_like(like)
        self._squares = torch.zeros_like(like)

    @property
    def unbiased(self) -> Tensor:
        """(channels,) float64 variance, with the number of all values less one below."""
        return self._squares / (self._count - 1)

    def update(self, mean: Tensor, biased: Tensor, count: Tensor) -> None:
        """Merge a batch's mean, BIASED variance and number of values, each (channels,) float64."""
        apart, together = mean - self.mean, self._count + count
        self._squares += count * (biased + apart**2 * self._count / together)
        self.mean += apart * count / together
        self._count = together


@dataclass(frozen=True)
class ChannelStatistics:
    """What went into one BN; every field (channels,) float64 on the CPU.

    Attributes:
        moving_mean: BN's exponential average, of the means over each batch.
        moving_var: BN's exponential average, of the UNBIASED variances of each batch (the paper's estimator).
        batch_var: their plain mean over the batches.
        pooled_mean: over all batches and positions.
        pooled_var: UNBIASED, over all batches and positions: what varies from batch to batch is in it.
    """

    moving_mean: Tensor
    moving_var: Tensor
    batch_var: Tensor
    pooled_mean: Tensor
    pooled_var: Tensor


class Statistics:
    """Statistics of several BNs' inputs, batch after batch.

    Args:
        bns: say how many channels there are, with which momentum, and on which device.

    Attributes:
        batches: so far.
    """

    def __init__(self, bns: Iterable[BatchNorm]) -> None:
        bns = list(bns)
        self.batches = 0
        self._channels = [bn.num_features for bn in bns]
        momentum = self._spread([bn.momentum or 0.0 for bn in bns]).to(bns[0].get_buffer("running_var").device)
        self._moving_mean, self._moving_var = MovingAverage(momentum), MovingAverage(momentum)
        self._batch_var = MovingAverage(torch.zeros_like(momentum))
        self._pooled = Pooled(momentum)

    def update(self, inputs: Sequence[Moments]) -> None:
        """Let a batch in: the moments of each BN's input, in the order of `bns`."""
        mean = torch.cat([each.mean for each in inputs]).double()
        biased = torch.cat([each.biased for each in inputs]).double()
        count = self._spread([each.values for each in inputs]).to(mean.device, non_blocking=True)
        unbiased = biased * (count / (count - 1))
        self.batches += 1
        self._moving_mean.update(mean)
        self._moving_var.update(unbiased)
        self._batch_var.update(unbiased)
        self._pooled.update(mean, biased, count)

    def read(self) -> list[ChannelStatistics]:
        """Return the statistics so far of each BN, in the order of `bns`.

        Raises:
            ValueError: if there was no batch.
        """
        if self.batches == 0:
            raise refusal("batches", 0, "there must be at least one")
        vectors = (
            self._moving_mean.value,
            self._moving_var.value,
            self._batch_var.value,
            self._pooled.mean,
            self._pooled.unbiased,
        )
        per_bn = zip(*(vector.cpu().split(self._channels) for vector in vectors), strict=True)
        return [ChannelStatistics(*(part.clone() for part in parts)) for parts in per_bn]

    def _spread(self, values: Sequence[float]) -> Tensor:
        per_bn = torch.tensor(values, dtype=torch.float64)
        return per_bn.repeat_interleave(torch.tensor(self._channels))
