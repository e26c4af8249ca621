"""The chain reaction: BNs whose means are off, and the first k of them mended."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fullscale.adjust import adjust
from fullscale.chain import Chain, chain
from fullscale.data.synthetic import synthetic
from fullscale.evaluate import evaluate
from fullscale.measurements.chain import Chain as Measured
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.subject import Subject

N, BATCHES, CLASSES = 32, 3, 4


class Backwards(nn.Module):
    """Blocks that run in the opposite order to that of their registration."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        for block in reversed(self.blocks):
            x = block(x)
        return x


def drawn(seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(N, 6, generator=seeded) * 3 + 1, torch.randint(CLASSES, (N,), generator=seeded))
        for _ in range(BATCHES)
    ]


def held_out() -> list[tuple[Tensor, Tensor]]:
    return drawn(1)


def bn(features: int = 6) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(features, eps=1e-12)


def deep(drop: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(6, 6), nn.Dropout(drop), bn(), nn.Tanh()) for _ in range(3)]
    net = nn.Sequential(Backwards(*blocks), nn.Linear(6, CLASSES, bias=False))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            set_statistics(module, torch.empty(6).uniform_(-0.5, 0.5), torch.empty(6).uniform_(0.2, 2))
    return net


def set_statistics(norm: nn.Module, mean: Tensor, var: Tensor) -> None:
    norm.get_buffer("running_mean").copy_(mean)
    norm.get_buffer("running_var").copy_(var)


def pooled() -> Tensor:
    return torch.cat([images for images, _ in drawn()]).double()


def test_at_the_ends_stand_the_net_itself_and_the_net_adjusted_layer_by_layer():
    net = deep()
    found = chain(net, drawn, held_out)
    assert found.errors[0] == evaluate(net, held_out()).error
    assert found.errors[-1] == evaluate(adjust(net, drawn, reading="layerwise"), held_out()).error
    assert found.errors[0] != found.errors[-1]


def test_between_them_the_first_k_bns_in_order_of_execution_are_mended():
    net = deep()
    found, mended = chain(net, drawn, held_out), adjust(net, drawn, reading="layerwise")
    assert found.names == ("0.blocks.2.2", "0.blocks.1.2", "0.blocks.0.2")
    partly, errors = copy.deepcopy(net), [evaluate(net, held_out()).error]
    for name in found.names:
        own = mended.get_submodule(name)
        set_statistics(partly.get_submodule(name), own.get_buffer("running_mean"), own.get_buffer("running_var"))
        errors.append(evaluate(partly, held_out()).error)
    assert found.errors == tuple(errors)
    assert len(set(errors)) == len(errors)  # so that another order would be noticed


@pytest.mark.parametrize("off", [[0.0] * 6, [0.3] * 6, [1.0, -2.0, 0.0, 0.5, 0.0, 3.0]])
def test_a_mean_that_is_off_is_told_in_the_deviations_that_the_bn_keeps(off: list[float]):
    norm, kept_var = bn(), torch.tensor([1.0, 4.0, 0.25, 1.0, 9.0, 2.0], dtype=torch.float64)
    set_statistics(norm, pooled().mean(0) - torch.tensor(off), kept_var)
    found = chain(nn.Sequential(norm), drawn, held_out)
    expected = sum(each**2 / var for each, var in zip(off, kept_var.tolist(), strict=True)) / 6
    assert found.deviations == pytest.approx([expected**0.5], abs=1e-6)


def test_a_deviation_is_handed_on_to_the_next_bn_of_the_net_as_it_was_trained():
    first, second, off = bn(), bn(), 2.0
    set_statistics(first, pooled().mean(0) - off, pooled().var(0))
    with torch.no_grad():
        first.weight.fill_(3)
    found = chain(nn.Sequential(first, second), drawn, held_out)
    # What comes out of the first has mean 3 off / sd, where the second keeps its first mean, 0, and variance, 1.
    handed_on = 3 * off / pooled().std(0)
    assert found.deviations[1] == pytest.approx(handed_on.square().mean().sqrt().item(), rel=1e-5)


def test_noise_is_off_throughout():
    noisy, quiet = deep(), deep()
    for module in quiet.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert chain(noisy.train(), drawn, held_out) == chain(quiet, drawn, held_out)


def test_the_net_and_torchs_generator_come_back_as_they_were():
    net = deep()
    net.train()[1].eval()
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    drawing = torch.get_rng_state()
    chain(net, drawn, held_out)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert all(module.track_running_stats for module in net.modules() if isinstance(module, nn.BatchNorm1d))
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), drawing)


def test_progress_counts_over_all_passes():
    told: list[int] = []
    chain(deep(), drawn, held_out, progress=told.append)
    passes = 1 + 3 + (1 + 3)  # for the deviations; a BN each; a test before and after each
    assert told == [N * (k + 1) for k in range(BATCHES * passes)]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Linear(6, CLASSES)), r"^net = Sequential: has no BN$"),
        (nn.Sequential(shared := bn(), nn.ReLU(), shared), r"^BN called twice = 0: "),
    ],
)
def test_a_net_that_cannot_be_measured_is_refused(net: nn.Module, message: str):
    with pytest.raises(ValueError, match=message):
        chain(net, drawn, held_out)


@pytest.mark.parametrize(("batches", "test"), [(list, held_out), (drawn, list)])
def test_no_images_are_refused(batches: Any, test: Any):
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        chain(deep(), batches, test)


def test_a_run_is_mended_by_its_training_images_as_in_training_and_tested_on_its_test_images():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), bn(), nn.Linear(6, CLASSES))
    source = synthetic(torch.device("cpu"), classes=CLASSES, size=8, train=32, test=24)
    subject = Subject(net, recipe("wrn-10-1", "synthetic", "none", 0, epochs=2, batch=8), source, seed=3)
    found = Measured().take(subject, unheard)
    expected = chain(net, lambda: source.train_batches(8, 3, 2), lambda: source.test_batches(8))
    assert Chain(found.names, found.deviations, found.errors) == expected
    assert found.errors[0] == subject.score(net).error
