"""Inputs with a given mean, variance and common correlation, and weights with a given angle to (1, ..., 1)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from simulator.contracts import Array, finite, refusal, whole

Draw: TypeAlias = Literal["gaussian", "uniform", "exponential", "two-point"]

# Beyond this many standard deviations from zero, rounding x to a double would itself change its variance.
FARTHEST_MEAN = 1e9


def _gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.uniform(-math.sqrt(3), math.sqrt(3), shape)


def _exponential(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_exponential(shape) - 1


def _two_point(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.choice((-1.0, 1.0), shape)


# All standardised: mean 0, variance 1.
_STANDARDISED: dict[Draw, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "gaussian": _gaussian,
    "uniform": _uniform,
    "exponential": _exponential,
    "two-point": _two_point,
}


@dataclass(frozen=True)
class Equicorrelated:
    """Inputs x_1 ... x_d with one mean, one variance and one correlation for every pair (Section 3, Fig. 2).

    The moments are those of the distribution, exactly; a sample's own moments vary around them.

    Attributes:
        d: how many inputs.
        mean: the paper's c.
        variance: the paper's v.
        correlation: the paper's rho^x. Every value that a correlation matrix allows, negative ones included; at
            d = 1 there is no pair, and it has no effect.
        draw: the shape of the independent draws that are mixed into x.

    Raises:
        ValueError: if d is no whole number >= 1; if v <= 0; if rho lies outside [-1/(d-1), 1]; if a number is not
            finite; if |c| > 1e9 sqrt(v), where doubles no longer resolve x; or if the draw is unknown.
    """

    d: int
    mean: float
    variance: float
    correlation: float
    draw: Draw = "gaussian"

    def __post_init__(self) -> None:
        whole("d", self.d, at_least=1)
        mean, variance = finite("mean c", self.mean), finite("variance v", self.variance)
        if variance <= 0:
            raise refusal("variance v", self.variance, "must be > 0")
        if abs(mean) > FARTHEST_MEAN * math.sqrt(variance):
            raise refusal("mean c", self.mean, f"must lie within {FARTHEST_MEAN:g} standard deviations of 0")
        lowest = -1 / (self.d - 1) if self.d > 1 else -1.0
        if not lowest <= finite("correlation rho", self.correlation) <= 1:
            rule = f"must lie in -1/(d-1) <= rho <= 1, which starts at {lowest:.6g} for d = {self.d}"
            raise refusal("correlation rho", self.correlation, rule)
        if self.draw not in get_args(Draw):
            raise refusal("draw", self.draw, f"must be one of {', '.join(get_args(Draw))}")

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw `n` independent samples, x: (n, d).

        Independent standardised z_i are split into their mean over i and the rest, which are uncorrelated and span
        the two eigenspaces of the correlation matrix; each is scaled by the root of its eigenvalue:
        x = c + sqrt(v) (sqrt(1 - rho) (z - zbar) + sqrt(1 + (d-1) rho) zbar).

        Raises:
            ValueError: if `n` is no whole number >= 1.
        """
        x = _STANDARDISED[self.draw](rng, (whole("n", n, at_least=1), self.d))
        rest = math.sqrt(self.variance * (1 - self.correlation))
        # At rho = -1/(d-1), rounded to a double, the eigenvalue may come out at -1e-17 instead of 0.
        common = math.sqrt(self.variance * max(0.0, 1 + (self.d - 1) * self.correlation))
        offset = (common - rest) * x.mean(axis=1, keepdims=True) + self.mean
        x *= rest
        x += offset
        return x


def weights_with_cos2(d: int, cos2: float, rng: np.random.Generator) -> Array:
    """Draw a unit vector w: (d,) with (sum w)^2 / (d sum w^2) = cos2 (Eq. 11), otherwise in a uniform direction.

    Raises:
        ValueError: if d is no whole number >= 1, if cos2 lies outside [0, 1], or if d = 1 and cos2 is not 1.
    """
    z = rng.standard_normal(whole("d", d, at_least=1))
    if not 0 <= finite("cos2", cos2) <= 1:
        raise refusal("cos2", cos2, "must lie in 0 <= cos2 <= 1")
    if d == 1:
        if cos2 != 1:
            raise refusal("cos2", cos2, "must be 1 for d = 1")
        return np.sign(z)
    along = np.full(d, math.copysign(1 / math.sqrt(d), z.mean()))
    across = z - z.mean()
    return math.sqrt(cos2) * along + math.sqrt(1 - cos2) * across / np.linalg.norm(across)
