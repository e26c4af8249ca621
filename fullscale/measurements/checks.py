"""Whether numbers are all there, and possible: what a list lacks, or means, no type tells."""

from collections.abc import Iterable
from math import isclose
from statistics import fmean
from typing import Any


def are_means(numbers: Any, *names: str) -> bool:
    """Whether what is said of a net is the mean of its rows, so that none of them is missing."""
    rows = numbers.rows
    return bool(rows) and all(
        isclose(getattr(numbers, name), fmean(getattr(row, name) for row in rows)) for name in names
    )


def are_percent(*values: float) -> bool:
    """Whether all lie from 0 to 100."""
    return all(0 <= value <= 100 for value in values)


def are_positive(rows: Iterable[Any], *names: str) -> bool:
    """Whether there are rows, and all such fields of theirs are > 0."""
    rows = list(rows)
    return bool(rows) and all(getattr(row, name) > 0 for row in rows for name in names)
