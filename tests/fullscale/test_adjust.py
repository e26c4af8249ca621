"""Re-estimated BN statistics, in the three readings of Table 3's "-A"."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from fullscale.adjust import READINGS, Reading, adjust
from fullscale.measure import measure

N, BATCHES = 32, 4


class Doubled(nn.Module):
    """Noise without chance."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x if self.training else x


def drawn() -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    labels = torch.zeros(N, dtype=torch.int64)
    return [(torch.randn(N, 6, generator=seeded) * 3 + 1, labels) for _ in range(BATCHES)]


def at_once_batch() -> list[tuple[Tensor, Tensor]]:
    images, labels = zip(*drawn(), strict=True)
    return [(torch.cat(images), torch.cat(labels))]


def bn(features: int = 6) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(features, eps=1e-12)


def deep(drop: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(6, 6), nn.Dropout(drop), bn(), nn.ReLU()) for _ in range(4)]
    net = nn.Sequential(*blocks)
    with torch.no_grad():
        for images, _ in drawn() * 5:
            net(images)
    return net


def outputs(net: nn.Module) -> Tensor:
    with torch.no_grad():
        return net.eval()(torch.cat([images for images, _ in drawn()]))


def statistics(net: nn.Module) -> Tensor:
    return torch.cat([value.double() for name, value in net.state_dict().items() if "running" in name])


UNKNOWN: Any = "swa"


@pytest.mark.parametrize("reading", READINGS)
def test_a_bn_behind_a_noise_then_puts_out_variance_one(reading: Reading):
    net = nn.Sequential(nn.Dropout(0.5), bn())
    after = outputs(adjust(net, drawn, reading=reading)).double()
    torch.testing.assert_close(after.var(0), torch.ones(6, dtype=torch.float64), rtol=1e-6, atol=0)
    torch.testing.assert_close(after.mean(0), torch.zeros(6, dtype=torch.float64), rtol=0, atol=1e-6)


def test_update_bn_of_pytorch_would_bring_the_shifted_variance_back():
    net = nn.Sequential(Doubled(), bn())
    update_bn(drawn(), net)
    kept = torch.stack([images.var(0) for images, _ in drawn()]).mean(0)
    torch.testing.assert_close(net[1].get_buffer("running_var"), 4 * kept)
    pooled = torch.cat([images for images, _ in drawn()]).var(0)
    torch.testing.assert_close(adjust(net, drawn)[1].get_buffer("running_var"), pooled)


def test_layer_by_layer_leaves_no_shift_at_any_depth():
    net = deep()
    for row in measure(adjust(net, drawn, reading="layerwise"), drawn(), seed=0).rows:
        assert row.real_var_pooled == pytest.approx(row.moving_var, rel=1e-6)
    for row in measure(net, drawn(), seed=0).rows:  # the control: what there was to correct
        assert row.real_var_pooled != pytest.approx(row.moving_var, rel=0.1)


def test_at_once_corrections_compound_with_depth_and_the_others_do_not():
    blocks = [(Doubled(), bn()) for _ in range(5)]
    net = nn.Sequential(*(layer for block in blocks for layer in block))
    images = torch.cat([images for images, _ in drawn()])
    standard = [((images - images.mean(0)) / images.std(0), torch.zeros(len(images), dtype=torch.int64))]
    for _, norm in blocks:
        norm.get_buffer("running_var").fill_(4)  # the doubled output of the one before, in training

    def shifts(adjusted: nn.Module) -> list[float]:
        return [row.shift for row in measure(adjusted, standard * 2, seed=0).rows]

    assert shifts(net) == pytest.approx([4.0 ** -(depth + 1) for depth in range(5)], rel=1e-5)
    # Correcting all of 4^-1, 4^-2, ... at once, BN k is right for the net before, and 4^(1 + ... + k) too much after.
    at_once = adjust(net, lambda: standard, reading="at-once")
    assert shifts(at_once) == pytest.approx([4.0 ** (depth * (depth + 1) // 2) for depth in range(5)], rel=1e-5)
    layerwise = adjust(net, lambda: standard, reading="layerwise")
    assert shifts(layerwise) == pytest.approx([1] * 5, rel=1e-5)
    by_batch, m = adjust(net, lambda: standard), len(images)
    # BN keeps the unbiased variance and normalises by the biased one, of m values, with and without noise.
    assert shifts(by_batch) == pytest.approx([((m - 1) / m) ** depth for depth in range(5)], rel=1e-5)


def test_at_once_takes_what_every_bn_gets_in_the_net_as_it_was():
    net = deep()
    before = measure(net, drawn(), seed=0)
    after = adjust(net, drawn, reading="at-once")
    for row, channels in zip(before.rows, before.channels, strict=True):
        own = after.get_submodule(row.name)
        torch.testing.assert_close(own.get_buffer("running_var"), channels.test.pooled_var.float())
        torch.testing.assert_close(own.get_buffer("running_mean"), channels.test.pooled_mean.float())


def test_all_readings_agree_on_the_first_bn():
    net = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), bn(), nn.Linear(6, 3))
    one, *others = (statistics(adjust(net, drawn, reading=reading)) for reading in READINGS)
    for other in others:
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)


