"""The noise layers: multiplicative, element by element, and silent in test."""

import math

import pytest
import torch
from torch import Tensor

from fullscale.noise import GaussianDropout, Multiplicative, Uout
from theory import EQUATIONS

LAYERS = [(Uout, 0.8, "noise-uout", "beta"), (GaussianDropout, 0.7, "noise-gaussian", "sigma")]
MANY = 1_000_000
SIGMAS = 6


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("layer", "size", "equation", "name"), LAYERS)
def test_the_noise_has_mean_one_and_the_variance_of_the_theory(layer, size: float, equation: str, name: str) -> None:
    factors = layer(size, seeded())(torch.ones(MANY, dtype=torch.float64))
    variance = EQUATIONS[equation].evaluate(**{name: size})
    error = SIGMAS * math.sqrt(variance / MANY)
    assert abs(factors.mean().item() - 1) < error
    kurtosis_at_most = 3
    assert abs(factors.var().item() - variance) < SIGMAS * variance * math.sqrt((kurtosis_at_most - 1) / MANY)
    assert abs(factors.var().item() - 2 * variance) > SIGMAS * variance * math.sqrt((kurtosis_at_most - 1) / MANY)


@pytest.mark.parametrize(("layer", "size"), [(layer, size) for layer, size, _, _ in LAYERS])
def test_the_noise_multiplies_and_each_element_has_its_own(layer, size: float) -> None:
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    once, tripled = layer(size, seeded())(x), layer(size, seeded())(3 * x)
    torch.testing.assert_close(tripled, 3 * once)
    assert once.flatten()[0] == 0
    assert len((once / x).flatten()[1:].unique()) == 23


class Half(Multiplicative):
    """Noise without chance."""

    def draw(self, x: Tensor) -> Tensor:
        return torch.full_like(x, 0.5)


def test_what_is_drawn_times_the_input_is_added_to_it() -> None:
    assert Half()(torch.tensor([0.0, 2.0, -4.0])).tolist() == [0, 3, -6]


@pytest.mark.parametrize(("layer", "size"), [(layer, size) for layer, size, _, _ in LAYERS])
def test_in_test_and_at_size_zero_the_layer_is_the_identity(layer, size: float) -> None:
    x = torch.randn(100, generator=seeded())
    assert torch.equal(layer(size).eval()(x), x)
    assert torch.equal(layer(0.0)(x), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_type_is_kept_and_a_seed_gives_the_same_bits(dtype: torch.dtype) -> None:
    x = torch.ones(10, dtype=dtype)
    first, again = (Uout(0.5, seeded())(x) for _ in range(2))
    assert first.dtype == dtype
    assert torch.equal(first, again)


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_uout_stays_within_beta_of_its_input(beta: float) -> None:
    factors = Uout(beta, seeded())(torch.ones(MANY))
    assert factors.min() >= 1 - beta - 1e-6
    assert factors.max() <= 1 + beta + 1e-6
    assert factors.max() > 1 + 0.996 * beta


@pytest.mark.parametrize("beta", [-0.1, 1.1, math.nan, math.inf])
def test_a_beta_outside_its_domain_is_refused_in_one_line(beta: float) -> None:
    with pytest.raises(ValueError, match=r"^beta = .*: must lie in 0 <= beta <= 1$"):
        Uout(beta)


@pytest.mark.parametrize("sigma", [-0.1, math.nan, math.inf])
def test_a_sigma_outside_its_domain_is_refused_in_one_line(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"^sigma = .*: must be finite and >= 0$"):
        GaussianDropout(sigma)


def test_the_layers_say_how_strong_they_are() -> None:
    assert str(Uout(0.5)) == "Uout(beta=0.5)"
    assert str(GaussianDropout(0.5)) == "GaussianDropout(sigma=0.5)"
