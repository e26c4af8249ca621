import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import BatchMeans, Estimate


def collect(rows: np.ndarray, cuts: list[int]) -> BatchMeans:
    stats = BatchMeans("x", "y", samples_per_batch=10)
    for part in np.split(rows, sorted(cuts)):
        stats.add(part)
    return stats


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 40), max_size=8))
def test_any_way_of_cutting_the_stream_gives_the_estimates_of_the_whole(seed: int, cuts: list[int]):
    rows = np.random.default_rng(seed).normal(1e6, 1, (40, 2))  # far from 0, where the naive sum of squares cancels
    estimate = collect(rows, cuts).mean("x")
    assert estimate.value == pytest.approx(rows[:, 0].mean(), rel=1e-14)
    assert estimate.stderr == pytest.approx(rows[:, 0].std(ddof=1) / math.sqrt(40), rel=1e-6)
    assert estimate.n == 400


def test_two_batches_by_hand():
    stats = BatchMeans("x", "y", samples_per_batch=5)
    stats.add([[1, 2], [3, 6]])
    assert stats.mean("x") == Estimate(2.0, 1.0, 10)
    assert stats.mean("y") == Estimate(4.0, 2.0, 10)
    # y = 2x in every batch, so the ratio is known without error, though neither mean is.
    assert stats.ratio("y", "x") == Estimate(2.0, 0.0, 10)


def test_a_ratio_profits_from_what_numerator_and_denominator_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(10, 1, 1000)
    rows = np.stack([shared, 2 * shared + rng.normal(0, 0.1, 1000)], axis=1)
    together, apart = BatchMeans("x", "y", samples_per_batch=1), BatchMeans("x", "y", samples_per_batch=1)
    together.add(rows)
    apart.add(np.stack([rows[:, 0], rng.permutation(rows[:, 1])], axis=1))
    assert together.ratio("y", "x").stderr < apart.ratio("y", "x").stderr / 10


def test_standard_errors_are_honest():
    rng = np.random.default_rng(0)
    misses = {"mean": 0, "ratio": 0, "half the error": 0}
    for _ in range(400):
        stats = BatchMeans("x", "y", samples_per_batch=1)
        stats.add(rng.exponential([[2.0, 1.0]] * 200) + rng.exponential(1, (200, 1)))
        mean, ratio = stats.mean("x"), stats.ratio("x", "y")
        misses["mean"] += abs(mean.value - 3) > 1.96 * mean.stderr
        misses["ratio"] += abs(ratio.value - 1.5) > 1.96 * ratio.stderr
        misses["half the error"] += abs(mean.value - 3) > 0.98 * mean.stderr
    # 5% of 400 is 20, with a standard deviation of 4.4; with half the error a third would miss.
    assert misses["mean"] < 20 + 6 * 4.4
    assert misses["ratio"] < 20 + 6 * 4.4
    assert misses["half the error"] > 20 + 6 * 4.4


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.49876, 0.00123, 1), "0.4988 ± 0.0012"),
        (Estimate(1234.5, 67.8, 1), "1234 ± 68"),
        (Estimate(1234.5, 678.0, 1), "1234.5 ± 6.8e+02"),
        (Estimate(2.0, 0.0, 1), "2 ± 0"),
        (Estimate(1.0, 2.5e-11, 1), "1.000000000000 ± 0.000000000025"),
        (Estimate(1.0, 2.5e-12, 1), "1 ± 2.5e-12"),
    ],
)
def test_an_estimate_shows_two_digits_of_its_error(estimate: Estimate, text: str):
    assert str(estimate) == text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BatchMeans(samples_per_batch=1), r"names = \(\): must be one or more different names$"),
        (lambda: BatchMeans("x", "x", samples_per_batch=1), r"names = \('x', 'x'\): must be one or more different"),
        (lambda: BatchMeans("x", samples_per_batch=0), "samples_per_batch = 0: must be a whole number >= 1"),
        (lambda: collect(np.ones((3, 3)), []), r"rows' shape = \(3, 3\): must be \(batches, 2\)"),
        (lambda: collect(np.full((3, 2), np.nan), []), "rows: must be finite"),
        (lambda: collect(np.ones((1, 2)), []).mean("x"), "batches = 1: must be >= 2"),
        (lambda: collect(np.ones((3, 2)), []).mean("z"), "name = z: must be one of x, y"),
        (lambda: collect(np.zeros((3, 2)), []).ratio("x", "y"), "y = 0: must not be 0"),
    ],
)
def test_what_cannot_be_estimated_is_refused(call, message: str):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


def test_rows_of_singles_are_averaged_in_doubles():
    rows = np.array([[2**24, 0], [1, 0], [1, 0]], dtype=np.float32)
    assert collect(rows, []).mean("x").value == (2**24 + 2) / 3


def test_deviations_whose_squares_underflow_are_not_taken_for_none():
    with pytest.raises(FloatingPointError):
        collect(np.array([[0.0, 0.0], [1e-200, 0.0]]), [])
