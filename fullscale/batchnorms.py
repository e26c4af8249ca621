"""The BNs of a net."""

from typing import TypeAlias

from torch import nn

from fullscale.contracts import refusal

BatchNorm: TypeAlias = nn.modules.batchnorm._BatchNorm


def batchnorms(net: nn.Module) -> dict[str, BatchNorm]:
    """Return every BN by its path in `net`, in the order in which modules were registered.

    Raises:
        ValueError: if there is none, or one that keeps no moving statistics.
    """
    found = {name: module for name, module in net.named_modules() if isinstance(module, BatchNorm)}
    if not found:
        raise refusal("net", type(net).__name__, "has no BN")
    for name, bn in found.items():
        if not keeps_statistics(bn):
            raise refusal(name, bn, "keeps no moving statistics, so training and test do not differ here")
    return found


def keeps_statistics(bn: BatchNorm) -> bool:
    """Whether a BN keeps moving statistics."""
    return bn.running_mean is not None and bn.running_var is not None
