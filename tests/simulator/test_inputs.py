import math
import re
from itertools import combinations
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Array, Equicorrelated, weights_with_cos2
from simulator.draws import Draw, DType
from simulator.inputs import smallest_dtype
from tests.simulator.agreement import agrees

few = settings(deadline=None, max_examples=20)
seeds = st.integers(0, 2**32)


@st.composite
def equicorrelated(draw: st.DrawFn) -> Equicorrelated:
    d = draw(st.integers(1, 12))
    lowest = -1 / (d - 1) if d > 1 else -1.0
    shape = draw(st.sampled_from(get_args(Draw)))
    return Equicorrelated(
        d,
        mean=draw(st.floats(-3, 3)),
        variance=draw(st.floats(0.01, 9)),
        correlation=draw(st.one_of(st.floats(lowest, 1), st.sampled_from([lowest, 0.0, 1.0]))),
        draw=shape,
        freedom=9 if shape == "student-t" else None,  # the squares' own fourth moments are finite
        dtype=draw(st.sampled_from(get_args(DType))),
    )


@few
@given(equicorrelated(), seeds)
def test_moments_are_the_ones_that_were_asked_for(inputs: Equicorrelated, seed: int):
    x = inputs.sample(20_000, np.random.default_rng(seed)) - inputs.mean
    assert agrees(x[:, 0], 0)
    assert agrees(x[:, -1] ** 2, inputs.variance)
    if inputs.d > 1:
        assert agrees(x[:, 0] * x[:, -1], inputs.correlation * inputs.variance)


@pytest.mark.parametrize("d", [2, 3, 4, 7, 50, 576])
def test_at_the_least_correlation_the_inputs_add_up_to_a_constant(d: int):
    x = Equicorrelated(d, 2.0, 9.0, -1 / (d - 1)).sample(50, np.random.default_rng(0))
    assert np.allclose(x.sum(axis=1), 2 * d, atol=1e-6)
    x = Equicorrelated(d, 2.0, 9.0, -0.5 / (d - 1)).sample(50, np.random.default_rng(0))
    assert not np.allclose(x.sum(axis=1), 2 * d, atol=1e-6)


def test_at_correlation_one_all_inputs_are_equal():
    x = Equicorrelated(5, 1.0, 2.0, 1.0).sample(50, np.random.default_rng(0))
    assert np.allclose(x, x[:, :1])
    assert x[:, 0].std() > 0.5


def test_every_pair_has_the_same_negative_correlation():
    x = Equicorrelated(4, 0.0, 1.0, -0.2, "exponential").sample(200_000, np.random.default_rng(1))
    assert all(agrees(x[:, i] * x[:, j], -0.2) for i, j in combinations(range(4), 2))
    assert not any(agrees(x[:, i] * x[:, j], 0.2) for i, j in combinations(range(4), 2))


def test_the_draws_have_different_fourth_moments_for_the_same_variance():
    kurtosis = {
        draw: (Equicorrelated(1, 0.0, 1.0, 0.0, draw).sample(200_000, np.random.default_rng(0)) ** 4).mean()
        for draw in ("two-point", "uniform", "gaussian", "exponential")
    }
    expected = {"two-point": 1, "uniform": 9 / 5, "gaussian": 3, "exponential": 9}
    assert kurtosis == {draw: pytest.approx(value, rel=0.1) for draw, value in expected.items()}


