"""Whether a model without noise is the same from pass to pass: torch may not be all that draws in it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fullscale.doctor.calls import Call
from fullscale.doctor.exact import Input
from fullscale.doctor.noise_free import NoiseFree
from fullscale.doctor.products import Product
from fullscale.doctor.shares import unbiased
from fullscale.doctor.stack import Stack


class Repeated(NoiseFree):
    """A pass without noise that keeps the variances of BNs' inputs alone.

    Attributes:
        inputs: paths and UNBIASED variances, (channels,), in order of execution.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.inputs: list[tuple[str, Tensor]] = []

    def before(self, call: Call, product: Product | None = None) -> None:
        """Keep nothing."""
        del call, product

    def after(self, call: Call, out: Any, kept: Any) -> None:
        """Look at nothing."""
        del call, out, kept

    def normalised(self, name: str, x: Tensor) -> None:
        """Keep the variance."""
        self.inputs.append((name, unbiased(x)))

    def unlike(self, first: Sequence[Input]) -> set[str]:
        """Return the paths of the BNs whose inputs were others in a first pass, all if others were called."""
        if [own.bn for own in first] != [name for name, _ in self.inputs]:
            return {own.bn for own in first}
        pairs = zip(first, self.inputs, strict=True)
        return {own.bn for own, (_, var) in pairs if not torch.allclose(own.var, var, rtol=1e-3, atol=0)}
