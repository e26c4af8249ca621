"""A copy of anybody's model to examine, and how a batch is handed to it."""

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy
from torch.utils._pytree import tree_leaves, tree_map_only

from fullscale.batchnorms import BatchNorm
from fullscale.contracts import refusal, told
from fullscale.doctor.generators import sealed
from fullscale.doctor.stack import Stack
from fullscale.specimen import settle


class Patient:
    """A copy of a model, in float32, that changes nothing of itself however it is run.

    Args:
        model: stays as it is. What its `train()` leaves in evaluation mode is frozen, and so is what is in evaluation
            mode while the whole is in train mode.
        batch: gives lazy modules their shapes.

    Attributes:
        model: the copy.
        stack: knows which of its modules is at work.
        bns: every BN by its path.
        lazy: whether there were lazy modules, whose weights are therefore drawn here.
        others: the generators that are not torch's from which the last pass drew, "random" and "numpy.random".

    Raises:
        ValueError: if the model cannot be copied, was compiled to TorchScript, or cannot take the batch.
    """

    def __init__(self, model: nn.Module, batch: Any) -> None:
        model = getattr(model, "_orig_mod", model)  # of torch.compile
        if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
            raise refusal("model", type(model).__name__, "is TorchScript, which cannot be watched; give its source")
        self.model = copied(model)
        as_it_came = {module: module.training or not self.model.training for module in self.model.modules()}
        self.model.train()
        self._training = {module: module.training and as_it_came[module] for module in self.model.modules()}
        self._device = next((each.device for each in model.parameters()), torch.device("cpu"))
        self.stack = Stack(self.model)
        self.others: set[str] = set()
        self._buffers: list[tuple[nn.Module, str, Tensor, Tensor]] = []
        self.bns = {name: module for name, module in self.model.named_modules() if isinstance(module, BatchNorm)}
        self.lazy = is_to_be_made(model)
        if self.lazy:
            self.test()
            self.run(batch)
            self._keep()
            self.train()  # there may be heads that only training calls
            self.run(batch)
        settle(self.model)
        self._keep()

    def frozen(self, bn: BatchNorm) -> bool:
        """Whether a BN normalises by its moving statistics in training, too."""
        return not self._training[bn]

    def train(self) -> None:
        """Switch to training, as the model itself would be."""
        for module, training in self._training.items():
            module.training = training

    def test(self) -> None:
        """Switch to evaluation."""
        self.model.eval()

    def without_noise(self) -> None:
        """Switch BNs to training, unless they are frozen, and all the rest to evaluation."""
        self.test()
        for bn in self.bns.values():
            bn.training = self._training[bn]

    def run(self, batch: Any, watch: AbstractContextManager[Any] | None = None) -> None:
        """Do a forward pass, watched.

        Args:
            batch: what the model takes, alone in a sequence or not, or a pair of that and a target, which is left out.
            watch: is entered for it.

        Raises:
            ValueError: if the model cannot take it.
        """
        given = self._given(batch)
        samples(given)
        try:
            self._pass(given, watch or nullcontext())
        except Exception as error:
            failure = self._failure(given)
            if failure is None:  # it is not the model
                raise
            shapes = ", ".join(str(tuple(leaf.shape)) for leaf in tree_leaves(given) if isinstance(leaf, Tensor))
            raise refusal("input", shapes or type(given).__name__, f"the model fails on it: {failure}") from error

    def _pass(self, given: Any, watch: AbstractContextManager[Any]) -> None:
        given = tree_map_only(Tensor, Tensor.clone, given)  # the model may write on it
        self.stack.restart(samples(given))
        with torch.compiler.set_stance("force_eager"), sealed() as self.others, watch:
            if isinstance(given, Mapping) and self._takes(**given):
                self.model(**given)
            elif isinstance(given, list | tuple) and self._takes(*given) and not self._takes(given):
                self.model(*given)
            else:
                self.model(given)
        self._restore()

    def _keep(self) -> None:
        """Note the buffers as they are: every pass begins with these, whatever another changed."""
        self._buffers = [
            (module, name, buffer, buffer.clone())
            for module in self.model.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if not is_lazy(buffer)
        ]

    def _restore(self) -> None:
        for module, name, buffer, before in self._buffers:
            buffer.copy_(before)
            setattr(module, name, buffer)

    def _failure(self, given: Any) -> str | None:
        try:
            self._pass(given, nullcontext())
        except Exception as error:
            return told(error)[:300]
        return None

    def _given(self, batch: Any) -> Any:
        given = batch[0] if isinstance(batch, list | tuple) and len(batch) in (1, 2) else batch
        return tree_map_only(Tensor, self._moved, given)

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._device, torch.float32 if tensor.is_floating_point() else tensor.dtype)

    def _takes(self, *args: Any, **kwargs: Any) -> bool:
        try:
            inspect.signature(self.model.forward).bind(*args, **kwargs)
        except TypeError:
            return False
        return True


def samples(batch: Any) -> int:
    """How many samples a batch has: the length of the first tensor in it.

    Raises:
        ValueError: if there is no tensor, or no sample in it.
    """
    for leaf in tree_leaves(batch):
        if isinstance(leaf, Tensor) and leaf.dim() > 0:
            if len(leaf) == 0:
                raise refusal("batch", tuple(leaf.shape), "must hold at least one sample")
            return len(leaf)
    raise refusal("batch", type(batch).__name__, "must hold a tensor of samples")


def copied(model: nn.Module) -> nn.Module:
    """Copy a model, lazy modules included.

    Raises:
        ValueError: if it cannot be copied.
    """
    try:
        return copy.deepcopy(model, _lazy_buffers(model))
    except Exception as error:
        raise refusal("model", type(model).__name__, f"cannot be copied: {told(error)}") from error


def is_to_be_made(model: nn.Module) -> bool:
    """Whether a model has lazy modules, whose weights a first pass has yet to make."""
    return any(map(is_lazy, chain(model.parameters(), model.buffers())))


def _lazy_buffers(model: nn.Module) -> dict[int, Tensor]:
    """Copy lazy buffers for deepcopy, which of lazy tensors can only copy parameters."""
    empty: Any = UninitializedBuffer
    lazy = (each for each in model.buffers() if is_lazy(each))
    return {id(each): empty(device=each.device, dtype=each.dtype) for each in lazy}


def started(batches: Iterable[Any]) -> tuple[Any, Iterator[Any]]:
    """Return the first batch, and all of them.

    Raises:
        ValueError: if there is none.
    """
    rest = iter(batches)
    try:
        first = next(rest)
    except StopIteration:
        raise refusal("batches", 0, "there must be at least one") from None
    return first, chain([first], rest)
