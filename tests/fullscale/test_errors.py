"""Top-1 and top-5 errors, on logits that are given."""

import pytest
import torch
from torch import Tensor, nn

from fullscale.data import synthetic
from fullscale.measurements.errors import Errors, Numbers
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.subject import Subject

CPU = torch.device("cpu")


class Told(nn.Module):
    """Says the same logits of every image."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits.expand(len(images), -1)


def errors(logits: list[float]) -> tuple[Numbers, list[float]]:
    """What they come to, and the share of each class among the test images, in percent."""
    source = synthetic(CPU, train=20, test=200)
    labels = torch.cat([batch[1] for batch in source.test_batches(100)])
    plan = recipe("wrn-10-1", "synthetic", "none", 0, batch=10)
    shares = (100 * labels.bincount(minlength=10).double() / len(labels)).tolist()
    return Errors().take(Subject(Told(logits), plan, source), unheard), shares


def test_an_image_is_right_if_its_class_is_among_the_likeliest() -> None:
    found, shares = errors([float(-k) for k in range(10)])
    assert found.top1 == pytest.approx(100 - shares[0])
    assert found.top5 == pytest.approx(100 - sum(shares[:5]))


def test_logits_that_are_no_numbers_are_wrong() -> None:
    one, shares = errors([float("nan"), *(float(-k) for k in range(9))])
    assert (one.top1, one.top5) == (100, pytest.approx(100 - sum(shares[1:5])))
    assert errors([float("nan")] * 10)[0] == Numbers(100, 100)
