"""What goes into each BN in test mode: Section 4's real_var."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fullscale.batchnorms import BatchNorm, keeps_statistics
from fullscale.doctor.calls import BATCH_NORMS, Call, generator_state
from fullscale.doctor.patient import Patient
from fullscale.doctor.shares import require_several
from fullscale.statistics import Shadow


class Tested(TorchDispatchMode):
    """While it is entered, BNs that keep moving statistics show their inputs to shadows of theirs.

    Attributes:
        shadows: of those that were called, by path.
        drawing: names of the sources that draw in test mode, too.

    Raises:
        ValueError: in the midst, if a batch brings a BN one value a channel.
    """

    def __init__(self, patient: Patient) -> None:
        super().__init__()
        self.shadows: dict[str, Shadow] = {}
        self.drawing: set[str] = set()
        self._stack, self._bns = patient.stack, patient.bns
        for bn in self._bns.values():
            bn.momentum = bn.momentum or None  # an average that takes nothing in is read as the plain mean

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator."""
        del types
        if func._can_decompose():  # as inference mode leaves it
            with self:
                return func.decompose(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            return self._perhaps_draw(Call(func, args, kwargs or {}))
        if func.overloadpacket in BATCH_NORMS and self._stack.bn:
            self._see(self._stack.path, args[0])
        return func(*args, **(kwargs or {}))

    def _perhaps_draw(self, call: Call) -> Any:
        state = generator_state(call)
        out = call.run()
        if not torch.equal(state, generator_state(call)):
            self.drawing.add(self._stack.draw())
        return out

    def _see(self, path: str, x: Tensor) -> None:
        require_several(path, x)
        if keeps_statistics(self._bns[path]):
            self.shadows.setdefault(path, Shadow(self._bns[path])).see(x)

    def real_var(self, path: str) -> float | None:
        """Mean over channels of BN's average of UNBIASED batch variances; None if it was not called."""
        return self.shadows[path].read()[1].mean().item() if path in self.shadows else None


def trained(bn: BatchNorm) -> bool:
    """Whether the moving statistics of a BN are others than those it begins with."""
    mean, var = bn.get_buffer("running_mean"), bn.get_buffer("running_var")
    return bool((mean != 0).any() or (var != 1).any())
