"""Filters in random order: what each order keeps, held against signals that nothing else of a filter matters to."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fullscale.against_law import compare
from fullscale.data.synthetic import synthetic
from fullscale.measurements.reordered import Reordered
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.reordered import Row, reorder
from fullscale.subject import Subject

N, CHANNELS, SIDE = 64, 3, 6
DROP = 0.4
S2 = DROP / (1 - DROP)


def net(kernel: int = 3, channels: int = CHANNELS, filters: int = 8, groups: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, filters, kernel, groups=groups)
    with torch.no_grad():
        layer.weight += 0.1
    return nn.Sequential(nn.Dropout(DROP), layer, nn.BatchNorm2d(filters))


def free(x: Tensor) -> Tensor:
    return x


def same_everywhere(x: Tensor) -> Tensor:
    """As large at each place of a map, and channels of different size."""
    return x[:, :, :1, :1].expand(x.shape) * torch.tensor([1.0, 0.3, 3.0]).view(-1, 1, 1)


def same_in_all_channels(x: Tensor) -> Tensor:
    return x[:, :1].expand(x.shape)


def drawn(
    signal: Callable[[Tensor], Tensor] = free, channels: int = CHANNELS, n: int = N
) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    size = (n, channels, SIDE, SIDE)
    return [(signal(torch.randn(size, generator=seeded) + 1), torch.zeros(n, dtype=torch.int64)) for _ in range(2)]


def row_of(model: nn.Module, batches: list[tuple[Tensor, Tensor]], seed: int = 0) -> Row:
    (row,) = reorder(model, lambda: batches, seed=seed).rows
    return row


@pytest.mark.parametrize("kernel", [1, 3])
def test_as_trained_it_is_what_is_held_against_the_law(kernel: int):
    first, second = net(kernel), net(kernel, channels=8)
    model = nn.Sequential(*first, nn.ReLU(), *second)
    seen = compare(model, drawn, seed=0).seen
    rows = reorder(model, drawn, seed=0).rows
    assert [row.name for row in rows] == ["1", "5"]
    assert [(row.name, row.d, row.d_cos2, row.eq10, row.own) for row in rows] == [
        (each.name, each.d, each.d_cos2, each.eq10, each.law) for each in seen
    ]


def test_filters_of_equal_weights_have_one_order():
    model = net()
    with torch.no_grad():
        model[1].get_parameter("weight").fill_(0.3)
    row = row_of(model, drawn())
    assert row.own == row.taps == row.channels == row.weights


def test_taps_do_not_matter_to_a_signal_that_is_the_same_everywhere():
    row = row_of(net(), drawn(same_everywhere))
    assert row.taps == pytest.approx(row.own, rel=1e-5)
    assert row.channels != pytest.approx(row.own, rel=0.01)
    assert row.weights != pytest.approx(row.own, rel=0.01)


def test_channels_do_not_matter_to_a_signal_that_is_the_same_in_all():
    row = row_of(net(), drawn(same_in_all_channels))
    assert row.channels == pytest.approx(row.own, rel=1e-5)
    assert row.weights != pytest.approx(row.own, rel=0.01)


def test_no_order_matters_to_a_signal_without_correlations_and_eq10_is_right_of_all():
    row = row_of(net(), drawn(n=4096))
    for shift in (row.own, row.taps, row.channels, row.weights):
        assert 1 - shift == pytest.approx(1 - row.eq10, rel=0.005)
    correlated = row_of(net(), drawn(same_everywhere, n=4096))
    assert 1 - correlated.own != pytest.approx(1 - correlated.eq10, rel=0.05)


@pytest.mark.parametrize("groups", [1, 3])
def test_only_what_has_several_can_be_in_another_order(groups: int):
    pointwise = row_of(net(kernel=1, filters=9, groups=groups), drawn())
    assert pointwise.taps == pointwise.own
    depthwise = row_of(net(filters=9, groups=3), drawn())
    assert depthwise.channels == depthwise.own
    assert depthwise.taps != depthwise.own


def test_two_weights_are_in_either_order_as_often():
    model, x = net(kernel=1, channels=2, filters=1), drawn(channels=2)
    model[1].weight.data = torch.tensor([1.0, -3.0]).view(1, 2, 1, 1)

    def law(one: float, other: float) -> float:
        weights = torch.tensor([one, other]).view(1, 2, 1, 1)
        clean = sum((batch * weights).sum(1).var().item() for batch, _ in x)
        added = sum((batch**2 * weights**2).sum(1).mean().item() for batch, _ in x)
        return clean / (clean + S2 * added)

    x = [(batch * torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), label) for batch, label in x]
    kept, swapped = law(1, -3), law(-3, 1)
    assert kept != pytest.approx(swapped, rel=0.01)
    rows = [row_of(model, x, seed) for seed in range(40)]
    for found in ([row.weights for row in rows], [row.channels for row in rows]):
        keeps = [shift == pytest.approx(kept, rel=1e-4) for shift in found]
        assert all(keep or shift == pytest.approx(swapped, rel=1e-4) for keep, shift in zip(keeps, found, strict=True))
        assert 6 <= sum(keeps) <= 34  # beyond that, once in 10^5 times
    assert all(row.own == pytest.approx(kept, rel=1e-4) for row in rows)


def test_the_orders_follow_the_seed():
    assert row_of(net(), drawn(), seed=3) == row_of(net(), drawn(), seed=3)
    assert row_of(net(), drawn(), seed=3).weights != row_of(net(), drawn(), seed=4).weights


def test_the_net_comes_back_as_it_was():
    model = net().train()
    before = copy.deepcopy(model.state_dict())
    reorder(model, drawn, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_progress_counts_over_both_passes():
    told: list[int] = []
    assert reorder(net(), drawn, seed=0, progress=told.append).images == 2 * N
    assert told == [N, 2 * N, 3 * N, 4 * N]


def test_without_convolutions_behind_noise_there_are_no_rows():
    for model in (nn.Sequential(nn.Dropout(DROP), nn.BatchNorm2d(CHANNELS)), nn.Sequential(*net()[1:])):
        assert reorder(model, drawn, seed=0).rows == ()


def test_noise_that_a_channel_shares_is_not_what_eq10_speaks_of():
    model = nn.Sequential(nn.Dropout2d(DROP), *net()[1:])
    assert reorder(model, drawn, seed=0).rows == ()


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        reorder(net(), list, seed=0)


def test_a_run_is_reordered_on_some_of_its_training_batches():
    source = synthetic(torch.device("cpu"), classes=4, size=8, train=32, test=4)
    subject = Subject(net(), recipe("wrn-10-1", "synthetic", "none", 0, epochs=2, batch=8), source, seed=3)
    batches = list(source.train_batches(8, 3, 2))[:2]
    assert Reordered(batches=2).take(subject, unheard) == reorder(subject.net, lambda: batches, seed=3)
