"""Where the noise goes: Dropout-(a), Dropout-(b) (Section 4), or after the last BN (Section 5)."""

import copy
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, TypeVar, get_args

from torch import nn

from fullscale.contracts import Refusal, refusal
from fullscale.nets.parts import Block, Net
from fullscale.noise import GaussianDropout, Uout

Where: TypeAlias = Literal["a", "b", "last", "none"]
Module = TypeVar("Module", bound=nn.Module)

_IN_BLOCKS = {"a": "before_last_bn", "b": "before_last_conv"}
_IN_NETS = {"last": "before_classifier"}


def place(
    net: Module, where: Where, *, drop: float | None = None, uout: float | None = None, sigma: float | None = None
) -> Module:
    """Fill every slot of one kind with its own layer of element-wise noise, and empty all others, IN PLACE.

    Parameters, buffers and the names of both stay as they are, and so does the mode, training or test. The noise draws
    from torch's default generator.

    Args:
        net: made by `fullscale.nets`.
        where: "a", right before the last BN of every block; "b", between a ReLU and the last convolution of every
            block; "last", once, between the global pooling and the classifier; "none", nowhere.
        drop: 1 - p of Dropout, 0 <= drop < 1.
        uout: beta of Uout, 0 <= uout <= 1.
        sigma: standard deviation of Gaussian Dropout, finite and >= 0.

    Returns:
        The net itself.

    Raises:
        ValueError: if `where` is unknown, if the noise is not exactly one (none for "none") or outside its domain, or
            if the net has no slots. The net is as it was.
    """
    if where not in get_args(Where):
        raise refusal("where", where, f"must be one of {', '.join(get_args(Where))}")
    holders = [module for module in net.modules() if isinstance(module, Block | Net)]
    if not holders:
        raise refusal("net", type(net).__name__, "has no slots for noise, build it by fullscale.nets.build")
    noise = _noise(where, {"drop": drop, "uout": uout, "sigma": sigma})
    for holder in holders:
        slots = _IN_NETS if isinstance(holder, Net) else _IN_BLOCKS
        for kind, slot in slots.items():
            layer = copy.deepcopy(noise) if kind == where else nn.Identity()
            setattr(holder, slot, layer.train(holder.training))
    return net


def _noise(where: Where, strengths: Mapping[str, float | None]) -> nn.Module:
    given = [(NOISES[name], strength) for name, strength in strengths.items() if strength is not None]
    if len(given) != (where != "none"):
        rule = f"{'none' if where == 'none' else 'exactly one'} must be given for where = {where}"
        raise refusal(", ".join(strengths), tuple(strengths.values()), rule)
    return next((noise(strength) for noise, strength in given), nn.Identity())


def _dropout(drop: float) -> nn.Dropout:
    if not 0 <= drop < 1:
        raise refusal("drop", drop, "must lie in 0 <= drop < 1, since dropping all leaves no 1 / retain to scale by")
    return nn.Dropout(drop)


def _uout(beta: float) -> Uout:
    try:
        return Uout(beta)
    except Refusal as refused:
        raise refusal("uout", refused.value, refused.rule.replace("beta", "uout")) from None


NOISES: Mapping[str, Callable[[float], nn.Module]] = {
    "drop": _dropout,
    "uout": _uout,
    "sigma": GaussianDropout,
}
"""by the argument of `place`, and the field of a recipe, that says how strong"""
