"""Spearman's rank correlation, of what should rise or fall without being a line."""

from collections.abc import Sequence
from statistics import correlation


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return it, in [-1, 1]; ties share their mean rank, and where all of one are alike it is 0.

    Raises:
        ValueError: if there are fewer than two values, or not as many of each.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"x, y = {len(x)} and {len(y)} values: must be as many, and >= 2")
    ranked = _ranks(x), _ranks(y)
    return 0.0 if any(len(set(ranks)) == 1 for ranks in ranked) else correlation(*ranked)


def _ranks(values: Sequence[float]) -> list[float]:
    below = [sum(other < value for other in values) for value in values]
    return [less + (values.count(value) - 1) / 2 for less, value in zip(below, values, strict=True)]
