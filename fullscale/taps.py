"""Hearing what goes into each BN of a net."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from torch import nn
from torch.utils.hooks import RemovableHandle

from fullscale.batchnorms import BatchNorm
from fullscale.contracts import refusal
from fullscale.statistics import Moments, moments


class InputTap:
    """Takes the moments of every BN's input, while it is entered, and makes sure that no BN is missed.

    Args:
        bns: by name.

    Attributes:
        order: the names in order of execution in the last pass; empty before the first.
    """

    def __init__(self, bns: Mapping[str, BatchNorm]) -> None:
        self.order: tuple[str, ...] = ()
        self._bns = bns
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

    def take(self) -> list[Moments]:
        """Return what one forward pass brought, in the order of `bns`.

        Raises:
            ValueError: if the pass missed a BN.
        """
        heard, self._heard = self._heard, {}
        if missed := [name for name in self._bns if name not in heard]:
            raise refusal("BN never called", ", ".join(missed), "a pass must go through each, by its __call__")
        self.order = tuple(heard)
        return [heard[name] for name in self._bns]

    def _hearing(self, name: str) -> Any:
        def hear(_: nn.Module, args: tuple[Any, ...]) -> None:
            if name in self._heard:
                raise refusal("BN called twice", name, "what it keeps mixes two places, which cannot be told apart")
            self._heard[name] = moments(args[0])

        return hear
