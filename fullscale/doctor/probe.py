"""Probing where the law does not reach: the same input, with random noise, beside the noise-free signal.

Every tensor that the noise reaches gets a twin, which holds what it would be with this noise. BNs give what they give
without: what is measured is local.
"""

from collections.abc import Set
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from fullscale.doctor.calls import Call
from fullscale.doctor.marks import Marks
from fullscale.doctor.noise_free import NoiseFree
from fullscale.doctor.products import Product, mean_product
from fullscale.doctor.shares import mean, unbiased
from fullscale.doctor.stack import Stack


class Reading(NamedTuple):
    """Of a BN's input in one batch.

    Attributes:
        mean: (channels,).
        var: UNBIASED, (channels,).
    """

    mean: Tensor
    var: Tensor


class Probe(NoiseFree):
    """A pass in which some sources draw.

    Args:
        stack: of the model that is run.
        active: names of the sources.

    Attributes:
        inputs: of every BN, a call after the other: mean and UNBIASED variance over this batch, (channels,); None where
            their noise does not arrive.
    """

    def __init__(self, stack: Stack, active: Set[str]) -> None:
        super().__init__(stack)
        self.inputs: dict[str, list[Reading | None]] = {}
        self._active = active
        self._twins = Twins()

    def before(self, call: Call, product: Product | None = None) -> Any:
        """Run a call on the twins, before it can write on what they are made from."""
        if not any(map(self._twins.has, call.tensors)):
            return None
        for tensor in call.written:
            self._twins.own(tensor)
        twins = call.mapped(self._twins.of)
        if product is not None and product.name not in self._active:
            return mean_product(twins, product)
        return twins.run()

    def after(self, call: Call, out: Any, kept: Any) -> None:
        """Note what came of it."""
        del call
        if kept is not None:
            for tensor, twin in zip(tree_leaves(out), tree_leaves(kept), strict=True):
                if isinstance(tensor, Tensor):
                    self._twins.bind(tensor, twin)

    def drew(self, call: Call, out: Any, name: str) -> None:
        """Let the twin of the mean draw, or else be the mean, where it was made beside a tensor with a twin."""
        if name in self._active:
            self._twins.own(out)
            self._twins.bind(out, call.mapped(self._twins.of).run())
        elif self._twins.has(out):
            self._twins.of(out).copy_(out)

    def normalised(self, name: str, x: Tensor) -> None:
        """Read what has arrived at a BN."""
        twin = self._twins.of(x) if self._twins.has(x) else None
        self.inputs.setdefault(name, []).append(None if twin is None else Reading(mean(twin), unbiased(twin)))


class Twins:
    """Twins of tensors, a storage for a storage, so that views and writing in place come out alike."""

    def __init__(self) -> None:
        self._storages: Marks[torch.UntypedStorage] = Marks(lambda many: next(iter(many), None))

    def has(self, tensor: Tensor) -> bool:
        """Whether there is one."""
        return self._storages.read(tensor) is not None

    def of(self, tensor: Tensor) -> Tensor:
        """Return the twin, and what has none itself."""
        storage = self._storages.read(tensor)
        if storage is None:
            return tensor
        empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return empty.set_(storage, tensor.storage_offset(), tensor.size(), tensor.stride())

    def own(self, tensor: Tensor) -> None:
        """Make a twin that is still alike, where there is none."""
        if not self.has(tensor):
            self._storages.mark(tensor, tensor.untyped_storage().clone())

    def bind(self, tensor: Tensor, twin: Tensor) -> None:
        """Let this be the twin, if it is not already: as for a view, or what was written in place."""
        self.own(tensor)
        there = self.of(tensor)
        if there.data_ptr() != twin.data_ptr():
            there.copy_(twin)
