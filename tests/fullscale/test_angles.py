"""The angle of each convolution's filters with (1, ..., 1)."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fullscale.angles import Row, angles, cos2


def convolution(weight: Tensor, groups: int = 1) -> nn.Conv2d:
    filters, channels, height, width = weight.shape
    made = nn.Conv2d(channels * groups, filters, (height, width), groups=groups)
    made.weight = nn.Parameter(weight)
    return made


def test_cos2_is_exact_where_it_can_be_seen():
    weight = torch.tensor([[3.0, 3, 3, 3], [1, -1, 1, -1], [0, 0, 5, 0], [1, 1, 1, 0]])
    torch.testing.assert_close(cos2(weight), torch.tensor([1, 0, 1 / 4, 3 / 4], dtype=torch.float64))


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30), st.sampled_from([-3.0, 1e-3, 100.0]))
def test_cos2_is_a_squared_cosine_and_knows_no_scale(values: list[float], scale: float):
    weight = torch.tensor([[*values, 1.0]])
    angle = cos2(weight).item()
    cosine = nn.functional.cosine_similarity(weight.double(), torch.ones_like(weight).double()).item()
    assert angle == pytest.approx(cosine**2, rel=1e-9, abs=1e-12)
    assert cos2(scale * weight).item() == pytest.approx(angle, rel=1e-5, abs=1e-6)


def test_each_convolution_has_a_row_with_its_own_d_and_linear_layers_have_none():
    net = nn.Sequential(
        convolution(torch.ones(2, 3, 2, 2)),
        nn.Linear(2, 5),
        nn.Sequential(convolution(torch.tensor([[1.0, 0], [1, 1], [1, 0], [1, 1]])[:, :, None, None], groups=2)),
    )
    measured = angles(net)
    first, second = measured.rows
    assert first == Row(index=1, name="0", filters=2, zero_filters=0, d=12, cos2=1, d_cos2=12)
    assert (second.index, second.name, second.filters, second.d) == (2, "2.0", 4, 2)
    assert (second.cos2, second.d_cos2) == (0.75, 1.5)
    assert measured.cos2_of_filters[1].tolist() == [0.5, 1, 0.5, 1]
    assert (measured.cos2, measured.d_cos2) == (0.875, 6.75)


def test_a_filter_of_zeros_has_no_angle_and_is_left_out_of_the_means():
    weight = torch.tensor([[0.0, 0], [1, 0], [1, 1]])[:, :, None, None]
    measured = angles(nn.Sequential(convolution(weight)))
    assert (measured.rows[0].filters, measured.rows[0].zero_filters) == (3, 1)
    assert (measured.rows[0].cos2, measured.rows[0].d_cos2) == (0.75, 1.5)
    assert math.isnan(measured.cos2_of_filters[0][0])


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2)), r"^net = Sequential: has no convolution$"),
        (nn.Sequential(convolution(torch.zeros(2, 3, 1, 1))), r"^0's weight = 0: all of its filters are zero"),
        (nn.Sequential(convolution(torch.full((2, 3, 1, 1), torch.nan))), r"^0's weight = nan: must be finite$"),
    ],
)
def test_a_mean_that_is_undefined_is_refused(net: nn.Module, message: str):
    with pytest.raises(ValueError, match=message):
        angles(net)


def test_random_filters_have_a_mean_cos2_of_1_over_d():
    seeded = torch.Generator().manual_seed(0)
    filters, d = 20_000, 9
    row = angles(nn.Sequential(convolution(torch.randn(filters, 1, 3, 3, generator=seeded)))).rows[0]
    # cos^2 of a uniform direction is Beta(1/2, (d-1)/2).
    error = 6 * math.sqrt(2 * (d - 1) / (d**2 * (d + 2)) / filters)
    assert row.cos2 == pytest.approx(1 / d, abs=error)
    assert row.cos2 != pytest.approx(1 / (d - 1), abs=error)  # the control
