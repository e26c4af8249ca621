"""Noise through every operator: what it adds is followed to what derivatives say, to all digits, or it is lost."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from fullscale.doctor.exact import Local
from tests.fullscale.doctor.following import (
    CHANNELS,
    COLUMNS,
    ELEMENT,
    ROWS,
    SAMPLES,
    SHARED,
    Way,
    agrees,
    connected,
    convolved,
    followed,
    per_channel,
    signal,
    spread,
    weight,
)


def transposed(x: Tensor, **geometry: Any) -> Tensor:
    return functional.conv_transpose2d(x, weight(CHANNELS, 6, 3, 2), **geometry)


def noisy(change: Callable[[Tensor], Tensor]) -> Way:
    return lambda x, n: change(x * n)


FOLLOWED: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda x: x,
    "clone": lambda x: x.clone(),
    "relu": lambda x: x.relu(),
    "relu in place": lambda x: x.relu_(),
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "prelu": lambda x: functional.prelu(x, weight(CHANNELS)),
    "abs": lambda x: x.abs(),
    "neg": lambda x: -x,
    "neg in place": lambda x: x.neg_(),
    "times a number": lambda x: 3 * x,
    "by a number": lambda x: x / 3,
    "times a number in place": lambda x: x.mul_(3),
    "by a number in place": lambda x: x.div_(3),
    "times a channel's": lambda x: x * per_channel(),
    "by a channel's": lambda x: x / per_channel(),
    "times a signal": lambda x: x * signal(2),
    "plus a signal": lambda x: x + signal(2),
    "signal plus": lambda x: signal(2) + x,
    "plus a signal in place": lambda x: x.add_(signal(2)),
    "minus a signal": lambda x: x - signal(2),
    "signal minus": lambda x: signal(2) - x,
    "plus a bias": lambda x: x + per_channel(),
    "plus twice": lambda x: torch.add(signal(2), x, alpha=2),
    "minus twice": lambda x: torch.sub(signal(2), x, alpha=2),
    "plus a signal twice": lambda x: torch.add(x, signal(2), alpha=2),
    "sum, scaled": lambda x: (x + signal(2)) * 3,
    "sum, scaled by channel": lambda x: (x + signal(2)) * per_channel(),
    "sum, scaled by row": lambda x: (x + signal(2)) * weight(COLUMNS),
    "sum, scaled everywhere": lambda x: (x + signal(2)) * signal(3),
    "sum, its sign": lambda x: -(x + signal(2)),
    "sum, convolved": lambda x: convolved(x + signal(2)),
    "convolution": convolved,
    "convolution with stride": lambda x: convolved(x, stride=(2, 1)),
    "convolution with padding": lambda x: convolved(x, padding=(1, 2)),
    "convolution with dilation": lambda x: convolved(x, dilation=(1, 2)),
    "convolution by group": lambda x: convolved(x, groups=2),
    "convolution by channel": lambda x: convolved(x, groups=CHANNELS),
    "convolution of one filter": lambda x: functional.conv2d(x, weight(1, CHANNELS, 3, 3)),
    "transposed convolution": lambda x: transposed(x, stride=2, output_padding=1),
    "convolution of lines": lambda x: functional.conv1d(x.flatten(2), weight(8, CHANNELS, 3)),
    "convolution, scaled": lambda x: 3 * convolved(x),
    "convolution, divided": lambda x: convolved(x) / 3,
    "convolution, its sign": lambda x: -convolved(x),
    "convolution, scaled by channel": lambda x: convolved(x) * weight(8, 1, 1),
    "convolution, scaled by channel, spelt out": lambda x: convolved(x) * weight(1, 8, 1, 1),
    "twice a convolution": lambda x: torch.add(spread(SAMPLES, 8, 3, 4), convolved(x), alpha=2),
    "convolution plus a bias": lambda x: convolved(x) + weight(8, 1, 1),
    "convolution, later channels": lambda x: convolved(x)[:, 3:],
    "convolution, channels last": lambda x: convolved(x).contiguous(memory_format=torch.channels_last),
    "convolution, one dimension less": lambda x: convolved(x).flatten(2),
    "layer": connected,
    "layer, scaled": lambda x: connected(x) * 3,
    "layer, scaled by unit": lambda x: connected(x) * weight(7),
    "layer, some units": lambda x: connected(x)[:, 2:],
    "layer, as a map": lambda x: connected(x)[:, :, None],
    "layer without a bias": lambda x: functional.linear(x.flatten(1), weight(7, CHANNELS * ROWS * COLUMNS)),
    "concatenated alone": lambda x: torch.cat([x], 1),
    "concatenated first": lambda x: torch.cat([x, signal(2)], 1),
    "concatenated last": lambda x: torch.cat([signal(2), x], 1),
    "concatenated last, counted from behind": lambda x: torch.cat([signal(2), x], -3),
    "concatenated as the third": lambda x: torch.cat([signal(2), signal(3), x], 1),
    "concatenated last, scaled": lambda x: torch.cat([signal(2), x], 1) * weight(2 * CHANNELS, 1, 1),
    "concatenated last, scaled everywhere": lambda x: (
        torch.cat([signal(2), x], 1) * torch.cat([signal(3), signal(4)], 1)
    ),
    "concatenated last, plus": lambda x: torch.cat([signal(2), x], 1) + 1,
    "concatenated last, convolved": lambda x: functional.conv2d(torch.cat([signal(2), x], 1), weight(3, 8, 2, 2)),
    "concatenated last, padded": lambda x: functional.pad(torch.cat([signal(2), x], 1), (1, 0, 0, 2)),
    "concatenated last, moved": lambda x: torch.cat([signal(2), x], 1)[:, 2:6],
    "concatenated after a convolution": lambda x: torch.cat([signal(2)[:, :, :3, :4], convolved(x)], 1),
    "concatenated after a convolution, scaled": lambda x: (
        torch.cat([signal(2)[:, :, :3, :4], convolved(x)], 1) * weight(12, 1, 1)
    ),
    "concatenated after a convolution, some of it": lambda x: torch.cat([signal(2)[:, :, :3, :4], convolved(x)], 1)[
        :, 2:9
    ],
    "padded": lambda x: functional.pad(x, (1, 2, 0, 1)),
    "padded as an operator": lambda x: torch.constant_pad_nd(x, (1, 2, 0, 1)),
    "padded and relu": lambda x: functional.pad(x, (1, 2)).relu(),
    "padded as an operator and relu": lambda x: torch.constant_pad_nd(x, (1, 2)).relu(),
    "padded by channels": lambda x: functional.pad(x, (0, 0, 0, 0, 1, 2)),
    "padded by ones": lambda x: functional.pad(x, (1, 2), value=1.0),
    "sum, padded": lambda x: functional.pad(x + signal(2), (1, 2, 0, 1)),
    "flattened": lambda x: x.flatten(1),
    "flattened maps": lambda x: x.flatten(2),
    "flipped": lambda x: x.transpose(2, 3),
    "permuted": lambda x: x.permute(0, 2, 3, 1),
    "some channels": lambda x: x[:, 1:3],
    "some rows": lambda x: x[:, :, ::2],
    "one row": lambda x: x[:, :, 1],
    "one more dimension": lambda x: x[:, :, None],
    "one more and one less": lambda x: x.unsqueeze(2).squeeze(2),
    "later of two": lambda x: x.chunk(2, 1)[1],
    "later of two, unlike": lambda x: x.split([1, 3], 1)[1],
    "sum, permuted": lambda x: (x + signal(2)).permute(0, 2, 3, 1),
    "sum, some rows, convolved": lambda x: functional.conv2d((x + signal(2))[:, :, ::2], weight(8, CHANNELS, 2, 2)),
    "sum, some rows": lambda x: (x + signal(2))[:, :, ::2],
    "sum, later of two": lambda x: (x + signal(2)).split([1, 3], 1)[1],
    "written elsewhere": lambda x: torch.zeros_like(x).copy_(x),
}


@pytest.mark.parametrize("way", FOLLOWED.values(), ids=FOLLOWED)
def test_dropout_is_followed_exactly(way: Callable[[Tensor], Tensor]):
    local = followed(noisy(way), "dropout", ELEMENT)
    assert agrees(local, noisy(way), "dropout", ELEMENT)
    assert not local.common


LINEAR = {name: way for name, way in FOLLOWED.items() if not re.search("relu|abs", name)}


@pytest.mark.parametrize("way", LINEAR.values(), ids=LINEAR)
def test_gaussian_noise_is_followed_exactly_where_all_is_linear(way: Callable[[Tensor], Tensor]):
    local = followed(noisy(way), "gaussian", ELEMENT)
    assert agrees(local, noisy(way), "gaussian", ELEMENT)


COMPLETED: dict[str, tuple[Way, float]] = {
    "x + x n": (lambda x, n: x + x * n, 1),
    "x n + x": (lambda x, n: x * n + x, 1),
    "n x + x": (lambda x, n: n * x + x, 1),
    "x + x n / 2": (lambda x, n: x + x * n / 2, 0.5),
    "x - x n": (lambda x, n: x - x * n, -1),
    "x + 2 x n by alpha": (lambda x, n: torch.add(x, x * n, alpha=2), 2),
    "x - 2 x n by alpha": (lambda x, n: torch.sub(x, x * n, alpha=2), -2),
    "in place": (lambda x, n: x.add_(x * n), 1),
    "x (1 + n)": (lambda x, n: x * (1 + n), 1),
    "x (1 - n)": (lambda x, n: x * (1 - n), -1),
}


@pytest.mark.parametrize(("way", "times"), COMPLETED.values(), ids=COMPLETED)
@pytest.mark.parametrize("then", [lambda x: x, torch.relu, lambda x: convolved(x.relu())], ids=["bn", "relu", "layer"])
def test_uout_is_followed_exactly_as_the_factor_that_it_is(way: Way, times: float, then: Callable[[Tensor], Tensor]):
    local = followed(lambda x, n: then(way(x, n)), "uout", ELEMENT)
    assert agrees(local, lambda x, n: then(x * (1 + times * n)), "uout", ELEMENT)


ADDED: dict[str, Way] = {
    "alone": lambda x, n: x * n,
    "twice": lambda x, n: x * n * 2,
    "by channel": lambda x, n: x * n * per_channel(),
    "convolved": lambda x, n: convolved(x * n),
    "to another": lambda x, n: signal(2) + x * n,
    "to a copy": lambda x, n: x.clone() + x * n,
    "after a copy": lambda x, n: x + (x * n).clone(),
    "from it": lambda x, n: x * n - x,
    "by alpha": lambda x, n: torch.add(x * n, x, alpha=2),
    "after a layer": lambda x, n: convolved(x) + convolved(x * n),
    "beside": lambda x, n: torch.cat([x, x * n], 1),
}


@pytest.mark.parametrize("way", ADDED.values(), ids=ADDED)
def test_numbers_of_mean_0_times_a_signal_are_followed_wherever_they_are_added(way: Way):
    assert agrees(followed(way, "uout", ELEMENT), way, "uout", ELEMENT)


@pytest.mark.parametrize("way", ADDED.values(), ids=ADDED)
def test_behind_relu_they_are_lost(way: Way):
    assert followed(lambda x, n: way(x, n).relu(), "uout", ELEMENT).added is None


MOVED = {name for name in FOLLOWED if re.search("flipped|permuted|lines|dimension$|moved|maps|some|^one|later", name)}
MOVED -= {name for name in FOLLOWED if name.startswith(("convolution, ", "layer, ", "concatenated after"))}
SHARING = [
    *(("sample", name) for name in FOLLOWED),
    *(("channel", name) for name in FOLLOWED if name not in {*MOVED, "transposed convolution"}),
]


@pytest.mark.parametrize(("sharing", "name"), SHARING)
def test_numbers_that_samples_or_their_maps_share_are_followed_exactly(sharing: str, name: str):
    way = noisy(FOLLOWED[name])
    assert agrees(followed(way, "dropout", SHARED[sharing]), way, "dropout", SHARED[sharing])


def beside_a_part(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[:, :2] = x[:, :2]
    return out


LOST: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "mean": lambda x: x.mean((2, 3)),
    "average": lambda x: functional.avg_pool2d(x, 2),
    "largest": lambda x: functional.max_pool2d(x, 2),
    "square": lambda x: x * x,
    "below the line": lambda x: signal(2) / (1 + x),
    "whole quotient": lambda x: torch.div(x, 0.3, rounding_mode="floor"),
    "as integers": lambda x: x.int().double(),
    "convolution and relu": lambda x: convolved(x).relu(),
    "convolution, scaled everywhere": lambda x: convolved(x) * spread(SAMPLES, 8, 3, 4),
    "convolution, scaled by row": lambda x: convolved(x) * weight(4),
    "convolution, scaled by a row of two": lambda x: functional.conv2d(x, weight(8, CHANNELS, 3, 5)) * weight(2),
    "convolution, padded": lambda x: functional.pad(convolved(x), (1, 2)),
    "written wider": lambda x: torch.zeros_like(x).copy_(x[:, :1]),
    "written as integers": lambda x: torch.zeros_like(x, dtype=torch.int64).copy_(x).double(),
    "padded by ones and relu": lambda x: functional.pad(x, (1, 2), value=1.0).relu(),
    "convolution twice": lambda x: functional.conv2d(convolved(x), weight(2, 8, 1, 1)),
    "sum and relu": lambda x: (x + signal(2)).relu(),
    "two ways": lambda x: x + convolved(x, padding=1)[:, :4],
    "with itself": lambda x: x + x,
    "spread": lambda x: x[:, :, :1] + signal(2),
    "multiplied by more": lambda x: x[:, :, :1] * signal(2),
    "beside another row": lambda x: torch.cat([x, signal(2)], 2),
    "beside another sample": lambda x: torch.cat([x, signal(2)], 0),
    "written beside": beside_a_part,
    "bias": lambda x: functional.conv2d(signal(2), weight(ROWS, CHANNELS, 2, 2), x[0, 0, :, 0]),
    "layer with it": lambda x: functional.linear(spread(7, COLUMNS), x[0, 0]),
    "layer's bias": lambda x: functional.linear(spread(7, 2), weight(COLUMNS, 2), x[0, 0, 0]),
    "layer, scaled by alpha": lambda x: torch.addmm(spread(7), x.flatten(1), weight(120, 7), alpha=2),
    "added to a product": lambda x: torch.addmm(x[:, 0, 0], spread(SAMPLES, 2), weight(2, COLUMNS)),
    "one number": lambda x: x[0, 0, 0, 0] * signal(2),
    "prelu by it": lambda x: functional.prelu(signal(2), x[0, :, 0, 0]),
    "as integers, times a signal": lambda x: x.int() * signal(2),
    "prelu by itself": lambda x: functional.prelu(x, x[0, :, 0, 0]),
    "filters as rows": lambda x: functional.conv2d(x, weight(3, CHANNELS, 3, 3)).transpose(1, 2),
    "two filters as two rows": lambda x: functional.conv2d(x, weight(2, CHANNELS, 4, 3)).transpose(1, 2),
    "one unit, as a column": lambda x: connected(x)[:, 0].unsqueeze(1),
    "its transpose": lambda x: convolved(x).transpose(1, 2),
    "its samples in channels": lambda x: convolved(x).transpose(0, 1),
}


@pytest.mark.parametrize("way", LOST.values(), ids=LOST)
@pytest.mark.parametrize("shape", [ELEMENT, SHARED["sample"], SHARED["channel"]], ids=str)
def test_what_has_no_formula_is_lost(way: Callable[[Tensor], Tensor], shape: tuple[int, ...]):
    assert followed(noisy(way), "dropout", shape) == Local(None, None, common=False)


@pytest.mark.parametrize("shape", [ELEMENT, SHARED["sample"], SHARED["channel"]], ids=str)
def test_in_weights_it_becomes_the_same_for_all_samples(shape: tuple[int, ...]):
    local = followed(lambda x, n: functional.conv2d(signal(2), x * n), "dropout", shape)
    assert local == Local(None, None, common=True)


FLAT: dict[str, Callable[[Tensor], Tensor]] = {
    "concatenated": lambda x: torch.cat([x.flatten(1), signal(2).flatten(1)], 1),
    "padded": lambda x: functional.pad(x.flatten(1), (1, 2)),
    "in part": lambda x: x.flatten(1)[:, 5:],
}


@pytest.mark.parametrize("way", FLAT.values(), ids=FLAT)
def test_maps_that_share_a_number_are_lost_where_they_are_flattened_and_moved(way: Callable[[Tensor], Tensor]):
    assert agrees(followed(noisy(way), "dropout", ELEMENT), noisy(way), "dropout", ELEMENT)
    assert followed(noisy(way), "dropout", SHARED["channel"]) == Local(None, None, common=False)


OF_ONE_LAYER = [name for name in FOLLOWED if name.startswith("convolution, ")]


@pytest.mark.parametrize("name", OF_ONE_LAYER)
def test_what_the_paper_sees_of_a_layer_stays_with_its_noise(name: str):
    plain = followed(noisy(convolved), "dropout", ELEMENT).linear
    assert plain is not None
    assert followed(noisy(FOLLOWED[name]), "dropout", ELEMENT).linear == plain


@pytest.mark.parametrize("name", sorted(MOVED))
def test_where_maps_that_share_a_number_are_moved_it_is_lost(name: str):
    assert followed(noisy(FOLLOWED[name]), "dropout", SHARED["channel"]) == Local(None, None, common=False)


def test_where_samples_that_share_a_number_are_moved_it_is_lost():
    assert followed(lambda x, n: (x * n).transpose(0, 1), "dropout", SHARED["sample"]).added is None


@pytest.mark.parametrize("way", [*FOLLOWED.values(), *LOST.values()], ids=[*FOLLOWED, *LOST])
def test_numbers_that_all_samples_share_are_lost_and_known_to_be_shared(way: Callable[[Tensor], Tensor]):
    local = followed(noisy(way), "dropout", SHARED["batch"])
    assert (local.added, local.common) == (None, True)
