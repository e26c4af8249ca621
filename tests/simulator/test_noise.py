import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Dropout, GaussianDropout, Noise, Uout

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
    with pytest.raises(ValueError, match=message):
        noise(value)
