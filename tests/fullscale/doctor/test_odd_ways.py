"""Ways from noise to a BN on which tensors are written, viewed, joined, shared: the local shift, against sampling."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from fullscale import doctor

examine: Any = doctor.examine  # figures that may be None are compared without asking


class Way(nn.Module):
    def __init__(self, way, channels: int = 4, **modules: nn.Module) -> None:
        super().__init__()
        self.way, self.drop, self.conv = way, nn.Dropout(0.3), nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels)
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.way(self, x))


def drawing(model: nn.Module) -> list[Any]:
    return [each for each in model.modules() if isinstance(each, nn.modules.dropout._DropoutNd | nn.MultiheadAttention)]


def signal(samples: int = 48) -> Tensor:
    x = torch.randn(samples, 4, 8, 8)
    return (x + x.roll(1, -1)) * (torch.rand(4) + 0.5).view(-1, 1, 1) + torch.randn(4).view(-1, 1, 1)


def added_in_place(own: Way, x: Tensor) -> Tensor:
    out = own.conv(own.drop(x))
    out += x
    return out


def added_and_wiped(own: Way, x: Tensor) -> Tensor:
    noisy = own.drop(x)
    out = own.conv(x)
    out += noisy
    noisy.zero_()
    return out


def wiped_behind(own: Way, x: Tensor) -> Tensor:
    out = own.drop(x) + own.conv(x)
    x.zero_()
    return out


def slice_written(own: Way, x: Tensor) -> Tensor:
    out = x.clone()
    out[:, :2] = own.drop(own.conv(x))[:, 2:]
    return out


def channel_wiped(own: Way, x: Tensor) -> Tensor:
    noisy = own.drop(x) * 1
    noisy[:, 1].zero_()
    return own.conv(noisy)


def view_scaled(own: Way, x: Tensor) -> Tensor:
    noisy = own.drop(x) * 1
    part = noisy[:, 1:3]
    part.mul_(3)
    return noisy


def shuffled(own: Way, x: Tensor) -> Tensor:
    return own.conv(own.drop(x).view(len(x), 2, 2, 8, 8).transpose(1, 2).reshape(x.shape))


def shuffled_after(own: Way, x: Tensor) -> Tensor:
    return own.conv(own.drop(x)).view(len(x), 2, 2, 8, 8).transpose(1, 2).reshape(x.shape)


def crossed(own: Way, x: Tensor) -> Tensor:
    first, second = own.drop(x).chunk(2, 1)
    return own.conv(torch.cat([second, first], 1))


def twice_on_one_way(own: Way, x: Tensor) -> Tensor:
    return own.drop(own.conv(own.drop(x)))


def twice_side_by_side(own: Way, x: Tensor) -> Tensor:
    return own.conv(own.drop(x)) + own.drop(x)


def one_noise_on_two_ways(own: Way, x: Tensor) -> Tensor:
    noisy = own.drop(x)
    return own.conv(noisy) + noisy


def gated(own: Way, x: Tensor) -> Tensor:
    noisy = own.drop(x)
    return noisy * torch.sigmoid(noisy)


def checkpointed(own: Way, x: Tensor) -> Any:
    return checkpoint(lambda y: own.conv(own.drop(y)), x, use_reentrant=False)


WAYS = {
    "relu in place": (lambda own, x: own.conv(functional.relu_(own.drop(x * 1))), True),
    "out += x": (added_in_place, True),
    "added, then wiped": (added_and_wiped, False),
    "x wiped behind": (wiped_behind, True),
    "slice written": (slice_written, False),
    "channel wiped": (channel_wiped, False),
    "view scaled": (view_scaled, False),
    "channels shuffled": (shuffled, True),
    "channels shuffled behind a convolution": (shuffled_after, False),
    "chunks crossed": (crossed, False),
    "channels last": (lambda own, x: own.conv(own.drop(x.to(memory_format=torch.channels_last))), True),
    "noise on permuted": (lambda own, x: own.drop(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), True),
    "every second sample": (lambda own, x: own.drop(x)[::2], True),
    "samples joined": (lambda own, x: torch.cat([own.drop(x), x], 0), False),
    "rows joined": (lambda own, x: torch.cat([own.conv(own.drop(x)), x], 2), False),
    "padded": (lambda own, x: own.conv(functional.pad(own.drop(x), (1, 1, 1, 1))), True),
    "reflected": (lambda own, x: own.conv(functional.pad(own.drop(x), (1, 1, 1, 1), mode="reflect")), False),
    "subtracted twice": (lambda own, x: torch.sub(x, own.conv(own.drop(x)), alpha=2), True),
    "gated by a clean signal": (lambda own, x: own.drop(x) * torch.sigmoid(own.conv(x)), True),
    "gated by itself": (gated, False),
    "twice on one way": (twice_on_one_way, False),
    "twice side by side": (twice_side_by_side, True),
    "one noise on two ways": (one_noise_on_two_ways, False),
    "layer norm": (lambda own, x: functional.layer_norm(own.drop(x), [4, 8, 8]), False),
    "broadcast": (lambda own, x: x + own.drop(x.mean((2, 3), keepdim=True)), False),
    "checkpointed": (checkpointed, True),
}


@pytest.mark.parametrize(("way", "exact"), WAYS.values(), ids=WAYS)
def test_writing_viewing_and_joining_come_out_as_they_do_under_sampling(monte_carlo, way, exact):
    model, x = Way(way), signal()
    untouched = x.clone()
    (row,) = examine(model, [x], probes=16).rows
    assert row.exact is exact
    assert torch.equal(x, untouched)
    assert monte_carlo(model, x, drawing(model), 64)["bn"].agrees_with(row.predicted, row.stderr)


@pytest.mark.parametrize("name", ["padded", "samples joined"])
def test_half_the_noise_would_be_noticed_on_both_kinds_of_way(monte_carlo, name):
    model, x = Way(WAYS[name][0]), signal()
    (row,) = examine(model, [x], probes=16).rows
    model.drop.p = 0.15
    assert not monte_carlo(model, x, drawing(model), 64)["bn"].agrees_with(row.predicted, row.stderr)


@pytest.mark.parametrize(
    "normed",
    [parametrizations.weight_norm, parametrizations.spectral_norm, nn.utils.spectral_norm],
    ids=["weight_norm", "spectral_norm", "spectral_norm by hooks"],
)
def test_a_weight_that_is_computed_in_each_pass_stays_the_same_in_all(normed):
    x = signal()
    model: Any = Way(lambda own, x: functional.silu(own.drop(own.normed(x))))
    model.normed = normed(nn.Conv2d(4, 4, 3))
    model.train()
    (untrained,) = examine(model, [x], probes=32).rows
    weight = computed_weight(model, x)
    plain: Any = Way(lambda own, x: functional.silu(own.drop(own.normed(x))), normed=nn.Conv2d(4, 4, 3))
    plain.normed.weight.data.copy_(weight)
    plain.normed.bias.data.copy_(model.normed.bias.data)
    (fixed,) = examine(plain, [x], probes=32).rows
    assert untrained.predicted == pytest.approx(fixed.predicted, abs=4.9 * 2 * fixed.stderr)
    assert fixed.stderr < 0.01


def computed_weight(model: Any, x: Tensor) -> Tensor:
    """Return what the model's first pass of training convolves with."""
    seen = []
    model.normed.register_forward_hook(lambda layer, *_: seen.append(layer.weight.detach().clone()))
    with torch.no_grad():
        model(x)
    return seen[0]


