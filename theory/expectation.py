"""The expectation functional, and the axioms by which it can be evaluated.

Expectation is linear. Everything else that a derivation uses about random quantities is an axiom with a name, so
that it can be cited, and taken away: without its axiom a moment stays an unknown symbol E[...].
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sympy import Add, Dummy, Expr, Function, Indexed, Integer, Mul, Sum, exp, expand, integrate, oo, pi, sqrt

from theory.sums import PairSum, normal, product_of_sums, sum_factors, total
from theory.symbols import (
    INPUTS,
    NOISES,
    RANDOM,
    a,
    beta,
    c,
    drift,
    i,
    j,
    n,
    p,
    r,
    rho,
    rho_ax,
    s2,
    sigma,
    spread,
    v,
    x,
    y,
)


class _Bracketed(Function):
    """A functional of random quantities, printed with square brackets and left unevaluated."""

    is_real = True
    symbol = ""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = ", ".join(printer._print(argument) for argument in self.args)
        raised = f"^{{{exp}}}" if exp else ""
        return rf"\mathrm{{{self.symbol}}}\left[{inside}\right]{raised}"


class E(_Bracketed):
    """E[X], the expectation."""

    symbol = "E"


class Var(_Bracketed):
    """Var[X] = E[X^2] - E[X]^2."""

    symbol = "Var"


class Cov(_Bracketed):
    """Cov[X, Y] = E[X Y] - E[X] E[Y]."""

    symbol = "Cov"


@dataclass(frozen=True)
class Axiom:
    """One assumption on the random quantities.

    Attributes:
        name: by which derivations cite it.
        says: the assumption, in words and symbols.
        rewrite: takes the monomial inside E[...] to what the assumption says of its expectation, or None where the
            assumption does not apply.
    """

    name: str
    says: str
    rewrite: Callable[[Expr], Expr | None] = field(repr=False)


def reduce_moments(expression: Expr, axioms: Iterable[Axiom]) -> Expr:
    """The normal form of an expression after every E, Var and Cov in it has been evaluated as far as axioms allow.

    Two different free indices stand for two different inputs; those of sums may meet, except in a PairSum.

    Raises:
        ValueError: where a moment is no polynomial, or under a sum may be of an index with itself.
    """
    used = sorted(axioms, key=AXIOMS.index) if expression.has(E, Var, Cov) else ()
    return _reduced(expression, tuple(used))


@cache
def _reduced(expression: Expr, axioms: tuple[Axiom, ...]) -> Expr:
    _require_distinct_indices(expression)
    if expression.has(Var):
        expression = expression.replace(Var, lambda inside: E(inside**2) - E(inside) ** 2)
    if expression.has(Cov):
        expression = expression.replace(Cov, lambda one, two: E(one * two) - E(one) * E(two))
    if expression.has(E):
        expression = expression.replace(E, lambda inside: _linear(inside, axioms))
    return normal(expression)


def _require_distinct_indices(expression: Expr) -> None:
    """Refuse a moment under a sum where the sum's index meets another: in one of the terms the two are equal."""
    for node in expression.atoms(Sum, PairSum):
        scopes = [(i, j)] if isinstance(node, PairSum) else [limit[:1] for limit in node.limits]
        for moment in node.args[0].atoms(E, Var, Cov):
            quantities = _random(moment)
            for scope in (scope for scope in scopes if any(quantity.has(*scope) for quantity in quantities)):
                if strangers := _strangers(quantities, scope):
                    raise ValueError(f"{moment} under a sum, where {strangers[0]} may be of the same index")


def _random(expression: Expr) -> set[Indexed]:
    return {quantity for quantity in expression.atoms(Indexed) if quantity.base.label in RANDOM}


def _strangers(quantities: Iterable[Indexed], scope: Collection[Expr]) -> list[Indexed]:
    """The quantities with an index that is not one of the scope's."""
    return [quantity for quantity in quantities if not set(quantity.indices) <= set(scope)]


def _linear(inside: Expr, axioms: tuple[Axiom, ...]) -> Expr:
    return Add(*(_of_term(term, axioms) for term in Add.make_args(expand(inside))))


