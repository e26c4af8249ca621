"""What is beyond chance: by the printed tables of Student's t, by exact counts, and where nothing differs."""

from collections.abc import Callable, Sequence
from math import atan, comb, pi, sqrt

import numpy as np
import pytest
from mpmath import beta, quad

from paper_checks.chance import LEVEL, RARE, above, fewer, more_often, positive
from paper_checks.ledger import control

TABLE = [(2, 1, 2.920), (2, 10, 9.925), (2, 100, 31.599), (4, 1, 2.132), (4, 10, 4.604), (4, 100, 8.610)]
"""degrees of freedom, comparisons, and the t beyond which tables have 5% divided by these"""
FAMILIES, COMPARISONS = 120, 4
EXPECTED = LEVEL * FAMILIES
ERROR = 3 * sqrt(EXPECTED * (1 - LEVEL))


def sample(n: int, mean: float, variance: float = 1.0) -> list[float]:
    """n values of a mean that has such a variance."""
    steps = [k - (n - 1) / 2 for k in range(n)]
    scale = sqrt(variance * n * (n - 1) / sum(step**2 for step in steps))
    return [mean + scale * step for step in steps]


@control("CRITERIA")
@pytest.mark.parametrize(("freedom", "comparisons", "t"), TABLE)
def test_paired_differences_are_beyond_chance_from_the_t_of_tables_on(freedom: int, comparisons: int, t: float) -> None:
    assert positive(sample(freedom + 1, t + 0.001), comparisons)
    assert not positive(sample(freedom + 1, t - 0.001), comparisons)


@control("CRITERIA")
@pytest.mark.parametrize(("freedom", "comparisons", "t"), TABLE)
def test_where_one_sample_does_not_spread_the_other_has_all_freedom(freedom: int, comparisons: int, t: float) -> None:
    steady = [1.0] * 3
    assert above(sample(freedom + 1, 1 + t + 0.001), steady, comparisons)
    assert not above(sample(freedom + 1, 1 + t - 0.001), steady, comparisons)


@control("CRITERIA")
@pytest.mark.parametrize(("freedom", "comparisons", "t"), TABLE[3:])
def test_two_samples_of_three_that_spread_alike_have_four_degrees(freedom: int, comparisons: int, t: float) -> None:
    assert freedom == 4
    assert above(sample(3, 7 * (t + 0.001), 7**2 / 2), sample(3, 0.0, 7**2 / 2), comparisons)
    assert not above(sample(3, 7 * (t - 0.001), 7**2 / 2), sample(3, 0.0, 7**2 / 2), comparisons)


def tail(t: float, freedom: float) -> float:
    """The chance of a larger Student's t, by integrating its density."""

    def density(x: float) -> float:
        return (1 + x * x / freedom) ** (-(freedom + 1) / 2)

    return float(0.5 - quad(density, [0, t]) / (sqrt(freedom) * beta(0.5, freedom / 2)))


@control("CRITERIA")
@pytest.mark.parametrize("comparisons", [1, 5, 32])
def test_samples_that_spread_otherwise_have_a_freedom_between(comparisons: int) -> None:
    freedom = 1 / ((2 / 3) ** 2 / 2 + (1 / 3) ** 2 / 2)
    seen = set()
    for t in (1.0, 2.16, 2.5, 4.0, 8.0, 16.0):
        beyond = tail(t, freedom) < LEVEL / comparisons
        assert above(sample(3, t, 2 / 3), sample(3, 0.0, 1 / 3), comparisons) is beyond
        seen.add(beyond)
    assert seen == {True, False}
    assert tail(2.16, 4) < LEVEL < tail(2.16, freedom)


@control("CRITERIA")
@pytest.mark.parametrize(
    ("n", "t", "chance"),
    [
        (2, 10, 0.5 - atan(10) / pi),
        (2, 30, 0.5 - atan(30) / pi),
        (3, 5, 0.5 - 5 / sqrt(2 + 5**2) / 2),
        (3, 30, 0.5 - 30 / sqrt(2 + 30**2) / 2),
    ],
)
def test_comparisons_share_the_level(n: int, t: float, chance: float) -> None:
    shared = int(LEVEL / chance)
    assert shared >= 1
    assert positive(sample(n, t), shared)
    assert not positive(sample(n, t), shared + 1)


