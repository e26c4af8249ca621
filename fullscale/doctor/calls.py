"""The calls that a model makes in the end: operators, below its modules and functions."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten

BATCH_NORMS = {
    getattr(aten, name)
    for name in (
        "batch_norm",
        "native_batch_norm",
        "cudnn_batch_norm",
        "miopen_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "_batch_norm_with_update",
        "_batch_norm_no_update",
    )
}


@dataclass(frozen=True)
class Call:
    """An operator and what it is called with."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def op(self) -> Any:
        """The operator, whatever its overload."""
        return self.func.overloadpacket

    @cached_property
    def tensors(self) -> list[Tensor]:
        """Every tensor in the arguments."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor)]

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """All arguments by the names of the schema, defaults included."""
        schema = self.func._schema.arguments
        given = dict(zip((argument.name for argument in schema), self.args, strict=False)) | self.kwargs
        return {argument.name: argument.default_value for argument in schema if argument.has_default_value()} | given

    @cached_property
    def written(self) -> list[Tensor]:
        """The tensors that it writes in place."""
        names = _written(self.func)
        arguments = self.arguments if names else {}
        return [leaf for name in names for leaf in tree_leaves(arguments.get(name)) if isinstance(leaf, Tensor)]

    def run(self) -> Any:
        """Call it."""
        return self.func(*self.args, **self.kwargs)

    def mapped(self, change: Any) -> "Call":
        """The same call with other tensors."""
        args, kwargs = tree_map_only(Tensor, change, (self.args, self.kwargs))
        return Call(self.func, args, kwargs)


@cache
def _written(func: Any) -> tuple[str, ...]:
    return tuple(each.name for each in func._schema.arguments if each.alias_info and each.alias_info.is_write)


def generator_state(call: Call) -> Tensor:
    """Return the state of the generator from which a call would draw by default."""
    device = next((tensor.device for tensor in call.tensors if tensor.is_cuda), None)
    return torch.get_rng_state() if device is None else torch.cuda.get_rng_state(device)