def _of_term(term: Expr, axioms: tuple[Axiom, ...]) -> Expr:
    if term == 0:
        return term
    constant, random = term.as_independent(*RANDOM)
    sums, factor = sum_factors(random)
    if isinstance(factor, PairSum) and not sums:
        if strangers := _strangers(_random(factor), (i, j)):
            raise ValueError(f"E of a sum of pairs with {strangers[0]}, which may be in one of its terms")
        return constant * PairSum(_linear(factor.summand, axioms), factor.upper)
    if not sums:
        return constant * _moment(random, axioms)
    _require_own_indices(sums, factor)
    if len(sums) == 1:
        index, _, upper = sums[0].limits[0]
        return constant * total(_linear(factor * sums[0].function, axioms), upper, index)
    if len(sums) > 2:
        raise ValueError(f"E of a product of {len(sums)} sums: at most 2 are supported")
    return constant * _linear(product_of_sums(sums[0], sums[1], factor), axioms)


def _require_own_indices(sums: list[Expr], factor: Expr) -> None:
    """Refuse a random quantity with an index of its own beside a sum or in it: it may be one of the sum's terms."""
    strangers = list(_random(factor))
    for node in sums:
        if node.limits[0][1] != 1 or len(node.limits) > 1:
            raise ValueError(f"E of {node}: single sums that start at 1 only")
        strangers += _strangers(_random(node.function), node.limits[0][:1])
    if strangers:
        raise ValueError(f"E of a sum with {strangers[0]}, which may be one of its terms")


@cache
def _moment(monomial: Expr, axioms: tuple[Axiom, ...]) -> Expr:
    """E of a product of powers of random quantities; an unknown E[...] where no axiom applies."""
    if monomial == 1:
        return Integer(1)
    if any(label not in RANDOM or not (power.is_Integer and power > 0) for label, _, power in _powers(monomial)):
        raise ValueError(f"E[{monomial}]: only polynomials in the random quantities can be evaluated")
    for axiom in axioms:
        known = axiom.rewrite(monomial)
        if known is not None:
            return known.replace(E, lambda inside: _linear(inside, axioms))
    return E(monomial)


def _label(factor: Expr) -> Expr:
    base = factor.as_base_exp()[0]
    return base.base.label if isinstance(base, Indexed) else base


def _powers(monomial: Expr) -> list[tuple[Expr, Expr, Expr]]:
    """Each factor of a monomial as (label, base, exponent): a_i^2 x_i gives (a, a_i, 2), (x, x_i, 1)."""
    return [(_label(factor), *factor.as_base_exp()) for factor in Mul.make_args(monomial)]


def _noise_and_inputs(monomial: Expr) -> Expr | None:
    noise = Mul(*(base**power for label, base, power in _powers(monomial) if label in NOISES))
    return None if 1 in (noise, monomial / noise) else E(noise) * E(monomial / noise)


def _apart(family: frozenset[Any]) -> Callable[[Expr], Expr | None]:
    """Members of one kind with distinct indices are independent: E of their product is the product of theirs."""

    def rewrite(monomial: Expr) -> Expr | None:
        powers = _powers(monomial)
        kinds = {label for label, _, _ in powers}
        if len(powers) < 2 or len(kinds) > 1 or not kinds <= family:
            return None
        return Mul(*(E(base**power) for _, base, power in powers))

    return rewrite


def _bits(monomial: Expr) -> Expr | None:
    lowered = Mul(*(base if label == a.label else base**power for label, base, power in _powers(monomial)))
    return None if lowered == monomial else E(lowered)


def _power_is(variable: Any, exponent: int, value: Any) -> Callable[[Expr], Expr | None]:
    def rewrite(monomial: Expr) -> Expr | None:
        matches = [(label, power) for label, _, power in _powers(monomial)] == [(variable.label, exponent)]
        return value if matches else None

    return rewrite


def _pair_is(variable: Any, value: Any) -> Callable[[Expr], Expr | None]:
    def rewrite(monomial: Expr) -> Expr | None:
        matches = [(label, power) for label, _, power in _powers(monomial)] == [(variable.label, 1)] * 2
        return value if matches else None

    return rewrite


def _noisy_pair_is(value: Expr) -> Callable[[Expr], Expr | None]:
    def rewrite(monomial: Expr) -> Expr | None:
        masks, inputs = (
            {base.indices for label, base, power in _powers(monomial) if label == kind.label and power == 1}
            for kind in (a, x)
        )
        return value if masks == inputs and len(masks) == 2 and len(_powers(monomial)) == 4 else None

    return rewrite


