"""An expression as a fraction of two polynomials: from its numerator one can tell whether it is zero."""

from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeAlias

from sympy import QQ, Dummy, Expr, Integer, Pow, Rational, nan, oo, ring, zoo

Ratio: TypeAlias = tuple[Any, Any]  # numerator and denominator, polynomials of one ring


def is_zero(expression: Expr) -> bool:
    """Whether it is zero, for any signs of its roots, as a rational function of its unknowns.

    The unknowns are all parts of the expression but sums, products, whole powers and square roots of others, fourth
    roots and so on. They are taken for independent: where they are not, a zero may be missed, also in a denominator.

    Raises:
        ZeroDivisionError: where a denominator is zero, for some signs of its roots, or an unknown holds a power of
            zero, or something infinite: the expression has no value then, or one that is not known here.
    """
    try:
        field = _Field(expression)
        numerator, _ = field.fraction(expression)
    except ZeroDivisionError as error:
        raise ZeroDivisionError(f"{expression} divides by zero") from error
    return not field.reduced(numerator)


class _Field:
    """The fractions of polynomials in the unknowns of an expression; faster here than sympy's `together`."""

    def __init__(self, expression: Expr) -> None:
        # A root comes after all that is under it, and before that in the ring: a remainder by its square has no square.
        unknowns = sorted(_unknowns(expression), key=lambda unknown: (_nesting(unknown), str(unknown)))
        if expression.has(nan, zoo, oo, -oo) or any(map(is_zero, _bases_within(unknowns))):
            raise ZeroDivisionError
        self.polynomials, *generators = ring([Dummy() for _ in unknowns], QQ)
        self.known: dict[Expr, Ratio] = {}
        self.squares: dict[Any, Any] = {}
        for unknown, generator in zip(unknowns, reversed(generators), strict=True):
            self.known[unknown] = self._root(unknown, generator) if _is_root(unknown) else self._whole(generator)

    def fraction(self, expression: Expr) -> Ratio:
        if expression in self.known:
            return self.known[expression]
        if expression.is_Rational:
            return self._whole(QQ(expression.p, expression.q))
        if expression.is_Pow:
            return self._power(*expression.args)
        return reduce(_added if expression.is_Add else _multiplied, map(self.fraction, expression.args))

    def reduced(self, polynomial: Any) -> Any:
        """The same, without any square of a root."""
        return polynomial.rem(list(self.squares.values())) if self.squares else polynomial

    def _whole(self, polynomial: Any) -> Ratio:
        return self.polynomials(polynomial), self.polynomials.one

    def _root(self, root: Expr, generator: Any) -> Ratio:
        """The root of a / b is g / b, where g² = a b: a polynomial led by g², whatever b is."""
        over, under = map(self.reduced, self.fraction(root**2))
        self.squares[generator] = generator**2 - over * under
        return (generator, under) if over else self._whole(0)

    def _power(self, base: Expr, exponent: Expr) -> Ratio:
        if not exponent.is_Integer:
            base, exponent = base ** Rational(1, exponent.q), Integer(exponent.p)
        over, under = self.fraction(base)
        if exponent > 0:
            return over ** int(exponent), under ** int(exponent)
        if not self._norm(over):
            raise ZeroDivisionError
        return under ** int(-exponent), over ** int(-exponent)

    def _norm(self, polynomial: Any) -> Any:
        """Its product over all signs of its roots, which is zero where it is zero for some of them."""
        for generator in reversed(self.squares):
            if polynomial.degree(generator) > 0:
                polynomial = self.reduced(polynomial * polynomial.compose(generator, -generator))
        return polynomial


def _is_root(expression: Expr) -> bool:
    """Whether it is a square root, a fourth root and so on, or a whole power of one."""
    if not (expression.is_Pow and expression.exp.is_Rational):
        return False
    return expression.exp.q > 1 and expression.exp.q.bit_count() == 1


def _nesting(unknown: Expr) -> tuple[int, int]:
    """More of what has more roots in it, and of a fourth root than of the square root of the same."""
    roots = [power for power in unknown.atoms(Pow) if _is_root(power)]
    return len(roots), unknown.exp.q if _is_root(unknown) else 1


def _bases_within(unknowns: Iterable[Expr]) -> set[Expr]:
    """Of all powers in unknowns, but those that are roots of known parts."""
    return {power.base for unknown in unknowns if not _is_root(unknown) for power in unknown.atoms(Pow)}


def _unknowns(expression: Expr) -> set[Expr]:
    if _is_root(expression):
        q = expression.exp.q
        return {expression.base ** Rational(1, 2**k) for k in range(1, q.bit_length())} | _unknowns(expression.base)
    if expression.is_Add or expression.is_Mul or (expression.is_Pow and expression.exp.is_Integer):
        return set().union(*(_unknowns(part) for part in expression.args))
    return set() if expression.is_Rational else {expression}


def _multiplied(left: Ratio, right: Ratio) -> Ratio:
    return left[0] * right[0], left[1] * right[1]


def _added(left: Ratio, right: Ratio) -> Ratio:
    (one, over_one), (two, over_two) = left, right
    if over_one == over_two:
        return one + two, over_one
    if len(over_one) == len(over_two) == 1:
        common = over_one.lcm(over_two)
        return one * common.exquo(over_one) + two * common.exquo(over_two), common
    return one * over_two + two * over_one, over_one * over_two