@control("CRITERIA")
def test_only_one_side_counts() -> None:
    high, low = sample(3, 0.5, 1e-4), sample(3, 0.0, 1e-4)
    assert above(high, low, 1)
    assert not above(low, high, 1)
    assert not above(high, high, 1)
    assert positive(high, 1)
    assert not positive([-value for value in high], 1)


@control("CRITERIA")
def test_where_nothing_spreads_any_difference_counts() -> None:
    assert above([2.0, 2.0], [1.0, 1.0], 1000)
    assert not above([1.0, 1.0], [1.0, 1.0], 1)
    assert not above([1.0, 1.0], [2.0, 2.0], 1)
    assert positive([1.0, 1.0], 1000)
    assert not positive([0.0, 0.0], 1)
    assert not positive([-1.0, -1.0], 1)


def alarms(beyond: Callable[[Sequence[float], Sequence[float], int], bool], sharing: int) -> int:
    """Of so many families of comparisons of three seeds that do not differ, count those with any beyond chance."""
    rng = np.random.default_rng(0)
    shape = FAMILIES, COMPARISONS, 3
    pairs = zip(rng.normal(size=shape).tolist(), rng.normal(scale=3, size=shape).tolist(), strict=True)
    return sum(any(beyond(one, other, sharing) for one, other in zip(*family, strict=True)) for family in pairs)


def paired(high: Sequence[float], low: Sequence[float], comparisons: int) -> bool:
    return positive([more - less for more, less in zip(high, low, strict=True)], comparisons)


@control("CRITERIA")
def test_chance_alone_is_beyond_itself_in_one_of_twenty_families() -> None:
    assert alarms(above, COMPARISONS) <= EXPECTED + ERROR
    assert abs(alarms(paired, COMPARISONS) - EXPECTED) <= ERROR


@control("CRITERIA")
def test_comparisons_that_do_not_share_the_level_give_too_many_alarms() -> None:
    assert alarms(above, 1) > EXPECTED + ERROR
    assert alarms(paired, 1) > EXPECTED + ERROR


@control("CRITERIA")
@pytest.mark.parametrize(
    ("heads", "tails", "beyond"),
    [
        (9, 0, False),
        (10, 0, True),
        (17, 3, False),
        (18, 2, True),
        (3, 17, False),
        (0, 0, False),
        (2000, 0, True),
        (1000, 1000, False),
    ],
)
def test_heads_come_up_more_often_than_one_try_in_a_thousand_gives(heads: int, tails: int, beyond: bool) -> None:  # noqa: FBT001
    assert more_often(heads, tails) is beyond


@control("CRITERIA")
def test_a_fair_coin_gives_a_false_alarm_less_than_once_in_a_thousand_tries_and_not_much_less_often() -> None:
    for tosses in range(10, 40):
        beyond = [heads for heads in range(tosses + 1) if more_often(heads, tosses - heads)]
        assert beyond == list(range(beyond[0], tosses + 1))
        chances = [comb(tosses, heads) / 2**tosses for heads in range(beyond[0] - 1, tosses + 1)]
        assert sum(chances[1:]) < RARE <= sum(chances)


@control("CRITERIA")
@pytest.mark.parametrize(("n", "mean", "error"), [(200, 50.0, 5.0), (800, 50.0, 2.5), (200, 10.0, 3.0)])
def test_a_share_is_smaller_beyond_chance_from_309_standard_errors_on(n: int, mean: float, error: float) -> None:
    less, more = (z * error / 2 for z in (3.0901, 3.0903))
    assert fewer(mean - more, mean + more, n)
    assert not fewer(mean - less, mean + less, n)
    assert not fewer(mean + more, mean - more, n)


@control("CRITERIA")
def test_shares_that_are_all_or_nothing_are_compared_too() -> None:
    assert fewer(0.0, 100.0, 200)
    assert not fewer(0.0, 100.0, 2)
    assert not fewer(0.0, 0.0, 200)
    assert not fewer(100.0, 100.0, 200)
