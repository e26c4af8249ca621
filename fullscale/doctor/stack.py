"""Which module of a model is at work."""

from collections import Counter
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fullscale.batchnorms import BatchNorm


class Stack:
    """Knows the modules of a model that are being called, the innermost last.

    Args:
        model: gets hooks, which stay: it must be a copy.

    Attributes:
        samples: in the pass.
        bns: paths of the BNs that were called in it.
    """

    def __init__(self, model: nn.Module) -> None:
        self.samples = 0
        self.bns: set[str] = set()
        self._called: list[tuple[str, nn.Module]] = []
        self._draws: Counter[str] = Counter()
        self._model = model
        for name, module in model.named_modules():
            module.register_forward_pre_hook(self._entering(name, module), prepend=True)
            module.register_forward_hook(self._leaving, always_call=True)

    @property
    def path(self) -> str:
        """Where the innermost module stands in the model; "" outside of it, and for the model itself."""
        return self._called[-1][0] if self._called else ""

    @property
    def kind(self) -> str:
        """Class of the innermost module."""
        return type(self._called[-1][1]).__name__ if self._called else ""

    @property
    def bn(self) -> bool:
        """Whether the innermost module is a BN."""
        return bool(self._called) and isinstance(self._called[-1][1], BatchNorm)

    def restart(self, samples: int) -> None:
        """Begin a pass over so many samples: draws are counted from the first again."""
        self.samples = samples
        self.bns.clear()
        self._called.clear()
        self._draws.clear()
        self._weights = {each.untyped_storage()._cdata for each in self._model.parameters() if not is_lazy(each)}

    def owns(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter of the model, or a part of one."""
        return tensor.untyped_storage()._cdata in self._weights

    def draw(self) -> str:
        """Name a draw of random numbers: by the module, from its second draw of a pass on with a number."""
        path = self.path or self.kind
        self._draws[path] += 1
        return path if self._draws[path] == 1 else f"{path}:{self._draws[path]}"

    def _entering(self, name: str, module: nn.Module) -> Any:
        def enter(*_: Any) -> None:
            self._called.append((name, module))
            if self.bn:
                self.bns.add(name)

        return enter

    def _leaving(self, *_: Any) -> None:
        if self._called:
            self._called.pop()
