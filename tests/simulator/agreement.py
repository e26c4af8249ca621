"""Whether what was drawn agrees with what is known, at an error rate that no run of the suite sees."""

import math

import numpy as np

from simulator import Array


def agrees(values: Array, truth: float) -> bool:
    """Whether the mean of uncorrelated values is within 6 standard errors of the truth, and of rounding."""
    rounding = 1e-6 if values.dtype == np.float32 else 1e-9
    mean, std = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return bool(abs(mean - truth) <= 6 * std / math.sqrt(values.size) + rounding * max(1.0, abs(truth)))
