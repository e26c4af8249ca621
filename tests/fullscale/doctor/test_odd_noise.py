"""Noise in every spelling that people write: predicted as sampling finds it, or named; never silently wrong."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import DropBlock2d, StochasticDepth, stochastic_depth

from fullscale import doctor
from tests.fullscale.doctor.spelled import Spelled

examine: Any = doctor.examine  # figures that may be None are compared without asking

NOT_A_FACTOR = "draws numbers that do not simply multiply the signal: they are not examined"
KEEP, SIGMA = 0.7, 0.5


def signal(samples: int = 48) -> Tensor:
    x = torch.randn(samples, 4, 8, 8)
    return (x + x.roll(1, -1)) * (torch.rand(4) + 0.5).view(-1, 1, 1) + torch.randn(4).view(-1, 1, 1)


def per_sample(x: Tensor) -> tuple[int, ...]:
    return (len(x), *[1] * (x.dim() - 1))


def written(x: Tensor) -> Tensor:
    y = x.clone()
    y[torch.rand_like(x) > KEEP] = 0
    return y / KEEP


DROPPING = {
    "timm": lambda x: x * x.new_empty(per_sample(x)).bernoulli_(KEEP).div_(KEEP),
    "floor of keep plus uniform": lambda x: x.div(KEEP) * torch.floor(KEEP + torch.rand(per_sample(x))),
    "floor in place": lambda x: x / KEEP * torch.rand(per_sample(x)).add_(KEEP).floor_(),
    "less than keep": lambda x: x * (torch.rand(per_sample(x)) < KEEP) / KEEP,
    "less than keep, as floats": lambda x: x * (torch.rand_like(x) < KEEP).float() / KEEP,
    "one minus dropped": lambda x: x * (1 - (torch.rand_like(x) > KEEP).float()) / KEEP,
    "masked_fill": lambda x: x.masked_fill(torch.rand_like(x) >= KEEP, 0) / KEEP,
    "where": lambda x: torch.where(torch.rand_like(x) < KEEP, x / KEEP, 0.0),
    "bernoulli of a tensor": lambda x: x * torch.bernoulli(torch.full_like(x, KEEP)) / KEEP,
    "bernoulli of products": lambda x: x * torch.bernoulli(torch.ones(len(x)) * KEEP).view(per_sample(x)) / KEEP,
    "distributions": lambda x: x * torch.distributions.Bernoulli(KEEP).sample(x.shape) / KEEP,
    "zeros written": written,
    "einsum": lambda x: torch.einsum("nchw,n->nchw", x, torch.bernoulli(torch.full((len(x),), KEEP))) / KEEP,
    "dropout of ones": lambda x: x * functional.dropout(torch.ones_like(x), 1 - KEEP),
    "stochastic_depth": lambda x: stochastic_depth(x, 1 - KEEP, "row"),
    "dropout2d": lambda x: functional.dropout2d(x, 1 - KEEP),
}


@pytest.mark.parametrize("convolved", [False, True])
@pytest.mark.parametrize("spelling", DROPPING.values(), ids=DROPPING)
def test_dropping_is_dropping_however_it_is_spelled(monte_carlo, spelling, convolved):
    model = Spelled(lambda own, x: spelling(x) if own.here.training else x, convolved=convolved)
    x = signal()
    report = examine(model, [x])
    (source,), (row,) = report.sources, report.rows
    assert source.strength == ("drop", pytest.approx(1 - KEEP))
    assert (row.sources, row.exact, report.notes) == ((source.name,), True, ())
    assert monte_carlo(model, x, model.drawing, 64)["bn"].agrees_with(row.predicted)


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.keep = KEEP

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) < self.keep) / self.keep if self.training else x


def test_of_two_masks_on_a_bent_way_each_is_probed_with_the_other_at_its_mean(monte_carlo):
    first, second = Masked(), Masked()
    model, x = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), nn.BatchNorm2d(4)), signal()
    (row,) = examine(model, [x], probes=48).rows
    assert monte_carlo(model, x, [first, second], 64)["4"].agrees_with(row.predicted, row.stderr)
    for way, other in zip(row.ways, (second, first), strict=True):
        other.keep = 1.0
        assert monte_carlo(model, x, [first, second], 64)["4"].agrees_with(way.shift, way.stderr)
        other.keep = KEEP


FACTORS = {
    "1 + sigma r": (lambda x: x * (1 + SIGMA * torch.randn_like(x)), ("sigma", SIGMA)),
    "sigma r + 1": (lambda x: x * (torch.randn_like(x) * SIGMA + 1), ("sigma", SIGMA)),
    "torch.normal": (lambda x: x * torch.normal(1.0, SIGMA, x.shape), ("sigma", SIGMA)),
    "x + x u": (lambda x: x + x * torch.empty_like(x).uniform_(-SIGMA, SIGMA), ("beta", SIGMA)),
    "1 + beta (2 u - 1)": (lambda x: x * (1 + SIGMA * (2 * torch.rand_like(x) - 1)), ("beta", SIGMA)),
    "in place": (lambda x: x.clone().mul_(1 + SIGMA * torch.randn_like(x)), ("sigma", SIGMA)),
}


@pytest.mark.parametrize(("spelling", "strength"), FACTORS.values(), ids=FACTORS)
def test_uout_and_gaussian_are_themselves_however_they_are_spelled(monte_carlo, spelling, strength):
    model, x = Spelled(lambda own, x: spelling(x) if own.here.training else x), signal()
    report = examine(model, [x])
    (source,), (row,) = report.sources, report.rows
    assert source.strength == (strength[0], pytest.approx(strength[1]))
    assert row.exact
    assert monte_carlo(model, x, model.drawing, 64)["bn"].agrees_with(row.predicted)


@pytest.mark.parametrize(
    "spelling",
    [
        lambda x: x + SIGMA * (x * torch.randn_like(x)),
        lambda x: x.add(x * torch.randn_like(x), alpha=SIGMA),
        lambda x: x - x * torch.randn_like(x) * SIGMA,
    ],
    ids=["scaled after", "alpha", "subtracted"],
)
def test_noise_that_is_scaled_after_the_product_shifts_as_predicted(monte_carlo, spelling):
    model, x = Spelled(lambda own, x: spelling(x) if own.here.training else x), signal()
    report = examine(model, [x])
    (source,), (row,) = report.sources, report.rows
    assert source.strength == ("sigma", pytest.approx(SIGMA))
    assert row.exact
    assert monte_carlo(model, x, model.drawing, 64)["bn"].agrees_with(row.predicted)


@pytest.mark.parametrize("factor", [lambda s: 1 + s, lambda s: s], ids=["a factor", "added"])
@pytest.mark.parametrize("expanded", [False, True])
def test_the_strength_may_be_a_parameter_that_is_broadcast(monte_carlo, factor, expanded):
    scale = torch.tensor([0.1, 0.4, 0.7, 1.0]).view(-1, 1, 1)
    model, x = (
        Spelled(lambda own, x: factor_of(own, x, factor, expanded=expanded) if own.here.training else x),
        signal(),
    )
    model.scale = nn.Parameter(scale)
    report = examine(model, [x], probes=32)
    (row,) = report.rows
    assert (report.sources[0].sharing, row.exact) == ("element", True)
    assert monte_carlo(model, x, model.drawing, 64)["bn"].agrees_with(row.predicted, row.stderr)
    assert row.worst_channel is not None
    assert row.worst_shift < row.predicted


def factor_of(own: Any, x: Tensor, factor, *, expanded: bool) -> Tensor:
    noise = (own.scale.expand_as(x) if expanded else own.scale) * torch.randn_like(x)
    return x * factor(noise) if factor(0) else x + noise


def among(others: Tensor, x: Tensor) -> Tensor:
    others[:, :2].bernoulli_(KEEP)
    return x * others


NOT_FACTORS = {
    "among zeros": lambda x: among(torch.zeros_like(x), x),
    "among ones": lambda x: among(torch.ones_like(x), x),
    "among others": lambda x: among(torch.rand_like(x), x),
    "masked_fill by ones": lambda x: x.masked_fill(torch.rand_like(x) >= KEEP, 1),
    "where else ones": lambda x: torch.where(torch.rand_like(x) < KEEP, x, torch.ones_like(x)),
    "added noise": lambda x: x + torch.randn_like(x),
    "drawn around x": lambda x: torch.normal(x, SIGMA),
    "log-normal": lambda x: x * torch.exp(torch.randn_like(x)),
    "mixup": lambda x: 0.7 * x + 0.3 * x[torch.randperm(len(x))],
    "randint": lambda x: x * (torch.randint(0, 10, x.shape) < 7) / KEEP,
    "probabilities that differ": lambda x: x * torch.bernoulli(torch.sigmoid(x)),
    "gumbel": lambda x: functional.gumbel_softmax(x, dim=1),
    "AlphaDropout": nn.AlphaDropout(0.3),
    "RReLU": nn.RReLU(),
    "DropBlock": DropBlock2d(0.2, 3),
}


@pytest.mark.parametrize("spelling", NOT_FACTORS.values(), ids=NOT_FACTORS)
def test_numbers_that_are_no_factor_of_one_law_are_named_and_nothing_is_predicted(spelling):
    report = examine(Spelled(lambda own, x: spelling(x) if own.here.training else x), [signal()])
    (row,) = report.rows
    assert (row.predicted, row.exact) == (None, False)
    assert report.nothing_to_find is None
    assert [note for note in report.notes if note.endswith(NOT_A_FACTOR)]


def skipped_by_torch(own: Spelled, x: Tensor) -> Tensor:
    return 2 * x if own.here.training and torch.rand(()) < SIGMA else x


def skipped_by_item(own: Spelled, x: Tensor) -> Tensor:
    return 2 * x if own.here.training and torch.rand(1).item() < SIGMA else x


def skipped_by_list(own: Spelled, x: Tensor) -> Tensor:
    return 2 * x if own.here.training and torch.rand(1).tolist()[0] < SIGMA else x


def skipped_by_python(own: Spelled, x: Tensor) -> Tensor:
    return 2 * x if own.here.training and random.random() < SIGMA else x  # noqa: S311


def skipped_by_numpy(own: Spelled, x: Tensor) -> Tensor:
    return x * torch.from_numpy(np.random.rand(len(x)) < SIGMA).view(-1, 1, 1, 1) if own.here.training else x


DECIDING = {
    skipped_by_torch: "Spelled",
    skipped_by_item: "Spelled",
    skipped_by_list: "Spelled",
    skipped_by_python: "random",
    skipped_by_numpy: "numpy.random",
}


@pytest.mark.parametrize(("spelling", "name"), DECIDING.items())
def test_numbers_by_which_python_decides_reach_every_bn_behind_them(spelling, name):
    report = examine(Spelled(spelling), [signal()])
    (row,) = report.rows
    assert (row.sources, row.predicted, row.exact) == ((name,), None, False)
    assert report.notes == (f"{name} {NOT_A_FACTOR}",)


def test_a_bn_before_such_a_decision_is_none_of_its_business() -> None:
    model = Spelled(lambda own, x: skipped_by_torch(own, own.first(x)), first=nn.BatchNorm2d(4))
    first, second = examine(model, [signal()]).rows
    assert (first.sources, first.predicted, first.exact) == ((), 1, True)
    assert second.predicted is None


def test_one_number_for_a_whole_batch_is_probed_as_bn_sees_it() -> None:
    model, x = Spelled(lambda own, x: x + own.depth(2 * x), depth=StochasticDepth(0.3, "batch")), signal()
    report = examine(model, [x], probes=512)
    (row,) = report.rows
    assert (report.sources[0].sharing, row.exact) == ("batch", False)
    truth = 9 / (0.3 + 0.7 * (1 + 2 / 0.7) ** 2)  # of the variances within a batch: x is multiplied by 1 or 1 + 2 / p
    assert row.predicted == pytest.approx(truth, abs=4.9 * row.stderr)
    assert row.stderr < 0.03 * truth  # 512 coins leave 2.6%


def test_noise_on_weights_is_one_for_the_whole_batch(monte_carlo):
    def connect(own: Any, x: Tensor) -> Tensor:
        return functional.conv2d(x, functional.dropout(own.weights.weight, 0.3, own.here.training))

    model, x = Spelled(connect, weights=nn.Conv2d(4, 4, 3)), signal()
    report = examine(model, [x], probes=256)
    (row,) = report.rows
    assert report.sources[0].sharing == "batch"
    assert row.predicted == pytest.approx(within_batches(model, x, 1500), rel=0.01, abs=4.9 * row.stderr)
    assert not monte_carlo(model, x, model.drawing, 256)["bn"].agrees_with(row.predicted, row.stderr)  # pooled over all


def test_so_is_noise_on_whole_filters():
    def connect(own: Any, x: Tensor) -> Tensor:
        keeps = torch.empty(4, 1, 1, 1).bernoulli_(KEEP) if own.here.training else 1
        return functional.conv2d(x, own.weights.weight * keeps)

    report = examine(Spelled(connect, weights=nn.Conv2d(4, 4, 3)), [signal()])
    assert (report.sources[0].sharing, report.rows[0].exact) == ("batch", False)


def within_batches(model: Spelled, x: Tensor, batches: int) -> float:
    """Return what BN's own plain average of variances makes of it."""
    model.bn.momentum = None
    averages = []
    for training in (False, True):
        model.bn.reset_running_stats()
        model.here.train(training)
        with torch.no_grad():
            for _ in range(batches if training else 1):
                model(x)
        averages.append(model.bn.get_buffer("running_var").mean().item())
    return averages[0] / averages[1]


ATTENDING = {
    "attention": (lambda: nn.MultiheadAttention(8, 2, 0.3, batch_first=True), lambda layer, x: layer(x, x, x)[0]),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.3, batch_first=True), lambda layer, x: layer(x)),
    "LSTM": (lambda: nn.LSTM(8, 8, 3, dropout=0.3, batch_first=True), lambda layer, x: layer(x)[0]),
    "GRU": (lambda: nn.GRU(8, 4, 2, dropout=0.3, batch_first=True, bidirectional=True), lambda layer, x: layer(x)[0]),
}


@pytest.mark.parametrize(("build", "call"), ATTENDING.values(), ids=ATTENDING)
def test_noise_within_attention_and_recurrence_is_probed(monte_carlo, build, call):
    model = Spelled(lambda own, x: call(own.inner, x).transpose(1, 2), inner=build())
    model.bn = nn.BatchNorm1d(8)
    x = torch.randn(64, 5, 8)
    (row,) = examine(model, [x], probes=24).rows
    assert not row.exact
    assert all(name.startswith("inner") for name in row.sources)
    assert row.sources
    assert monte_carlo(model, x, model.drawing, 64)["bn"].agrees_with(row.predicted, row.stderr)