def test_a_shared_layer_is_one_layer_with_two_places(monte_carlo):
    model, x = Way(lambda own, x: own.twin(own.drop(functional.relu(own.conv(x))))), signal()
    model.twin = model.conv
    (row,) = examine(model, [x]).rows
    assert row.exact
    assert monte_carlo(model, x, drawing(model))["bn"].agrees_with(row.predicted)


@pytest.mark.parametrize("bend", [nn.GELU(), nn.LayerNorm([4, 8, 8])], ids=lambda bend: type(bend).__name__)
def test_of_several_noises_on_one_way_each_is_probed_by_itself(monte_carlo, bend):
    model = Way(lambda own, x: own.last(own.bend(own.conv(own.drop(x)))), bend=bend, last=nn.Dropout(0.5))
    x = signal()
    (row,) = examine(model, [x], probes=64).rows
    assert {way.source for way in row.ways} == {"drop", "last"}
    for way in row.ways:
        for layer in drawing(model):
            layer.p = 0.0 if layer is not model.get_submodule(way.source) else {"drop": 0.3, "last": 0.5}[way.source]
        assert monte_carlo(model, x, drawing(model))["bn"].agrees_with(way.shift, way.stderr)


def test_one_dropout_layer_at_several_places_is_several_sources(monte_carlo):
    model = Way(lambda own, x: own.drop(own.conv(functional.relu(own.first(own.drop(x))))), first=nn.BatchNorm2d(4))
    x = signal()
    report = examine(model, [x])
    assert [source.name for source in report.sources] == ["drop", "drop:2"]
    assert [row.sources for row in report.rows] == [("drop",), ("drop:2",)]
    measured = monte_carlo(model, x, drawing(model))
    assert all(measured[row.bn].agrees_with(row.predicted) for row in report.rows)


