"""Per-channel statistics of what goes into each BN, from one read of it: moving, over batches, and pooled.

Beyond that read, all BNs' channels lie in one vector, so that a batch costs as many small operations as for one BN.
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


class Shadow:
    """What a BN would keep of the batches that it is shown, to the bit, but that its averages start at 0.

    The kernel is BN's own, and accumulates as BN does; it also returns a batch's moments, in a third of the time that
    `torch.var_mean` takes. One read of the input thus serves all.

    Attributes:
        mean: (channels,) of the BN's type: its exponential average of batch means.
        var: (channels,) likewise, of UNBIASED batch variances.
    """

    def __init__(self, bn: BatchNorm) -> None:
        self.mean, self.var = (torch.zeros_like(bn.get_buffer(name)) for name in ("running_mean", "running_var"))
        self._momentum = bn.momentum
        self._batches = 0

    def see(self, x: Tensor) -> Moments:
        """Let x: (n, channels, ...) in, in the precision of the BN's buffers, and return its moments.

        Raises:
            ValueError: if a channel has fewer than two values.
        """
        values = x.numel() // x.shape[1]
        if values < 2:
            raise refusal("values a channel", values, "a batch must bring >= 2 to every BN")
        self._batches += 1
        momentum = 1 / self._batches if self._momentum is None else self._momentum
        moments = torch.batch_norm_update_stats(x.to(self.var.dtype), self.mean, self.var, momentum)
        return Moments(*moments, values)

    def read(self) -> tuple[Tensor, Tensor]:
        """Return the averages of means and of variances, (channels,) float64, over the weights that they have so far.

        BN's weights sum to 1 - (1 - momentum)^k after k batches, and its start has the rest. Without it the average is
        unbiased from the first batch on, and the same as BN's once (1 - momentum)^k has vanished.
        """
        seen = 1.0 if self._momentum is None else 1 - (1 - self._momentum) ** self._batches
        return self.mean.double() / seen, self.var.double() / seen


class MovingAverage:
    """The exponential average of vectors, by the weights that they have so far (see `Shadow.read`).

    Args:
        momentum: (channels,) float64, of every channel; 0 for the plain mean.

    Attributes:
        value: (channels,) float64; 0 before the first vector.
    """

    def __init__(self, momentum: Tensor) -> None:
        self.value = torch.zeros_like(momentum)
        self._momentum = momentum
        self._vectors = 0

    def update(self, new: Tensor) -> None:
        """Let new: (channels,) float64 in."""
        self._vectors += 1
        seen = 1 - (1 - self._momentum) ** self._vectors
        self.value.lerp_(new, torch.where(seen > 0, self._momentum / seen, 1 / self._vectors))


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
        shadows: of the BNs, in their order: each must see a batch's input before `update` is given what they returned.
        batches: so far.
    """

    def __init__(self, bns: Iterable[BatchNorm]) -> None:
        bns = list(bns)
        self.shadows = [Shadow(bn) for bn in bns]
        self.batches = 0
        self._channels = _Channels(bns)
        self._batch_var = MovingAverage(torch.zeros_like(self._channels.momentum))
        self._pooled = Pooled(self._channels.momentum)

    def update(self, inputs: Sequence[Moments]) -> None:
        """Let a batch in: the moments of each BN's input, in the order of `bns`."""
        mean, biased, count = self._channels.together(inputs)
        self.batches += 1
        self._batch_var.update(biased * (count / (count - 1)))
        self._pooled.update(mean, biased, count)

    def read(self) -> list[ChannelStatistics]:
        """Return the statistics so far of each BN, in the order of `bns`.

        Raises:
            ValueError: if there was no batch.
        """
        if self.batches == 0:
            raise refusal("batches", 0, "there must be at least one")
        vectors = (self._batch_var.value, self._pooled.mean, self._pooled.unbiased)
        rest = zip(*map(self._channels.apart, vectors), strict=True)
        moving = ((mean.cpu(), var.cpu()) for mean, var in (shadow.read() for shadow in self.shadows))
        return [ChannelStatistics(*own, *others) for own, others in zip(moving, rest, strict=True)]


class Halves:
    """BN's moving average of UNBIASED batch variances, over every other batch and over the rest.

    Args:
        bns: as for `Statistics`.
    """

    def __init__(self, bns: Iterable[BatchNorm]) -> None:
        self._channels = _Channels(list(bns))
        self._halves = [MovingAverage(self._channels.momentum) for _ in range(2)]

    def update(self, inputs: Sequence[Moments]) -> None:
        """Let a batch into the half that is due."""
        _, biased, count = self._channels.together(inputs)
        self._halves.reverse()
        self._halves[0].update(biased * (count / (count - 1)))

    def read(self) -> list[tuple[Tensor, ...]]:
        """Return both halves' variances of each BN, (channels,) float64 on the CPU."""
        return list(zip(*(self._channels.apart(half.value) for half in self._halves), strict=True))


class _Channels:
    """Several BNs' channels as one vector."""

    def __init__(self, bns: Sequence[BatchNorm]) -> None:
        self._numbers = [bn.num_features for bn in bns]
        self.momentum = self._spread([bn.momentum or 0.0 for bn in bns]).to(bns[0].get_buffer("running_var").device)

    def together(self, inputs: Sequence[Moments]) -> tuple[Tensor, Tensor, Tensor]:
        """Join means, biased variances and numbers of values, each (channels,) float64."""
        mean = torch.cat([each.mean for each in inputs]).double()
        biased = torch.cat([each.biased for each in inputs]).double()
        return mean, biased, self._spread([each.values for each in inputs]).to(mean.device, non_blocking=True)

    def apart(self, vector: Tensor) -> list[Tensor]:
        """Split a vector into one of each BN, on the CPU."""
        return [part.clone() for part in vector.cpu().split(self._numbers)]

    def _spread(self, values: Sequence[float]) -> Tensor:
        per_bn = torch.tensor(values, dtype=torch.float64)
        return per_bn.repeat_interleave(torch.tensor(self._numbers))