def test_one_batch_of_all_images_makes_batch_and_layerwise_alike_but_for_biased_and_unbiased():
    net = nn.Sequential(nn.Dropout(0.5), bn(), nn.Linear(6, 4), nn.Dropout(0.5), bn(4), nn.Linear(4, 2), bn(2))
    by_batch, layerwise = (adjust(net, at_once_batch, reading=reading) for reading in ("batch", "layerwise"))
    m = N * BATCHES
    for depth, index in enumerate((1, 4, 6)):
        # A linear layer hands on the variance that it gets: (m-1)/m where the BN before it divided by the unbiased one,
        # 1 where by the biased one. Then the next BN divides all of it out again.
        ratio = layerwise[index].get_buffer("running_var") / by_batch[index].get_buffer("running_var")
        expected = 1 if depth == 0 else (m - 1) / m
        torch.testing.assert_close(ratio, torch.full_like(ratio, expected), rtol=1e-5, atol=0)


def test_only_the_statistics_of_the_copy_differ():
    net = deep()
    net.train()[0].eval()
    adjusted = adjust(net, drawn)
    assert [module.training for module in adjusted.modules()] == [module.training for module in net.modules()]
    assert all(module.track_running_stats for module in adjusted.modules() if isinstance(module, nn.BatchNorm1d))
    before = net.state_dict()
    changed = {name.rsplit(".")[-1] for name, value in adjusted.state_dict().items() if not value.equal(before[name])}
    assert changed == {"running_mean", "running_var"}


def test_a_net_in_half_precision_stays_in_it_and_keeps_the_type_of_its_buffers():
    net = deep().bfloat16()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.float()
    adjusted = adjust(net, drawn)
    assert {name: value.dtype for name, value in adjusted.state_dict().items()} == {
        name: value.dtype for name, value in net.state_dict().items()
    }
    assert torch.equal(statistics(adjusted), statistics(adjust(net.float(), drawn)))


def test_layer_by_layer_leaves_each_pass_at_its_bn():
    net = deep()
    passed: list[int] = []
    for index, block in enumerate(net):
        block.get_submodule("3").register_forward_hook(lambda *_, index=index: passed.append(index))
    adjust(net, drawn, reading="layerwise")
    order_of_execution = 1
    assert [passed.count(index) for index in range(4)] == [order_of_execution + BATCHES * k for k in (3, 2, 1, 0)]


@pytest.mark.parametrize(("reading", "passes"), [("at-once", 1), ("batch", 1), ("layerwise", 4)])
def test_progress_counts_over_all_passes(reading: Reading, passes: int):
    told: list[int] = []
    adjust(deep(), drawn, reading=reading, progress=told.append)
    assert told == [N * (k + 1) for k in range(BATCHES * passes)]


@pytest.mark.parametrize("reading", READINGS)
def test_no_images_are_refused(reading: Reading):
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        adjust(deep(), list, reading=reading)


def test_an_unknown_reading_is_refused():
    with pytest.raises(ValueError, match=r"^reading = swa: must be one of batch, layerwise, at-once$"):
        adjust(deep(), drawn, reading=UNKNOWN)
