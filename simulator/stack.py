"""Stacks of layers: a training phase, a test phase, and what the variance of every BN's input did in between."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from simulator.contracts import Array, Inputs, Noise, whole
from simulator.estimate import BatchMeans, Estimate
from simulator.layers import BatchNorm

Layer: TypeAlias = BatchNorm | Noise | Callable[[Array], Array]


@dataclass(frozen=True)
class Reading:
    """What one BN received in the training phase and in the test phase (the three steps of Section 4).

    Each number is a mean over the BN's units first, and then over replicas.

    Attributes:
        layer: the BN's place in the stack, from 0.
        moving_mean: the moving average of the batch means at the end of training.
        moving_var: the moving average of the UNBIASED batch variances at the end of training.
        real_mean: the mean of the batch means in the test phase.
        real_var: the mean of the UNBIASED batch variances in the test phase, in batches of the same size.
        shift: real_var / moving_var, the one mean over the other.
    """

    layer: int
    moving_mean: Estimate
    moving_var: Estimate
    real_mean: Estimate
    real_var: Estimate
    shift: Estimate


class Stack:
    """Layers in a row, at least one of them a BatchNorm.

    A layer is a BatchNorm, a noise (anything with `train` and `test`), or a function of x, the same in both phases.

    Attributes:
        layers: in order, the first one sees the inputs.

    Raises:
        ValueError: if there is no BatchNorm, or the same BatchNorm stands in two places.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._norms = [layer for layer in self.layers if isinstance(layer, BatchNorm)]
        if not self._norms:
            raise ValueError("layers: must hold at least one BatchNorm")
        if len({id(norm) for norm in self._norms}) < len(self._norms):
            raise ValueError("layers: each BatchNorm must be an object of its own, since it keeps statistics")

    def train(self, inputs: Inputs, rng: np.random.Generator, batches: int = 16, batch: int = 1024) -> None:
        """Run the training phase from empty statistics: noise on, each BN normalising by its batch (Eqs. 2 and 3).

        Generators of the same seed give the same moving statistics, bit for bit.

        Raises:
            ValueError: if `batches` or `batch` is no whole number >= 1, or the inputs do not fit the layers.
        """
        data, noise = rng.spawn(2)
        for norm in self._norms:
            norm.reset()
        for _ in range(whole("batches", batches, at_least=1)):
            x = inputs.sample(whole("batch", batch, at_least=1), data)
            for layer in self.layers:
                if isinstance(layer, BatchNorm):
                    x = layer.train(x)
                elif callable(layer):
                    x = layer(x)
                else:
                    x = layer.train(x, noise)

    def test(
        self, inputs: Inputs, rng: np.random.Generator, batches: int = 16, batch: int = 1024
    ) -> list[tuple[Array, Array]]:
        """Run the test phase: noise off, each BN frozen (Eq. 4). Training must have come before.

        A generator of the training phase's seed brings back the training phase's inputs, as in Section 4.

        Returns:
            For each BN the mean and the UNBIASED variance of what it received, (units,) each, averaged over batches.

        Raises:
            ValueError: if `batches` or `batch` is no whole number >= 1, or there has been no training.
        """
        data, _ = rng.spawn(2)
        totals = [np.zeros((2, norm.units)) for norm in self._norms]
        for _ in range(whole("batches", batches, at_least=1)):
            x = inputs.sample(whole("batch", batch, at_least=1), data)
            for total, received in zip(totals, self._received_in_test(x), strict=True):
                total[0] += received.mean(axis=0)
                total[1] += received.var(axis=0, ddof=1)
        return [(mean / batches, variance / batches) for mean, variance in totals]

    def measure(
        self,
        inputs: Inputs,
        rng: np.random.Generator,
        *,
        replicas: int = 64,
        batches: int = 16,
        batch: int = 1024,
    ) -> tuple[Reading, ...]:
        """Repeat training and test phase, each pair on the same fresh inputs, and read every BN.

        A deep BN's input depends on the moving statistics of all BNs before it, which err as well; batches of one
        test phase share that error. So the standard errors come from whole replicas, which are independent: nothing
        is assumed of units, layers, batches or positions. They are those of `BatchMeans` over `replicas` rows, for
        the given weights. n = replicas x batches x batch counts samples of the inputs.

        Three effects are real, and belong to BN's finite batches of m rather than to the noise; they are why `batch`
        is large by default. In training a BN's output has batch variance exactly 1 (biased), so a BN behind it reads
        m/(m-1): without any noise, each BN after the first has a shift of 1 - 1/m or thereabouts. Dropout's zeros
        leave a BN at minus its batch mean, right at the kink of a ReLU behind it, which adds O(1/sqrt(m)) to the
        moving mean of the next BN. And 1 / moving_var has a mean above 1 / E[moving_var], by O(1/(m batches)) with
        the cumulative average, by O(momentum/m) with the exponential one.

        Raises:
            ValueError: if a count is no whole number >= 1 (2 for `replicas` and `batch`), or the inputs do not fit.
        """
        whole("batch", batch, at_least=2)
        samples = whole("batches", batches, at_least=1) * batch
        names = ("moving_mean", "moving_var", "real_mean", "real_var")
        stats = [BatchMeans(*names, samples_per_batch=samples) for _ in self._norms]
        for _ in range(whole("replicas", replicas, at_least=2)):
            seed = int(rng.integers(2**63))
            self.train(inputs, np.random.default_rng(seed), batches, batch)
            real = self.test(inputs, np.random.default_rng(seed), batches, batch)
            for norm, (mean, variance), stat in zip(self._norms, real, stats, strict=True):
                stat.add([[norm.moving_mean.mean(), norm.moving_var.mean(), mean.mean(), variance.mean()]])
        places = [place for place, layer in enumerate(self.layers) if isinstance(layer, BatchNorm)]
        return tuple(
            Reading(place, *(stat.mean(name) for name in names), shift=stat.ratio("real_var", "moving_var"))
            for place, stat in zip(places, stats, strict=True)
        )

    def _received_in_test(self, x: Array) -> Iterator[Array]:
        """Yield what each BN receives, its values: (m, units), pooled over batch and positions."""
        for layer in self.layers:
            if isinstance(layer, BatchNorm):
                yield np.moveaxis(x, 1, -1).reshape(-1, layer.units)
            x = layer(x) if callable(layer) else layer.test(x)
