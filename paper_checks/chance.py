"""Whether a difference between trained nets is beyond chance: over a few seeds, or over many images."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, sqrt
from statistics import NormalDist, fmean, variance

from mpmath import betainc

LEVEL, RARE = 0.05, 1e-3


def above(high: Sequence[float], low: Sequence[float], comparisons: int) -> bool:
    """Whether the mean of one sample exceeds that of another beyond chance: Welch's test, one-sided.

    Args:
        high: values of independent runs, >= 2.
        low: likewise.
        comparisons: that share LEVEL (Bonferroni).
    """
    parts = [(variance(values) / len(values), len(values) - 1) for values in (high, low)]
    error = sum(part for part, _ in parts)
    freedom = error**2 / sum(part**2 / n for part, n in parts) if error else 1.0
    return _beyond(fmean(high) - fmean(low), sqrt(error), freedom, comparisons)


def positive(differences: Sequence[float], comparisons: int) -> bool:
    """Whether the mean of paired differences is positive beyond chance: Student's test, one-sided.

    Args:
        differences: of independent pairs, >= 2.
        comparisons: that share LEVEL (Bonferroni).
    """
    error = sqrt(variance(differences) / len(differences))
    return _beyond(fmean(differences), error, len(differences) - 1, comparisons)


def more_often(heads: int, tails: int) -> bool:
    """Whether heads come up more often than a fair coin gives in one of a thousand tries: the exact sign test."""
    tosses = heads + tails
    return Fraction(sum(comb(tosses, k) for k in range(heads, tosses + 1)), 2**tosses) < RARE


def fewer(after: float, before: float, n: int) -> bool:
    """Whether a share in percent of n images is below another of n, beyond one chance in a thousand, by their z."""
    pooled = (after + before) / 200
    error = sqrt(2 * pooled * (1 - pooled) / n)
    return (before - after) / 100 > error * NormalDist().inv_cdf(1 - RARE)


def _beyond(difference: float, error: float, freedom: float, comparisons: int) -> bool:
    """Whether a difference, so many standard errors above 0, is beyond chance by Student's t."""
    if difference <= 0 or error == 0:
        return difference > 0
    t = difference / error
    tail = betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True) / 2
    return tail < LEVEL / comparisons