@pytest.mark.parametrize(
    ("noise", "layer", "bn", "shape"),
    [
        (nn.Dropout(0.3), nn.Linear(6, 5), nn.BatchNorm1d(5), (600, 6)),
        (nn.Dropout1d(0.3), nn.Conv1d(6, 5, 3), nn.BatchNorm1d(5), (80, 6, 9)),
        (nn.Dropout3d(0.3), nn.Conv3d(6, 5, 2), nn.BatchNorm3d(5), (60, 6, 4, 4, 4)),
        (nn.Dropout2d(0.3), nn.Conv2d(6, 5, 3), nn.SyncBatchNorm(5), (60, 6, 6, 6)),
    ],
    ids=["(n, c)", "(n, c, l)", "3d", "synchronised"],
)
def test_every_kind_of_bn_is_followed(monte_carlo, noise, layer, bn, shape):
    model, x = nn.Sequential(noise, layer, bn), torch.randn(shape) + 0.5
    (row,) = examine(model, [x]).rows
    assert (row.kind, row.exact) == (type(bn).__name__, True)
    assert monte_carlo(model, x, [noise], 128)["2"].agrees_with(row.predicted)


def test_two_calls_of_one_bn_are_mixed_and_said_to_be() -> None:
    model, x = Way(lambda own, x: own.conv(own.drop(own.bn(x)))), signal()
    apart = nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.3), model.conv, nn.BatchNorm2d(4))
    (row,) = examine(model, [x]).rows
    first, second = examine(apart, [x]).rows
    assert "is called 2 times a pass: its statistics mix them, and so do these numbers" in row.notes
    test = first.real_var + second_var(apart, x)
    train = first.real_var + second_var(apart, x) / second.predicted
    assert row.predicted == pytest.approx(test / train, rel=1e-4)
    assert second.predicted < row.predicted < first.predicted


def second_var(net: nn.Sequential, x: Tensor) -> float:
    with torch.no_grad():
        normalised = functional.batch_norm(x, None, None, training=True)
        return net[2](normalised).var((0, 2, 3)).mean().item()


def noise_behind_features(own: Way, x: Tensor) -> Tensor:
    with torch.inference_mode():
        features = functional.relu(own.conv(x))
    return own.drop(features)


class Inferring(Way):
    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return super().forward(x)


@pytest.mark.parametrize("model", [Way(noise_behind_features), Inferring(added_in_place)], ids=["a part", "all"])
def test_inference_mode_in_the_model_hides_nothing(monte_carlo, model):
    x = signal()
    (row,) = examine(model, [x]).rows
    assert (row.sources, row.exact) == (("drop",), True)
    assert monte_carlo(model, x, drawing(model))["bn"].agrees_with(row.predicted)


def test_inference_mode_around_the_doctor_changes_nothing() -> None:
    model, x = Way(added_in_place), signal()
    with torch.inference_mode():
        inside = examine(model, [x])
    assert inside == examine(model, [x])
    assert inside.rows[0].sources == ("drop",)


def test_a_bn_that_is_no_module_is_named() -> None:
    report = examine(Way(lambda own, x: functional.batch_norm(own.drop(x), None, None, training=True)), [signal()])
    assert report.notes == ("Way normalises by batch, but not as PyTorch's BN modules do: it is not examined",)
    instance = examine(Way(lambda own, x: functional.instance_norm(own.drop(x))), [signal()])
    assert instance.notes == ()
