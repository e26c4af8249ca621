import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations, product
from math import prod
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Add, Expr, Integer, Mul, Rational, Sum, expand, oo, pi, sqrt

from theory.expectation import (
    AXIOMS,
    BITS,
    CORRELATION,
    CORRELATION_AX,
    DROPOUT_AXIOMS,
    GAUSSIAN,
    INDEPENDENT,
    INPUT_AXIOMS,
    MASKS_APART,
    MEAN,
    NOISE_VARIANCE,
    RETAIN,
    SAMPLES_APART,
    TESTED_RELU,
    TRAINED_RELU,
    UNIFORM,
    UNIT_MEAN,
    VARIANCE,
    Axiom,
    Cov,
    E,
    Var,
    reduce_moments,
)
from theory.sums import PairSum, concrete, total, vanishes
from theory.symbols import a, beta, c, d, drift, i, j, k, n, p, r, rho, rho_ax, s2, sigma, spread, u, v, w, x, y, z

few = settings(deadline=None, max_examples=30)
fractions = st.fractions(-3, 3, max_denominator=4)
EVERYTHING = DROPOUT_AXIOMS + INPUT_AXIOMS
QUANTITIES = (a[1], a[2], x[1], x[2])


def exact(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


@given(fractions, fractions, st.integers(1, 3))
@few
def test_expectation_is_linear(one: Fraction, two: Fraction, power: int):
    f, g = x[k] ** power, a[k] * x[j]
    mixed = reduce_moments(E(exact(one) * c * f + exact(two) * g + p), ())
    assert vanishes(mixed - exact(one) * c * E(f) - exact(two) * E(g) - p)
    assert not vanishes(mixed - exact(one) * c * E(f) - exact(two) * E(g) - p - Rational(1, 100))


def test_expectation_is_not_multiplicative():
    assert reduce_moments(E(x[i] * x[j]), ()) == E(x[i] * x[j])
    assert reduce_moments(E(x[k] ** 2) - E(x[k]) ** 2, ()) != 0


def test_a_number_is_its_own_expectation_and_has_no_variance():
    assert reduce_moments(E(c + 2 * v), ()) == c + 2 * v
    assert vanishes(reduce_moments(Var(c + 2 * v), ()))
    assert not vanishes(reduce_moments(Var(w[1] * x[1]), ()))


def test_variance_and_covariance_are_their_definitions():
    assert vanishes(reduce_moments(Var(2 * x[k] + c), ()) - 4 * (E(x[k] ** 2) - E(x[k]) ** 2))
    assert vanishes(reduce_moments(Cov(x[i], 3 * x[j] + c), ()) - 3 * (E(x[i] * x[j]) - E(x[i]) * E(x[j])))
    assert vanishes(reduce_moments(Cov(x[k], x[k]) - Var(x[k]), ()))
    assert not vanishes(reduce_moments(Cov(x[i], x[j]) - Var(x[i]), ()))


REWRITES: list[tuple[Axiom, Expr, Expr]] = [
    (BITS, E(a[k] ** 3 * x[k] ** 2), E(a[k] * x[k] ** 2)),
    (BITS, E(a[i] ** 2 * a[j] ** 2), E(a[i] * a[j])),
    (RETAIN, E(a[k]), p),
    (INDEPENDENT, E(a[i] * a[j] * x[i] * x[j]), E(a[i] * a[j]) * E(x[i] * x[j])),
    (INDEPENDENT, E(n[k] ** 2 * z), E(n[k] ** 2) * E(z)),
    (MASKS_APART, E(a[i] ** 2 * a[j]), E(a[i] ** 2) * E(a[j])),
    (MASKS_APART, E(n[i] * n[j]), E(n[i]) * E(n[j])),
    (UNIT_MEAN, E(n[k]), Integer(1)),
    (NOISE_VARIANCE, E(n[k] ** 2), 1 + s2),
    (UNIFORM, E(r[k] ** 2), beta**2 / 3),
    (GAUSSIAN, E(r[k] ** 2), sigma**2),
    (MEAN, E(x[k]), c),
    (VARIANCE, E(x[k] ** 2), c**2 + v),
    (CORRELATION, E(x[i] * x[j]), c**2 + rho * v),
    (CORRELATION_AX, E(a[i] * a[j] * x[i] * x[j]), p**2 * (c**2 + rho_ax * ((c**2 + v) / p - c**2))),
    (SAMPLES_APART, E(x[i] ** 2 * x[j]), E(x[i] ** 2) * E(x[j])),
    (TRAINED_RELU, E(x[k]), 1 / sqrt(2 * pi)),
    (TRAINED_RELU, E(x[k] ** 2), Rational(1, 2)),
]
UNTOUCHED: list[tuple[Axiom, Expr]] = [
    (BITS, E(x[k] ** 2 * a[k])),
    (BITS, E(n[k] ** 2)),
    (RETAIN, E(a[k] ** 2)),
    (RETAIN, E(a[i] * a[j])),
    (RETAIN, E(n[k])),
    (INDEPENDENT, E(a[i] * a[j])),
    (INDEPENDENT, E(x[i] * x[j])),
    (MASKS_APART, E(x[i] * x[j])),
    (MASKS_APART, E(a[i] * x[i])),
    (MASKS_APART, E(a[k] ** 2)),
    (UNIT_MEAN, E(n[k] ** 2)),
    (UNIT_MEAN, E(a[k])),
    (NOISE_VARIANCE, E(n[k])),
    (NOISE_VARIANCE, E(n[i] * n[j])),
    (UNIFORM, E(a[k] ** 2)),
    (UNIFORM, E(r[i] * r[j])),
    (GAUSSIAN, E(x[k] ** 2)),
    (MEAN, E(x[k] ** 2)),
    (MEAN, E(y[k])),
    (MEAN, E(z)),
    (VARIANCE, E(x[k])),
    (VARIANCE, E(x[i] * x[j])),
    (CORRELATION, E(x[k] ** 2)),
    (CORRELATION, E(x[i] ** 2 * x[j])),
    (CORRELATION, E(a[i] * a[j])),
    (CORRELATION_AX, E(x[i] * x[j])),
    (SAMPLES_APART, E(x[k] ** 2)),
    (SAMPLES_APART, E(a[i] * x[j])),
    (TRAINED_RELU, E(y[k])),
    (TESTED_RELU, E(x[k])),
]


@pytest.mark.parametrize(("axiom", "moment", "value"), REWRITES)
def test_an_axiom_rewrites_what_it_says_and_without_it_the_moment_stays_unknown(
    axiom: Axiom, moment: Expr, value: Expr
):
    assert vanishes(reduce_moments(moment, (axiom,)) - value)
    assert reduce_moments(moment, ()) == moment
    assert not vanishes(moment - value)


@pytest.mark.parametrize(("axiom", "moment"), UNTOUCHED)
def test_an_axiom_rewrites_nothing_else(axiom: Axiom, moment: Expr):
    assert reduce_moments(moment, (axiom,)) == moment


def test_every_axiom_is_held_to_what_it_says_and_has_a_name_of_its_own():
    assert {axiom for axiom, *_ in REWRITES} | {TESTED_RELU} == set(AXIOMS)
    assert {axiom for axiom, _ in UNTOUCHED} == set(AXIOMS)
    assert len({axiom.name for axiom in AXIOMS}) == len(AXIOMS)
    assert all(axiom.says for axiom in AXIOMS)


@pytest.mark.parametrize("power", [1, 2, 3, 4, 5, 6])
def test_noises_have_the_moments_of_their_distributions(power: int):
    odd = power % 2
    uniform = 0 if odd else beta**power / (power + 1)
    normal = 0 if odd else prod(range(1, power, 2)) * sigma**power
    assert vanishes(reduce_moments(E(r[k] ** power), (UNIFORM,)) - uniform)
    assert vanishes(reduce_moments(E(r[k] ** power), (GAUSSIAN,)) - normal)
    assert odd or not vanishes(reduce_moments(E(r[k] ** power), (GAUSSIAN,)) - uniform)


@pytest.mark.parametrize("at", [(0.0, 1.0), (0.7, 1.3), (-1.1, 0.4)])
@pytest.mark.parametrize("power", [1, 2])
def test_a_rectified_normal_has_the_moments_of_an_integral_by_steps(power: int, at: tuple[float, float]):
    mean, deviation = at
    step = 12 * deviation / 40_000
    middles = [(number + 0.5) * step for number in range(int((max(mean, 0) + 12 * deviation) / step))]
    density = [math.exp(-(((t - mean) / deviation) ** 2) / 2) for t in middles]
    by_steps = sum(t**power * weight for t, weight in zip(middles, density, strict=True)) * step
    by_steps /= math.sqrt(2 * math.pi) * deviation
    moment = reduce_moments(E(y[k] ** power), (TESTED_RELU,))
    value = float(moment.subs({drift: Rational(str(mean)), spread: Rational(str(deviation))}))
    assert value == pytest.approx(by_steps, rel=1e-6)


def test_the_expectation_of_a_product_of_two_sums_is_its_expansion():
    left, right = total(w[i] * x[i], d), total(u[j] * a[j] * x[j], d, j)
    reduced = reduce_moments(E(left * right), ())
    for size in (1, 2, 3):
        indices = range(1, size + 1)
        expansion = Add(*(w[s] * u[t] * E(x[s] * a[t] * x[t]) for s, t in product(indices, repeat=2)))
        assert expand(concrete(reduced, size, d) - expansion) == 0
        assert expand(concrete(reduced, size, d) - expansion - E(x[1] * a[1] * x[1])) != 0


def test_the_expectation_of_a_pair_sum_is_taken_inside():
    pairs = cast(Expr, PairSum(w[i] * w[j] * x[i] * x[j], d))
    assert vanishes(reduce_moments(E(pairs), (CORRELATION,)) - (c**2 + rho * v) * cast(Expr, PairSum(w[i] * w[j], d)))


def test_the_product_of_three_sums_is_refused_rather_than_guessed():
    one = total(x[i], d)
    with pytest.raises(ValueError, match="3 sums"):
        reduce_moments(E(one * total(w[i] * x[i], d) * total(u[i] * x[i], d)), ())


OUTSIDE: list[tuple[Expr, Expr]] = [
    (x[i] * total(w[i] * x[i], d), total(w[i] * E(x[i] ** 2), d)),
    (x[k] * total(x[i], d), d * (c**2 + rho * v)),
    (total(x[k] * x[i], d), d * (c**2 + rho * v)),
    (total(x[1] * x[i], d), d * (c**2 + rho * v)),
]


@pytest.mark.parametrize(("inside", "captured"), OUTSIDE)
def test_an_index_outside_a_sum_is_not_taken_for_one_inside(inside: Expr, captured: Expr):
    """E[x_k sum_i x_i] has one term with i = k: a value that forgets it is wrong, a refusal is fine."""
    try:
        reduced = reduce_moments(E(inside), (CORRELATION,))
    except ValueError:
        return
    assert not vanishes(reduced - captured)


Points = Sequence[tuple[Fraction, ...]]


def exchangeable(patterns: Sequence[tuple[Fraction, ...]]) -> list[tuple[Fraction, ...]]:
    """Equally likely points whose coordinates all play the same part: one mean, one variance, one correlation."""
    return [point for pattern in patterns for point in permutations(pattern)]


def parameters(points: Points, retain: Fraction) -> dict[Any, Any]:
    """What p, c, v and rho are for these points."""
    count = len(points)
    mean = sum((point[0] for point in points), Fraction(0)) / count
    variance = sum(((point[0] - mean) ** 2 for point in points), Fraction(0)) / count
    assume(variance > 0)
    covariance = sum(((point[0] - mean) * (point[1] - mean) for point in points), Fraction(0)) / count
    return {p: exact(retain), c: exact(mean), v: exact(variance), rho: exact(covariance / variance)}


def outcomes(points: Points, retain: Fraction) -> list[tuple[Fraction, tuple[int, ...], tuple[Fraction, ...]]]:
    masks = list(product((0, 1), repeat=len(points[0])))
    return [
        (prod((retain if bit else 1 - retain for bit in mask), start=Fraction(1)) / len(points), mask, point)
        for mask in masks
        for point in points
    ]


def pattern_lists(size: int) -> st.SearchStrategy[list[tuple[Fraction, ...]]]:
    return st.lists(st.tuples(*[fractions] * size), min_size=1, max_size=2)


retains = st.fractions(Fraction(1, 5), 1, max_denominator=5)
# Exponents of a_1, a_2, x_1, x_2, of second order in the inputs, which is all that the axioms speak of.
orders = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)).filter(
    lambda chosen: chosen[2] + chosen[3] <= 2
)


