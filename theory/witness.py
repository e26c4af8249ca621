"""Models of the axioms: finite probability spaces in which every expectation is an exact sum.

A witness satisfies all axioms at once, so the derivations are not vacuous. A counter-model violates exactly one of
them, and so shows which equations break without it: not merely that they can no longer be derived.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from sympy import Add, Expr, Integer, Mul, Rational, S, sqrt

from theory.equation import Equation
from theory.expectation import (
    BITS,
    CORRELATION,
    DROPOUT_AXIOMS,
    INDEPENDENT,
    INPUT_AXIOMS,
    MASKS_APART,
    MEAN,
    RETAIN,
    VARIANCE,
    Axiom,
    Cov,
    E,
    Var,
)
from theory.sums import concrete, vanishes
from theory.symbols import INPUTS, NOISES, a, c, d, i, j, k, n, p, rho, rho_ax, s2, v, w, x

AXIOMS = DROPOUT_AXIOMS + INPUT_AXIOMS
HALF = Rational(1, 2)
COUNTER_VALUES = {p: HALF, c: S.One, v: S.One, rho: HALF}
COUNTER_WEIGHTS = {w[1]: S.One, w[2]: Integer(2)}


@dataclass(frozen=True)
class FiniteSpace:
    """A finite probability space.

    Attributes:
        outcomes: (probability, the value of each random quantity) for every outcome.
        values: what the parameters p, c, v, rho are in it; empty where they stay symbols.
    """

    outcomes: tuple[tuple[Expr, Mapping[Expr, Expr]], ...]
    values: Mapping[Expr, Expr]

    def mean(self, quantity: Expr) -> Expr:
        """The exact expectation of a function of the random quantities; axioms ask for the same ones again."""
        if quantity not in self._means:
            self._means[quantity] = Add(*(weight * quantity.xreplace(dict(point)) for weight, point in self.outcomes))
        return self._means[quantity]

    @cached_property
    def _means(self) -> dict[Expr, Expr]:
        return {}

    def value(self, expression: Expr) -> Expr:
        """The expression with every E, Var and Cov in it computed in this space."""
        expression = expression.replace(Var, lambda inside: self.mean(inside**2) - self.mean(inside) ** 2)
        expression = expression.replace(Cov, lambda one, two: self.mean(one * two) - self.mean(one) * self.mean(two))
        return expression.replace(E, self.mean).subs(self.values)

    def satisfies(self, axiom: Axiom) -> bool:
        """Whether what the axiom says of every monomial up to second order in each quantity is true here."""
        said = ((monomial, axiom.rewrite(monomial)) for monomial in _monomials(self.outcomes[0][1]))
        return all(vanishes(self.value(E(one) - known)) for one, known in said if known is not None)

    def obeys(self, equation: Equation) -> bool:
        """Whether start = result of a derivation of two inputs (d = 2) is true here, at the weights 1 and 2."""
        names = {i: Integer(1), j: Integer(2), k: Integer(2)}
        after_noise = Cov(a[1] * x[1], a[2] * x[2]) / sqrt(Var(a[1] * x[1]) * Var(a[2] * x[2]))
        where = {rho_ax: after_noise, **equation.derivation.where}
        sides = (equation.derivation.start, equation.formula)
        left, right = (concrete(side.subs(where), 2, d).subs(names).subs(COUNTER_WEIGHTS) for side in sides)
        return vanishes(self.value(left) - self.value(right))


def witness(size: int) -> FiniteSpace:
    """A space that satisfies every axiom with `size` inputs, at symbolic p, c, v and rho over the feasible domain.

    Signs z_i = +-1 are independent and fair. Their mean carries the eigenvalue 1 + (d-1) rho of the covariance, and
    what deviates from it the eigenvalue 1 - rho: both are nonnegative exactly where rho is feasible.
    """
    outcomes = []
    for signs in product((-1, 1), repeat=size):
        mean = Rational(sum(signs), size)
        deviations = [sqrt(1 - rho) * (sign - mean) + sqrt(1 + (size - 1) * rho) * mean for sign in signs]
        inputs = {x[number]: c + sqrt(v) * value for number, value in enumerate(deviations, start=1)}
        outcomes += [(weight / 2**size, inputs | masks) for weight, masks in _independent_masks(size, p)]
    return FiniteSpace(tuple(outcomes), {})


def law_witness(size: int) -> FiniteSpace:
    """A space that satisfies the law's axioms: noises 1 +- s with fair signs, beside inputs that share no moments."""
    inputs = [{x[number]: Integer(value * number) for number in range(1, size + 1)} for value in (-1, 2)]
    outcomes = [
        (Rational(1, 2 ** (size + 1)), point | {n[number]: 1 + sign * sqrt(s2) for number, sign in enumerate(signs, 1)})
        for point, signs in product(inputs, product((-1, 1), repeat=size))
    ]
    return FiniteSpace(tuple(outcomes), {})


