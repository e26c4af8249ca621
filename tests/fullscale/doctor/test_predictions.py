"""The local shift that is predicted from one noise-free pass, against noise sampled at the same input."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from fullscale.doctor import Report, examine
from fullscale.nets import build
from fullscale.noise import GaussianDropout, Uout
from fullscale.placement import place
from theory import EQUATIONS

NOISES = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, Uout, GaussianDropout, StochasticDepth)
CHANNELWISE = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BNS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
CHANNELS, SIDES = 4, {1: 24, 2: 7, 3: 4}


@dataclass
class Plan:
    """Perhaps a ReLU, noise, perhaps a ReLU, perhaps other signal, one layer, perhaps other signal, BN."""

    noise: nn.Module
    layer: nn.Module
    bn: nn.Module
    before: bool
    after: bool
    joined: str


class Way(nn.Module):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.noise, self.layer, self.bn, self.joined = plan.noise, plan.layer, plan.bn, plan.joined
        self.before = nn.ReLU() if plan.before else nn.Identity()
        self.after = nn.ReLU(inplace=plan.joined != "added before") if plan.after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        noisy = self.after(self.noise(self.before(x)))
        if self.joined == "added before":
            noisy = noisy + x
        out = self.layer(noisy)
        if self.joined == "added":
            out += torch.ones_like(out).cumsum(1)
        elif self.joined == "concatenated":
            out = torch.cat([torch.ones_like(out).cumsum(0), out], 1)
        return self.bn(out)


def signal(dims: int, channels: int, samples: int) -> Tensor:
    x = torch.randn(samples, channels, *[SIDES[dims]] * dims)
    scale, mean = torch.rand(channels) + 0.5, torch.randn(channels)
    shape = (-1, *[1] * dims)
    return (x + x.roll(1, -1)) * scale.view(shape) + mean.view(shape)


@st.composite
def convolutions(draw: st.DrawFn, dims: int, channels: int) -> nn.Module:
    kernel, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2]))
    strides, paddings, dilation = draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.integers(1, 2))
    assume(SIDES[dims] + 2 * paddings > dilation * (kernel - 1))
    kind = CONVOLUTIONS[dims] if draw(st.booleans()) else TRANSPOSED[dims]
    return kind(channels, 6, kernel, stride=strides, padding=paddings, dilation=dilation, groups=groups)


@st.composite
def noises(draw: st.DrawFn, dims: int) -> nn.Module:
    kind = draw(st.sampled_from(["element", "channel", "sample", "uniform", "normal"]))
    strength = draw(st.floats(0.1, 0.8))
    made: dict[str, nn.Module] = {
        "element": nn.Dropout(strength),
        "channel": CHANNELWISE[dims](strength),
        "sample": StochasticDepth(strength, "row"),
        "uniform": Uout(strength),
        "normal": GaussianDropout(strength),
    }
    return made[kind]


@st.composite
def plans(draw: st.DrawFn, dims: int) -> Plan:
    noise, layer = draw(noises(dims)), draw(st.one_of(st.just(nn.Identity()), convolutions(dims, CHANNELS)))
    joined = draw(st.sampled_from(["", "added", "added before", "concatenated"]))
    outputs = CHANNELS if isinstance(layer, nn.Identity) else 6
    bn = BNS[dims](2 * outputs if joined == "concatenated" else outputs)
    return Plan(noise, layer, bn, draw(st.booleans()), draw(st.booleans()), joined)


def is_exact(plan: Plan, dims: int) -> bool:
    if plan.after and isinstance(plan.noise, GaussianDropout):
        return False  # a negative 1 + r does not commute with ReLU
    return not (isinstance(plan.noise, CHANNELWISE[dims]) and isinstance(plan.layer, TRANSPOSED[dims]))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(0, 2**31))
def test_one_linear_layer_of_any_kind_between_noise_and_bn(monte_carlo, data, dims, seed):
    torch.manual_seed(seed)
    plan = data.draw(plans(dims))
    model, x = Way(plan), signal(dims, CHANNELS, 48)
    row = only(examine(model, [x], probes=24))
    assert row.sources == ("noise",)
    assert row.exact is is_exact(plan, dims)
    assert monte_carlo(model, x, [plan.noise], 64)["bn"].agrees_with(row.predicted, row.stderr)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([nn.Dropout(0.4), Uout(0.9), StochasticDepth(0.3, "row"), nn.Dropout2d(0.3)]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_a_fully_connected_layer_is_a_linear_layer(monte_carlo, noise, rectified, seed):
    torch.manual_seed(seed)
    flat = [nn.ReLU(), nn.Flatten()] if rectified else [nn.Flatten()]
    model = nn.Sequential(noise, *flat, nn.Linear(4 * 7 * 7, 10), nn.BatchNorm1d(10))
    x = signal(2, 4, 512)
    row = only(examine(model, [x]))
    assert row.exact
    assert monte_carlo(model, x, [noise], 48)[row.bn].agrees_with(row.predicted)
    assert not monte_carlo(model, x, [noise], 48)[row.bn].agrees_with(row.predicted * 1.05)


def test_one_unit_obeys_the_law_as_theory_derives_it() -> None:
    layer, x = nn.Linear(6, 1), torch.randn(50, 6) + torch.randn(6)
    row = only(examine(nn.Sequential(nn.Dropout(0.3), layer, nn.BatchNorm1d(1)), [x]))
    weights, second = layer.weight[0].tolist(), x.square().mean(0).tolist()
    test = layer(x).var().item()
    train = EQUATIONS["law"].evaluate(var_test=test, noise_var=0.3 / 0.7, w=weights, second_moments=second)
    assert row.predicted == pytest.approx(test / train, rel=1e-5)


def only(report: Report) -> Any:
    (row,) = report.rows
    return row


def test_over_all_masks_the_prediction_is_exact() -> None:
    x, weight = torch.randn(5, 8), torch.randn(3, 8)
    layer = nn.Linear(8, 3, bias=False)
    layer.weight.data.copy_(weight)
    model = nn.Sequential(nn.Dropout(0.25), layer, nn.BatchNorm1d(3))
    row = only(examine(model, [x]))
    masks = torch.tensor(list(product([0.0, 1.0], repeat=8)), dtype=torch.float64)
    chance = (0.75 ** masks.sum(1)) * (0.25 ** (8 - masks.sum(1)))
    outs = (masks[:, None] * x.double() / 0.75) @ weight.double().T
    added = (chance[:, None, None] * (outs - x.double() @ weight.double().T) ** 2).sum(0).mean(0)
    test = (x @ weight.T).double().var(0)
    assert row.predicted == pytest.approx(test.mean().item() / (test + added).mean().item(), rel=1e-5)
    assert row.worst_channel == (test / (test + added)).argmin().item()
    assert row.worst_shift == pytest.approx((test / (test + added)).min().item(), rel=1e-5)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(4, 6, 3), nn.Conv2d(6, 6, 3)],
        [nn.AvgPool2d(2), nn.Conv2d(4, 6, 3)],
        [nn.MaxPool2d(2)],
        [nn.SiLU(), nn.Conv2d(4, 6, 1)],
        [nn.Conv2d(4, 6, 3), nn.ReLU()],
        [nn.GELU()],
        [nn.Dropout(0.2), nn.Conv2d(4, 6, 3)],
        [nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular")],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers),
)
def test_longer_and_bent_ways_are_probed_and_say_so(monte_carlo, layers):
    noise = nn.Dropout(0.4)
    model, x = nn.Sequential(noise, *layers, nn.LazyBatchNorm2d()), signal(2, 4, 64)
    model(x)
    row = only(examine(model, [x]))
    assert not row.exact
    assert 0 < row.stderr < row.predicted / 10
    drawing = [layer for layer in model if isinstance(layer, nn.Dropout)]
    assert monte_carlo(model, x, drawing)[row.bn].agrees_with(row.predicted, row.stderr)


def trained(net: nn.Module) -> nn.Module:
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(6):
        x, labels = torch.randn(16, 3, 16, 16), torch.randint(10, (16,))
        loss = nn.functional.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def sibling(name: str, noise: str) -> nn.Module:
    net = place(
        build(name), "a" if noise in {"a", "uout"} else "b", **({"uout": 0.8} if noise == "uout" else {"drop": 0.5})
    )
    if noise == "2d":
        for parent in list(net.modules()):
            for child, layer in list(parent.named_children()):
                if isinstance(layer, nn.Dropout):
                    setattr(parent, child, nn.Dropout2d(0.3))
    return net


@pytest.mark.parametrize("noise", ["a", "b", "2d", "uout"])
@pytest.mark.parametrize("name", ["wrn-10-1", "preresnet-8", "resnext-11-2x4-32", "densenet-bc-16-8"])
def test_every_bn_of_the_papers_families_untrained_and_trained(monte_carlo, name, noise):
    for net in (sibling(name, noise), trained(sibling(name, noise))):
        x = torch.randn(16, 3, 16, 16)
        report = examine(net, [x])
        drawing = [layer for layer in net.modules() if isinstance(layer, NOISES)]
        measured = monte_carlo(net, x, drawing, 64 if noise == "2d" else 32)
        off = {row.bn: (row, measured[row.bn]) for row in report.rows if not agrees(row, measured)}
        assert not off
        assert [row.bn for row in report.rows] == list(measured)
        assert len({name for row in report.rows for name in row.sources}) == len(drawing)


def agrees(row, measured) -> bool:
    return measured[row.bn].agrees_with(row.predicted, row.stderr)


def test_another_noise_than_the_models_would_be_noticed(monte_carlo):
    net, x = place(build("wrn-10-1"), "b", drop=0.5), torch.randn(16, 3, 16, 16)
    rows = examine(net, [x]).rows
    drawing = [layer for layer in net.modules() if isinstance(layer, nn.Dropout)]
    for layer in drawing:
        layer.p = 0.47
    measured = monte_carlo(net, x, drawing, 32)
    assert not any(agrees(row, measured) for row in rows if row.sources)


def test_several_noises_on_one_bn_add_up() -> None:
    net, x = place(build("densenet-bc-16-8"), "b", drop=0.5), torch.randn(16, 3, 16, 16)
    report: Any = examine(net, [x])
    several = [row for row in report.rows if len(row.sources) > 1]
    assert several
    for row in several:
        own = sum(1 / way.shift - 1 for way in row.ways)
        assert 1 / row.predicted - 1 == pytest.approx(own, rel=1e-5)


def identical_moments(n: int, d: int, c: float, rho: float) -> Tensor:
    common = torch.randn(n, 1)
    return c + rho**0.5 * common + (1 - rho) ** 0.5 * torch.randn(n, d)


def test_with_the_moments_that_the_paper_assumes_law_and_eq_10_say_the_same() -> None:
    x = identical_moments(40_000, 24, 0.7, 0.3)
    model = nn.Sequential(nn.Dropout(0.4), nn.Linear(24, 8), nn.BatchNorm1d(8))
    row = only(examine(model, [x]))
    (way,) = row.ways
    linear = way.linear
    assert (linear.name, linear.d) == ("1", 24)
    assert linear.c == pytest.approx(0.7, abs=0.02)
    assert linear.v == pytest.approx(1, abs=0.03)
    assert linear.rho == pytest.approx(0.3, abs=0.02)
    seen = {"c": linear.c, "v": linear.v, "rho": linear.rho, "d": linear.d, "cos2": linear.d_cos2 / linear.d}
    assert way.eq10 == pytest.approx(EQUATIONS["eq10"].evaluate(retain=0.6, **seen), rel=1e-9)
    assert way.eq10 == pytest.approx(row.predicted, rel=0.02)


def test_right_before_bn_eq_6_holds_and_the_law_says_the_same() -> None:
    model, x = nn.Sequential(nn.Dropout(0.4), nn.BatchNorm1d(24)), identical_moments(40_000, 24, 0.7, 0.3)
    row = only(examine(model, [x]))
    linear = row.ways[0].linear
    assert (linear.name, linear.d) == (None, 1)
    assert row.ways[0].eq10 == pytest.approx(EQUATIONS["eq6"].evaluate(retain=0.6, c=linear.c, v=linear.v), rel=1e-9)
    assert row.predicted == pytest.approx(EQUATIONS["eq6"].evaluate(retain=0.6, c=0.7, v=1), rel=0.02)


def report_of(*layers: nn.Module) -> Report:
    return examine(nn.Sequential(*layers), [torch.randn(32, 4)])


@pytest.mark.parametrize(
    ("layer", "strength"),
    [(nn.Dropout(0.3), ("drop", 0.3)), (Uout(0.6), ("beta", 0.6)), (GaussianDropout(0.5), ("sigma", 0.5))],
)
def test_a_source_is_told_by_kind_and_strength(layer, strength):
    (source,) = report_of(layer, nn.BatchNorm1d(4)).sources
    assert (source.name, source.kind, source.sharing, source.safe) == ("0", type(layer).__name__, "element", False)
    assert source.strength == (strength[0], pytest.approx(strength[1]))


def test_noise_behind_the_last_bn_is_safe_and_dropout_of_0_is_none() -> None:
    report = report_of(nn.Dropout(0.0), nn.BatchNorm1d(4), nn.Dropout(0.5))
    assert [(source.name, source.safe) for source in report.sources] == [("2", True)]
    assert report.rows[0].predicted == 1
    assert report.nothing_to_find is not None
    assert report.above(1.0) == ()
