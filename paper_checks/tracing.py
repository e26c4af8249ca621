"""Where noise goes in a net: it is made NaN, and we look which BNs get it."""

from functools import cache, partial

import torch
from torch import Tensor, nn

from fullscale.batchnorms import batchnorms
from fullscale.nets import build
from fullscale.placement import Where, place


@cache
def bns(net: str) -> tuple[str, ...]:
    """Return the names of a net's BNs, in order of execution."""
    return tuple(batchnorms(build(net)))


@cache
def reached(net: str, placement: Where, *, past_bns: bool) -> tuple[str, ...]:
    """Return the names of the BNs that Dropout reaches, in order of execution: all, or those past no other BN."""
    found: list[str] = []

    def spoil(_: nn.Module, args: tuple[Tensor], out: Tensor) -> Tensor:
        del args
        return torch.full_like(out, torch.nan)

    def listen(name: str, _: nn.Module, args: tuple[Tensor], out: Tensor) -> Tensor:
        if not args[0].isnan().any():
            return out
        found.append(name)
        return out if past_bns else torch.zeros_like(out)

    subject = place(build(net), placement, drop=0.5).eval()
    for module in subject.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(spoil)
    for name, bn in batchnorms(subject).items():
        bn.register_forward_hook(partial(listen, name))
    with torch.no_grad():
        subject(torch.zeros(1, 3, 8, 8))
    return tuple(found)
