from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from sympy import Expr, Integer, Rational, simplify

from theory import EQUATIONS
from theory.expectation import (
    BITS,
    CORRELATION,
    INDEPENDENT,
    MASKS_APART,
    MEAN,
    NOISE_VARIANCE,
    RETAIN,
    UNIT_MEAN,
    VARIANCE,
    Axiom,
    Cov,
    E,
    Var,
)
from theory.sums import vanishes
from theory.symbols import a, c, n, p, rho, s2, v, x
from theory.witness import AXIOMS, FiniteSpace, counter_models, law_witness, witness

WITNESS = witness(2)
MODELS = counter_models()
NAMES = ("eq5", "eq6", "eq7", "eq8", "eq9", "eq10")


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.name)
@pytest.mark.parametrize("size", [1, 2])
def test_the_witness_satisfies_every_axiom(size: int, axiom: Axiom):
    assert witness(size).satisfies(axiom)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_witness_is_a_probability_space_of_signs_and_masks(size: int):
    space = witness(size)
    assert len(space.outcomes) == 4**size
    assert vanishes(space.mean(Integer(1)) - 1)
    assert vanishes(space.value(E(x[1])) - c)
    assert vanishes(space.value(Var(x[size])) - v)
    assert vanishes(space.value(Var(a[1])) - p * (1 - p))
    assert size == 1 or vanishes(space.value(Cov(x[1], x[size])) - rho * v)
    assert not vanishes(space.value(Var(x[size])) - v * Rational(101, 100))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_witness_of_the_law_is_a_probability_space_of_uneven_inputs_beside_fair_noises(size: int):
    space, numbers = law_witness(size), range(1, size + 1)
    assert len(space.outcomes) == 2 ** (size + 1)
    assert all(
        point.keys() == {quantity[number] for quantity in (n, x) for number in numbers} for _, point in space.outcomes
    )
    assert [space.mean(x[number]) for number in numbers] == [Rational(number, 2) for number in numbers]
    assert [space.value(Var(x[number])) for number in numbers] == [Rational(9 * number**2, 4) for number in numbers]
    assert space.mean(n[size]) == space.mean(Integer(1)) == 1
    assert vanishes(space.value(Var(n[size])) - s2)
    assert vanishes(space.value(Cov(n[1], x[size])))
    assert size == 1 or vanishes(space.value(Cov(n[1], n[size])))
    assert all(space.satisfies(axiom) for axiom in (INDEPENDENT, MASKS_APART, UNIT_MEAN, NOISE_VARIANCE))
    assert not space.satisfies(MEAN)


def tampered(change: Mapping[Expr, Expr]) -> FiniteSpace:
    (weight, first), *others = WITNESS.outcomes
    return FiniteSpace(((weight, {**first, **change}), *others), {})


@pytest.mark.parametrize(
    ("change", "violated"),
    [
        ({a[1]: Rational(1, 2)}, {BITS, RETAIN, INDEPENDENT, MASKS_APART}),
        ({x[1]: Integer(7)}, {MEAN, VARIANCE, CORRELATION, INDEPENDENT}),
    ],
)
def test_one_tampered_outcome_is_noticed(change: Mapping[Expr, Expr], violated: set[Axiom]):
    space = tampered(change)
    assert {axiom for axiom in AXIOMS if not space.satisfies(axiom)} == violated


def test_probabilities_that_are_tampered_with_are_noticed():
    (weight, first), *others = WITNESS.outcomes
    assert not FiniteSpace(((2 * weight, first), *others), {}).satisfies(MEAN)


def test_there_is_a_counter_model_of_every_axiom():
    assert set(MODELS) == set(AXIOMS)


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.name)
def test_a_counter_model_violates_its_axiom_and_no_other(axiom: Axiom):
    space = MODELS[axiom]
    assert {other for other in AXIOMS if not space.satisfies(other)} == {axiom}
    assert sum(weight for weight, _ in space.outcomes) == 1
    assert all(point.keys() == {a[1], a[2], x[1], x[2]} for _, point in space.outcomes)
    assert all(weight > 0 for weight, _ in space.outcomes if weight != 0)


