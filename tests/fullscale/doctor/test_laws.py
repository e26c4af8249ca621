"""The laws of random numbers, against the numbers themselves."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fullscale.doctor.laws import Law, bernoulli, computed, drawn, normal, uniform

aten = torch.ops.aten
N = 20_000
scalars = st.floats(-3, 3).filter(lambda scalar: abs(scalar) > 0.1)


def sample(law: Law, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.empty(N, dtype=torch.float64)
    match law.family:
        case "bernoulli":
            return x.bernoulli_(law.mean, generator=generator)
        case "uniform":
            return x.uniform_(law.low, law.high, generator=generator)
        case "normal":
            return x.normal_(law.mean, law.var**0.5, generator=generator)


def obeys(x: Tensor, law: Law) -> bool:
    """Whether numbers have a law's moments and stay within its borders, but for 6 standard errors."""
    centred = (x - law.mean) ** 2
    moments = abs(x.mean() - law.mean) < 6 * (law.var / N) ** 0.5 + 1e-9
    spread = abs(centred.mean() - law.var) < 6 * centred.std() / N**0.5 + 1e-9
    return bool(moments and spread and x.min() >= law.low - 1e-9 and x.max() <= law.high + 1e-9)


laws = st.one_of(
    st.builds(bernoulli, st.floats(0.1, 0.9)),
    st.builds(lambda low, width: uniform(low, low + width), st.floats(-1, 1), st.floats(0.1, 2)),
    st.builds(normal, st.floats(-1, 1), st.floats(0.1, 2)),
)
OPS = [aten.mul, aten.add, aten.sub, aten.div]


@given(laws, st.sampled_from(OPS), scalars, st.integers(0, 2**31))
def test_arithmetic_with_a_scalar(law, op, scalar, seed):
    x, made = sample(law, seed), computed(op, law, [scalar], reverse=False)
    assert obeys(x, law)
    assert made is not None
    assert obeys(op(x, scalar), made)
    assert not obeys(op(x, scalar) + 0.2 * made.var**0.5, made)


@pytest.mark.parametrize("law", [bernoulli(0.5), uniform(0, 1), normal(1, 2)], ids=lambda law: law.family)
def test_of_numbers_times_zero_nothing_is_left_to_chance(law: Law) -> None:
    made = computed(aten.mul, law, [0.0], reverse=False)
    assert made is not None
    assert made == uniform(0, 0) == made.times(2)
    assert made.below(0.5) == bernoulli(1)
    assert made.below(-0.5) == bernoulli(0)
    assert made.below(0) is None


@given(laws, scalars, st.integers(0, 2**31))
def test_a_scalar_may_come_first_where_the_order_matters(law, scalar, seed):
    made = computed(aten.sub, law, [scalar], reverse=True)
    assert made is not None
    assert obeys(scalar - sample(law, seed), made)
    assert made == computed(aten.rsub, law, [scalar], reverse=False)
    assert computed(aten.div, law, [scalar], reverse=True) is None


@given(st.floats(0.05, 0.95), st.integers(-2, 2), st.integers(0, 2**31))
def test_the_floor_of_a_uniform_number_of_width_1_is_a_bernoulli_mask(kept, whole, seed):
    law = uniform(whole + kept, whole + kept + 1)
    made = law.floor()
    assert made is not None
    assert (made.family, made.mean) == ("bernoulli", pytest.approx(whole + kept))
    assert obeys(sample(law, seed).floor(), made)


@given(st.floats(-1, 1), st.floats(0.1, 2), st.floats(-0.2, 1.2), st.sampled_from([aten.lt, aten.le, aten.gt, aten.ge]))
def test_comparing_a_uniform_number_gives_a_mask(low, width, where, op):
    law, threshold = uniform(low, low + width), low + where * width
    made = computed(op, law, [threshold], reverse=False)
    assert made is not None
    assert obeys(op(sample(law, 1), threshold).double(), made)


