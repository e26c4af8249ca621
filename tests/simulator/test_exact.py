import math
import re
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import FiniteInputs, enumerate_dropout, enumerate_masked_pair, one_hot_plus_shift

few = settings(deadline=None, max_examples=25)
fractions = st.fractions(-3, 3, max_denominator=6)
retains = st.fractions(Fraction(1, 10), 1, max_denominator=10)


@st.composite
def inputs_and_weights(draw: st.DrawFn) -> tuple[FiniteInputs, list[Fraction]]:
    d = draw(st.integers(1, 4))
    points = draw(st.lists(st.tuples(*[fractions] * d), min_size=1, max_size=4))
    return FiniteInputs(tuple(points)), draw(st.lists(fractions, min_size=d, max_size=d))


def by_hand(inputs: FiniteInputs, weights: list[Fraction], retain: Fraction) -> tuple[Fraction, Fraction]:
    """E[X] and Var[X], written out: a sum over masks and points."""
    outcomes = []
    for point, mask in product(inputs.points, product((0, 1), repeat=inputs.d)):
        probability = retain ** sum(mask) * (1 - retain) ** (inputs.d - sum(mask)) / len(inputs.points)
        outcomes.append((probability, sum(w * a / retain * x for w, a, x in zip(weights, mask, point, strict=True))))
    mean = sum(probability * x for probability, x in outcomes)
    return Fraction(mean), Fraction(sum(probability * (x - mean) ** 2 for probability, x in outcomes))


@few
@given(inputs_and_weights(), retains)
def test_enumeration_is_the_sum_over_masks_and_points(case: tuple[FiniteInputs, list[Fraction]], retain: Fraction):
    inputs, weights = case
    result = enumerate_dropout(inputs, weights, retain)
    assert (result.mean_train, result.var_train) == by_hand(inputs, weights, retain)
    assert (result.mean_test, result.var_test) == by_hand(inputs, weights, Fraction(1))
    assert result.mean_train == result.mean_test


def test_one_coin_and_one_mask_by_hand():
    result = enumerate_dropout(FiniteInputs(((Fraction(-1),), (Fraction(1),))), [1], Fraction(1, 2))
    # X is -2, 0, 0 or 2 in training, and -1 or 1 in test.
    assert (result.mean_train, result.var_train, result.var_test, result.shift) == (0, 2, 1, Fraction(1, 2))
    result = enumerate_dropout(FiniteInputs(((Fraction(1),), (Fraction(2),))), [1], Fraction(1, 2))
    # X is 0, 0, 2 or 4 in training, and 1 or 2 in test.
    assert (result.mean_train, result.var_train, result.mean_test) == (Fraction(3, 2), Fraction(11, 4), Fraction(3, 2))
    assert (result.var_test, result.shift) == (Fraction(1, 4), Fraction(1, 11))


def test_a_shared_mask_hits_a_sum_harder_than_independent_ones():
    always_one = FiniteInputs(((Fraction(1), Fraction(1)),))
    assert enumerate_dropout(always_one, [1, 1], Fraction(1, 2)).var_train == 2  # a_1/p + a_2/p is 0, 2, 2 or 4
    assert enumerate_dropout(always_one, [1, 1], Fraction(1, 2), masks="shared").var_train == 4  # 2a/p is 0 or 4


@few
@given(st.integers(2, 5), fractions, st.lists(fractions, min_size=1, max_size=4), retains)
def test_one_hot_plus_shift_is_exchangeable(d: int, height: Fraction, shifts: list[Fraction], retain: Fraction):
    inputs = one_hot_plus_shift(d, height, shifts)
    assert len(inputs.points) == d * len(shifts)
    assert inputs.mean == height / d + sum(shifts) / len(shifts)
    if inputs.variance > 0:
        assert Fraction(-1, d - 1) <= inputs.correlation <= 1
        assert enumerate_masked_pair(inputs, retain) == enumerate_masked_pair(inputs, retain, d - 1, 0)
        assert enumerate_masked_pair(inputs, 1).correlation == inputs.correlation


def test_both_ends_of_the_correlation_are_reached():
    assert one_hot_plus_shift(5, 1, [0]).correlation == Fraction(-1, 4)
    assert one_hot_plus_shift(5, 0, [0, 1]).correlation == 1


def test_masking_a_pair_by_hand():
    pair = enumerate_masked_pair(
        FiniteInputs(((Fraction(1), Fraction(1)), (Fraction(-1), Fraction(-1)))), Fraction(1, 2)
    )
    # Both are x or 0: variance 1/2 each; the product is 1 with probability 1/4.
    assert (pair.covariance, pair.variances, pair.correlation) == (
        Fraction(1, 4),
        (Fraction(1, 2), Fraction(1, 2)),
        Fraction(1, 2),
    )
    shared = enumerate_masked_pair(
        FiniteInputs(((Fraction(1), Fraction(1)), (Fraction(-1), Fraction(-1)))), Fraction(1, 2), masks="shared"
    )
    assert shared.correlation == 1


