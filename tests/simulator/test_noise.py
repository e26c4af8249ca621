import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Dropout, GaussianDropout, Noise, Uout
from tests.simulator.agreement import agrees
from tests.simulator.given import given_words

NOISES = st.one_of(
    st.builds(Dropout, st.floats(0.05, 0.95)),
    st.builds(Uout, st.floats(0, 1)),
    st.builds(GaussianDropout, st.floats(0, 2)),
)


@settings(deadline=None, max_examples=20)
@given(NOISES, st.integers(0, 2**32))
def test_every_noise_keeps_the_mean_and_is_off_in_test(noise: Noise, seed: int):
    x = np.full((100, 500), 3.0)
    noisy = noise.train(x, np.random.default_rng(seed))
    assert abs(noisy.mean() - 3) <= 6 * noisy.std() / math.sqrt(x.size)
    assert (x == 3).all()
    assert noise.test(x) is x


def test_dropout_gives_zero_or_x_over_retain():
    x = np.arange(1.0, 1001.0).reshape(10, 100)
    noisy = Dropout(0.25).train(x, np.random.default_rng(0))
    assert set(np.unique(noisy / x)) == {0.0, 4.0}
    assert abs((noisy > 0).sum() - 250) < 6 * math.sqrt(1000 * 0.25 * 0.75)


def test_uout_is_uniform_within_beta():
    ratio = Uout(0.5).train(np.full((1000, 100), 2.0), np.random.default_rng(0)) / 2
    assert 0.5 <= ratio.min() < 0.51
    assert 1.49 < ratio.max() <= 1.5
    quarters = np.histogram(ratio, bins=[0.5, 0.75, 1, 1.25, 1.5])[0]
    assert (abs(quarters - 25_000) < 6 * math.sqrt(25_000)).all()


def test_gaussian_dropout_has_the_quantiles_of_its_sigma():
    ratio = GaussianDropout(0.5).train(np.full((1000, 100), 2.0), np.random.default_rng(0)) / 2 - 1
    assert (abs(ratio) < 0.5).mean() == pytest.approx(math.erf(1 / math.sqrt(2)), abs=6 * 0.5 / math.sqrt(1e5))


@pytest.mark.parametrize("noise", [Dropout(0.5), Uout(0.5), GaussianDropout(0.5)])
def test_every_element_has_its_own_draw(noise: Noise):
    noisy = noise.train(np.ones((4000, 2, 2, 2)), np.random.default_rng(0)).reshape(4000, 8)
    correlation = np.corrcoef(noisy, rowvar=False) - np.eye(8)
    assert abs(correlation).max() < 6 / math.sqrt(4000)


KINDS = pytest.mark.parametrize("kind", [Dropout, Uout, GaussianDropout])
EVERY_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@KINDS
@pytest.mark.parametrize("per", ["element", "channel"])
@pytest.mark.parametrize("variance", [0.0, 0.01, 0.3])
def test_a_noise_of_a_variance_has_that_variance(kind: type, per: str, variance: float):
    shape = (100_000,) if per == "element" else (50_000, 2)  # independent factors a sample, all of one position
    x = np.ones((*shape, 1, 1) if per == "channel" else (*shape, 1))
    factor = kind.of_variance(variance, per).train(x, np.random.default_rng(0))
    assert agrees(factor, 1)
    assert agrees((factor - 1) ** 2, variance)
    assert variance == 0 or not agrees((factor - 1) ** 2, variance * 1.5)  # the control


def test_uout_reaches_a_variance_of_one_third():
    assert Uout.of_variance(1 / 3).beta == 1
    assert Uout.of_variance(math.nextafter(1 / 3, 0)).beta <= 1


def test_each_variance_is_that_of_its_own_strength():
    assert Dropout.of_variance(1) == Dropout(0.5)
    assert Dropout.of_variance(0.25, "channel") == Dropout(0.8, "channel")
    assert Uout.of_variance(1 / 3) == Uout(1.0)  # the largest, though rounding lifts its root above 1
    assert Uout.of_variance(1 / 12).beta == pytest.approx(0.5)
    assert GaussianDropout.of_variance(4) == GaussianDropout(2.0)


@KINDS
@EVERY_DTYPE
def test_per_channel_all_positions_share_one_factor_and_nothing_else_does(kind: type, dtype: type):
    x = np.random.default_rng(1).uniform(1, 2, (20_000, 3, 2, 2)).astype(dtype)
    factor = kind.of_variance(0.3, "channel").train(x, np.random.default_rng(0)) / x
    assert np.allclose(factor, factor[:, :, :1, :1], atol=1e-5)
    deviation = factor[:, :, 0, 0].astype(np.float64) - 1
    assert agrees(deviation**2, 0.3)
    assert all(agrees(deviation[:, i] * deviation[:, i - 1], 0) for i in range(3))  # between channels
    assert agrees(deviation[1:] * deviation[:-1], 0)  # between samples
    apart = kind.of_variance(0.3).train(x, np.random.default_rng(0)) / x
    assert not np.allclose(apart, apart[:, :, :1, :1], atol=1e-5)


@KINDS
@EVERY_DTYPE
def test_for_units_an_element_is_a_channel(kind: type, dtype: type):
    x = np.random.default_rng(1).normal(size=(50, 7)).astype(dtype)
    element, channel = (kind.of_variance(0.3, per).train(x, np.random.default_rng(0)) for per in ("element", "channel"))
    assert (element == channel).all()


