"""The layers between the noises: a linear map, ReLU, and Batch Normalization to the letter of Eqs. 2-4."""

import numpy as np
from numpy.typing import ArrayLike

from simulator.contracts import Array, finite, refusal, whole


class Linear:
    """X_o = sum_i w_oi x_i on axis 1: a fully connected layer, and at every position a 1 x 1 convolution.

    Attributes:
        weight: (out, d).

    Raises:
        ValueError: if `weight` is no finite matrix.
    """

    def __init__(self, weight: ArrayLike) -> None:
        self.weight: Array = np.array(weight, dtype=np.float64)
        if self.weight.ndim != 2 or self.weight.size == 0:
            raise refusal("weight's shape", self.weight.shape, "must be (out, d)")
        if not np.isfinite(self.weight).all():
            raise ValueError("weight: must be finite")

    def __call__(self, x: Array) -> Array:
        """Map x: (n, d) to (n, out), or (n, d, h, w) to (n, out, h, w).

        Raises:
            ValueError: if axis 1 of `x` does not match `weight`.
        """
        _require_units(x, self.weight.shape[1])
        weight = self.weight.astype(x.dtype, copy=False)
        if x.ndim == 2:
            return x @ weight.T
        n, _, h, w = x.shape
        return (weight @ x.reshape(n, -1, h * w)).reshape(n, -1, h, w)


class ReLU:
    """max(x, 0), element by element."""

    def __call__(self, x: Array) -> Array:
        """Keep the shape of x."""
        return np.maximum(x, 0)


class BatchNorm:
    """Batch Normalization without the affine part (Section 2).

    Attributes:
        units: how many inputs are normalised, each by its own statistics.
        momentum: None for the cumulative average of Eq. 3; a number for the exponential average of the networks,
            moving = (1 - momentum) moving + momentum new, which starts at mean 0 and variance 1.
        eps: the epsilon of Eqs. 2 and 4. The default, 1e-5, is the one of the networks that the paper trained;
            0 is allowed, and then a unit that is constant over a batch is an error.
        batches: how many training batches the moving statistics have seen.
        moving_mean: (units,) moving average of the batch means, E_Moving.
        moving_var: (units,) moving average of m/(m-1) times the batch variances, Var_Moving: UNBIASED where the m
            values are independent, as positions of one map seldom are.

    Raises:
        ValueError: if `units` is no whole number >= 1, `momentum` lies outside (0, 1], or `eps` is negative.
    """

    def __init__(self, units: int, momentum: float | None = None, eps: float = 1e-5) -> None:
        self.units = whole("units", units, at_least=1)
        if momentum is not None and not 0 < finite("momentum", momentum) <= 1:
            raise refusal("momentum", momentum, "must lie in 0 < momentum <= 1, or be left out")
        if finite("eps", eps) < 0:
            raise refusal("eps", eps, "must be >= 0")
        self.momentum = momentum
        self.eps = eps
        self.reset()

    def reset(self) -> None:
        """Forget every training batch."""
        self.batches = 0
        self.moving_mean: Array = np.zeros(self.units)
        self.moving_var: Array = np.ones(self.units)

    def train(self, x: Array) -> Array:
        """Normalise by this batch's mean and BIASED variance (Eq. 2), and let both moving statistics see it (Eq. 3).

        Args:
            x: (n, units) or (n, units, h, w); the m = n h w values of a unit are pooled over batch and positions.

        Raises:
            ValueError: if `x` has another shape, if m < 2, or if a unit is constant while eps = 0.
        """
        mean, biased, m = self.moments(x)
        self.batches += 1
        share = 1 / self.batches if self.momentum is None else self.momentum
        self.moving_mean = (1 - share) * self.moving_mean + share * mean
        self.moving_var = (1 - share) * self.moving_var + share * biased * m / (m - 1)
        return self._normalise(x, mean, biased)

    def test(self, x: Array) -> Array:
        """Normalise x: (n, units) or (n, units, h, w) by the moving statistics (Eq. 4), which stay as they are.

        Raises:
            ValueError: if `x` has another shape, or if no training batch has been seen.
        """
        self.require_units(x)
        if self.batches == 0:
            raise ValueError("moving statistics: empty, train on at least one batch before testing")
        return self._normalise(x, self.moving_mean, self.moving_var)

    def moments(self, x: Array) -> tuple[Array, Array, int]:
        """Pool x: (n, units) or (n, units, h, w) over batch and positions.

        Returns:
            The mean: (units,) and BIASED variance: (units,), in doubles whatever x is, and m = n h w.

        Raises:
            ValueError: if `x` has another shape, or if m < 2.
        """
        self.require_units(x)
        m = x.size // self.units
        if m < 2:
            raise refusal("m", m, "a batch must have >= 2 values a unit, over batch and positions")
        # By numpy's mean and var, which add up rows of a few units one by one, it takes three times as long.
        values = x.reshape(len(x), self.units, -1).astype(np.float64)
        mean = np.einsum("nup->u", values) / m
        values -= mean[:, None]
        return mean, np.einsum("nup,nup->u", values, values) / m, m

    def require_units(self, x: Array) -> None:
        """Raise a ValueError unless x is (n, units) or (n, units, h, w)."""
        _require_units(x, self.units)

    def _normalise(self, x: Array, mean: Array, variance: Array) -> Array:
        if self.eps == 0 and not variance.all():
            raise refusal("eps", self.eps, f"must be > 0, since unit {int(variance.argmin())} is constant")
        per_unit = (-1, *(1,) * (x.ndim - 2))
        y = x - mean.astype(x.dtype).reshape(per_unit)
        y /= np.sqrt(variance + self.eps).astype(x.dtype).reshape(per_unit)
        return y


def _require_units(x: Array, units: int) -> None:
    if x.ndim not in {2, 4} or x.shape[1] != units:
        raise refusal("x's shape", x.shape, f"must be (n, {units}) or (n, {units}, h, w)")
