import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Array,
    CaseResult,
    Dropout,
    Equicorrelated,
    Estimate,
    FeatureMaps,
    FiniteInputs,
    enumerate_dropout,
    measure_case,
    one_hot_plus_shift,
    weights_with_cos2,
)

few = settings(deadline=None, max_examples=15)
seeds = st.integers(0, 2**32)
NORMAL = Equicorrelated(1, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Points:
    """Samples from an enumerable distribution."""

    inputs: FiniteInputs

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        points = np.array(self.inputs.points, dtype=np.float64)
        return points[rng.integers(0, len(points), n)]


@dataclass(frozen=True)
class Forgetful(Dropout):
    """Sabotage: 1/p forgotten."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return super().train(x, rng) * self.retain


@dataclass(frozen=True)
class Shared(Dropout):
    """Sabotage: one mask for all inputs of a sample."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return x * super().train(np.ones((len(x), 1)), rng)


def agrees(estimate: Estimate, truth: float) -> bool:
    return abs(estimate.value - truth) <= 6 * estimate.stderr + 1e-12


@few
@given(
    st.integers(2, 4),
    st.lists(st.integers(-2, 2), min_size=1, max_size=3),
    st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]),
    st.lists(st.integers(1, 3), min_size=4, max_size=4),
    seeds,
)
def test_sampling_agrees_with_enumeration(d: int, shifts: list[int], retain: Fraction, weights: list[int], seed: int):
    inputs, w = one_hot_plus_shift(d, 2, shifts), weights[:d]
    exact = enumerate_dropout(inputs, w, retain)
    sampled = measure_case("b", Points(inputs), Dropout(float(retain)), w, 100_000, np.random.default_rng(seed))
    assert agrees(sampled.var_train, float(exact.var_train))
    assert agrees(sampled.var_test, float(exact.var_test))
    assert agrees(sampled.shift, float(exact.shift))


@pytest.mark.parametrize("sabotage", [Forgetful(0.5), Shared(0.5), Dropout(0.52)])
def test_a_sabotaged_noise_is_caught(sabotage: Dropout):
    inputs = one_hot_plus_shift(3, 2, [-1, 1])
    exact = enumerate_dropout(inputs, [1, 1, 1], Fraction(1, 2))
    sampled = measure_case("b", Points(inputs), sabotage, [1, 1, 1], 200_000, np.random.default_rng(0))
    assert not agrees(sampled.shift, float(exact.shift))


def test_a_shared_mask_agrees_with_its_own_enumeration():
    inputs = one_hot_plus_shift(3, 2, [-1, 1])
    exact = enumerate_dropout(inputs, [1, 2, 1], Fraction(1, 2), masks="shared")
    sampled = measure_case("b", Points(inputs), Shared(0.5), [1, 2, 1], 200_000, np.random.default_rng(0))
    assert agrees(sampled.shift, float(exact.shift))


def test_figure_1_a_standard_normal_through_dropout_one_half():
    result = measure_case("a", NORMAL, Dropout(0.5), None, 1_000_000, np.random.default_rng(0))
    assert agrees(result.var_train, 2)
    assert agrees(result.var_test, 1)
    assert agrees(result.shift, 0.5)
    assert result.shift.stderr < 0.001


def test_tiny_batches_are_unbiased_too():
    result = measure_case("a", NORMAL, Dropout(0.5), None, 400_000, np.random.default_rng(0), batch=2)
    assert agrees(result.var_test, 1)
    assert not agrees(result.var_test, 0.5)  # the control: what the biased variance of 2 values would give


@few
@given(st.sampled_from(["a", "b"]), st.integers(1, 500), st.integers(2, 50), seeds)
def test_samples_are_rounded_up_to_whole_batches(case: str, samples: int, batch: int, seed: int):
    w = None if case == "a" else [1.0]
    result = measure_case(case, NORMAL, Dropout(0.9), w, samples, np.random.default_rng(seed), batch)  # pyright: ignore
    assert result.n == result.shift.n == result.var_train.n
    assert result.n % batch == 0
    assert result.n >= max(samples, 2 * batch)
    assert result.n - batch < max(samples, batch + 1)


def test_without_noise_there_is_no_shift_and_no_error():
    result = measure_case("a", NORMAL, Dropout(1), None, 1000, np.random.default_rng(0))
    assert (result.shift.value, result.shift.stderr) == pytest.approx((1, 0), abs=1e-12)


def test_the_same_seed_gives_the_same_bits():
    def run(seed: int) -> CaseResult:
        return measure_case("a", NORMAL, Dropout(0.5), None, 300_000, np.random.default_rng(seed))

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_wide_case_needs_no_more_memory_than_one_row_at_a_time():
    d, rows = 100_000, []

    class Spy:
        def sample(self, n: int, rng: np.random.Generator) -> Array:
            rows.append(n)
            return Equicorrelated(d, 0.0, 1.0, 0.0).sample(n, rng)

    w = weights_with_cos2(d, 0.5, np.random.default_rng(0))
    result = measure_case("b", Spy(), Dropout(0.5), w, 8, np.random.default_rng(0), batch=4)
    assert max(rows) == 1
    assert sum(rows) == result.n == 8


