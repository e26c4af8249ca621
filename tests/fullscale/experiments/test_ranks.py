"""Spearman's rank correlation."""

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullscale.experiments.ranks import rank_correlation

PAIRS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=12)
"""whole numbers, so that monotone maps of them are exact; few, so that there are ties"""
RISING: dict[str, Callable[[float], float]] = {
    "line": lambda value: 3 * value - 7,
    "cube": lambda value: value**3,
    "power": lambda value: 2.0**value,
}


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_without_ties_it_is_spearmans_formula(n: int):
    place = range(n)
    for order in permutations(place):
        apart = sum((one - other) ** 2 for one, other in zip(place, order, strict=True))
        assert rank_correlation(place, order) == pytest.approx(1 - 6 * apart / (n * (n**2 - 1)), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 1, 2], [1, 2, 3], 3**0.5 / 2),  # ranks 1/2, 1/2, 2
        ([1, 2, 3], [5, 9, 5], 0),
        ([1, 1, 2, 2], [4, 4, 7, 7], 1),
        ([1, 1, 2, 2], [4, 7, 4, 7], 0),
        ([0, 0, 0, 1], [1, 2, 3, 4], 0.6**0.5),  # ranks 1, 1, 1, 3
    ],
)
def test_ties_share_their_mean_rank(x: list[float], y: list[float], expected: float):
    assert rank_correlation(x, y) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(y, x) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("x", [[2.5, 2.5, 2.5], [1.0, 3.0, 2.0]])
def test_it_is_zero_where_all_of_one_are_alike(x: list[float]):
    assert rank_correlation(x, [7.0] * 3) == 0
    assert rank_correlation([7.0] * 3, x) == 0


@settings(max_examples=40)
@given(PAIRS, st.sampled_from(list(RISING)))
def test_only_the_order_matters(pairs: list[tuple[int, int]], name: str):
    x, y = zip(*pairs, strict=True)
    found = rank_correlation(x, y)
    mapped = [RISING[name](value) for value in y]
    assert rank_correlation(x, mapped) == found
    assert rank_correlation(x, [-value for value in mapped]) == pytest.approx(-found, abs=1e-12)
    assert -1 - 1e-12 <= found <= 1 + 1e-12


@settings(max_examples=40)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not(pairs: list[tuple[int, int]], chance):
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    one, other = (rank_correlation(*zip(*each, strict=True)) for each in (pairs, shuffled))
    assert one == pytest.approx(other, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [([], [], "0 and 0"), ([1], [1], "1 and 1"), ([1, 2], [1], "2 and 1"), ([1, 2], [1, 2, 3], "2 and 3")],
)
def test_too_few_values_or_not_as_many_are_refused(x: list[float], y: list[float], told: str):
    with pytest.raises(ValueError, match=rf"^x, y = {told} values: must be as many, and >= 2$"):
        rank_correlation(x, y)
