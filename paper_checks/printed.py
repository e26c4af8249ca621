"""Printed decimals as what they say: exact intervals, half a unit of the last digit to either side."""

import re
from collections.abc import Iterable
from enum import Enum
from fractions import Fraction
from itertools import pairwise, product

DECIMAL = re.compile(r"-?[0-9]+(?:\.(?P<places>[0-9]+))?")


class Interval:
    """Every real number from `low` to `high`, both included.

    Sums, differences, products and quotients hold every result that values of the operands can give; operands are
    taken as independent, so an expression that repeats one is held too, though not tightly.
    """

    __slots__ = ("high", "low")

    def __init__(self, low: Fraction | int, high: Fraction | int) -> None:
        self.low, self.high = Fraction(low), Fraction(high)
        if self.low > self.high:
            raise ValueError(f"an interval runs upwards, not from {low} to {high}")

    @classmethod
    def hull(cls, values: Iterable[Fraction]) -> "Interval":
        """The smallest interval that holds all of `values`."""
        found = list(values)
        return cls(min(found), max(found))

    def __contains__(self, value: Fraction | int) -> bool:
        return self.low <= value <= self.high

    def __add__(self, other: "Number") -> "Interval":
        term = interval(other)
        return Interval(self.low + term.low, self.high + term.high)

    def __neg__(self) -> "Interval":
        return Interval(-self.high, -self.low)

    def __sub__(self, other: "Number") -> "Interval":
        return self + -interval(other)

    def __mul__(self, other: "Number") -> "Interval":
        factor = interval(other)
        return Interval.hull(a * b for a, b in product((self.low, self.high), (factor.low, factor.high)))

    def __truediv__(self, other: "Number") -> "Interval":
        divisor = interval(other)
        if 0 in divisor:
            raise ZeroDivisionError(f"{divisor} holds zero")
        return self * Interval(1 / divisor.high, 1 / divisor.low)

    def __rsub__(self, other: Fraction | int) -> "Interval":
        return interval(other) - self

    def __rtruediv__(self, other: Fraction | int) -> "Interval":
        return interval(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __repr__(self) -> str:
        return f"[{float(self.low):.8g}, {float(self.high):.8g}]"


class Printed(Interval):
    """A decimal as printed: its true value lies within half a unit of its last digit.

    Which way a tie was rounded is unknown, so both ends belong to it.

    Attributes:
        text: the digits, as printed; trailing zeros are information.
        value: the decimal taken exactly.
    """

    __slots__ = ("text", "value")

    def __init__(self, text: str) -> None:
        found = DECIMAL.fullmatch(text)
        if found is None:
            raise ValueError(f"not a printed decimal: {text!r}")
        half_unit = Fraction(1, 2 * 10 ** len(found["places"] or ""))
        self.text, self.value = text, Fraction(text)
        super().__init__(self.value - half_unit, self.value + half_unit)


Number = Interval | Fraction | int


class Reading(Enum):
    """What rounded figures say of a statement."""

    HOLDS = "for every value that the digits allow"
    CONTRADICTED = "for no value that the digits allow"
    UNDECIDED = "for some of the values that the digits allow"


def interval(number: Number) -> Interval:
    """`number` as an interval: an exact one is a single point."""
    if isinstance(number, Interval):
        return number
    if isinstance(number, (int, Fraction)):
        return Interval(number, number)
    raise TypeError(f"exact numbers only, not {type(number).__name__}")


def surely_less(a: Number, b: Number) -> bool:
    """Whether a < b for every pair of values."""
    return interval(a).high < interval(b).low


def surely_at_most(a: Number, b: Number) -> bool:
    """Whether a <= b for every pair of values."""
    return interval(a).high <= interval(b).low


def less(a: Number, b: Number) -> Reading:
    """What can be said of a < b."""
    if surely_less(a, b):
        return Reading.HOLDS
    return Reading.CONTRADICTED if surely_at_most(b, a) else Reading.UNDECIDED


def surely_increasing(numbers: Iterable[Number]) -> bool:
    """Whether each number is surely less than the next."""
    return all(surely_less(a, b) for a, b in pairwise(numbers))
