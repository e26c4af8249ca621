"""The law on tensors: what noise adds to the variance of a BN's input, from the noise-free signal alone.

For X = sum_i w_i n_i x_i, with noise of mean 1 and variance s^2, independent over i and of x,

    Var_Train(X) = Var_Test(X) + s^2 sum_i w_i^2 E[x_i^2],

and E[(sum over a group of w_i x_i)^2] where a group of inputs shares its number. These functions return what s^2 is
multiplied by: the mean over samples and positions, which is all that BN asks for.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from fullscale.angles import cos2
from fullscale.contracts import refusal
from fullscale.doctor.report import Linear, Sharing

aten = torch.ops.aten


Groups: TypeAlias = Sharing | int
"""Which elements share a number; so many neighbours each, where maps that shared theirs were flattened."""


def of_signal(x: Tensor) -> Tensor:
    """The share per channel of x: (n, channels, ...), whoever shares its noise: E[x^2], (channels,)."""
    return x.square().mean(all_but_channels(x))


@dataclass(frozen=True)
class Convolution:
    """A convolution of any kernel, stride, padding, dilation and groups, or one transposed, without its bias.

    Attributes:
        weight: (outputs, inputs / groups, ...), transposed (inputs, outputs / groups, ...).
        stride, padding, dilation, transposed, output_padding, groups: as `torch.ops.aten.convolution` takes them.
    """

    weight: Tensor
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int

    @property
    def inputs(self) -> int:
        """Channels that go in."""
        return self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups

    def share(self, x: Tensor, sharing: Groups) -> Tensor | None:
        """The share per output channel, (outputs,), of noise on x: (n, inputs, ...); None where there is no formula."""
        match sharing:
            case "element":
                share = self(x.square().mean(0, keepdim=True), self.weight.square())
                return share.mean(all_but_channels(share))
            case "sample":
                return of_signal(self(x, self.weight))
            case "channel" if not self.transposed:
                return self._share_by_channel(x)
        return None

    def linear(self, name: str, x: Tensor) -> Linear | None:
        """How Eq. 10 sees it."""
        if self.transposed:
            return None
        room = all(
            size > gap * (side - 1)
            for size, side, gap in zip(x.shape[2:], self.weight.shape[2:], self.dilation, strict=True)
        )
        inside = [0] * len(self.padding) if room else self.padding  # Eq. 10 knows no borders
        plain = replace(self, weight=torch.ones_like(self.weight[: self.groups]), padding=inside)
        sums = plain(x, plain.weight)
        return as_the_paper_sees_it(name, x, self.weight, sums)

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve."""
        geometry = self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups
        return aten.convolution(x, weight, None, *geometry)

    def _share_by_channel(self, x: Tensor) -> Tensor:
        """A channel's patches are seen by all filters alike: w M w with the patches' second moments M.

        Patches of the whole batch would be as many times larger than x as the kernel has places.
        """
        places = math.prod(self.weight.shape[2:])
        moments = torch.stack([self._moments(part) * len(part) for part in x.split(max(1, len(x) // places))])
        mean = moments.sum(0).view(self.groups, -1, places, places) / len(x)
        filters = self.weight.view(self.groups, -1, self.weight.shape[1], places)
        return torch.einsum("goik,gikl,goil->go", filters, mean, filters).flatten()

    def _moments(self, x: Tensor) -> Tensor:
        """Mean of patch patch^T over samples and positions: (inputs, places, places)."""
        places = self.weight[0, 0].numel()
        one_hot = torch.eye(places).to(x).view(places, 1, *self.weight.shape[2:])
        maps = x.reshape(-1, 1, *x.shape[2:])
        patches = replace(self, groups=1)(maps, one_hot).view(*x.shape[:2], places, -1)
        return torch.einsum("nikp,nilp->ikl", patches, patches) / (patches.shape[0] * patches.shape[3])


@dataclass(frozen=True)
class FullyConnected:
    """A fully connected layer, without its bias.

    Attributes:
        weight: (outputs, inputs).
    """

    weight: Tensor

    @property
    def inputs(self) -> int:
        """Units that go in."""
        return self.weight.shape[1]

    def share(self, x: Tensor, sharing: Groups) -> Tensor | None:
        """The share per output unit, (outputs,), of noise on x: (n, inputs); None where there is no formula."""
        match sharing:
            case "element":
                return self.weight.square() @ of_signal(x)
            case "sample":
                return of_signal(functional.linear(x, self.weight))
            case int():
                groups = zip(x.split(sharing, 1), self.weight.split(sharing, 1), strict=True)
                return torch.stack([of_signal(functional.linear(part, weight)) for part, weight in groups]).sum(0)
        return None

    def linear(self, name: str, x: Tensor) -> Linear:
        """How Eq. 10 sees it."""
        return as_the_paper_sees_it(name, x, self.weight, x.sum(1, keepdim=True))


def as_the_paper_sees_it(name: str | None, x: Tensor, weight: Tensor | None, sums: Tensor) -> Linear:
    """Read off Eq. 10's quantities, with the common mean, variance and correlation that it assumes.

    Args:
        name: of the layer.
        x: (n, channels, ...), what the noise multiplies.
        weight: (outputs, ...), d weights each; None in case (a).
        sums: (n, groups, ...), of the d elements that a unit sees.
    """
    v = unbiased(x).mean().item()
    if weight is None:
        return Linear(name, 1, 1.0, x.mean().item(), v, 0.0)
    d = weight[0].numel()
    of_filters = cos2(weight)
    apart = unbiased(sums).mean().item() / d - v
    rho = apart / (v * (d - 1)) if d > 1 and v > 0 else 0.0
    return Linear(name, d, d * of_filters.nanmean().item(), x.mean().item(), v, rho)


def require_several(bn: str, x: Tensor) -> None:
    """Refuse an input of a BN, x: (n, channels, ...), that has no variance.

    Raises:
        ValueError: if a channel has one value.
    """
    if x.numel() == x.shape[1]:
        raise refusal(f"values a channel of {bn}", 1, "a batch must bring >= 2 to every BN")


def unbiased(x: Tensor) -> Tensor:
    """UNBIASED variance of x: (n, channels, ...) per channel, pooled over samples and positions, (channels,)."""
    return x.var(all_but_channels(x))


def all_but_channels(x: Tensor) -> list[int]:
    """The dimensions over which BN pools x: (n, channels, ...)."""
    return [dim for dim in range(x.dim()) if dim != 1]


def mean(x: Tensor) -> Tensor:
    """Mean of x: (n, channels, ...) per channel, over samples and positions, (channels,)."""
    return x.mean(all_but_channels(x))