@pytest.mark.parametrize("law", [normal(0, 1), bernoulli(0.5), uniform(0, 2)])
def test_what_is_not_followed_has_no_law(law):
    assert law.floor() is None
    assert computed(aten.exp, law, [], reverse=False) is None
    assert computed(aten.pow, law, [2.0], reverse=False) is None


def test_the_noise_of_mean_1_that_a_law_makes() -> None:
    assert bernoulli(0.8).times(1 / 0.8).s2 == pytest.approx(0.25)
    assert uniform(-0.3, 0.3).s2 == pytest.approx(0.03)
    assert normal(1, 0.5).s2 == pytest.approx(0.25)
    assert normal(2, 0.5).s2 == pytest.approx(0.0625)


def test_one_probability_for_all_is_a_law_and_several_are_none() -> None:
    assert drawn(aten.bernoulli, {"self": torch.full((3,), 0.25)}) == bernoulli(0.25)
    assert drawn(aten.bernoulli, {"self": torch.tensor([0.25, 0.5])}) is None
    assert drawn(aten.exponential_, {"self": torch.zeros(3), "lambd": 1.0}) is None
    assert drawn(aten.randn, {}) == normal(0, 1)
    assert math.isinf(normal(0, 1).low)


MASK = bernoulli(0.25)


@given(laws, st.sampled_from([aten.mul, aten.add]), scalars)
def test_sums_and_products_are_the_same_whichever_comes_first(law, op, scalar):
    assert computed(op, law, [scalar], reverse=True) == computed(op, law, [scalar], reverse=False)


@pytest.mark.parametrize("op", [aten.eq, aten.ne])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_held_against_a_number_is_the_mask_or_its_opposite(op, value):
    made = computed(op, MASK, [value], reverse=False)
    assert made is not None
    assert obeys(op(sample(MASK, 1), value).double(), made)
    assert made in (MASK, bernoulli(0.75))


@pytest.mark.parametrize("op", [aten.logical_not, aten.bitwise_not])
def test_the_opposite_of_a_mask_is_one(op):
    assert computed(op, MASK, [], reverse=False) == bernoulli(0.75)


@pytest.mark.parametrize("law", [uniform(0, 1), normal(0, 1), MASK.times(2), MASK.plus(1), MASK.times(-1)])
@pytest.mark.parametrize("op", [aten.eq, aten.ne])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_of_what_is_no_mask_nobody_knows_how_often_it_equals_a_number(op, law, value):
    assert computed(op, law, [value], reverse=False) is None
    assert computed(aten.logical_not, law, [], reverse=False) is None


def test_a_mask_is_never_2():
    assert computed(aten.eq, MASK, [2.0], reverse=False) is None
    assert computed(aten.ne, MASK, [2.0], reverse=False) is None


@pytest.mark.parametrize("op", [aten.lt, aten.le, aten.gt, aten.ge])
def test_of_numbers_that_are_not_uniform_no_comparison_is_followed(op):
    assert computed(op, normal(0, 1), [0.5], reverse=False) is None
    assert computed(op, MASK, [0.5], reverse=False) is None


def test_as_integers_numbers_are_rounded_towards_0():
    assert MASK.counted() == MASK
    assert uniform(0.25, 1.25).counted() == bernoulli(0.25)
    assert uniform(0, 1).counted() == bernoulli(0)
    assert uniform(-0.5, 0.5).counted() is None
    assert normal(0, 1).counted() is None
    assert MASK.times(2).counted() is None


def test_a_width_of_1_may_be_off_by_what_single_precision_rounds():
    made = uniform(0.7, 1.7 + 1e-7).floor()
    assert made is not None
    assert made.mean == pytest.approx(0.7)
    assert uniform(0.7, 1.7 + 1e-5).floor() is None


def test_two_scalars_are_not_followed():
    assert computed(aten.mul, MASK, [2.0, 3.0], reverse=False) is None
    assert computed(aten.div, MASK, [0.0], reverse=False) is None
    assert computed(aten.neg, MASK, [1.0], reverse=False) is None