def _moments_of(variable: Any, law: Callable[[Any], Expr], low: Any, high: Any) -> Callable[[Expr], Expr | None]:
    """Every power of the variable integrates against its density."""

    @cache
    def moment(power: Expr) -> Expr:
        t = Dummy(real=True)
        return expand(integrate(t**power * law(t), (t, low, high)))

    def rewrite(monomial: Expr) -> Expr | None:
        ((label, _, power), *others) = _powers(monomial)
        return None if others or label != variable.label else moment(power)

    return rewrite


def _normal_density(mean: Any, deviation: Any) -> Callable[[Any], Expr]:
    return lambda t: exp(-((t - mean) ** 2) / (2 * deviation**2)) / (sqrt(2 * pi) * deviation)


def _gaussian(monomial: Expr) -> Expr | None:
    deviation = Dummy(positive=True)
    known = _moments_of(r, _normal_density(0, deviation), -oo, oo)(monomial)
    return None if known is None else known.subs(deviation, sigma)


def _rectified(variable: Any, mean: Any, deviation: Any) -> Callable[[Expr], Expr | None]:
    return _moments_of(variable, _normal_density(mean, deviation), 0, oo)


BITS = Axiom("bits", "aᵢ is 0 or 1, so aᵢᵏ = aᵢ", _bits)
RETAIN = Axiom("retain", "E[aᵢ] = p", _power_is(a, 1, p))
INDEPENDENT = Axiom("noise apart from inputs", "the noise is independent of the inputs", _noise_and_inputs)
MASKS_APART = Axiom("noises apart", "the noises of different inputs are independent", _apart(NOISES))
UNIT_MEAN = Axiom("unit mean", "E[nᵢ] = 1", _power_is(n, 1, Integer(1)))
NOISE_VARIANCE = Axiom("noise variance", "E[nᵢ²] = 1 + s²", _power_is(n, 2, 1 + s2))
UNIFORM = Axiom("uniform", "rᵢ ~ U(-β, β)", _moments_of(r, lambda _: 1 / (2 * beta), -beta, beta))
GAUSSIAN = Axiom("gaussian", "rᵢ ~ N(0, σ²)", _gaussian)
MEAN = Axiom("common mean", "E[xᵢ] = c", _power_is(x, 1, c))
VARIANCE = Axiom("common variance", "Var(xᵢ) = v, so E[xᵢ²] = c² + v", _power_is(x, 2, c**2 + v))
CORRELATION = Axiom(
    "common correlation", "Cov(xᵢ, xⱼ) = ρ v for i ≠ j, so E[xᵢ xⱼ] = c² + ρ v", _pair_is(x, c**2 + rho * v)
)
CORRELATION_AX = Axiom(
    "common correlation after noise",
    "aᵢ xᵢ and aⱼ xⱼ have the correlation ρᵃˣ for i ≠ j",
    _noisy_pair_is(p**2 * (c**2 + rho_ax * ((c**2 + v) / p - c**2))),
)
SAMPLES_APART = Axiom("samples apart", "xᵢ is independent of xⱼ for i ≠ j", _apart(INPUTS))
TRAINED_RELU = Axiom("rectified in training", "xᵢ = relu(zᵢ) with zᵢ ~ N(0, 1), as BN makes it", _rectified(x, 0, 1))
TESTED_RELU = Axiom(
    "rectified in test", "yᵢ = relu(zᵢ) with zᵢ ~ N(δ, τ²), shifted by the layers before", _rectified(y, drift, spread)
)

AXIOMS = (
    CORRELATION_AX,
    BITS,
    RETAIN,
    INDEPENDENT,
    MASKS_APART,
    UNIT_MEAN,
    NOISE_VARIANCE,
    UNIFORM,
    GAUSSIAN,
    MEAN,
    VARIANCE,
    CORRELATION,
    SAMPLES_APART,
    TRAINED_RELU,
    TESTED_RELU,
)
INPUT_AXIOMS = (MEAN, VARIANCE, CORRELATION)
DROPOUT_AXIOMS = (BITS, RETAIN, INDEPENDENT, MASKS_APART)