@few
@given(st.lists(st.tuples(fractions, orders), min_size=1, max_size=4), pattern_lists(2), retains)
def test_expectations_are_sums_over_a_finite_space(
    terms: list[tuple[Fraction, tuple[int, int, int, int]]], patterns: list[tuple[Fraction, ...]], retain: Fraction
):
    points = exchangeable(patterns)
    expected = sum(
        weight * factor * prod((q**power for q, power in zip((*mask, *point), chosen, strict=True)), start=Fraction(1))
        for weight, mask, point in outcomes(points, retain)
        for factor, chosen in terms
    )
    inside = Add(
        *(exact(f) * Mul(*(q**power for q, power in zip(QUANTITIES, chosen, strict=True))) for f, chosen in terms)
    )
    known = parameters(points, retain)
    assert reduce_moments(E(inside), EVERYTHING).subs(known) == exact(Fraction(expected))


@few
@given(st.lists(fractions, min_size=3, max_size=3), pattern_lists(3), retains)
def test_the_variance_of_a_masked_sum_is_a_sum_over_a_finite_space(
    weights: list[Fraction], patterns: list[tuple[Fraction, ...]], retain: Fraction
):
    points = exchangeable(patterns)
    values = [
        (
            weight,
            sum((w_i * bit / retain * x_i for w_i, bit, x_i in zip(weights, mask, point, strict=True)), Fraction(0)),
        )
        for weight, mask, point in outcomes(points, retain)
    ]
    mean = sum((weight * value for weight, value in values), Fraction(0))
    expected = sum((weight * (value - mean) ** 2 for weight, value in values), Fraction(0))
    known = parameters(points, retain) | {w[number]: exact(value) for number, value in enumerate(weights, start=1)}
    reduced = concrete(reduce_moments(Var(total(w[i] * a[i] * x[i] / p, d)), EVERYTHING), 3, d)
    assert reduced.subs(known) == exact(expected)
    assert reduced.subs(known | {p: known[p] / 2}) != exact(expected) or not any(weights) or not expected