UNEQUAL = FiniteInputs(((Fraction(0), Fraction(0)), (Fraction(1), Fraction(2))))


POINTS = "points: must be one or more points, all with the same number d >= 1 of coordinates"
RATIONAL = "must be an int or a Fraction, to stay exact"
REFUSED = [
    (lambda: FiniteInputs(()), POINTS),
    (lambda: FiniteInputs(((),)), POINTS),
    (lambda: FiniteInputs(((Fraction(1),), (Fraction(1), Fraction(2)))), POINTS),
    (lambda: FiniteInputs(((0.5,),)), f"points' coordinate = 0.5: {RATIONAL}"),  # pyright: ignore
    (lambda: UNEQUAL.mean, "mean: not common to all coordinates"),
    (lambda: UNEQUAL.variance, "variance: not common to all coordinates"),
    (lambda: UNEQUAL.correlation, "variance: not common to all coordinates"),
    (
        lambda: one_hot_plus_shift(1, 1, [0, 1]).correlation,
        "correlation: needs d >= 2 and v > 0, here d = 1 and v = 1/4",
    ),
    (
        lambda: one_hot_plus_shift(2, 0, [1]).correlation,
        "correlation: needs d >= 2 and v > 0, here d = 2 and v = 0",
    ),
    (lambda: one_hot_plus_shift(2, 1, []), "shifts: must hold one number or more"),
    (lambda: one_hot_plus_shift(2, 0.5, [1]), f"height = 0.5: {RATIONAL}"),  # pyright: ignore
    (lambda: one_hot_plus_shift(2, 1, [0.5]), f"shifts = 0.5: {RATIONAL}"),  # pyright: ignore
    (lambda: one_hot_plus_shift(0, 1, [0]), "d = 0: must be a whole number >= 1"),
    (lambda: enumerate_dropout(UNEQUAL, [1], 1), "weights' length = 1: must be d = 2"),
    (lambda: enumerate_dropout(UNEQUAL, [1, 0.5], 1), f"weights = 0.5: {RATIONAL}"),  # pyright: ignore
    (lambda: enumerate_dropout(UNEQUAL, [1, 1], 0), "retain = 0: must lie in 0 < retain <= 1"),
    (lambda: enumerate_dropout(UNEQUAL, [1, 1], Fraction(3, 2)), "retain = 3/2: must lie in 0 < retain <= 1"),
    (lambda: enumerate_dropout(UNEQUAL, [1, 1], 0.5), f"retain = 0.5: {RATIONAL}"),  # pyright: ignore
    (
        lambda: enumerate_dropout(UNEQUAL, [1, 1], 1, "some"),  # pyright: ignore
        "masks = some: must be one of independent, shared",
    ),
    (
        lambda: enumerate_dropout(one_hot_plus_shift(20, 1, [0]), [1] * 20, 1),
        "2^d * points = 2^20 * 20: must be <= 1048576",
    ),
    (lambda: enumerate_masked_pair(UNEQUAL, 1, 0, 0), "(i, j) = (0, 0): must be two different coordinates in 0 ... 1"),
    (lambda: enumerate_masked_pair(UNEQUAL, 1, 0, 2), "(i, j) = (0, 2): must be two different coordinates in 0 ... 1"),
    (lambda: enumerate_masked_pair(UNEQUAL, 1).correlation, "variance of a_i x_i: not common to all coordinates"),
    (
        lambda: enumerate_masked_pair(one_hot_plus_shift(2, 0, [0]), 1).correlation,
        "correlation: needs Var(a_i x_i) > 0, here 0",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[f"{i}-{message}" for i, (_, message) in enumerate(REFUSED)])
def test_what_cannot_be_enumerated_is_refused(call, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_as_many_masks_and_points_as_are_allowed_are_enumerated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simulator.exact.LARGEST", 2**3 * 3)
    assert enumerate_dropout(one_hot_plus_shift(3, 1, [0]), [1, 1, 1], 1).mean_test == 1
    with pytest.raises(ValueError, match="must be <= 24"):
        enumerate_dropout(one_hot_plus_shift(3, 1, [0, 1]), [1, 1, 1], 1)


def test_whole_numbers_become_fractions():
    inputs = FiniteInputs(((1, 2), (3, 4)))  # pyright: ignore
    assert all(type(x) is Fraction for point in inputs.points for x in point)


def test_a_shared_mask_has_no_limit_on_d():
    result = enumerate_dropout(one_hot_plus_shift(40, 1, [0]), [1] * 40, Fraction(1, 4), masks="shared")
    assert math.isclose(result.var_train, 3)  # sum x = 1 always, so X is 4 with probability 1/4
