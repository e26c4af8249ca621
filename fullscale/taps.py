"""Hearing what goes into each BN of a net."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fullscale.batchnorms import BatchNorm
from fullscale.contracts import refusal
from fullscale.statistics import Moments, Shadow, Statistics


class InputTap:
    """Shows every BN's input to its shadow, while it is entered, and makes sure that no BN is missed.

    Args:
        bns: by name.

    Attributes:
        order: the names in order of execution in the last pass; empty before the first.
    """

    def __init__(self, bns: Mapping[str, BatchNorm]) -> None:
        self.order: tuple[str, ...] = ()
        self._bns = bns
        self._shadows: dict[str, Shadow] = {}
        self._heard: dict[str, Moments] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        self._handles = [bn.register_forward_pre_hook(self._hearing(name)) for name, bn in self._bns.items()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def run(self, net: nn.Module, images: Tensor, into: Statistics) -> list[Moments]:
        """Do one forward pass, let it into the statistics, and return the inputs' moments, in the order of `bns`.

        Raises:
            ValueError: if the pass missed a BN, or came to one twice.
        """
        self._shadows, self._heard = dict(zip(self._bns, into.shadows, strict=True)), {}
        net(images)
        if missed := [name for name in self._bns if name not in self._heard]:
            raise refusal("BN never called", ", ".join(missed), "a pass must go through each, by its __call__")
        self.order = tuple(self._heard)
        inputs = [self._heard[name] for name in self._bns]
        into.update(inputs)
        return inputs

    def _hearing(self, name: str) -> Any:
        def hear(_: nn.Module, args: tuple[Any, ...]) -> None:
            if name in self._heard:
                raise refusal("BN called twice", name, "what it keeps mixes two places, which cannot be told apart")
            self._heard[name] = self._shadows[name].see(args[0])

        return hear