@KINDS
@EVERY_DTYPE
@pytest.mark.parametrize("per", ["element", "channel"])
@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 4, 2)])
def test_x_keeps_its_dtype_and_its_values(kind: type, dtype: type, per: str, shape: tuple[int, ...]):
    x = np.random.default_rng(1).normal(size=shape).astype(dtype)
    before, noise = x.copy(), kind.of_variance(0.3, per)
    noisy = noise.train(x, np.random.default_rng(0))
    assert (noisy.dtype, noisy.shape) == (dtype, shape)
    assert noise.test(x) is x
    assert not np.shares_memory(noisy, x)
    assert (x == before).all()
    assert (noisy == noise.train(x, np.random.default_rng(0))).all()
    assert (noisy != noise.train(x, np.random.default_rng(1))).any()


@EVERY_DTYPE
@pytest.mark.parametrize("retain", [0.003, 0.3, 0.5, 0.997])
def test_dropout_keeps_the_share_that_it_was_told_to(dtype: type, retain: float):
    kept = Dropout(retain).train(np.ones((1000, 1000), dtype), np.random.default_rng(0)) > 0
    assert abs(kept.sum() - 1e6 * retain) < 6 * math.sqrt(1e6 * retain * (1 - retain))


@EVERY_DTYPE
@pytest.mark.parametrize("retain", [1e-9, math.nextafter(1, 0), 1 - 1e-11])
def test_dropout_next_to_keeping_none_or_all_keeps_none_or_all(dtype: type, retain: float):
    noisy = Dropout(retain).train(np.ones((100, 100), dtype), np.random.default_rng(0))
    assert noisy == pytest.approx(round(retain), abs=1e-8)


@pytest.mark.parametrize("noise", [Dropout(1), Uout(0), GaussianDropout(0)])
def test_noise_of_no_strength_changes_nothing(noise: Noise):
    x = np.random.default_rng(0).normal(size=(5, 3))
    assert (noise.train(x, np.random.default_rng(1)) == x).all()


@pytest.mark.parametrize(
    ("noise", "value", "message"),
    [
        (Dropout, 0, "retain = 0: must lie in 0 < retain <= 1"),
        (Dropout, 1.2, "retain = 1.2: must lie in 0 < retain <= 1"),
        (Dropout, math.nan, "retain = nan: must be a finite number"),
        (Uout, -0.1, "beta = -0.1: must lie in 0 <= beta <= 1"),
        (Uout, 1.1, "beta = 1.1: must lie in 0 <= beta <= 1"),
        (GaussianDropout, -1, "sigma = -1: must be >= 0"),
        (GaussianDropout, math.inf, "sigma = inf: must be a finite number"),
    ],
)
def test_a_strength_outside_of_its_domain_is_refused(noise: type, value: float, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        noise(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dropout(0.5, "position"), "per = position: must be one of element, channel"),  # pyright: ignore
        (lambda: Uout(0.5, None), "per = None: must be one of element, channel"),  # pyright: ignore
        (lambda: GaussianDropout.of_variance(0.5, "row"), "per = row: must be one of element, channel"),  # pyright: ignore
        (lambda: Dropout.of_variance(-0.1), "variance = -0.1: must be >= 0"),
        (lambda: Uout.of_variance(-0.2), "variance = -0.2: must be >= 0"),
        (lambda: Uout.of_variance(0.34), "variance = 0.34: must be <= 1/3 for Uout, which beta = 1 reaches"),
        (lambda: GaussianDropout.of_variance(-1), "variance = -1: must be >= 0"),
        (lambda: Dropout.of_variance(math.nan), "variance = nan: must be a finite number"),
        (lambda: GaussianDropout.of_variance(math.inf), "variance = inf: must be a finite number"),
    ],
)
def test_a_noise_that_makes_no_sense_is_refused_in_one_line(build, message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        build()
    assert "\n" not in str(refused.value)


def test_dropout_keeps_the_mean_of_what_its_random_bits_can_express():
    retain = 3.5 * 2.0**-32
    kept = Dropout(retain).train(np.ones(4, np.float32), ZeroBits())
    assert kept.tolist() == [2.0**30] * 4  # 4 of 2^32 words keep, so that is what is scaled by


class ZeroBits(np.random.Generator):
    """Every word is 0, which is always below the threshold."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def integers(self, *arguments: Any, **_options: Any) -> Any:
        _low, _high, size, dtype = arguments
        return np.zeros(size, dtype)


@pytest.mark.parametrize(
    ("noise", "dtype", "told"),
    [
        (Dropout(0.5), np.float16, "x's dtype = float16: must be one of float32, float64"),
        (Dropout(1e-11), np.float32, "retain = 1e-11: must be >= 2.3e-10 for x of float32"),
    ],
)
def test_what_random_bits_cannot_express_is_refused(noise: Dropout, dtype: Any, told: str):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        noise.train(np.ones(4, dtype), np.random.default_rng(0))


def test_dropout_keeps_the_words_below_retain_times_2_to_the_64():
    kept = Dropout(0.5).train(np.ones((2, 1)), given_words(2**63 - 1, 2**63))
    assert kept.tolist() == [[2], [0]]


def test_dropout_that_keeps_all_draws_nothing():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert Dropout(1).train(np.full((2, 3), 0.7), rng).tolist() == np.full((2, 3), 0.7).tolist()
    assert rng.bit_generator.state == before
