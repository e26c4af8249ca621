"""The variance shift of every BN."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.batchnorms import batchnorms
from fullscale.measure import measure
from fullscale.specimen import specimen
from fullscale.statistics import Statistics
from fullscale.taps import InputTap


class Scaled(nn.Module):
    """Noise without chance: what shifts, shifts exactly."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x if self.training else x


class Calls(nn.Module):
    def __init__(self, call, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


def drawn(batches: int = 4, n: int = 32, channels: int = 3) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    return [(torch.randn(n, channels, generator=seeded) + 1, torch.zeros(n, dtype=torch.int64)) for _ in range(batches)]


def same(batches: int = 4) -> list[tuple[Tensor, Tensor]]:
    return drawn(1) * batches


def bn(channels: int = 3, **options) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, eps=1e-12, **options)


def trained(net: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> nn.Module:
    with torch.no_grad():
        for images, _ in batches:
            net.train()(images)
    return net


def test_a_doubling_in_training_shifts_the_variance_of_every_bn_behind_it_by_a_quarter():
    first, second, third = bn(momentum=1), bn(momentum=1), bn(5, momentum=1)
    net, batches = nn.Sequential(first, Scaled(2), second, nn.Linear(3, 5), third), same()
    measured = measure(trained(net, batches), batches, seed=0)
    unbiased = 31 / 32  # each BN normalises by the biased variance in training, and by the unbiased one in test
    shifts = [1, unbiased / 4, unbiased**2 / 4]
    assert [row.shift for row in measured.rows] == pytest.approx(shifts, rel=1e-5)
    assert [row.drift_free_shift for row in measured.rows] == pytest.approx(shifts, rel=1e-5)
    assert [row.shift_ratio for row in measured.rows] == pytest.approx([1 / shift for shift in shifts], rel=1e-5)
    assert measured.shift_ratio == pytest.approx(sum(1 / shift for shift in shifts) / 3, rel=1e-5)
    assert measured.floor == 1


def test_every_variance_of_a_row_is_its_own_estimator():
    net, batches = nn.Sequential(Scaled(2), bn(momentum=0.5)), drawn(3)
    net[1].get_buffer("running_mean").copy_(torch.tensor([1.0, -2.0, 0.5]))
    net[1].get_buffer("running_var").copy_(torch.tensor([1.0, 2.0, 6.0]))
    measured = measure(net, iter(batches), seed=0)
    row, channels = measured.rows[0], measured.channels[0]
    each = torch.stack([x.double().var(0) for x, _ in batches])
    moving = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64) @ each / 7
    pooled = torch.cat([x for x, _ in batches]).double().var(0)
    torch.testing.assert_close(channels.test.moving_var, moving, rtol=1e-6, atol=0)
    torch.testing.assert_close(channels.train.moving_var, 4 * moving, rtol=1e-6, atol=0)
    torch.testing.assert_close(channels.test.pooled_var, pooled, rtol=1e-6, atol=0)
    assert (channels.moving_mean.tolist(), channels.moving_var.tolist()) == ([1, -2, 0.5], [1, 2, 6])
    assert (row.index, row.name, row.channels, row.moving_var) == (1, "1", 3, 3)
    assert row.real_var == pytest.approx(moving.mean().item())
    assert row.train_var == pytest.approx(4 * moving.mean().item())
    assert row.real_var_pooled == pytest.approx(pooled.mean().item())
    assert row.train_var_pooled == pytest.approx(4 * pooled.mean().item())
    assert row.shift == row.real_var / 3  # of the means, not the mean of (1, 1/2, 1/6) times variances
    assert row.shift_ratio == max(row.shift, 1 / row.shift)
    assert (measured.images, measured.batches) == (96, 3)


def test_the_floor_compares_every_other_batch_with_the_rest():
    (x, labels), *_ = drawn(1)
    alternating = [(x * (1 + k % 2), labels) for k in range(6)]
    assert measure(nn.Sequential(bn()), alternating, seed=0).floor == pytest.approx(4)
    assert measure(nn.Sequential(bn()), same(), seed=0).floor == 1


def test_without_noise_the_shift_ratio_reads_no_more_than_the_floor_does():
    wide, batches = nn.Sequential(bn(200)), drawn(60, channels=200)
    unshifted = measure(trained(wide, drawn(60, channels=200)[::-1]), batches, seed=0)
    shifted = measure(trained(nn.Sequential(Scaled(1.1), bn(200)), batches), batches, seed=0)
    # Both compare two averages over 200 channels of effectively 19 batches of 32: sd of log ratio, for normal x.
    error = 2 * (2 / (19 * 31 * 200)) ** 0.5
    assert unshifted.floor - 1 < 6 * error
    assert unshifted.shift_ratio - 1 < 6 * error
    assert shifted.shift_ratio - 1 > 6 * error


def test_only_the_train_side_hears_the_noise_and_follows_its_seed():
    net, batches = nn.Sequential(nn.Dropout(0.5), bn(), nn.Linear(3, 4), bn(4)), drawn()
    first, again, other = (measure(net, batches, seed=seed) for seed in (0, 0, 1))
    assert first.rows == again.rows
    assert [row.real_var for row in first.rows] == [row.real_var for row in other.rows]
    assert [row.train_var for row in first.rows] != [row.train_var for row in other.rows]
    quiet = measure(nn.Sequential(nn.Identity(), *net[1:]), batches, seed=0)
    assert [row.real_var for row in first.rows] == [row.real_var for row in quiet.rows]
    assert quiet.rows[0].train_var == quiet.rows[0].real_var


