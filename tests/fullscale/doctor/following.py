"""What the doctor's one noise-free pass says of noise on a way to a BN, and what derivatives say of it."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.nn import functional

from fullscale.doctor.exact import Exact, Local
from fullscale.doctor.laws import Law, bernoulli, normal, uniform
from fullscale.doctor.stack import Stack

SAMPLES, CHANNELS, ROWS, COLUMNS = ELEMENT = (3, 4, 5, 6)
SHARED = {"sample": (SAMPLES, 1, 1, 1), "channel": (SAMPLES, CHANNELS, 1, 1), "batch": (1, CHANNELS, ROWS, COLUMNS)}
KEEP, HALF, SIGMA = 0.25, 0.5, 0.5
LAWS = {
    "dropout": (bernoulli(KEEP).times(1 / KEEP), lambda x: x.bernoulli_(KEEP).div_(KEEP)),
    "uout": (uniform(-HALF, HALF), lambda x: x.uniform_(-HALF, HALF)),
    "gaussian": (normal(1, SIGMA), lambda x: x.normal_(1, SIGMA)),
    "centred": (bernoulli(KEEP).plus(-KEEP), lambda x: x.bernoulli_(KEEP).sub_(KEEP)),
}
BNS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}

Noise: TypeAlias = tuple[str, tuple[int, ...]]
"""A name in LAWS, and a shape."""
Way: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""What is made of a signal, (3, 4, 5, 6), and noise."""


class Model(nn.Module):
    """A way from noises that are drawn to a BN."""

    def __init__(self, way: Callable[..., Tensor], noises: Sequence[Noise], example: Tensor) -> None:
        super().__init__()
        self.way, self.noises = way, noises
        self.bn = BNS[example.dim()](example.shape[1], dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Draw and go."""
        return self.bn(self.way(x, *(LAWS[name][1](x.new_empty(shape)) for name, shape in self.noises)))


def spread(*shape: int, seed: int = 0) -> Tensor:
    """Numbers that look random and are not drawn: what is drawn in a pass is noise."""
    return (torch.arange(1, math.prod(shape) + 1, dtype=torch.float64) * (seed + 1.7)).sin().view(shape) * 2


def signal(seed: int = 0) -> Tensor:
    """A signal whose channels differ."""
    return spread(*ELEMENT, seed=seed) + torch.arange(CHANNELS).view(-1, 1, 1) / 2


def arrived(way: Callable[..., Tensor], *noises: Noise) -> list[Local]:
    """What is said of what each noise adds to the BN's input, those that arrive, in the order in which they were drawn.

    Raises:
        AssertionError: if the signal there is not what the means of the noise leave.
    """
    means = (torch.full(shape, LAWS[name][0].mean, dtype=torch.float64) for name, shape in noises)
    mean = way(signal(), *means)
    model = Model(way, noises, mean)
    stack = Stack(model)
    stack.restart(SAMPLES)
    with torch.no_grad(), Exact(stack) as exact:
        model(signal())
    (only,) = exact.inputs
    assert torch.allclose(only.var, mean.transpose(0, 1).flatten(1).var(1), rtol=1e-12)
    return [only.sources[name] for name in exact.products if name in only.sources]


def followed(way: Way, noise: str, shape: tuple[int, ...]) -> Local:
    """What is said of one noise."""
    (local,) = arrived(way, (noise, shape))
    return local


def agrees(local: Local, way: Way, noise: str, shape: tuple[int, ...]) -> bool:
    """Whether that is known, and what derivatives say of what is linear in independent numbers."""
    law: Law = LAWS[noise][0]
    numbers = torch.full(shape, law.mean, dtype=torch.float64)
    by_number: Any = jacobian(lambda n: way(signal(), n), numbers)
    squares = by_number.flatten(by_number.dim() - len(shape)).square().sum(-1)
    added = law.var * squares.transpose(0, 1).flatten(1).mean(1)
    return local.added is not None and torch.allclose(local.added, added, rtol=1e-12, atol=1e-12)


def weight(*shape: int) -> Tensor:
    """Weights of a layer."""
    return spread(*shape, seed=9) + 0.1


def per_channel() -> Tensor:
    """A weight for each channel of the signal."""
    return weight(CHANNELS, 1, 1)


def convolved(x: Tensor, **geometry: Any) -> Tensor:
    """A 3 x 3 convolution with 8 filters."""
    return functional.conv2d(x, weight(8, CHANNELS // geometry.get("groups", 1), 3, 3), weight(8), **geometry)


def connected(x: Tensor) -> Tensor:
    """A fully connected layer of 7 units."""
    return functional.linear(x.flatten(1), weight(7, CHANNELS * ROWS * COLUMNS), weight(7))
