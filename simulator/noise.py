"""The noises that the paper puts before Batch Normalization: each multiplies x by a random factor of mean 1."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np

from simulator.contracts import Array, finite, refusal
from simulator.draws import standardised, words

Per: TypeAlias = Literal["element", "channel"]


# As many random bits as x has.
_WORDS: dict[str, type[np.unsignedinteger[Any]]] = {"float32": np.uint32, "float64": np.uint64}


class _OffInTest:
    """What all of them share.

    With `per` = "element" every element of x has a factor of its own, as in the paper; with "channel" all positions of
    a channel share one (Dropout2d).
    """

    per: Per

    def test(self, x: Array) -> Array:
        """Return x unchanged."""
        return x

    def _shape(self, x: Array) -> tuple[int, ...]:
        return x.shape if self.per == "element" else x.shape[:2] + (1,) * (x.ndim - 2)

    def _check_per(self) -> None:
        if self.per not in get_args(Per):
            raise refusal("per", self.per, f"must be one of {', '.join(get_args(Per))}")


@dataclass(frozen=True)
class Dropout(_OffInTest):
    """Inverted Dropout: x a/p with a ~ Bernoulli(p) in training, x in test (Eq. 1, Section 2).

    Attributes:
        retain: the paper's p, the probability that an element is kept; it is rounded to a multiple of 2^-64 for
            x of float64, of 2^-32 for x of float32.
        per: "element", or "channel" for one a a channel.

    Raises:
        ValueError: if `retain` lies outside (0, 1], or `per` is unknown.
    """

    retain: float
    per: Per = "element"

    def __post_init__(self) -> None:
        if not 0 < finite("retain", self.retain) <= 1:
            raise refusal("retain", self.retain, "must lie in 0 < retain <= 1")
        self._check_per()

    @classmethod
    def of_variance(cls, variance: float, per: Per = "element") -> Self:
        """Build the one whose factor a/p has this variance.

        Raises:
            ValueError: if `variance` is negative.
        """
        return cls(1 / (1 + _at_least_0(variance)), per)

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Keep each element, or channel, with probability `retain`, and scale what is kept.

        Raises:
            ValueError: if x is neither float32 nor float64, or `retain` is too small for its bits.
        """
        if self.retain == 1:
            return x.copy()
        word = _WORDS.get(x.dtype.name)
        if word is None:
            raise refusal("x's dtype", x.dtype, f"must be one of {', '.join(_WORDS)}")
        values = 2 ** (8 * x.dtype.itemsize)
        threshold = round(self.retain * values)
        if threshold == 0:
            raise refusal("retain", self.retain, f"must be >= {1 / values:.2g} for x of {x.dtype}")
        kept = x * (words(rng, self._shape(x), word) < threshold)
        kept /= threshold / values
        return kept


@dataclass(frozen=True)
class Uout(_OffInTest):
    """Uout: x + x r with r ~ U(-beta, beta) in training, x in test (Section 5).

    Attributes:
        beta: half the width of the noise.
        per: "element", or "channel" for one r a channel.

    Raises:
        ValueError: if `beta` lies outside [0, 1], or `per` is unknown.
    """

    beta: float
    per: Per = "element"

    def __post_init__(self) -> None:
        if not 0 <= finite("beta", self.beta) <= 1:
            raise refusal("beta", self.beta, "must lie in 0 <= beta <= 1")
        self._check_per()

    @classmethod
    def of_variance(cls, variance: float, per: Per = "element") -> Self:
        """Build the one whose r has this variance.

        Raises:
            ValueError: if `variance` lies outside [0, 1/3], which is all that beta <= 1 allows.
        """
        if _at_least_0(variance) > 1 / 3:
            raise refusal("variance", variance, "must be <= 1/3 for Uout, which beta = 1 reaches")
        return cls(math.sqrt(3 * variance), per)

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Stretch or shrink each element, or channel, by its own r."""
        single: Any = x.dtype.type
        r = rng.random(self._shape(x), dtype=single)
        r -= single(0.5)
        r *= 2 * self.beta
        return x + x * r


@dataclass(frozen=True)
class GaussianDropout(_OffInTest):
    """Gaussian Dropout: x + x r with r ~ N(0, sigma^2) in training, x in test (Srivastava et al. 2014, Section 10).

    Attributes:
        sigma: the standard deviation of the noise.
        per: "element", or "channel" for one r a channel.

    Raises:
        ValueError: if `sigma` is negative, or `per` is unknown.
    """

    sigma: float
    per: Per = "element"

    def __post_init__(self) -> None:
        if finite("sigma", self.sigma) < 0:
            raise refusal("sigma", self.sigma, "must be >= 0")
        self._check_per()

    @classmethod
    def of_variance(cls, variance: float, per: Per = "element") -> Self:
        """Build the one whose r has this variance.

        Raises:
            ValueError: if `variance` is negative.
        """
        return cls(math.sqrt(_at_least_0(variance)), per)

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Stretch, shrink or flip each element, or channel, by its own r."""
        r = standardised("gaussian", dtype="float32" if x.dtype == np.float32 else "float64")(rng, self._shape(x))
        r *= self.sigma
        return x + x * r


def _at_least_0(variance: float) -> float:
    if finite("variance", variance) < 0:
        raise refusal("variance", variance, "must be >= 0")
    return variance
