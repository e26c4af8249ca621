"""A layer as Eq. 10 sees it: read off the signal and the weights, and counted here patch by patch."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fullscale.doctor.report import Linear
from fullscale.doctor.shares import Convolution, FullyConnected
from tests.fullscale.doctor.following import spread

X = spread(3, 4, 6, 7) + torch.arange(4).view(-1, 1, 1)


def patches(x: Tensor, kernel: tuple[int, ...], step: list[int], gap: list[int], border: list[int]) -> Tensor:
    """What a filter sees at each place of (n, channels, rows, columns): (n, channels, places in it, places of it)."""
    x = torch.nn.functional.pad(x, (border[1], border[1], border[0], border[0]))
    reach = [g * (k - 1) for g, k in zip(gap, kernel, strict=True)]
    rows, columns = (range(0, x.shape[dim] - reach[dim - 2], step[dim - 2]) for dim in (2, 3))
    seen = [
        x[:, :, row : row + reach[0] + 1 : gap[0], column : column + reach[1] + 1 : gap[1]].flatten(2)
        for row in rows
        for column in columns
    ]
    return torch.stack(seen, -1)


def counted(weight: Tensor, x: Tensor, seen: Tensor, groups: int) -> dict[str, float]:
    """Eq. 10's quantities: rho is the one with which d elements of variance v sum up to the variance that they do."""
    d = weight[0].numel()
    v = x.transpose(0, 1).flatten(1).var(1).mean().item()
    sums = torch.stack([part.flatten(1, 2).sum(1) for part in seen.chunk(groups, 1)])
    var_sum = sums.flatten(1).var(1).mean().item()
    cos2 = [(each.sum() ** 2 / (d * each.square().sum())).item() for each in weight]
    rho = (var_sum - d * v) / (d * (d - 1) * v) if d > 1 else 0.0
    return {"d": d, "d_cos2": d * sum(cos2) / len(cos2), "c": x.mean().item(), "v": v, "rho": rho}


def quantities(linear: Linear | None) -> dict[str, float]:
    assert linear is not None
    return {name: getattr(linear, name) for name in ("d", "d_cos2", "c", "v", "rho")}


def convolution(weight: Tensor, groups: int = 1, **geometry: list[int]) -> Convolution:
    plain: dict[str, Any] = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1]}
    return Convolution(weight, **{**plain, **geometry}, transposed=False, output_padding=[0, 0], groups=groups)


@pytest.mark.parametrize(
    ("shape", "groups", "geometry"),
    [
        ((5, 4, 3, 3), 1, {}),
        ((5, 4, 1, 1), 1, {}),
        ((5, 4, 3, 2), 1, {"stride": [2, 1]}),
        ((5, 4, 2, 3), 1, {"dilation": [2, 3]}),
        ((6, 2, 3, 3), 2, {}),
        ((8, 1, 2, 2), 4, {}),
        ((4, 1, 1, 1), 4, {}),
        ((1, 4, 3, 3), 1, {}),
        ((5, 4, 6, 7), 1, {}),
        ((5, 4, 2, 4), 1, {"dilation": [5, 2]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("border", [[0, 0], [1, 2]], ids=str)
def test_a_convolution_sees_its_patches_and_no_border(
    shape: tuple[int, ...], groups: int, geometry: dict[str, list[int]], border: list[int]
) -> None:
    weight = spread(*shape, seed=9) + 0.3
    layer = convolution(weight, groups, padding=border, **geometry)
    seen = patches(X, shape[2:], layer.stride, layer.dilation, [0, 0])
    assert quantities(layer.linear("conv", X)) == pytest.approx(counted(weight, X, seen, groups), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("kernel", "gap"), [((7, 3), [1, 1]), ((3, 8), [1, 1]), ((2, 3), [6, 1]), ((3, 3), [3, 4])], ids=str
)
def test_a_convolution_that_reaches_over_the_signal_sees_borders_too(kernel: tuple[int, ...], gap: list[int]) -> None:
    weight = spread(5, 4, *kernel, seed=9) + 0.3
    layer = convolution(weight, padding=[4, 4], dilation=gap)
    seen = patches(X, kernel, [1, 1], gap, [4, 4])
    assert quantities(layer.linear("conv", X)) == pytest.approx(counted(weight, X, seen, 1), rel=1e-9)


def test_a_fully_connected_layer_sees_each_unit_once() -> None:
    x, weight = X.flatten(1)[:, :20], spread(7, 20, seed=9) + 0.3
    expected = counted(weight, x, x[..., None], 1)
    assert quantities(FullyConnected(weight).linear("fc", x)) == pytest.approx(expected, rel=1e-9)


def test_a_layer_of_one_unit_and_a_signal_that_never_varies_have_no_correlation() -> None:
    assert quantities(FullyConnected(spread(3, 1)).linear("fc", X.flatten(1)[:, :1]))["rho"] == 0
    assert quantities(FullyConnected(spread(3, 4)).linear("fc", torch.ones(5, 4)))["rho"] == 0


def test_a_layer_is_named_and_a_transposed_one_has_no_place_in_eq_10() -> None:
    named = [convolution(spread(5, 4, 3, 3)).linear("conv", X), FullyConnected(spread(3, 4)).linear("fc", X[..., 0, 0])]
    assert [linear and linear.name for linear in named] == ["conv", "fc"]
    assert replace(convolution(spread(4, 5, 3, 3)), transposed=True).linear("conv", X) is None
