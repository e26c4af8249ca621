"""How this room refuses bad input: one line that names the argument, its value and what is allowed."""

import math
from numbers import Integral, Real


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


def told(error: BaseException) -> str:
    """Tell an exception in one line, its type first."""
    return ": ".join(part for part in (type(error).__name__, " ".join(str(error).split())) if part)


def finite(name: str, value: float, *, above: float) -> float:
    """Return `value`.

    Raises:
        ValueError: if it is no finite number, or not above `above`.
    """
    try:
        allowed = isinstance(value, Real) and math.isfinite(value) and value > above
    except OverflowError:  # a whole number beyond all doubles
        allowed = False
    if not allowed:
        raise refusal(name, value, f"must be a finite number > {above:g}")
    return value


def seeding(name: str, value: int) -> int:
    """Return `value`, which may seed a generator, and so may a few numbers after it.

    Raises:
        ValueError: if it is no whole number, negative, or 2^62 or more.
    """
    if whole(name, value, at_least=0) >= 2**62:
        raise refusal(name, value, "must be < 2^62")
    return value


def whole(name: str, value: int, *, at_least: int) -> int:
    """Return `value`.

    Raises:
        ValueError: if it is no whole number, or below `at_least`.
    """
    if not (isinstance(value, Integral) and not isinstance(value, bool) and value >= at_least):
        raise refusal(name, value, f"must be a whole number >= {at_least}")
    return value
