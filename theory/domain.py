"""Arguments of the formulas: what each stands for, and which values it may take (the feasible domain)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf
from numbers import Rational as NumbersRational
from typing import Any

from sympy import Expr, Integer, Rational, ceiling, floor

from theory import symbols as s
from theory.expectation import E

LARGEST_EXPONENT = 400  # doubles end at 308


@dataclass(frozen=True)
class Parameter:
    """A named argument.

    Attributes:
        name: as users write it, `retain=0.5`.
        symbol: what it replaces in a formula, or, for a vector, what its k-th entry replaces.
        allowed: the domain, in one line.
        admits: whether a number (each entry, for a vector) lies in the domain.
    """

    name: str
    symbol: Expr | Callable[[int], Expr]
    allowed: str
    admits: Callable[[Any], bool]
    whole: bool = False

    @property
    def is_vector(self) -> bool:
        """Whether the argument is a list of numbers, one for each input."""
        return not isinstance(self.symbol, Expr)

    def read(self, value: Any) -> Any:
        """The value as exact numbers: decimals mean what they say, 0.1 is 1/10.

        Raises:
            ValueError: where the value is not a number or lies outside the domain.
        """
        if not self.is_vector:
            return self._read_number(value)
        entries = value.split(",") if isinstance(value, str) else value
        if isinstance(entries, Iterable) and (entries := list(entries)):
            return tuple(self._read_number(entry) for entry in entries)
        raise refusal(self.name, value, self.allowed)

    def _read_number(self, value: Any) -> Rational:
        number = _exact(self.name, value)
        if (self.whole and number.q != 1) or not self.admits(number):
            raise refusal(self.name, value, self.allowed)
        return number

    def replacements(self, value: Any) -> dict[Expr, Expr]:
        """What `value` puts in place of the symbols of a formula."""
        if isinstance(self.symbol, Expr):
            return {self.symbol: value}
        return {self.symbol(index): entry for index, entry in enumerate(value, start=1)}


def refusal(name: str, value: Any, rule: str) -> ValueError:
    """The one line that names the argument, its value and what is allowed."""
    return ValueError(" ".join(f"{name} = {value}: {rule}".split()))


def _exact(name: str, value: Any) -> Rational:
    if isinstance(value, bool):
        raise refusal(name, value, "must be a finite number")
    if isinstance(value, NumbersRational | Rational):
        return Rational(value.numerator, value.denominator)
    try:
        fraction = _fraction(str(value).strip())
    except (ValueError, ArithmeticError):
        raise refusal(name, value, "must be a finite number") from None
    return Rational(fraction.numerator, fraction.denominator)


def _fraction(text: str) -> Fraction:
    """The number that people write as a decimal or a fraction, refused before it fills the memory with zeros."""
    if "/" not in text and abs(Decimal(text).adjusted()) > LARGEST_EXPONENT:
        raise ValueError
    return Fraction(text)


def _scalar(name: str, symbol: Expr, allowed: str, admits: Callable[[Any], bool] = lambda _: True) -> Parameter:
    return Parameter(name, symbol, f"must be {allowed}", admits)


def _count(name: str, symbol: Expr, least: int, most: float = inf) -> Parameter:
    allowed = f"must be a whole number >= {least}" + (f" and <= {most}" if most < inf else "")
    return Parameter(name, symbol, allowed, lambda value: least <= value <= most, whole=True)


def _vector(name: str, symbol: Callable[[int], Expr], allowed: str, admits: Callable[[Any], bool]) -> Parameter:
    return Parameter(name, symbol, f"must be {allowed}, separated by commas", admits)


RETAIN = _scalar("retain", s.p, "0 < retain <= 1", lambda value: 0 < value <= 1)
C = _scalar("c", s.c, "a finite number")
V = _scalar("v", s.v, "a finite number > 0", lambda value: value > 0)
RHO = _scalar("rho", s.rho, "-1/(d-1) <= rho <= 1", lambda value: -1 <= value <= 1)
RHO_IN_BATCH = _scalar("rho", s.rho, "-1/(m-1) <= rho <= 1", lambda value: -1 <= value <= 1)
RHO_AX = _scalar("rho_ax", s.rho_ax, "within what Eq. 9 makes of -1/(d-1) <= rho <= 1", lambda value: -1 <= value <= 1)
D = _count("d", s.d, 1)
M = _count("m", s.m, 2)
DEPTH = _count("depth", s.depth, 1, 10_000)
COS2 = _scalar("cos2", s.cos2, "0 <= cos2 <= 1", lambda value: 0 <= value <= 1)
BETA = _scalar("beta", s.beta, "0 <= beta <= 1", lambda value: 0 <= value <= 1)
SIGMA = _scalar("sigma", s.sigma, "a finite number >= 0", lambda value: value >= 0)
NOISE_VAR = _scalar("noise_var", s.s2, "a finite number >= 0", lambda value: value >= 0)
EPS = _scalar("eps", s.eps, "a finite number >= 0", lambda value: value >= 0)
BIT = _scalar("a", s.a[s.k], "0 or 1", lambda value: value in (0, 1))
X = _scalar("x", s.x[s.k], "a finite number")
MU = _scalar("mu", s.mu, "a finite number")
BATCH_VAR = _scalar("batch_var", s.batch_var, "a finite number >= 0", lambda value: value >= 0)
MOVING_MEAN = _scalar("moving_mean", s.moving_mean, "a finite number")
MOVING_VAR = _scalar("moving_var", s.moving_var, "a finite number >= 0", lambda value: value >= 0)
VAR_TEST = _scalar("var_test", s.var_test, "a finite number >= 0", lambda value: value >= 0)
DRIFT = _scalar("drift", s.drift, "a finite number")
SPREAD = _scalar("spread", s.spread, "a finite number > 0", lambda value: value > 0)
WIDTH = _scalar("d_cos2", s.width, "a finite number > 0", lambda value: value > 0)
WEIGHTS = _vector("w", lambda index: s.w[index], "finite numbers, not all of them 0", lambda _: True)
SECOND_MOMENTS = _vector(
    "second_moments", lambda index: E(s.x[index] ** 2), "finite numbers >= 0", lambda value: value >= 0
)
GROUP_SECOND_MOMENTS = _vector(
    "second_moments", lambda index: E(s.y[index] ** 2), "finite numbers >= 0", lambda value: value >= 0
)


def check_together(values: Mapping[str, Any]) -> dict[str, Any]:
    """Enforce what concerns several arguments at once, and return the values.

    A correlation that equals the bound -1/(d-1) as a double is taken to be the bound.

    Raises:
        ValueError: where the values cannot occur together.
    """
    checked = dict(values)
    lengths = {name: len(value) for name, value in values.items() if isinstance(value, tuple)}
    if len(set(lengths.values())) > 1:
        raise ValueError("different lengths: " + ", ".join(f"{name} has {size}" for name, size in lengths.items()))
    if "w" in values and not any(values["w"]):
        raise refusal("w", ", ".join(map(str, values["w"])), WEIGHTS.allowed)
    size = "m" if "m" in values else "d"
    width = int(values[size]) if size in values else next(iter(lengths.values()), None)
    if "rho" in values and width is not None:
        checked["rho"] = _feasible_correlation("rho", values["rho"], size, width, Rational(1))
    if "rho_ax" in values and width is not None:
        weakened = values["v"] / ((values["c"] ** 2 + values["v"]) / values["retain"] - values["c"] ** 2)
        checked["rho_ax"] = _feasible_correlation("rho_ax", values["rho_ax"], size, width, weakened)
    if width == 1 and values.get("cos2", 1) != 1:
        raise refusal("cos2", values["cos2"], "must be 1 at d = 1, where w and (1) are parallel")
    if "d_cos2" in values:
        _check_width(values["d_cos2"], values["rho"])
    return checked


def _feasible_correlation(name: str, value: Rational, size: str, width: int, most: Rational) -> Rational:
    """A common correlation of `width` values lies between -1/(d-1) and 1; Eq. 9 multiplies both by `most`."""
    least = -most / max(width - 1, 1)
    if not float(least) <= float(value) <= float(most):
        share = f"{float(most):.6g}"
        rule = (
            f"must be >= -{share}/({size}-1) = {float(least):.6g} at {size} = {width} and <= {share}: no other exists"
        )
        raise refusal(name, float(value), rule)
    return next((bound for bound in (least, most) if float(value) == float(bound)), value)


def _check_width(d_cos2: Rational, rho: Rational) -> None:
    """Some d with d cos² <= d must allow a negative correlation: d <= 1 - 1/rho."""
    if rho < 0 and ceiling(d_cos2) > floor(1 - 1 / rho):
        raise refusal(
            "d_cos2", float(d_cos2), f"must be <= d <= 1 - 1/rho = {float(1 - 1 / rho):.6g} at a negative rho"
        )


def size_of(values: Mapping[str, Any]) -> Integer | None:
    """The number of terms that the vectors among the values have, if there are any."""
    return next((Integer(len(value)) for value in values.values() if isinstance(value, tuple)), None)