def at_numbers(space: FiniteSpace, numbers: Mapping[Expr, Expr]) -> FiniteSpace:
    outcomes = ((weight, {q: value.subs(numbers) for q, value in point.items()}) for weight, point in space.outcomes)
    return FiniteSpace(tuple((weight.subs(numbers), point) for weight, point in outcomes), numbers)


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_is_true_where_all_axioms_are(name: str):
    # With these the inputs are rational: 2 (1 - 7/25) and 2 (1 + 7/25) are squares.
    numbers = {p: Rational(1, 4), c: Integer(3), v: Integer(2), rho: Rational(7, 25)}
    space = at_numbers(WITNESS, numbers)
    assert space.obeys(EQUATIONS[name])
    assert not FiniteSpace(space.outcomes, numbers | {v: Integer(8)}).obeys(EQUATIONS[name])


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.name)
@pytest.mark.parametrize("name", NAMES)
def test_an_equation_is_false_in_a_counter_model_exactly_where_it_needs_the_axiom(name: str, axiom: Axiom):
    assert MODELS[axiom].obeys(EQUATIONS[name]) == (axiom not in EQUATIONS[name].needs)


def test_the_counter_model_of_shared_masks_by_hand():
    space = MODELS[MASKS_APART]
    assert space.value(E(a[1] * a[2])) == Rational(1, 2)  # independent masks would say 1/4
    assert space.value(E(x[1])) == 1
    assert space.value(Var(x[1])) == 1
    assert space.value(Cov(x[1], x[2])) == Rational(1, 2)


def test_the_counter_model_of_a_mask_that_peeks_by_hand():
    space = MODELS[INDEPENDENT]
    assert space.value(E(a[2] * x[1])) == 1  # an independent mask would say 1/2
    assert space.value(E(a[1] * x[1])) == Rational(1, 2)
    assert space.value(Cov(a[1], a[2])) == 0


def coins(quantities: tuple[Any, ...], points: Sequence[tuple[int, ...]]) -> FiniteSpace:
    outcomes = tuple(
        (Rational(1, len(points)), {q: Integer(value) for q, value in zip(quantities, point, strict=True)})
        for point in points
    )
    return FiniteSpace(outcomes, {})


def test_a_finite_space_computes_by_plain_sums():
    points = [(0, 3), (1, -1), (1, 2), (0, 5), (1, 1)]
    space = coins((a[1], x[1]), points)
    mean = Fraction(sum(bit * value**2 for bit, value in points), 5)
    assert space.value(E(a[1] * x[1] ** 2)) == Rational(mean.numerator, mean.denominator)
    assert space.value(3 * E(x[1]) ** 2 + c) == 12 + c
    assert space.value(Var(x[1])) == 4
    assert space.value(Cov(a[1], x[1])) == Rational(2, 5) - Rational(3, 5) * 2


def test_two_fair_coins_satisfy_the_axioms_of_masks_only_with_their_own_retain():
    free = list(product((0, 1), repeat=2))
    half = FiniteSpace(coins((a[1], a[2]), free).outcomes, {p: Rational(1, 2)})
    third = FiniteSpace(half.outcomes, {p: Rational(1, 3)})
    assert [half.satisfies(axiom) for axiom in (BITS, RETAIN, MASKS_APART)] == [True, True, True]
    assert [third.satisfies(axiom) for axiom in (BITS, RETAIN, MASKS_APART)] == [True, False, True]


def test_the_witness_at_numbers_obeys_eq5_by_hand():
    numbers = {p: Rational(1, 4), c: Integer(2), v: Integer(9), rho: Rational(-1, 3)}
    trained = WITNESS.value(Var(a[1] * x[1] / p)).subs(numbers)
    assert simplify(trained) == (4 + 9) * 4 - 4
