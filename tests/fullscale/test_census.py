"""The census against counting by hand; the paper's networks are counted in test_nets.py."""

import pytest
import torch
from torch import nn

from tests.fullscale.census import Census, census


def test_the_census_counts_by_hand_and_leaves_the_net_as_it_was() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.Dropout(0.5),
        nn.Conv2d(4, 4, 1, groups=2), nn.AdaptiveAvgPool2d(1),
        nn.BatchNorm2d(4),  # sees one value a channel, which training refuses
        nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip
    net[1].eval()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    multiply_adds = 5 * 5 * 4 * 3 * 9 + 5 * 5 * 4 * 2 + 4 * 5
    assert census(net, 10) == Census(4 * 3 * 9 + 2 * 4 + 4 * 2 + 4 + 2 * 4 + 4 * 5 + 5, 2, 2, multiply_adds)
    assert [module.training for module in net.modules()] == modes
    assert not any(module._forward_hooks for module in net.modules())
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())


def test_a_census_that_fails_leaves_the_net_as_it_was_too() -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 1))
    with pytest.raises(RuntimeError, match="channel"):
        census(net, 10)
    assert net.training
    assert not net[0]._forward_hooks
