"""Variances with Dropout on and BN by its moving statistics."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fullscale.data.synthetic import synthetic
from fullscale.measure import measure
from fullscale.measurements.sampled import Row, Sampled
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.subject import Subject

SOURCE = synthetic(torch.device("cpu"), classes=4, size=8, train=48, test=8)


class Doubled(nn.Module):
    """Noise without chance."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x if self.training else x


class Always(nn.Module):
    """The same in test mode, too."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def bn(features: int = 6, **options) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(features, eps=1e-12, **options)


def made(noise: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(192, 6), bn(), noise, nn.Linear(6, 5), bn(5), nn.ReLU(), nn.Linear(5, 3), bn(3)]
    net = nn.Sequential(nn.Flatten(), *layers)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.get_buffer("running_mean").uniform_(-1, 1)
            module.get_buffer("running_var").uniform_(0.5, 2)
    return net


def subject(net: nn.Module, seed: int = 0) -> Subject:
    return Subject(net, recipe("wrn-10-1", "synthetic", "none", 0, epochs=2, batch=16), SOURCE, seed=seed)


def rows(net: nn.Module, seed: int = 0) -> tuple[Row, ...]:
    return Sampled().take(subject(net, seed), unheard).rows


@pytest.mark.parametrize("noise", [nn.Dropout(0.0), nn.Identity()])
def test_without_noise_it_is_the_shift_ratio_of_test_mode(noise: nn.Module):
    own = subject(made(noise))
    sampled, measured = Sampled().take(own, unheard), measure(own.net, own.augmented(), seed=0)
    assert [(row.name, row.moving_var, row.sampled_var, row.shift_ratio) for row in sampled.rows] == [
        (row.name, row.moving_var, row.real_var, row.shift_ratio) for row in measured.rows
    ]
    assert sampled.shift_ratio == measured.shift_ratio


def test_noise_is_on_and_no_bn_divides_it_out():
    always = subject(made(Always()))
    measured = measure(always.net, always.augmented(), seed=0).rows
    sampled = rows(made(Doubled()))
    assert [row.sampled_var for row in sampled] == [row.real_var for row in measured]
    assert sampled[2].sampled_var != pytest.approx(measured[2].train_var, rel=0.1)  # BN by its batch, as in train mode


def test_dropout_adds_to_the_variance_behind_it():
    noisy, quiet = rows(made(nn.Dropout(0.5))), rows(made(nn.Dropout(0.0)))
    assert noisy[0] == quiet[0]
    for one, other in zip(noisy[1:], quiet[1:], strict=True):
        assert one.sampled_var > other.sampled_var


def test_the_noise_follows_the_subjects_seed():
    net = made(nn.Dropout(0.5))
    noisy = rows(net)
    torch.rand(1)  # torch's own generator goes on
    assert rows(net) == noisy
    assert rows(net, seed=1)[1] != noisy[1]


def test_a_bn_that_learnt_its_variance_under_the_noise_meets_it_again():
    net = nn.Sequential(nn.Flatten(), Doubled(), bn(192, momentum=None))
    own = subject(net)
    with torch.no_grad():
        for images, _ in own.augmented():
            net.train()(images)
    assert Sampled().take(own, unheard).shift_ratio == pytest.approx(1, rel=1e-6)
    assert measure(net, own.augmented(), seed=0).shift_ratio == pytest.approx(4, rel=1e-6)  # with the noise off


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_shift_ratio_is_never_below_one(factor: float):
    assert Row("bn", moving_var=3.0, sampled_var=3.0 * factor).shift_ratio == 2


def test_rows_come_in_order_of_execution():
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.late, self.early = bn(192), bn(192)

        def forward(self, x: Tensor) -> Tensor:
            return self.late(2 * self.early(x.flatten(1)))

    assert [row.name for row in rows(Swapped())] == ["early", "late"]


def test_the_net_comes_back_as_it_was():
    net = made(nn.Dropout(0.5)).train()
    net[3].eval()
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    drawing = torch.get_rng_state()
    rows(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), drawing)


def test_progress_is_told_after_every_batch():
    told: list[int] = []
    Sampled().take(subject(made(nn.Dropout(0.5))), told.append)
    assert told == [16, 32, 48]


def test_a_net_that_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"^net = Sequential: has no BN$"):
        rows(nn.Sequential(nn.Flatten()))
