import math
import re
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.contracts import Array
from simulator.convolution import pair
from simulator.draws import Draw, DType
from simulator.inputs import Equicorrelated
from simulator.maps import FeatureMaps
from tests.simulator.agreement import agrees

few = settings(deadline=None, max_examples=40)


class Basis(np.random.Generator):
    """Instead of n independent draws of n numbers, the n vectors of the standard basis."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64())

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return np.eye(size[0]).reshape(size)


def covariance(maps: FeatureMaps) -> Array:
    """The covariance of x, flattened: x is linear in independent standardised draws z, x = A z, and so A A^T."""
    numbers = maps.channels * math.prod(pair("size", maps.size, at_least=1))
    columns = maps.sample(numbers, Basis()).reshape(numbers, -1) - maps.mean
    return columns.T @ columns


def asked_for(maps: FeatureMaps, spatial: float) -> Array:
    places = np.indices((maps.channels, *pair("size", maps.size, at_least=1))).reshape(3, -1)
    channel, i, j = abs(places[:, :, None] - places[:, None, :])
    return maps.variance * np.where(channel == 0, 1, maps.correlation) * np.power(float(spatial), i + j)


@st.composite
def feature_maps(draw: st.DrawFn) -> FeatureMaps:
    channels = draw(st.integers(1, 5))
    lowest = -1 / (channels - 1) if channels > 1 else -1.0
    return FeatureMaps(
        channels,
        draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        mean=draw(st.floats(-3, 3)),
        variance=draw(st.floats(0.01, 9)),
        correlation=draw(st.floats(lowest, 1) | st.sampled_from([lowest, 0.0, 1.0])),
        spatial=draw(st.floats(-1, 1) | st.sampled_from([-1.0, 0.0, 1.0])),
    )


@few
@given(feature_maps())
def test_the_covariance_is_the_one_that_was_asked_for(maps: FeatureMaps):
    assert np.allclose(covariance(maps), asked_for(maps, maps.spatial), rtol=0, atol=1e-12 * maps.variance)


def test_another_covariance_would_be_noticed():
    maps = FeatureMaps(3, (3, 4), 1.0, 2.0, -0.3, 0.7)
    found = covariance(maps)
    assert np.allclose(found, asked_for(maps, 0.7), rtol=0, atol=1e-12)
    assert not np.allclose(found, asked_for(maps, 0.7 + 1e-9), rtol=0, atol=1e-12)
    assert not np.allclose(found, asked_for(maps, -0.7), rtol=0, atol=1e-2)


@pytest.mark.parametrize("dtype", get_args(DType))
@pytest.mark.parametrize("draw", get_args(Draw))
def test_every_draw_has_the_same_moments_in_the_corner_and_in_the_middle(draw: Draw, dtype: DType):
    freedom = 9.0 if draw == "student-t" else None
    maps = FeatureMaps(3, (3, 4), 0.5, 2.0, -0.3, 0.6, draw, freedom, dtype)
    x = maps.sample(40_000, np.random.default_rng(0))
    assert x.dtype == dtype
    assert x.shape == (40_000, 3, 3, 4)
    x = x.astype(np.float64) - 0.5
    for i, j in ((0, 0), (1, 2), (2, 3)):
        assert agrees(x[:, 0, i, j], 0)
        assert agrees(x[:, 1, i, j] ** 2, 2)
        assert agrees(x[:, 1, i, j] * x[:, 2, i, j], -0.3 * 2)
    for column in range(3):
        assert agrees(x[:, 2, 0, column] * x[:, 2, 0, column + 1], 0.6 * 2)
        assert agrees(x[:, 0, 2, column] * x[:, 1, 1, column + 1], -0.3 * 0.36 * 2)
    assert not agrees(x[:, 2, 0, 0] * x[:, 2, 0, 1], 0.5 * 2)  # the control


@pytest.mark.parametrize("dtype", get_args(DType))
@pytest.mark.parametrize("channels", [2, 3, 7, 64])
def test_at_the_least_correlation_the_channels_add_up_to_a_constant(channels: int, dtype: DType):
    def sums(correlation: float) -> Array:
        maps = FeatureMaps(channels, (3, 3), 2.0, 9.0, correlation, 0.5, dtype=dtype)
        return maps.sample(20, np.random.default_rng(0)).sum(axis=1, dtype=np.float64)

    # Rounding: some units in the last place of each of the channels, whose values are of the order of 10.
    assert abs(sums(-1 / (channels - 1)) - 2 * channels).max() <= 100 * channels * np.finfo(dtype).eps + 1e-7
    assert abs(sums(-0.5 / (channels - 1)) - 2 * channels).max() > 1


def test_at_correlation_one_the_channels_are_equal():
    x = FeatureMaps(5, (3, 4), 1.0, 2.0, 1.0, 0.5).sample(50, np.random.default_rng(0))
    assert np.allclose(x, x[:, :1], atol=1e-12)
    assert x[:, 0].std(axis=(1, 2)).min() > 0


@pytest.mark.parametrize("draw", ["gaussian", "two-point"])
def test_at_spatial_one_maps_are_constant_and_at_minus_one_they_alternate(draw: Draw):
    sign = (-1.0) ** np.add.outer(np.arange(3), np.arange(4))
    for spatial, pattern in ((1.0, np.ones((3, 4))), (-1.0, sign)):
        x = FeatureMaps(5, (3, 4), 1.0, 2.0, 0.3, spatial, draw).sample(50, np.random.default_rng(0)) - 1
        assert np.allclose(x, x[:, :, :1, :1] * pattern, atol=1e-12)
        assert x[:, :, 0, 0].std(axis=0).min() > 0.5  # the channels vary
        assert x[:, :, 0, 0].std(axis=1).max() > 0.5  # and differ


def test_a_map_of_one_position_is_a_unit():
    maps = FeatureMaps(5, 1, 1.0, 2.0, -0.1, 0.7, "exponential").sample(10, np.random.default_rng(3))
    units = Equicorrelated(5, 1.0, 2.0, -0.1, "exponential").sample(10, np.random.default_rng(3))
    assert np.allclose(maps[:, :, 0, 0], units, atol=1e-12)


def test_a_size_of_one_number_is_a_square():
    assert FeatureMaps(2, 3, 0.0, 1.0, 0.0).sample(4, np.random.default_rng(0)).shape == (4, 2, 3, 3)
    assert FeatureMaps(2, [3, 5], 0.0, 1.0, 0.0).sample(4, np.random.default_rng(0)).shape == (4, 2, 3, 5)


def test_the_same_seed_gives_the_same_bits():
    maps = FeatureMaps(3, (4, 5), 0.0, 1.0, 0.5, 0.3, dtype="float32")
    first, again, other = (maps.sample(10, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "channels = 0: must be a whole number >= 1"),
        ({"size": 0}, "size = 0: must be a whole number >= 1, or two of them"),
        ({"size": (3, 0)}, "size = (3, 0): must be a whole number >= 1, or two of them"),
        ({"size": (3, 3, 3)}, "size = (3, 3, 3): must be a whole number >= 1, or two of them"),
        ({"size": 2.5}, "size = 2.5: must be a whole number >= 1, or two of them"),
        ({"variance": 0}, "variance v = 0: must be > 0"),
        ({"mean": math.nan}, "mean c = nan: must be a finite number"),
        ({"mean": 1e10}, "mean c = 10000000000.0: must lie within 1e+09 standard deviations of 0 in float64"),
        (
            {"mean": 1e4, "dtype": "float32"},
            "mean c = 10000.0: must lie within 100 standard deviations of 0 in float32",
        ),
        (
            {"correlation": 1.01},
            "correlation rho = 1.01: must lie in -1/(channels-1) <= rho <= 1, which starts at -0.5 for channels = 3",
        ),
        (
            {"correlation": -0.6},
            "correlation rho = -0.6: must lie in -1/(channels-1) <= rho <= 1, which starts at -0.5 for channels = 3",
        ),
        ({"spatial": 1.01}, "spatial = 1.01: must lie in -1 <= spatial <= 1"),
        ({"spatial": math.nextafter(-1, -2)}, "spatial = -1.0000000000000002: must lie in -1 <= spatial <= 1"),
        ({"spatial": math.nan}, "spatial = nan: must be a finite number"),
        ({"draw": "cauchy"}, "draw = cauchy: must be one of gaussian, uniform, exponential, two-point, student-t"),
        (
            {"draw": "student-t"},
            "freedom = None: must be > 4 for the draw student-t, whose fourth moment must be finite",
        ),
        ({"freedom": 9.0}, "freedom = 9.0: means nothing for the draw gaussian; leave it out"),
        ({"dtype": "float16"}, "dtype = float16: must be one of float64, float32"),
    ],
)
def test_maps_that_cannot_exist_are_refused_in_one_line(change: dict, message: str):
    sound: dict[str, Any] = {"channels": 3, "size": (4, 4), "mean": 0.0, "variance": 1.0, "correlation": 0.0}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        FeatureMaps(**sound | change)
    assert "\n" not in str(refused.value)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="n = 0: must be a whole number >= 1"):
        FeatureMaps(3, 4, 0.0, 1.0, 0.0).sample(0, np.random.default_rng(0))
