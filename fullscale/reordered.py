"""What Eq. 10 misses of a trained filter: the law with its weights, and with the same weights in random order.

Of a filter Eq. 10 asks for d cos^2 theta alone, which no order of the weights changes, nor their norm. The law asks for
more: the variance of what comes out, to which the signal's own covariances belong. Which order matters to it says what
Eq. 10's common correlation rho leaves out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from fullscale.adjust import Pass
from fullscale.behind_noise import Behind, Layer, layers_behind
from fullscale.doctor.examination import examine
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch


@dataclass(frozen=True)
class Row:
    """Var_Test / Var_Train of what comes out of a convolution right behind noise: of one, a mean over its channels.

    Attributes:
        name: its path in the net.
        d: weights of a filter.
        d_cos2: mean over its filters.
        eq10: by Eq. 10, of the measured c, v and rho: the same in whatever order.
        own: by the law, of the weights as they are.
        taps: by the law, those of each channel of each filter in random order: the channels' sums stay.
        channels: by the law, the channels of each filter in random order: each one's taps stay together.
        weights: by the law, all weights of each filter in random order: d cos^2 and norm stay, and nothing else.
    """

    name: str
    d: int
    d_cos2: float
    eq10: float
    own: float
    taps: float
    channels: float
    weights: float


@dataclass(frozen=True)
class Reordered:
    """The convolutions of a net right behind noise, in order of execution."""

    rows: tuple[Row, ...]
    images: int


def reorder(net: nn.Module, batches: Pass, *, seed: int, progress: Progress = unheard) -> Reordered:
    """Say by the law what comes out of each convolution behind noise, with its weights in four orders.

    Each in turn gets the signal of the net as it is: no other convolution changes.

    Args:
        net: comes back as it was.
        batches: of training images, as in training, on the net's device.
        seed: of the orders.
        progress: is told after each batch how many images are done, over both passes.

    Raises:
        ValueError: if there are no batches, or a BN cannot be examined (see `fullscale.doctor`).
    """
    counted = Counted(progress)
    report = examine(net, counted.over(batches()), seed=seed)
    subject = specimen(net)
    layers = layers_behind(report, subject)
    switch(subject, noise=False, by_batch=True)
    with faithful(subject), Behind(layers, _orders(seed)) as behind:
        for images, _ in counted.over(batches()):
            subject(images)
    return Reordered(tuple(_row(name, layer, behind) for name, layer in layers.items()), report.images)


def _row(name: str, layer: Layer, behind: Behind) -> Row:
    own, taps, channels, weights = (behind.law(name, order) for order in ("own", "taps", "channels", "weights"))
    return Row(name, layer.linear.d, layer.linear.d_cos2, layer.eq10, own, taps, channels, weights)


def _orders(seed: int) -> Mapping[str, Callable[[Tensor], Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    mixed = partial(_in_random_order, generator=generator)
    return {
        "own": lambda weight: weight,
        "taps": lambda weight: mixed(weight.flatten(2), 2).view_as(weight),
        "channels": lambda weight: mixed(weight.flatten(2), 1).view_as(weight),
        "weights": lambda weight: mixed(weight.flatten(1), 1).view_as(weight),
    }


def _in_random_order(x: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Draw an order along a dimension for each index of those before it; those behind it stay together."""
    drawn = torch.rand(x.shape[: dim + 1], generator=generator).argsort(dim).to(x.device)
    return x.take_along_dim(drawn.view(*drawn.shape, *[1] * (x.dim() - dim - 1)), dim)