def _independent_masks(size: int, retain: Expr) -> list[tuple[Expr, dict[Expr, Expr]]]:
    """Every mask with its probability, Eq. 1."""
    return [
        (Mul(*(retain if bit else 1 - retain for bit in bits)), {a[n]: Integer(bit) for n, bit in enumerate(bits, 1)})
        for bits in product((0, 1), repeat=size)
    ]


def _pair(values: Mapping[int, Expr], alike: Expr) -> list[tuple[Expr, dict[Expr, Expr]]]:
    """Two inputs of one distribution, equal with probability `alike` and otherwise independent."""
    same = [(alike * weight, {x[1]: Integer(value), x[2]: Integer(value)}) for value, weight in values.items()]
    return same + [
        ((1 - alike) * one * two, {x[1]: Integer(first), x[2]: Integer(second)})
        for (first, one), (second, two) in product(values.items(), repeat=2)
    ]


def _joined(
    inputs: Iterable[tuple[Expr, dict[Expr, Expr]]], masks: Iterable[tuple[Expr, dict[Expr, Expr]]]
) -> FiniteSpace:
    outcomes = tuple((one * two, points | bits) for (one, points), (two, bits) in product(list(inputs), list(masks)))
    return FiniteSpace(outcomes, COUNTER_VALUES)


def _peeking() -> FiniteSpace:
    """The second mask keeps its unit exactly where the first input is high: independent bits, but not of x."""
    outcomes = tuple(
        (weight * HALF, points | {a[1]: Integer(coin), a[2]: points[x[1]] / 2})
        for (weight, points), coin in product(_pair(FAIR, HALF), (0, 1))
    )
    return FiniteSpace(outcomes, COUNTER_VALUES)


FAIR: Mapping[int, Expr] = {0: HALF, 2: HALF}  # mean 1, variance 1
LOW: Mapping[int, Expr] = {2: Rational(5, 12), 0: Rational(1, 4), -1: Rational(1, 3)}  # mean 1/2, second moment 2
WIDE: Mapping[int, Expr] = {-1: HALF, 3: HALF}  # mean 1, variance 4


def counter_models() -> Mapping[Axiom, FiniteSpace]:
    """For each axiom of Eqs. 5-10 a space with d = 2, p = 1/2, c = v = 1, rho = 1/2 that violates it and no other."""
    masks = _independent_masks(2, HALF)
    shared: list[tuple[Expr, dict[Expr, Expr]]] = [(HALF, {a[1]: Integer(n), a[2]: Integer(n)}) for n in (0, 1)]
    halves: list[tuple[Expr, dict[Expr, Expr]]] = [(S.One, {a[1]: HALF, a[2]: HALF})]
    return {
        BITS: _joined(_pair(FAIR, HALF), halves),
        RETAIN: _joined(_pair(FAIR, HALF), _independent_masks(2, Rational(1, 4))),
        MASKS_APART: _joined(_pair(FAIR, HALF), shared),
        INDEPENDENT: _peeking(),
        MEAN: _joined(_pair(LOW, Rational(5, 7)), masks),
        VARIANCE: _joined(_pair(WIDE, Rational(1, 8)), masks),
        CORRELATION: _joined(_pair(FAIR, S.Zero), masks),
    }


def _monomials(point: Mapping[Any, Any]) -> list[Expr]:
    """Products of powers 0, 1, 2 of at most two noises and at most two inputs."""
    noises = [q for q in point if q.base.label in NOISES][:2]
    inputs = [q for q in point if q.base.label in INPUTS][:2]
    quantities = noises + inputs
    powers = product(range(3), repeat=len(quantities))
    return [Mul(*(q**n for q, n in zip(quantities, chosen, strict=True))) for chosen in powers if any(chosen)]