def test_train_side_of_dropout_is_the_law():
    net, batches = nn.Sequential(nn.Dropout(0.2), bn(50)), drawn(20, 512, 50)
    row = measure(net, batches, seed=0).rows[0]
    second_moment = torch.cat([x for x, _ in batches]).double().square().mean().item()
    law = row.real_var_pooled + 0.2 / 0.8 * second_moment
    # A product's sample variance has a standard error of at most sqrt((kurtosis - 1) / n) of itself; kurtosis < 4 here.
    error = 6 * law * (3 / (20 * 512 * 50)) ** 0.5
    assert row.train_var_pooled == pytest.approx(law, abs=error)
    assert row.train_var_pooled != pytest.approx(row.real_var_pooled, abs=error)  # the control: Dropout left off


def test_rows_come_in_order_of_execution_and_not_of_registration():
    net = Calls(lambda self, x: self.early(self.late(x)), early=bn(), late=bn())
    measured = measure(net, drawn(), seed=0)
    assert [(row.index, row.name) for row in measured.rows] == [(1, "late"), (2, "early")]
    late, early = measured.channels
    assert not torch.allclose(late.test.pooled_mean, early.train.pooled_mean, atol=0.1)
    torch.testing.assert_close(early.train.pooled_mean, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-6)


def test_bf16_weights_and_autocast_outside_do_not_lower_the_precision():
    net, batches = nn.Sequential(nn.Linear(3, 64), bn(64)), drawn()
    plain = measure(net, batches, seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert measure(net, batches, seed=0).rows == plain.rows
        rounded = biased(net, batches[0][0])  # the control
    assert not torch.equal(biased(net, batches[0][0]), rounded)
    halved = net.to(torch.bfloat16)
    assert measure(halved, batches, seed=0).rows == measure(halved.float(), batches, seed=0).rows


def biased(net: nn.Module, x: Tensor) -> Tensor:
    subject = specimen(net).eval()
    bns = batchnorms(subject)
    with InputTap(bns) as tap:
        return tap.run(subject, x, Statistics(bns.values()))[0].biased


def test_progress_is_told_after_every_batch():
    told: list[int] = []
    measure(nn.Sequential(bn()), drawn(3), seed=0, progress=told.append)
    assert told == [32, 64, 96]


def remembering(variance: float) -> nn.Module:
    own = bn()
    own.get_buffer("running_var").fill_(variance)
    return own


@pytest.mark.parametrize("still", [0, 1])
def test_a_half_of_the_batches_without_variance_leaves_no_floor(still: int):
    batches = [(x * (k % 2 != still), labels) for k, (x, labels) in enumerate(drawn(6))]
    with pytest.raises(ValueError, match=r"^0's variance = 0.0: must be finite and > 0$"):
        measure(nn.Sequential(bn()), batches, seed=0)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.ReLU()), r"^net = Sequential: has no BN$"),
        (nn.Sequential(bn(track_running_stats=False)), r"^0 = BatchNorm1d\(.*\): keeps no moving statistics"),
        (Calls(lambda self, x: self.used(x), used=bn(), idle=bn()), r"^BN never called = idle: a pass must go through"),
        (Calls(lambda self, x: self.a.forward(self.b(x)), a=bn(), b=bn()), r"^BN never called = a: a pass must go thr"),
        (Calls(lambda self, x: self.shared(self.shared(x)), shared=bn()), r"^BN called twice = shared: what it keeps"),
        (Calls(lambda self, x: self.bn(0 * x), bn=bn()), r"^bn's variance = 0.0: must be finite and > 0$"),
        (Calls(lambda self, x: self.bn(x / 0), bn=bn()), r"^bn's variance = nan: must be finite and > 0$"),
        (Calls(lambda self, x: self.bn(x * (0 if self.training else 1)), bn=bn()), r"^bn's variance = 0.0: must be fi"),
        (Calls(lambda self, x: self.bn(x), bn=remembering(0.0)), r"^bn's variance = 0.0: must be finite and > 0$"),
        (Calls(lambda self, x: self.bn(x), bn=remembering(math.inf)), r"^bn's variance = inf: must be finite and > 0$"),
    ],
)
def test_a_net_that_cannot_be_measured_is_refused_by_the_name_of_its_bn(net: nn.Module, message: str):
    with pytest.raises(ValueError, match=message):
        measure(net, drawn(), seed=0)


def test_a_shared_bn_under_two_names_is_refused_too():
    shared = bn()
    with pytest.raises(ValueError, match=r"^BN called twice = 0:"):
        measure(nn.Sequential(shared, nn.ReLU(), shared), drawn(), seed=0)


@pytest.mark.parametrize("batches", [0, 1])
def test_fewer_than_two_batches_have_no_floor(batches: int):
    with pytest.raises(ValueError, match=rf"^batches = {batches}: there must be >= 2, for the floor$"):
        measure(nn.Sequential(bn()), drawn(batches), seed=0)


def test_noise_that_a_net_calls_as_a_function_counts_on_the_train_side():
    net = Calls(lambda self, x: self.bn(functional.dropout(x, 0.5, self.training)), bn=bn())
    row = measure(net, drawn(), seed=0).rows[0]
    assert row.drift_free_shift < 0.7