@pytest.mark.parametrize("draw", ["gaussian", "exponential"])
def test_single_precision_measures_what_double_precision_measures(draw: Any):
    def run(dtype: Any, seed: int) -> CaseResult:
        inputs = Equicorrelated(5, 3.0, 1.0, -0.1, draw, dtype=dtype)
        return measure_case("b", inputs, Dropout(0.7), np.arange(5) - 1.0, 200_000, np.random.default_rng(seed))

    single, double, control = run("float32", 0), run("float64", 1), run("float64", 2)
    for name in ("var_train", "var_test", "shift"):
        ours, theirs = getattr(single, name), getattr(double, name)
        assert abs(ours.value - theirs.value) < 6.5 * np.hypot(ours.stderr, theirs.stderr)
        assert ours.stderr == pytest.approx(getattr(control, name).stderr, rel=0.3)


def test_weights_are_rounded_to_the_dtype_of_x():
    """1/3 and its rounded negative cancel on inputs that are equal, but for what is not rounded."""
    inputs = Equicorrelated(3, 0.0, 1.0, 1.0, dtype="float32")
    third = float(np.float32(1 / 3))
    rounded, plain = (
        measure_case("b", inputs, Dropout(1), [weight, -third, 1e-6], 1000, np.random.default_rng(0)).var_test.value
        for weight in (1 / 3, third)
    )
    assert rounded == plain


@pytest.mark.parametrize("batch", [2, 100, 150_000])
def test_any_batch_gives_unbiased_variances(batch: int):
    result = measure_case("a", NORMAL, Dropout(0.5), None, 300_000, np.random.default_rng(0), batch=batch)
    assert result.n == 300_000
    # The variance of an unbiased variance; of 2 a x, a bit times a normal, the fourth moment is 6 times sigma^4.
    for estimate, variance, kurtosis in ((result.var_test, 1, 3), (result.var_train, 2, 6)):
        stderr = variance * np.sqrt((kurtosis - (batch - 3) / (batch - 1)) / result.n)
        assert abs(estimate.value - variance) < 6 * stderr
        assert abs(estimate.value - variance * (1 - 1 / batch)) > 6 * stderr or batch > 2  # the control: biased


def test_progress_sees_the_result_grow_to_the_final_one():
    seen: list[CaseResult] = []
    result = measure_case("a", NORMAL, Dropout(0.5), None, 500_000, np.random.default_rng(0), progress=seen.append)
    assert len(seen) > 1
    assert [partial.n for partial in seen] == sorted(partial.n for partial in seen)
    assert seen[-1] == result


def test_batches_in_which_nothing_was_kept_yet_do_not_end_a_run_that_is_watched():
    def measured(progress: Callable[[CaseResult], None] | None) -> CaseResult:
        rng = np.random.default_rng(0)
        return measure_case("a", NORMAL, Dropout(1e-6), None, 3_000_000, rng, progress=progress)

    seen: list[CaseResult] = []
    assert measured(seen.append) == measured(None) == seen[-1]
    assert seen[0].n > 200_000  # of the first parts there was no shift to show


def test_standard_errors_of_small_runs_are_honest():
    rng = np.random.default_rng(0)
    shifts = [measure_case("a", NORMAL, Dropout(0.5), None, 10_000, rng).shift for _ in range(200)]
    misses = sum(abs(shift.value - 0.5) > 1.96 * shift.stderr for shift in shifts)
    assert misses < 10 + 6 * 3.1  # 5% of 200, and its standard deviation
    assert sum(abs(shift.value - 0.5) > 0.65 * shift.stderr for shift in shifts) > 10 + 6 * 3.1  # a third of the error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": "c"}, "case = c: must be a or b"),
        ({"weights": [1.0]}, "weights: must be None in case a, which has one unit"),
        ({"case": "b"}, "weights: must be finite numbers w: (d,), not all 0, in case b"),
        ({"case": "b", "weights": [0.0]}, "weights: must be finite numbers w: (d,), not all 0, in case b"),
        ({"case": "b", "weights": [np.nan]}, "weights: must be finite numbers w: (d,), not all 0, in case b"),
        ({"case": "b", "weights": [1.0, 1.0]}, "inputs' d = (1,): must be 2, one for each weight (1 in case a)"),
        (
            {"case": "b", "weights": np.ones(2**20 + 1)},
            "weights' d = 1048577: must be <= 1048576, which memory is bounded by",
        ),
        ({"samples": 0}, "samples = 0: must be a whole number >= 1"),
        ({"samples": 1.5}, "samples = 1.5: must be a whole number >= 1"),
        ({"batch": 1}, "batch = 1: must be a whole number >= 2"),
        ({"batch": 2**19 + 1}, "batch = 524289: must be <= 524288, which memory is bounded by"),
        ({"threads": 0}, "threads = 0: must be a whole number >= 1"),
        ({"weights": [[1.0]], "case": "b"}, "weights: must be finite numbers w: (d,), not all 0, in case b"),
        (
            {"inputs": FeatureMaps(1, 2, 0.0, 1.0, 0.0)},
            "inputs' d = (1, 2, 2): must be 1, one for each weight (1 in case a)",
        ),
        ({"noise": Dropout(1e-12)}, "var_train = 0: must not be 0 to divide by, and is over all n = 1000 samples"),
    ],
)
def test_a_case_that_makes_no_sense_is_refused(change: dict, message: str):
    sound: dict[str, Any] = {"case": "a", "inputs": NORMAL, "noise": Dropout(0.5), "weights": None, "samples": 1000}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        measure_case(rng=np.random.default_rng(0), **sound | change)
    assert "\n" not in str(refused.value)
