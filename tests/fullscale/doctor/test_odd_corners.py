"""Corners at which a prediction was wrong once, or a model could not be run."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from fullscale import doctor

examine: Any = doctor.examine  # figures that may be None are compared without asking


class Does(nn.Module):
    """Calls a function with itself and its input; its parts are modules."""

    def __init__(self, does, **modules: nn.Module) -> None:
        super().__init__()
        self.does = does
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self, x)

    @property
    def drawing(self) -> list[nn.Module]:
        return [module for module in self.modules() if isinstance(module, nn.Dropout | StochasticDepth | Counted)]


class Counted(nn.Module):
    """Stochastic depth by numbers that are rounded as integers are."""

    def __init__(self, rounds) -> None:
        super().__init__()
        self.rounds = rounds

    def forward(self, x: Tensor) -> Tensor:
        return x * self.rounds(torch.rand(len(x), 1, 1, 1) + 0.7) / 0.7 if self.training else x


def signal(*shape: int) -> Tensor:
    return torch.randn(*shape) + torch.randn(shape[1]).view(-1, *[1] * (len(shape) - 2))


def agrees(monte_carlo, model: Does, x: Tensor, row: Any) -> bool:
    return monte_carlo(model, x, model.drawing, 96)[row.bn].agrees_with(row.predicted, row.stderr)


@pytest.mark.parametrize(
    "rounds",
    [
        lambda r: r.int(),
        lambda r: r.to(torch.uint8),
        lambda r: torch.div(r, 1, rounding_mode="floor"),
        lambda r: r.long() == 1,
        lambda r: ~(r < 1),
        lambda r: torch.logical_not(r < 1),
        lambda r: (r < 1).eq(0),
        lambda r: (r >= 1).ne(0),
    ],
    ids=["int", "uint8", "div", "equal", "inverted", "not", "is zero", "is not zero"],
)
def test_numbers_that_are_rounded_are_a_mask(monte_carlo, rounds):
    model, x = (
        Does(lambda own, x: own.bn(own.noise(x)), noise=Counted(rounds), bn=nn.BatchNorm2d(4)),
        signal(64, 4, 6, 6),
    )
    report = examine(model, [x], probes=64)
    (row,) = report.rows
    if report.sources[0].s2 is None:  # named, then
        assert row.predicted is None
    else:
        assert report.sources[0].strength == ("drop", pytest.approx(0.3))
        assert agrees(monte_carlo, model, x, row)


def test_a_signal_that_is_rounded_is_no_longer_proportional(monte_carlo):
    def does(own, x):
        return own.bn(own.noise(3 * x).int().float())

    model, x = Does(does, noise=nn.Dropout(0.4), bn=nn.BatchNorm2d(4)), signal(64, 4, 6, 6)
    (row,) = examine(model, [x], probes=32).rows
    assert not row.exact
    assert agrees(monte_carlo, model, x, row)


@pytest.mark.parametrize("length", [24, 16])
def test_as_many_samples_as_positions_are_not_mixed_up(monte_carlo, length):
    def does(own, x):
        return own.bn(own.layer(own.noise(x).transpose(0, 1)))

    modules = {"noise": StochasticDepth(0.4, "row"), "layer": nn.Conv1d(24, 6, 3), "bn": nn.BatchNorm1d(6)}
    model, x = Does(does, **modules), signal(24, length, 12)
    (row,) = examine(model, [x], probes=96).rows
    assert not row.exact
    assert agrees(monte_carlo, model, x, row)


@pytest.mark.parametrize(
    "layer",
    [nn.Identity(), nn.Conv2d(4, 4, 3, bias=False), nn.Sequential(nn.Conv2d(4, 4, 3, bias=False), nn.ReLU())],
    ids=["nothing", "linear", "bent"],
)
def test_of_one_number_for_a_whole_batch_bn_sees_a_scale_alone(layer):
    model = nn.Sequential(StochasticDepth(0.3, "batch"), layer, nn.BatchNorm2d(4))
    (row,) = examine(model, [signal(16, 4, 6, 6)], probes=300).rows
    assert row.stderr < 0.03
    assert abs(row.predicted - 0.7) < 4 * row.stderr  # every variance is scaled by E[n^2] = 1 / 0.7


def test_a_graphs_neighbours_are_no_weights(monte_carlo):
    adjacency = (torch.rand(64, 64) < 0.1).float()

    def does(own, x):
        return own.bn(adjacency @ own.noise(x))

    model, x = Does(does, noise=nn.Dropout(0.5), bn=nn.BatchNorm1d(8)), signal(64, 8)
    (row,) = examine(model, [x], probes=200).rows
    assert agrees(monte_carlo, model, x, row)


def test_dropout_that_draws_in_test_too_shifts_nothing() -> None:
    def does(own, x):
        return own.bn(own.drop(functional.dropout(x, 0.5)))

    model = Does(does, drop=nn.Dropout(0.2), bn=nn.BatchNorm2d(4))
    report = examine(model, [signal(64, 4, 6, 6)])
    (row,) = report.rows
    assert [(source.in_test, source.safe) for source in report.sources] == [(True, False), (False, False)]
    assert row.sources == ("drop",)
    assert any("draws in test mode, too" in note for note in report.notes)
    other = Does(lambda own, x: own.bn(functional.dropout(x, 0.5)), bn=nn.BatchNorm2d(4))
    assert examine(other, [signal(64, 4, 6, 6)]).rows[0].predicted == 1


def test_what_another_generator_draws_is_noticed() -> None:
    generator = np.random.default_rng(0)

    def does(own, x):
        return own.last(own.bn(x * float(generator.uniform(0.5, 1.5)) if own.training else x))

    model = Does(does, bn=nn.BatchNorm2d(4), last=nn.BatchNorm2d(4))
    first, _ = examine(model, [signal(64, 4, 6, 6)]).rows
    assert first.predicted is None
    assert any("something else does" in note for note in first.notes)


def test_a_bn_without_moving_statistics_is_not_harmed() -> None:
    model = nn.Sequential(nn.Dropout(0.6), nn.BatchNorm2d(4, track_running_stats=False))
    report = examine(model, [signal(64, 4, 6, 6)])
    assert report.rows[0].predicted < 0.5
    assert report.rows[0].harm == 1
    assert report.above(1.05) == ()


class OwnBN(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (so BN calls it)
        return (input - input.mean((0, 2, 3), keepdim=True)) / input.std((0, 2, 3), keepdim=True)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Dropout(0.5), OwnBN(4)),
        Does(lambda own, x: functional.batch_norm(own.d(x), None, None, training=True), d=nn.Dropout(0.5)),
    ],
    ids=["a subclass", "a function"],
)
def test_noise_before_what_cannot_be_examined_is_not_called_safe(model):
    report = examine(model, [signal(64, 4, 6, 6)])
    assert report.safe == ()
    assert report.nothing_to_find is None
    assert len(report.unexamined) == 1
    assert any("not as PyTorch's BN modules do" in note for note in report.notes)


def test_noise_on_zeros_adds_nothing() -> None:
    layer = nn.Conv2d(4, 4, 3, bias=False)
    nn.init.zeros_(layer.weight)
    (row,) = examine(nn.Sequential(layer, nn.Dropout(0.5), nn.BatchNorm2d(4)), [signal(16, 4, 6, 6)]).rows
    assert (row.predicted, row.ways[0].eq10) == (1, 1)


def mixed(own, x):
    x = x + own.noise(own.tokens(x.transpose(1, 2))).transpose(1, 2)
    return own.bn(own.layer(x).transpose(1, 2))


def last_channels(own, x):
    noisy = own.noise(own.tokens(x).to(memory_format=torch.channels_last))
    return own.bn(own.layer((x + noisy).flatten(1)))


@pytest.mark.parametrize(
    ("does", "tokens", "layer", "x"),
    [
        (mixed, nn.Linear(10, 10), nn.Linear(12, 6), (32, 10, 12)),
        (last_channels, nn.Conv2d(4, 4, 1), nn.Linear(144, 6), (64, 4, 6, 6)),
    ],
    ids=["mixer", "channels last"],
)
def test_a_carrier_may_lie_otherwise_in_memory_than_what_it_is_added_to(monte_carlo, does, tokens, layer, x):
    model = Does(does, noise=nn.Dropout(0.5), tokens=tokens, layer=layer, bn=nn.BatchNorm1d(6))
    x = signal(*x)
    (row,) = examine(model, [x], probes=64).rows
    assert agrees(monte_carlo, model, x, row)


def head(own, x):
    y = own.noise(x[:, 0, 0, 0].unsqueeze(1)).squeeze(-1)
    y = torch.cat([functional.pad((y + 1) * x[:, 0, 0, 1], (0, 3))[:-3], y])[: len(x)]
    return own.bn(x * y.view(-1, 1, 1, 1))


def test_a_tensor_of_one_dimension_has_no_channels(monte_carlo):
    model, x = Does(head, noise=nn.Dropout(0.3), bn=nn.BatchNorm2d(4)), signal(64, 4, 6, 6)
    (row,) = examine(model, [x], probes=64).rows
    assert not row.exact
    assert agrees(monte_carlo, model, x, row)


def test_a_model_that_goes_another_way_in_every_pass_is_run_and_named() -> None:
    def does(own, x):
        own.passes = getattr(own, "passes", 0) + 1
        y = functional.silu(own.noise(x))
        return own.one(y) if own.passes % 2 else own.other(y)

    model = Does(does, noise=nn.Dropout(0.5), one=nn.BatchNorm2d(4), other=nn.BatchNorm2d(4))
    for row in examine(model, [signal(16, 4, 6, 6)]).rows:
        assert row.predicted is None
        assert row.notes


def test_strength_that_changes_from_batch_to_batch_is_no_strength() -> None:
    def does(own, x):
        return own.bn(functional.dropout(x, 0.1 if x.mean() > 0 else 0.6, own.training))

    x = signal(64, 4, 6, 6).abs()
    report = examine(Does(does, bn=nn.BatchNorm2d(4)), [x, -x])
    assert report.sources[0].s2 is None
    assert 0 < report.rows[0].predicted < 1


class Trunk(nn.Module):
    """Residual blocks, each with stochastic depth on what it adds."""

    def __init__(self, blocks: int, noise: bool = True) -> None:  # noqa: FBT001, FBT002
        super().__init__()
        self.bns = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(blocks))
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(blocks))
        self.noise = nn.ModuleList(StochasticDepth(0.3, "row") if noise else nn.Identity() for _ in range(blocks))
        self.last = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        for bn, layer, noise in zip(self.bns, self.layers, self.noise, strict=True):
            x = x + noise(layer(torch.relu(bn(x))))
        return self.last(x)


def test_on_a_trunk_of_many_blocks_all_stays_exact(monte_carlo):
    model, x = Trunk(9), signal(64, 8, 6, 6)
    rows = examine(model, [x]).rows
    assert all(row.exact for row in rows)
    assert [len(row.sources) for row in rows] == [*range(9), 9]
    measured = monte_carlo(model, x, list(model.noise), 200)
    assert all(measured[row.bn].agrees_with(row.predicted) for row in rows)


def test_one_sample_alone_in_its_batch_is_refused_by_name() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4)).train()
    model[1].eval()
    with pytest.raises(ValueError, match="values a channel of 1 = 1: a batch must bring >= 2 to every BN"):
        examine(model, [signal(1, 4)])


def test_a_sequence_of_one_is_the_input_alone() -> None:
    model, x = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4)), signal(16, 4)
    assert examine(model, [[x]]) == examine(model, [x])
