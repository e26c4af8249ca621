"""The angle between each convolution's filters and (1, ..., 1) (Eq. 11, Table 1, Fig. 3)."""

import math
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor, nn

from fullscale.contracts import refusal


@dataclass(frozen=True)
class Row:
    """One convolution.

    Attributes:
        index: 1 for the first.
        name: its path in the net.
        filters: how many.
        zero_filters: how many of them are zero throughout: they have no angle, and are left out of the means.
        d: weights of one filter, C_in / groups * k * k.
        cos2: mean of cos^2 theta over the filters.
        d_cos2: mean of d cos^2 theta over the filters.
    """

    index: int
    name: str
    filters: int
    zero_filters: int
    d: int
    cos2: float
    d_cos2: float


@dataclass(frozen=True)
class Angles:
    """The convolutions of a net.

    Attributes:
        rows: one per convolution, in the order in which modules were registered.
        cos2_of_filters: (filters,) float64 of each convolution; NaN for a filter that is zero throughout.
    """

    rows: tuple[Row, ...]
    cos2_of_filters: tuple[Tensor, ...]

    @property
    def cos2(self) -> float:
        """Mean over all convolutions (Table 1)."""
        return fmean(row.cos2 for row in self.rows)

    @property
    def d_cos2(self) -> float:
        """Mean over all convolutions (Table 1)."""
        return fmean(row.d_cos2 for row in self.rows)


def cos2(weight: Tensor) -> Tensor:
    """Return (sum w)^2 / (d sum w^2) of every filter (Eq. 11).

    Args:
        weight: (filters, ...), d weights a filter.

    Returns:
        (filters,) float64 on the CPU, in [0, 1]; NaN for a filter that is zero throughout.
    """
    w = weight.detach().cpu().double().flatten(1)
    return w.sum(1) ** 2 / (w.shape[1] * (w**2).sum(1))


def angles(net: nn.Module) -> Angles:
    """Measure every convolution in a net; linear layers are none, as in Table 1.

    Raises:
        ValueError: if there is none, or if all filters of one are zero, or one is not finite.
    """
    convolutions = {
        name: module for name, module in net.named_modules() if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    }
    if not convolutions:
        raise refusal("net", type(net).__name__, "has no convolution")
    of_filters = tuple(cos2(module.weight) for module in convolutions.values())
    rows = [
        _row(index, name, module.weight, own)
        for index, ((name, module), own) in enumerate(zip(convolutions.items(), of_filters, strict=True), start=1)
    ]
    return Angles(tuple(rows), of_filters)


def _row(index: int, name: str, weight: Tensor, of_filters: Tensor) -> Row:
    nonzero = weight.detach().cpu().flatten(1).any(1)
    if not nonzero.any():
        raise refusal(f"{name}'s weight", 0, "all of its filters are zero, and have no angle")
    mean, d = of_filters[nonzero].mean().item(), weight[0].numel()
    if math.isnan(mean):
        raise refusal(f"{name}'s weight", mean, "must be finite")
    return Row(index, name, len(weight), int((~nonzero).sum()), d, mean, d * mean)