def test_no_axiom_makes_a_moment_infinite():
    for axiom, moment, _ in REWRITES:
        assert not reduce_moments(moment, (axiom,)).has(oo, -oo)


@pytest.mark.parametrize(
    ("inside", "axioms"),
    [
        (z * x[k], (SAMPLES_APART,)),
        (x[k] * y[k], (SAMPLES_APART,)),
        (a[k] * r[k], (MASKS_APART,)),
        (a[i] * a[j] * x[i] * x[k], (CORRELATION_AX,)),
        (a[i] ** 2 * a[j] * x[i] * x[j], (CORRELATION_AX,)),
        (n[i] * n[j] * y[i] * y[j], (CORRELATION_AX,)),
    ],
)
def test_quantities_of_two_kinds_or_of_crossed_indices_stay_together(inside: Expr, axioms: tuple[Axiom, ...]) -> None:
    assert reduce_moments(E(inside), axioms) == E(inside)


def test_a_covariance_alone_is_reduced():
    assert reduce_moments(Cov(x[i], x[j]), (MEAN, CORRELATION)) == rho * v


def test_a_sum_over_any_index_keeps_it():
    assert reduce_moments(E(total(u[k] * x[k], d, k)), ()) == total(u[k] * E(x[k]), d, k)


BESIDE = [1 / a[k], total(x[i], d) ** -1, Sum(x[i], (i, 2, d)), Sum(x[i] * x[j], (i, 1, d), (j, 1, d))]


@pytest.mark.parametrize("inside", BESIDE)
def test_what_is_no_polynomial_or_starts_elsewhere_is_refused(inside: Expr) -> None:
    with pytest.raises(ValueError, match="only"):
        reduce_moments(E(inside), (BITS, RETAIN, MEAN))


def test_the_expectation_of_nothing_is_nothing() -> None:
    assert reduce_moments(E(x[k] - x[k]), (MEAN,)) == 0