def test_the_same_seed_gives_the_same_bits():
    inputs = Equicorrelated(3, 0.0, 1.0, 0.5)
    first, again, other = (inputs.sample(10, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert (first == again).all()
    assert (first != other).any()


@few
@given(equicorrelated(), st.integers(1, 20), seeds)
def test_x_has_the_dtype_and_the_shape_that_were_asked_for(inputs: Equicorrelated, n: int, seed: int):
    x = inputs.sample(n, np.random.default_rng(seed))
    assert (x.shape, x.dtype) == ((n, inputs.d), inputs.dtype)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("draw", get_args(Draw))
@pytest.mark.parametrize("d", [2, 50, 576])
def test_in_single_precision_the_least_correlation_is_reached_too(d: int, draw: Draw):
    freedom = 9 if draw == "student-t" else None

    def sums(correlation: float) -> Array:
        inputs = Equicorrelated(d, 2.0, 9.0, correlation, draw, freedom, "float32")
        return inputs.sample(50, np.random.default_rng(0)).sum(axis=1, dtype=np.float64)

    assert abs(sums(-1 / (d - 1)) - 2 * d).max() < 1e-4 * d  # roundings of d numbers of the order of 10
    assert abs(sums(-0.5 / (d - 1)) - 2 * d).max() > 1


@pytest.mark.parametrize("dtype", get_args(DType))
def test_far_from_zero_the_moments_hold_up_to_the_farthest_mean_of_a_dtype(dtype: DType):
    farthest = {"float64": 1e9, "float32": 100.0}[dtype]
    x = Equicorrelated(3, -2 * farthest, 4.0, 0.5, dtype=dtype).sample(50_000, np.random.default_rng(0))
    deviation = x.astype(np.float64) + 2 * farthest
    assert agrees(deviation[:, 0], 0)
    assert agrees(deviation[:, 1] ** 2, 4)
    assert agrees(deviation[:, 0] * deviation[:, 2], 2)
    assert not agrees(deviation[:, 1] ** 2, 4.3)
    with pytest.raises(ValueError, match="mean c = .* must lie within .* of 0 in " + dtype):
        Equicorrelated(3, -2.01 * farthest, 4.0, 0.5, dtype=dtype)


@pytest.mark.parametrize(
    ("moments", "dtype"),
    [
        ((1, 0.0, 1.0, 0.0), "float32"),
        ((576, 0.5, 1.0, 0.2), "float32"),
        ((576, -200.0, 4.0, 0.2), "float32"),
        ((576, 200.1, 4.0, 0.2), "float64"),
        ((2, 0.0, 1.0, 1.0), "float64"),  # differences vanish
        ((5, 0.0, 1.0, -0.25), "float64"),  # so does the sum
        ((1, 3.0, 1.0, 1.0), "float32"),  # one input has no correlation
        ((1, 1.0, 0.0, 0.0), "float64"),
        ((1, 0.0, 2e-30, 0.0), "float32"),
        ((1, 0.0, 1e-30, 0.0), "float64"),  # and squares leave float32 from here on
        ((1, 0.0, 5e29, 0.0), "float32"),
        ((1, 0.0, 1e30, 0.0), "float64"),
        # A millionth is 7.03e7 eps^2, and that of a sum 0.0028 times as much where neighbours correlate with 0.9.
        ((50_000_000, 0.0, 1.0, 0.0), "float32"),
        ((80_000_000, 0.0, 1.0, 0.0), "float64"),
        ((500_000, 10.0, 1.0, 0.0), "float32"),
        ((800_000, 10.0, 1.0, 0.0), "float64"),
        ((150_000, 0.0, 1.0, 0.0, 0.9), "float32"),
        ((250_000, 0.0, 1.0, 0.0, 0.9), "float64"),
    ],
)
def test_single_precision_is_picked_where_it_resolves_every_sum_of_the_inputs(moments: Any, dtype: str):
    assert smallest_dtype(*moments) == dtype


def test_places_add_to_the_rounding_and_not_to_what_correlates():
    assert smallest_dtype(4, 0.0, 1.0, -0.2, places=64) == "float32"
    assert smallest_dtype(256, 0.0, 1.0, -0.2) == "float64"
    assert smallest_dtype(1, 99.0, 1.0, 0.0, places=10_000) == "float64"
    assert smallest_dtype(1, 99.0, 1.0, 0.0) == "float32"


def test_maps_that_are_nearly_constant_ask_for_double_precision():
    assert [smallest_dtype(64, 0.0, 1.0, 0.1, spatial) for spatial in (0.5, 0.9999, -1.0)] == [
        "float32",
        "float64",
        "float64",
    ]


@pytest.mark.parametrize("above", [1e-3, 1e-6, 1e-8])
def test_a_sum_that_nearly_vanishes_keeps_its_variance_in_the_dtype_that_is_picked(above: float):
    d, mean, rho = 50, 20.0, (above - 1) / 49
    inputs = Equicorrelated(d, mean, 1.0, rho, dtype=smallest_dtype(d, mean, 1.0, rho))
    sums = (inputs.sample(20_000, np.random.default_rng(0)) - mean).sum(axis=1, dtype=np.float64)
    assert agrees(sums**2 / (d * above), 1)


@pytest.mark.parametrize("correlation", [-1.0, 0.0, 1.0])
def test_a_single_input_has_no_pair_and_so_no_correlation(correlation: float):
    x = Equicorrelated(1, 1.0, 4.0, correlation).sample(50_000, np.random.default_rng(0))
    assert agrees(x[:, 0], 1)
    assert agrees((x[:, 0] - 1) ** 2, 4)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_no_samples_and_parts_of_samples_are_refused(n: int):
    with pytest.raises(ValueError, match=f"^n = {n}: must be a whole number >= 1$"):
        Equicorrelated(3, 0.0, 1.0, 0.0).sample(n, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d": 0}, "d = 0: must be a whole number >= 1"),
        ({"d": 2.5}, "d = 2.5: must be a whole number >= 1"),
        ({"variance": 0}, "variance v = 0: must be > 0"),
        ({"variance": -1.0}, "variance v = -1.0: must be > 0"),
        ({"mean": math.nan}, "mean c = nan: must be a finite number"),
        ({"mean": 1e10}, "mean c = 10000000000.0: must lie within 1e+09 standard deviations of 0 in float64"),
        ({"correlation": math.inf}, "correlation rho = inf: must be a finite number"),
        (
            {"correlation": 1.01},
            "correlation rho = 1.01: must lie in -1/(d-1) <= rho <= 1, which starts at -0.5 for d = 3",
        ),
        (
            {"d": 5, "correlation": -0.5},
            "correlation rho = -0.5: must lie in -1/(d-1) <= rho <= 1, which starts at -0.25 for d = 5",
        ),
        (
            {"d": 5, "correlation": math.nextafter(-0.25, -1)},
            "correlation rho = -0.25000000000000006: must lie in -1/(d-1) <= rho <= 1, which starts at -0.25 for d = 5",
        ),
        ({"draw": "cauchy"}, "draw = cauchy: must be one of gaussian, uniform, exponential, two-point, student-t"),
        (
            {"draw": "student-t"},
            "freedom = None: must be > 4 for the draw student-t, whose fourth moment must be finite",
        ),
        (
            {"draw": "student-t", "freedom": 4},
            "freedom = 4: must be > 4 for the draw student-t, whose fourth moment must be finite",
        ),
        ({"freedom": 9.0}, "freedom = 9.0: means nothing for the draw gaussian; leave it out"),
        ({"dtype": "float16"}, "dtype = float16: must be one of float64, float32"),
    ],
)
def test_inputs_that_cannot_exist_are_refused_in_one_line(change: dict, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        Equicorrelated(**{"d": 3, "mean": 0.0, "variance": 1.0, "correlation": 0.0} | change)
    assert "\n" not in str(refused.value)


@few
@given(st.integers(2, 600), st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), seeds)
def test_weights_are_a_unit_vector_at_the_angle_that_was_asked_for(d: int, cos2: float, seed: int):
    w = weights_with_cos2(d, cos2, np.random.default_rng(seed))
    assert w @ w == pytest.approx(1, abs=1e-12)
    assert w.sum() ** 2 / d == pytest.approx(cos2, abs=1e-12)


def test_weights_point_in_every_direction_around_the_diagonal():
    rng = np.random.default_rng(0)
    w = np.array([weights_with_cos2(3, 0.25, rng) for _ in range(20_000)])
    # By symmetry each coordinate has mean 0 and mean square 1/3, and each pair the same mean product.
    assert all(agrees(w[:, i], 0) and agrees(w[:, i] ** 2, 1 / 3) for i in range(3))
    assert all(agrees(w[:, i] * w[:, j], (3 * 0.25 - 1) / 6) for i, j in combinations(range(3), 2))


def test_a_single_weight_is_parallel_to_the_diagonal():
    assert abs(weights_with_cos2(1, 1, np.random.default_rng(0))) == 1
    with pytest.raises(ValueError, match=r"cos2 = 0\.5: must be 1 for d = 1"):
        weights_with_cos2(1, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("cos2", [-0.1, 1.1, math.nan])
def test_a_cosine_beyond_one_is_refused(cos2: float):
    with pytest.raises(ValueError, match=r"^cos2 = .*: must "):
        weights_with_cos2(3, cos2, np.random.default_rng(0))


def test_weights_of_no_input_are_refused():
    with pytest.raises(ValueError, match=r"^d = 0: must be a whole number >= 1$"):
        weights_with_cos2(0, 1.0, np.random.default_rng(0))
