"""Estimates with standard errors, from any number of batches in constant memory."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulator.contracts import Array, refusal, whole


@dataclass(frozen=True)
class Estimate:
    """A number that was measured.

    Attributes:
        value: the estimate.
        stderr: its standard error: the standard deviation that it would show over repetitions of the whole run.
        n: how many samples it rests on.
    """

    value: float
    stderr: float
    n: int

    def __str__(self) -> str:
        """Round both numbers to two significant digits of the error."""
        if self.stderr == 0:
            return f"{self.value:.6g} ± 0"
        digits = 1 - math.floor(math.log10(self.stderr))
        if not 0 <= digits <= 12:
            return f"{self.value:.6g} ± {self.stderr:.1e}"
        return f"{self.value:.{digits}f} ± {self.stderr:.{digits}f}"


class BatchMeans:
    """Means, and ratios of means, of several statistics of one batch, over a stream of independent batches.

    Nothing is assumed of the statistics within a batch. Between batches they must be independent and identically
    distributed; the standard errors are then right up to relative errors of 1 / sqrt(2 batches) or so: fewer than 30
    batches call for Student's t.

    Attributes:
        names: the statistics, in the order of a row's numbers.
        samples_per_batch: how many samples stand behind one row.
        batches: how many rows have been added.

    Raises:
        ValueError: if no name is given, a name is repeated, or `samples_per_batch` is no whole number >= 1.
    """

    def __init__(self, *names: str, samples_per_batch: int) -> None:
        if not names or len(set(names)) < len(names):
            raise refusal("names", names, "must be one or more different names")
        self.names = names
        self.samples_per_batch = whole("samples_per_batch", samples_per_batch, at_least=1)
        self.batches = 0
        self._mean: Array = np.zeros(len(names))
        self._scatter: Array = np.zeros((len(names), len(names)))  # sum over batches of (row - mean)(row - mean)^T

    @property
    def n(self) -> int:
        """How many samples have been seen."""
        return self.batches * self.samples_per_batch

    def add(self, rows: ArrayLike) -> None:
        """Merge rows: (batches, names), one row of statistics a batch (Chan, Golub and LeVeque 1979).

        Raises:
            ValueError: if `rows` has another shape, or holds an infinity or NaN.
            FloatingPointError: if squares of deviations underflow, which would make standard errors too small, or 0.
        """
        new = np.asarray(rows, dtype=np.float64)
        if new.ndim != 2 or new.shape[1] != len(self.names):
            raise refusal("rows' shape", new.shape, f"must be (batches, {len(self.names)})")
        if not np.isfinite(new).all():
            raise ValueError("rows: must be finite")
        if len(new) == 0:
            return
        total = self.batches + len(new)
        new_mean = new.mean(axis=0)
        deviations, step = new - new_mean, new_mean - self._mean
        with np.errstate(under="raise"):
            self._scatter += deviations.T @ deviations + np.outer(step, step) * (self.batches * len(new) / total)
        self._mean += step * (len(new) / total)
        self.batches = total

    def mean(self, name: str) -> Estimate:
        """Estimate E[name] by the mean over batches, which is unbiased.

        Raises:
            ValueError: if fewer than 2 batches have been added, or the name is unknown.
        """
        i = self._index(name)
        return self._estimate(float(self._mean[i]), np.eye(len(self.names))[i])

    def ratio(self, numerator: str, denominator: str) -> Estimate:
        """Estimate E[numerator] / E[denominator] by the ratio of the means over batches.

        The standard error is the delta method's, covariance included, so that a numerator and a denominator measured
        on the same samples profit from it. The ratio's own bias is O(1/batches), well inside the standard error.

        Raises:
            ValueError: if fewer than 2 batches have been added, a name is unknown, or the denominator's mean is 0.
        """
        i, j = self._index(numerator), self._index(denominator)
        if self._mean[j] == 0:
            raise refusal(denominator, 0, f"must not be 0 to divide by, and is over all n = {self.n} samples")
        ratio = float(self._mean[i] / self._mean[j])
        gradient = np.zeros(len(self.names))
        gradient[i] += 1 / self._mean[j]
        gradient[j] -= ratio / self._mean[j]
        return self._estimate(ratio, gradient)

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise refusal("name", name, f"must be one of {', '.join(self.names)}")
        return self.names.index(name)

    def _estimate(self, value: float, gradient: Array) -> Estimate:
        if self.batches < 2:
            raise refusal("batches", self.batches, "must be >= 2 for a standard error")
        variance = gradient @ self._scatter @ gradient / (self.batches - 1) / self.batches
        return Estimate(value, math.sqrt(max(0.0, float(variance))), self.n)
