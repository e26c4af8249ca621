"""Feature maps with a given mean, variance, correlation between channels and correlation along the axes of space."""

import math
from dataclasses import dataclass

import numpy as np

from simulator.contracts import Array, finite, refusal, whole
from simulator.convolution import Pair, pair
from simulator.draws import Draw, DType, check_draw, standardised
from simulator.inputs import check_moments, mix


@dataclass(frozen=True)
class FeatureMaps:
    """Inputs x: (n, channels, h, w), equicorrelated between channels and autoregressive of first order in space.

    corr(x[c, i, j], x[c', i', j']) = (1 if c == c' else rho) s^(|i - i'| + |j - j'|), the same everywhere in the map:
    its borders are like its middle. The moments are those of the distribution, exactly. Only of draws that are not
    Gaussian may the shape, never the first two moments, depend on the place in the map.

    Attributes:
        channels: how many maps.
        size: (h, w), or one number for both.
        mean: the paper's c.
        variance: the paper's v.
        correlation: rho between two channels at the same position. Every value that a correlation matrix allows; with
            one channel there is no pair, and it has no effect.
        spatial: s, the correlation of neighbours in a channel, from -1 (maps alternate in sign about the mean) to 1
            (they are constant).
        draw: the shape of the independent draws that are mixed into x.
        freedom: the degrees of freedom of student-t draws, above 4; None for all others.
        dtype: of x. float32 is several times faster.

    Raises:
        ValueError: if `channels` or `size` is no whole number >= 1, if `spatial` lies outside [-1, 1], or as
            `Equicorrelated` does for the others.
    """

    channels: int
    size: Pair
    mean: float
    variance: float
    correlation: float
    spatial: float = 0.0
    draw: Draw = "gaussian"
    freedom: float | None = None
    dtype: DType = "float64"

    def __post_init__(self) -> None:
        check_draw(self.draw, self.freedom, self.dtype)
        check_moments("channels", self.channels, self.mean, self.variance, self.correlation, self.dtype)
        pair("size", self.size, at_least=1)
        if not -1 <= finite("spatial", self.spatial) <= 1:
            raise refusal("spatial", self.spatial, "must lie in -1 <= spatial <= 1")

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw `n` independent samples, x: (n, channels, h, w); unless `spatial` is 0, a number costs h + w products.

        Raises:
            ValueError: if `n` is no whole number >= 1.
        """
        h, w = pair("size", self.size, at_least=1)
        shape = (whole("n", n, at_least=1), self.channels, w, h)
        z = standardised(self.draw, self.freedom, self.dtype)(rng, shape)
        return mix(self._correlate(z), self.mean, self.variance, self.correlation)

    def _correlate(self, z: Array) -> Array:
        """Map z: (n, channels, w, h), independent, to (n, channels, h, w), correlated in space: A_h z^T A_w^T."""
        if self.spatial == 0:
            return z.reshape(*z.shape[:2], z.shape[3], z.shape[2])  # A = 1, and a third of the time is saved
        down, across = (_autoregression(length, self.spatial).astype(z.dtype) for length in (z.shape[3], z.shape[2]))
        # The first product is a single one over all maps, twice as fast as one a map.
        columns = (z.reshape(-1, len(down)) @ down.T).reshape(z.shape)
        return columns.swapaxes(2, 3) @ across.T


def _autoregression(length: int, s: float) -> Array:
    """Build the A: (length, length) of y = A z with y_0 = z_0 and y_i = s y_(i-1) + sqrt(1 - s^2) z_i."""
    lag = np.subtract.outer(np.arange(length), np.arange(length))
    impulses = np.tril(np.power(float(s), np.maximum(lag, 0)))
    impulses[:, 1:] *= math.sqrt((1 - s) * (1 + s))
    return impulses
