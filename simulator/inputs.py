"""Inputs with a given mean, variance and common correlation, and weights with a given angle to (1, ..., 1)."""

import math
from dataclasses import dataclass

import numpy as np

from simulator.contracts import Array, finite, refusal, whole
from simulator.draws import Draw, DType, check_draw, standardised

# Beyond this many standard deviations from zero, rounding would itself change the variance of x or of sums of it.
FARTHEST_MEAN: dict[DType, float] = {"float64": 1e9, "float32": 100}


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
        freedom: the degrees of freedom of student-t draws, above 4; None for all others.
        dtype: of x. float32 is several times faster.

    Raises:
        ValueError: if d is no whole number >= 1; if v <= 0; if rho lies outside [-1/(d-1), 1]; if a number is not
            finite; if |c| > 1e9 sqrt(v), or 100 sqrt(v) in float32, where x is no longer resolved; or if draw, freedom
            and dtype do not fit.
    """

    d: int
    mean: float
    variance: float
    correlation: float
    draw: Draw = "gaussian"
    freedom: float | None = None
    dtype: DType = "float64"

    def __post_init__(self) -> None:
        check_draw(self.draw, self.freedom, self.dtype)
        check_moments("d", self.d, self.mean, self.variance, self.correlation, self.dtype)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw `n` independent samples, x: (n, d).

        Raises:
            ValueError: if `n` is no whole number >= 1.
        """
        z = standardised(self.draw, self.freedom, self.dtype)(rng, (whole("n", n, at_least=1), self.d))
        return mix(z, self.mean, self.variance, self.correlation)


def check_moments(name: str, d: int, mean: float, variance: float, correlation: float, dtype: DType) -> None:  # noqa: PLR0913, PLR0917
    """Refuse what no d inputs can have, or what `dtype` cannot hold; `name` is what the caller calls d.

    Raises:
        ValueError: as described at `Equicorrelated`.
    """
    whole(name, d, at_least=1)
    if finite("variance v", variance) <= 0:
        raise refusal("variance v", variance, "must be > 0")
    if abs(finite("mean c", mean)) > FARTHEST_MEAN[dtype] * math.sqrt(variance):
        raise refusal("mean c", mean, f"must lie within {FARTHEST_MEAN[dtype]:g} standard deviations of 0 in {dtype}")
    lowest = -1 / (d - 1) if d > 1 else -1.0
    if not lowest <= finite("correlation rho", correlation) <= 1:
        rule = f"must lie in -1/({name}-1) <= rho <= 1, which starts at {lowest:.6g} for {name} = {d}"
        raise refusal("correlation rho", correlation, rule)


def smallest_dtype(  # noqa: PLR0913 (inputs have so many moments)
    d: int, mean: float, variance: float, correlation: float, spatial: float = 0.0, *, places: int = 1
) -> DType:
    """Pick float32 where it resolves any sum of such inputs, d units or d channels of so many places, else float64.

    Rounding adds some d eps^2 (c^2 + v) to the variance of a sum, per unit of weight; correlation may leave the sum as
    little as the least eigenvalue of the inputs' covariance. float32 must add less than a millionth of that, and leave
    room for squares and sums.
    """
    if not 1e-30 < variance < 1e30 or abs(mean) > FARTHEST_MEAN["float32"] * math.sqrt(variance):
        return "float64"
    among_units = min(1 - correlation, 1 + (d - 1) * correlation) if d > 1 else 1.0
    among_places = ((1 - abs(spatial)) / (1 + abs(spatial))) ** 2
    added = d * places * float(np.finfo(np.float32).eps) ** 2 * (mean**2 / variance + 1)
    return "float32" if added < 1e-6 * among_units * among_places else "float64"


def mix(z: Array, mean: float, variance: float, correlation: float) -> Array:
    """Turn z: (n, d, ...), uncorrelated along axis 1 with mean 0 and variance 1, into inputs with these moments.

    In place: z is split into its mean over axis 1 and the rest, which are uncorrelated and span the two eigenspaces of
    the correlation matrix; each is scaled by the root of its eigenvalue:
    x = c + sqrt(v) (sqrt(1 - rho) (z - zbar) + sqrt(1 + (d-1) rho) zbar).
    """
    rest = math.sqrt(variance * (1 - correlation))
    # At rho = -1/(d-1), rounded to a double, the eigenvalue may come out at -1e-17 instead of 0.
    common = math.sqrt(variance * max(0.0, 1 + (z.shape[1] - 1) * correlation))
    zbar = np.einsum("nd...->n...", z)[:, None] * (1 / z.shape[1])  # of a few units in a third of the time of z.mean
    offset = (common - rest) * zbar + mean
    z *= rest
    z += offset
    return z


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
