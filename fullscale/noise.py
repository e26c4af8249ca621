"""Multiplicative noises that PyTorch does not ship, as layers: Uout (Section 5) and Gaussian Dropout.

Both multiply every element by its own 1 + r in training and are the identity in test, as `torch.nn.Dropout` is there.
"""

import math

import torch
from torch import Tensor, nn

from fullscale.contracts import refusal


class Multiplicative(nn.Module):
    """x + x r in training, with an r of mean zero for every element; x in test.

    Args:
        generator: draws r; torch's default generator where it is None.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return x: (...), noisy in training; any shape, any floating type."""
        return x + x * self.draw(x) if self.training else x

    def draw(self, x: Tensor) -> Tensor:
        """Return r, of the shape, type and device of x."""
        raise NotImplementedError


class Uout(Multiplicative):
    """x + x r with r ~ U(-beta, beta) for every element (Section 5, Eq. 13).

    Not x + r, which has the same variance only where E[x^2] = 1, nor one r for a whole channel.

    Args:
        beta: half the width of the noise, 0 <= beta <= 1.
        generator: draws r; torch's default generator where it is None.

    Raises:
        ValueError: if beta lies outside its domain.
    """

    def __init__(self, beta: float, generator: torch.Generator | None = None) -> None:
        super().__init__(generator)
        if not 0 <= beta <= 1:
            raise refusal("beta", beta, "must lie in 0 <= beta <= 1")
        self.beta = beta

    def draw(self, x: Tensor) -> Tensor:
        """Return r ~ U(-beta, beta), of the shape, type and device of x."""
        return torch.empty_like(x).uniform_(-self.beta, self.beta, generator=self.generator)

    def extra_repr(self) -> str:
        """Show beta where the layer is printed."""
        return f"beta={self.beta}"


class GaussianDropout(Multiplicative):
    """x + x r with r ~ N(0, sigma^2) for every element (Section 5 quotes it at sigma = 1).

    Args:
        sigma: standard deviation of the noise, finite and >= 0.
        generator: draws r; torch's default generator where it is None.

    Raises:
        ValueError: if sigma lies outside its domain.
    """

    def __init__(self, sigma: float, generator: torch.Generator | None = None) -> None:
        super().__init__(generator)
        if not 0 <= sigma < math.inf:
            raise refusal("sigma", sigma, "must be finite and >= 0")
        self.sigma = sigma

    def draw(self, x: Tensor) -> Tensor:
        """Return r ~ N(0, sigma^2), of the shape, type and device of x."""
        return torch.empty_like(x).normal_(0, self.sigma, generator=self.generator)

    def extra_repr(self) -> str:
        """Show sigma where the layer is printed."""
        return f"sigma={self.sigma}"
