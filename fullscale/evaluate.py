"""Error and loss of a net in test mode."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.contracts import refusal
from fullscale.data.source import Batch


@dataclass(frozen=True)
class Score:
    """How a net did on n images.

    Attributes:
        error: percent of the images whose largest logit is not their label's.
        loss: mean cross-entropy, in nats.
        n: images.
    """

    error: float
    loss: float
    n: int

    @property
    def finite_loss(self) -> float | None:
        """The loss, None where JSON has no number for it."""
        return self.loss if math.isfinite(self.loss) else None


@torch.no_grad()
def evaluate(net: nn.Module, batches: Iterable[Batch]) -> Score:
    """Score a net in test mode, in the caller's precision; its modes come back as they were.

    Test mode draws no noise and changes no buffer, so the net itself may run: a compiled one has no copies.
    Sums stay on the device until the end, lest every batch wait for the one before.

    Raises:
        ValueError: if there are no images.
    """
    modes = [(module, module.training) for module in net.modules()]
    try:
        net.eval()
        sums = [_sums(net(images), labels) for images, labels in batches]
    finally:
        for module, training in modes:
            module.training = training
    if not sums:
        raise refusal("batches", 0, "there must be at least one")
    errors, loss, n = torch.stack(sums).sum(0).tolist()
    return Score(100 * errors / n, loss / n, int(n))


def _sums(logits: Tensor, labels: Tensor) -> Tensor:
    errors = (logits.argmax(1) != labels).sum()
    loss = functional.cross_entropy(logits.double(), labels, reduction="sum")
    return torch.stack([errors.double(), loss, torch.full_like(loss, len(labels))])
