"""The noises that the paper puts before Batch Normalization: each multiplies every element of x by its own draw."""

from dataclasses import dataclass

import numpy as np

from simulator.contracts import Array, finite, refusal


class _OffInTest:
    def test(self, x: Array) -> Array:
        """Return x unchanged."""
        return x


@dataclass(frozen=True)
class Dropout(_OffInTest):
    """Inverted Dropout: x a/p with a ~ Bernoulli(p) in training, x in test (Eq. 1, Section 2).

    Attributes:
        retain: the paper's p, the probability that an element is kept.

    Raises:
        ValueError: if `retain` lies outside (0, 1].
    """

    retain: float

    def __post_init__(self) -> None:
        if not 0 < finite("retain", self.retain) <= 1:
            raise refusal("retain", self.retain, "must lie in 0 < retain <= 1")

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Keep each element with probability `retain`, and scale what is kept."""
        kept = x * (rng.random(x.shape) < self.retain)
        kept /= self.retain
        return kept


@dataclass(frozen=True)
class Uout(_OffInTest):
    """Uout: x + x r with r ~ U(-beta, beta) in training, x in test (Section 5).

    Attributes:
        beta: half the width of the noise.

    Raises:
        ValueError: if `beta` lies outside [0, 1].
    """

    beta: float

    def __post_init__(self) -> None:
        if not 0 <= finite("beta", self.beta) <= 1:
            raise refusal("beta", self.beta, "must lie in 0 <= beta <= 1")

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Stretch or shrink each element by its own r."""
        return x + x * rng.uniform(-self.beta, self.beta, x.shape)


@dataclass(frozen=True)
class GaussianDropout(_OffInTest):
    """Gaussian Dropout: x + x r with r ~ N(0, sigma^2) in training, x in test (Srivastava et al. 2014, Section 10).

    Attributes:
        sigma: the standard deviation of the noise.

    Raises:
        ValueError: if `sigma` is negative.
    """

    sigma: float

    def __post_init__(self) -> None:
        if finite("sigma", self.sigma) < 0:
            raise refusal("sigma", self.sigma, "must be >= 0")

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Stretch, shrink or flip each element by its own r."""
        return x + x * rng.normal(0, self.sigma, x.shape)
