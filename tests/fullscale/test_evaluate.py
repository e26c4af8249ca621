"""Error and loss in test mode."""

import math

import pytest
import torch
from torch import nn

from fullscale.evaluate import Score, evaluate


def test_the_score_is_over_images_and_not_over_batches():
    logits = torch.tensor([[2.0, 0], [0, 2], [0, 2], [0, 2], [2, 0]])
    labels = torch.tensor([0, 0, 1, 1, 1])
    batches = [(logits[:4], labels[:4]), (logits[4:], labels[4:])]
    right, wrong = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    score = evaluate(nn.Identity(), iter(batches))
    assert score == Score(error=40, loss=score.loss, n=5)
    assert score.loss == pytest.approx((3 * right + 2 * wrong) / 5)
    assert score.error != (25 + 100) / 2  # the control


def test_test_mode_is_used_and_every_mode_comes_back():
    net = nn.Sequential(nn.Dropout(0.99), nn.BatchNorm1d(2), nn.Linear(2, 2))
    net.train()[1].eval()
    images = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        labels = net.eval()(images).argmax(1)
        net.train()[1].eval()
    state, random = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    assert evaluate(net, [(images, labels)]).error == 0
    assert [module.training for module in net.modules()] == [True, True, False, True]
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_the_modes_come_back_from_a_batch_that_fails_too():
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError):
        evaluate(net, [(torch.ones(1, 3), torch.zeros(1, dtype=torch.int64))])
    assert net.training
    assert net[0].training


def test_no_graph_is_kept():
    net, enabled = nn.Linear(2, 2), []
    net.register_forward_hook(lambda *_: enabled.append(torch.is_grad_enabled()))
    evaluate(net, [(torch.ones(1, 2), torch.tensor([0]))])
    assert enabled == [False]
    assert torch.is_grad_enabled()


def test_no_images_have_no_score():
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        evaluate(nn.Identity(), [])
