"""The law and Eq. 10 against a net: what is predicted, what is measured in each regime, and what each is blind to."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.against_law import Comparison, Row, Seen, compare
from fullscale.data.synthetic import synthetic
from fullscale.measurements.law import Law
from fullscale.noise import GaussianDropout, Uout
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.subject import Subject
from theory import EQUATIONS

N, CHANNELS, SIDE = 32, 3, 6
SEEDS = range(1, 17)  # not 0, from which images and weights are drawn


class Calls(nn.Module):
    def __init__(self, call: Callable[..., Tensor], **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


class Noise(NamedTuple):
    """A noise of strength 1/4 = s^2, and by how much a wrong law of its kind would overrate that."""

    made: Callable[[], nn.Module]
    wrong: float


NOISES = {
    "Dropout": Noise(lambda: nn.Dropout(0.2), 16),  # s^2 of the ratio that is retained, 4
    "Uout": Noise(lambda: Uout(0.75**0.5), 3),  # beta^2
    "Gaussian": Noise(lambda: GaussianDropout(0.5), 2),  # sigma
}
LAYERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "nothing": lambda noise: nn.Sequential(noise, bn(CHANNELS)),
    "pointwise": lambda noise: nn.Sequential(noise, nn.Conv2d(CHANNELS, 4, 1), bn(4)),
    "patches that do not overlap": lambda noise: nn.Sequential(noise, nn.Conv2d(CHANNELS, 4, 3, stride=3), bn(4)),
    "fully connected": lambda noise: nn.Sequential(
        nn.Flatten(), noise, nn.Linear(CHANNELS * SIDE**2, 16), nn.BatchNorm1d(16)
    ),
}
"""What lies between noise and BN: the noise of two values of a channel is independent, so that the law is exact."""


def bn(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-12)


def drawn(batches: int = 1) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    size, scale = (N, CHANNELS, SIDE, SIDE), torch.tensor([1.0, 0.5, 2.0]).view(-1, 1, 1)
    labels = torch.zeros(N, dtype=torch.int64)
    return [(torch.randn(size, generator=seeded) * scale + 1 + k, labels) for k in range(batches)]


def made(call: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return call()


def repeated(net: nn.Module) -> list[tuple[Row, ...]]:
    """The rows for noise of several seeds."""
    return [compare(net, drawn, seed=seed).rows for seed in SEEDS]


def agree(values: list[float], expected: float) -> bool:
    """Whether values of independent seeds have a mean, within 5 of its standard errors."""
    each = torch.tensor(values, dtype=torch.float64)
    return abs(each.mean().item() - expected) < 5 * each.std().item() / len(values) ** 0.5


def deep(early: float = 0.5, late: float = 0.3) -> nn.Sequential:
    """The first noise comes to the second BN through the first alone."""
    torch.manual_seed(0)
    first = [nn.Dropout(early), nn.BatchNorm2d(CHANNELS), nn.ReLU(inplace=True)]
    return nn.Sequential(*first, nn.Conv2d(CHANNELS, 4, 3), nn.Dropout(late), nn.BatchNorm2d(4))


def variance(x: Tensor) -> float:
    """POOLED, unbiased, mean over channels."""
    return x.double().var((0, 2, 3)).mean().item()


@pytest.mark.parametrize(
    ("noise", "layer"), [("Dropout", layer) for layer in LAYERS] + [("Uout", "pointwise"), ("Gaussian", "nothing")]
)
def test_the_measured_local_shift_is_the_laws(noise: str, layer: str):
    rows = [row for (row,) in repeated(made(lambda: LAYERS[layer](NOISES[noise].made())))]
    predicted = {row.predicted for row in rows}.pop()
    assert predicted is not None
    assert {(row.predicted, row.stderr) for row in rows} == {(predicted, 0)}
    measured = [1 / row.local for row in rows]  # Var_Train / Var_Test, of which the law says the mean
    assert agree(measured, 1 / predicted)
    added = 1 / predicted - 1
    assert not agree(measured, 1 + NOISES[noise].wrong * added)
    assert not agree(measured, 1 + added / 2)


def test_two_sources_add_up_and_eq10_does_not_speak_of_them():
    def summed() -> nn.Module:
        one, other = (nn.Sequential(nn.Dropout(0.3), nn.Conv2d(CHANNELS, 4, 1)) for _ in range(2))
        return Calls(lambda self, x: self.bn(self.one(x) + self.other(x)), one=one, other=other, bn=bn(4))

    rows = [row for (row,) in repeated(made(summed))]
    first = rows[0]
    assert (first.sources, first.eq10, first.stderr) == (("one.0", "other.0"), None, 0)
    assert first.predicted is not None
    measured = [1 / row.local for row in rows]
    assert agree(measured, 1 / first.predicted)
    assert not agree(measured, 1 + (1 / first.predicted - 1) / 2)
    assert first.quiet_var == first.clean_var  # both are off
    assert first.inherited == 1


def test_noise_that_comes_through_another_bn_alone_gives_no_row():
    after = nn.Sequential(nn.Dropout(0.5), bn(CHANNELS), nn.Conv2d(CHANNELS, 4, 1), bn(4))
    assert [(row.bn, row.sources) for row in compare(after, drawn, seed=0).rows] == [("1", ("0",))]
    past = Calls(
        lambda self, x: self.late((noisy := self.noise(x)) + self.early(noisy)),
        late=bn(CHANNELS),
        early=bn(CHANNELS),
        noise=nn.Dropout(0.5),
    )
    assert [(row.bn, row.sources) for row in compare(past, drawn, seed=0).rows] == [
        ("early", ("noise",)),
        ("late", ("noise",)),
    ]


def test_local_is_blind_to_noise_that_comes_through_another_bn():
    (_, one), (_, other) = (compare(deep(early), drawn, seed=0).rows for early in (0.1, 0.9))
    assert one.sources == other.sources == ("4",)
    for name in ("predicted", "clean_var", "own_var", "test_var", "local"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("quiet_var", "train_var"):  # the control: there it is heard
        assert getattr(one, name) != pytest.approx(getattr(other, name), rel=0.01)


def test_inherited_is_blind_to_noise_of_its_own():
    (_, one), (_, other) = (compare(deep(0.5, late), drawn, seed=0).rows for late in (0.1, 0.9))
    for name in ("clean_var", "test_var", "quiet_var", "inherited"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("predicted", "own_var", "train_var"):
        assert getattr(one, name) != pytest.approx(getattr(other, name), rel=0.1)


def test_an_activation_that_writes_on_what_a_bn_gives_changes_nothing():
    writing, apart = deep(), deep()
    writing[2], apart[2] = nn.LeakyReLU(0.5, inplace=True), nn.LeakyReLU(0.5)  # twice is not once, as of ReLU
    assert compare(writing, drawn, seed=0) == compare(apart, drawn, seed=0)


def test_every_variance_is_of_its_own_regime_and_pooled():
    first, layer = bn(CHANNELS), nn.Conv2d(CHANNELS, 4, 3)
    first.get_buffer("running_mean").fill_(0.5)
    first.get_buffer("running_var").copy_(torch.tensor([0.5, 2.0, 1.0]))
    net = nn.Sequential(first, layer, nn.Dropout(0.4), bn(4))
    (row,) = compare(net, lambda: drawn(3), seed=0).rows
    with torch.no_grad():
        clean = torch.cat([layer(functional.batch_norm(x, None, None, training=True)) for x, _ in drawn(3)])
        test = torch.cat([layer(first.eval()(x)) for x, _ in drawn(3)])
    assert row.clean_var == pytest.approx(variance(clean), rel=1e-4)
    assert row.test_var == pytest.approx(variance(test), rel=1e-4)
    assert row.test_var != pytest.approx(row.clean_var, rel=0.1)
    assert row.quiet_var == row.clean_var  # nothing is before the first BN
    assert (row.local, row.inherited, row.total) == (
        row.clean_var / row.own_var,
        row.test_var / row.quiet_var,
        row.test_var / row.train_var,
    )


def test_the_whole_shift_is_the_predicted_local_one_times_the_inherited_one():
    first = bn(CHANNELS)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        first.bias.copy_(torch.tensor([1.0, -1.0, 0.0]))
    first.get_buffer("running_var").copy_(torch.tensor([2.0, 0.3, 9.0]))
    # What BN gives by its batch has the same first two moments with and without noise before it.
    rows = [row for _, row in repeated(nn.Sequential(nn.Dropout(0.5), first, nn.Dropout(0.2), bn(CHANNELS)))]
    assert rows[0].sources == ("2",)
    x, _ = drawn()[0]
    test = (x.double().var((0, 2, 3)) * first.weight.detach() ** 2 / first.get_buffer("running_var")).mean().item()
    values = N * SIDE**2
    by_batch = first.weight.detach().square().mean().item() * values / (values - 1)
    for row in rows:
        assert row.inherited == pytest.approx(test / by_batch, rel=1e-5)
    predicted = rows[0].predicted
    assert predicted is not None
    assert agree([predicted * row.inherited / row.total for row in rows], 1)
    assert not agree([predicted / row.total for row in rows], 1)
    assert not agree([row.inherited / row.total for row in rows], 1)


CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {"out_channels": 4, "kernel_size": 3},
    "with strides": {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1},
    "dilated": {"out_channels": 4, "kernel_size": 2, "dilation": 2, "bias": False},
    "in groups": {"out_channels": 6, "kernel_size": 3, "groups": 3},
}
DROP = 0.4


@pytest.fixture(params=CONVOLUTIONS.values(), ids=[*CONVOLUTIONS])
def layer(request: pytest.FixtureRequest) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, **request.param)


def seen_behind(layer: nn.Conv2d) -> tuple[Seen, Row]:
    net = nn.Sequential(nn.Dropout(DROP), nn.ReLU(), layer, bn(layer.out_channels))
    found = compare(net, lambda: drawn(2), seed=0)
    (seen,), (row,) = found.seen, found.rows
    assert (seen.name, row.bn) == ("2", "3")
    return seen, row


def patches(layer: nn.Conv2d, x: Tensor, *, padded: bool = True) -> Tensor:
    """(n, groups, d, places)"""
    padding = layer.padding if padded else 0
    unfolded = functional.unfold(x, layer.kernel_size, layer.dilation, padding, layer.stride)  # pyright: ignore[reportArgumentType]
    return unfolded.view(len(x), layer.groups, layer.weight[0].numel(), -1)


def test_what_a_layer_sees_is_what_eq10_asks_for(layer: nn.Conv2d):
    seen, _ = seen_behind(layer)
    weight, signals = layer.weight.detach().double().flatten(1), [x.double().relu() for x, _ in drawn(2)]
    assert seen.d == weight.shape[1]
    assert seen.d_cos2 == pytest.approx((weight.sum(1) ** 2 / (weight**2).sum(1)).mean().item(), rel=1e-5)
    assert seen.c == pytest.approx(sum(x.mean().item() for x in signals) / 2, rel=1e-5)
    v = sum(variance(x) for x in signals) / 2
    assert seen.v == pytest.approx(v, rel=1e-5)
    sums = [patches(layer, x, padded=False).sum(2).unsqueeze(-1) for x in signals]
    ratios = [variance(summed) / variance(x) for summed, x in zip(sums, signals, strict=True)]  # d (1 + rho (d - 1))
    assert seen.rho == pytest.approx(sum((ratio / seen.d - 1) / (seen.d - 1) for ratio in ratios) / 2, abs=1e-5)


def test_eq10_is_theorys(layer: nn.Conv2d):
    seen, row = seen_behind(layer)
    given = {"retain": 1 - DROP, "c": seen.c, "v": seen.v, "rho": seen.rho, "d": seen.d, "cos2": seen.d_cos2 / seen.d}
    expected = EQUATIONS["eq10"].evaluate(**given)
    assert seen.eq10 == pytest.approx(expected, rel=1e-9)
    assert row.eq10 == seen.eq10
    assert EQUATIONS["eq10"].evaluate(**given | {"retain": DROP}) != pytest.approx(expected, rel=0.01)


def test_the_law_behind_a_layer_needs_no_more_than_its_weights_and_second_moments(layer: nn.Conv2d):
    seen, row = seen_behind(layer)
    weight = layer.weight.detach().flatten(1).view(layer.groups, -1, seen.d)
    without = share = 0.0
    for images, _ in drawn(2):
        x = images.relu()
        share += torch.einsum("god,ngdl->ngol", weight**2, patches(layer, x**2)).mean().item()
        without += layer(x).detach().var((0, 2, 3)).mean().item()
    assert seen.law == pytest.approx(1 / (1 + DROP / (1 - DROP) * share / without), rel=1e-4)
    assert seen.law == pytest.approx(row.predicted, rel=1e-5)  # where nothing else comes to the BN
    assert seen.law != pytest.approx(1 / (1 + (1 - DROP) / DROP * share / without), rel=0.1)


def test_in_case_a_there_is_no_layer_and_eq10_is_eq6():
    found = compare(nn.Sequential(nn.Dropout(0.3), bn(1)), lambda: [(x[:, :1], y) for x, y in drawn()], seed=0)
    (row,), x = found.rows, drawn()[0][0][:, :1]
    assert found.seen == ()
    assert row.eq10 == pytest.approx(EQUATIONS["eq6"].evaluate(retain=0.7, c=x.mean().item(), v=variance(x)), rel=1e-5)


def test_without_noise_there_are_no_rows():
    for quiet in (nn.Sequential(nn.Conv2d(CHANNELS, 4, 3), bn(4)), deep(0.0, 0.0)):
        assert compare(quiet, drawn, seed=0) == Comparison((), (), N)
    assert len(compare(deep(0.0, 0.3), drawn, seed=0).rows) == 1


def test_the_numbers_follow_the_seed_alone_and_not_the_names_of_modules():
    def called(prefix: str) -> nn.Sequential:
        torch.manual_seed(0)
        blocks = [layer for _ in range(4) for layer in (nn.Dropout(0.5), bn(CHANNELS), nn.ReLU())]
        return nn.Sequential(OrderedDict((f"{prefix}{k}", layer) for k, layer in enumerate(blocks)))

    def numbers(prefix: str, seed: int) -> list[Row]:
        return [replace(row, bn="", sources=()) for row in compare(called(prefix), drawn, seed=seed).rows]

    first = numbers("a", 0)
    for prefix in ("a", "b", "c", "d"):
        assert numbers(prefix, 0) == first
    assert numbers("a", 1) != first


def test_the_net_its_noise_and_torchs_generator_come_back_as_they_were():
    generator = torch.Generator().manual_seed(5)
    net = nn.Sequential(*deep(), Uout(0.5, generator), bn(4)).train()
    net[3].eval()
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    drawing, own = torch.get_rng_state(), generator.get_state()
    assert len(compare(net, lambda: drawn(2), seed=0).rows) == 3
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert all(module.track_running_stats for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), drawing)
    assert torch.equal(generator.get_state(), own)


def test_progress_counts_over_both_passes():
    told: list[int] = []
    found = compare(deep(), lambda: drawn(2), seed=0, progress=told.append)
    assert told == [N, 2 * N, 3 * N, 4 * N]
    assert found.images == 2 * N


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"^batches = 0: there must be at least one$"):
        compare(deep(), list, seed=0)


def test_a_bn_that_is_called_twice_is_refused():
    shared = bn(CHANNELS)
    with pytest.raises(ValueError, match=r"^BN called twice = 1: "):
        compare(nn.Sequential(nn.Dropout(0.5), shared, nn.ReLU(), shared), drawn, seed=0)


def test_a_noise_that_is_called_twice_is_refused():
    noise = nn.Dropout(0.5)
    with pytest.raises(ValueError, match=r"^noise called twice = 0: "):
        compare(nn.Sequential(noise, bn(CHANNELS), noise, bn(CHANNELS)), drawn, seed=0)


def test_a_run_is_held_against_the_law_on_some_of_its_training_batches():
    source = synthetic(torch.device("cpu"), classes=4, size=8, train=32, test=4)
    subject = Subject(deep(), recipe("wrn-10-1", "synthetic", "none", 0, epochs=2, batch=8), source, seed=3)
    found = Law(batches=2).take(subject, unheard)
    batches = list(source.train_batches(8, 3, 2))[:2]
    expected = compare(subject.net, lambda: batches, seed=3)
    assert found == Comparison(expected.rows, expected.seen, 16)
