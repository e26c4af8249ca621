"""What the simulator's parts expect of one another, and how they refuse anything else."""

import math
from numbers import Integral, Real
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]


class Inputs(Protocol):
    """A source of independent samples."""

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` samples, stacked on axis 0: (n, d) or (n, d, h, w)."""
        ...


class Noise(Protocol):
    """Noise that is on in training and off in test. It keeps the shape of x."""

    def train(self, x: Array, rng: np.random.Generator, /) -> Array:
        """Apply the noise, drawn afresh from `rng`, without changing `x` in place."""
        ...

    def test(self, x: Array, /) -> Array:
        """Apply what replaces the noise at test time."""
        ...


class Refusal(ValueError):  # noqa: N818 (it says what is wrong with the input, and no more)
    """Bad input, told in the one line `name = value: rule`.

    Attributes:
        name: the argument.
        value: what it was.
        rule: what is allowed.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(name, value, rule)
        self.name, self.value, self.rule = name, value, rule

    def __str__(self) -> str:
        return f"{self.name} = {self.value}: {self.rule}"


def refusal(name: str, value: object, rule: str) -> Refusal:
    """Build the one line that names the argument, its value and what is allowed."""
    return Refusal(name, value, rule)


def finite(name: str, value: float) -> float:
    """Return `value` as a float.

    Raises:
        ValueError: if it is no real number, or is infinite or NaN.
    """
    if not (isinstance(value, Real) and math.isfinite(value)):
        raise refusal(name, value, "must be a finite number")
    return float(value)


def whole(name: str, value: int, at_least: int) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is no whole number, or is below `at_least`.
    """
    if not (isinstance(value, Integral) and value >= at_least):
        raise refusal(name, value, f"must be a whole number >= {at_least}")
    return int(value)
