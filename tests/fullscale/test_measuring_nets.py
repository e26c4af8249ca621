"""The experiments on the networks themselves, small ones."""

import pytest
import torch
from torch import Tensor, nn

from fullscale.adjust import READINGS, Reading, adjust
from fullscale.angles import angles
from fullscale.batchnorms import batchnorms
from fullscale.measure import measure
from fullscale.nets import build
from fullscale.placement import place

SMALL = ["preresnet-8", "preresnet-11-bottleneck", "resnext-11-2x4", "wrn-10-1", "densenet-bc-10-4"]


def drawn(n: int = 8, batches: int = 2) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 3, 32, 32, generator=seeded), torch.arange(n) % 10) for _ in range(batches)]


def made(name: str, where: str, drop: float) -> nn.Module:
    torch.manual_seed(0)
    return place(build(name), where, drop=drop)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("where", ["a", "b"])
def test_every_bn_and_every_convolution_of_every_net_has_its_row(name: str, where: str):
    net = made(name, where, 0.5)
    rows = measure(net, drawn(), seed=0).rows
    assert {row.name for row in rows} == set(batchnorms(net))
    assert [row.index for row in rows] == list(range(1, len(rows) + 1))
    assert min(row.drift_free_shift for row in rows) < 0.9
    quiet = measure(made(name, where, 0.0), drawn(), seed=0).rows
    assert [row.real_var for row in quiet] == [row.real_var for row in rows]
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert [row.d for row in angles(net).rows] == [module.weight[0].numel() for module in convolutions]


@pytest.mark.parametrize("reading", READINGS)
def test_nets_can_be_adjusted_and_layer_by_layer_leaves_no_shift(reading: Reading):
    for name in ("preresnet-8", "densenet-bc-10-4"):
        rows = measure(adjust(made(name, "a", 0.5), drawn, reading=reading), drawn(), seed=0).rows
        settled = all(row.real_var_pooled == pytest.approx(row.moving_var, rel=1e-4) for row in rows)
        assert settled == (reading == "layerwise")


def test_the_first_noisy_bn_of_a_net_shifts_by_the_law():
    retain, seeds = 0.5, 12
    one_batch = drawn(16, 1) * 2
    net = adjust(made("wrn-10-1", "a", 1 - retain), lambda: one_batch)  # so that what comes before it is settled
    measured = [measure(net, one_batch, seed=seed) for seed in range(seeds)]
    first = next(k for k, row in enumerate(measured[0].rows) if row.drift_free_shift < 0.9)
    channels = [each.channels[first] for each in measured]
    test = channels[0].test
    law = test.batch_var + (1 - retain) / retain * (test.pooled_var + test.pooled_mean**2)
    train = torch.stack([each.train.batch_var for each in channels])
    error = 8 * train.std(0) / seeds**0.5
    assert ((train.mean(0) - law).abs() < error).all()
    forgotten = test.batch_var / retain  # the control: the law of a mean of 0
    assert ((train.mean(0) - forgotten).abs() > error).any()
