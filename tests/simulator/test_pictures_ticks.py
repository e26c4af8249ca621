"""Where ticks stand, and that what is written there can be read."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from simulator.pictures import draw
from tests.simulator.drawn import Point, swept, tick_labels


def curve(values: Sequence[float], **asked: str) -> Any:
    """A curve that has each value on both axes."""
    points: list[Point] = [((value,), [value]) for value in values]
    return draw(swept(["u"], points), x="u", y="moving_mean", **asked).axes[0]


def bar(*ends: float) -> Any:
    """A colour bar from one end to the other."""
    points: list[Point] = [((k, 1), [value]) for k, value in enumerate(ends)]
    return draw(swept(["u", "v"], points), x="u", map_over="v", y="moving_mean").axes[1].yaxis


def labels(axis: Any) -> list[str]:
    return [*tick_labels(axis).values()]


@pytest.mark.parametrize(
    "values",
    [[0.31, 0.57, 0.93], [16, 243, 1024], [1, 30, 1000], [-0.11, 0.27, 0.5, 0.77], [1, 2, 3, 4, 5, 7], [0.7], [3, 5]],
)
def test_ticks_stand_at_up_to_six_swept_values_and_nowhere_else(values: list[float]):
    axis = curve(values).xaxis
    assert tick_labels(axis) == {value: f"{value:g}".replace("-", "−") for value in values}
    assert not len(axis.get_minorticklocs())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 8], ["2", "4", "6", "8"]),
        ([1, 2, 30], ["0", "10", "20", "30"]),
        ([0.1001, 0.2501, 0.4, 0.7, 1.0], ["0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([1, 1.01, 100], ["1", "2", "5", "10", "20", "50", "100"]),
    ],
)
def test_ticks_are_round_where_swept_values_are_many_or_crowded(values: list[float], expected: list[str]):
    axes = curve(values)
    assert labels(axes.xaxis) == expected
    low, high = axes.get_xlim()
    written = [
        tick.label1.get_window_extent() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high
    ]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(written))


def test_ticks_of_what_was_measured_are_round():
    assert labels(curve([0.13, 0.47, 0.93]).yaxis) == ["0.2", "0.4", "0.6", "0.8"]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0, 7), ["0", "2", "4", "6"]),
        ((1, 4), ["1", "2", "3", "4"]),
        ((0.5, 15), ["2.5", "5.0", "7.5", "10.0", "12.5", "15.0"]),
        ((0.9, 25), ["5", "10", "15", "20", "25"]),
        ((0.9, 24.5), ["5", "10", "15", "20"]),
        ((0.1, 1.3), ["0.2", "0.4", "0.6", "0.8", "1.0", "1.2"]),
        ((-3, -1), ["−3", "−2", "−1"]),
        ((10000.1, 10000.6), ["10000.1", "10000.2", "10000.3", "10000.4", "10000.5", "10000.6"]),
    ],
)
def test_a_linear_scale_has_some_five_round_numbers_written_out(ends: tuple[float, float], expected: list[str]):
    axis = bar(*ends)
    assert labels(axis) == expected
    assert not axis.get_offset_text().get_text()


def test_powers_of_ten_stand_beside_the_axis_as_one_writes_them():
    axis = bar(1e7, 3e7)
    assert labels(axis) == ["1.0", "1.5", "2.0", "2.5", "3.0"]
    assert "10^{7}" in axis.get_offset_text().get_text()


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.02, 0.9), ["0.02", "0.05", "0.1", "0.2", "0.5"]),
        ((1, 300), ["1", "2", "5", "10", "20", "50", "100", "200"]),
        ((1, 10**2.5), ["1", "3", "10", "30", "100", "300"]),
        ((0.1, 900), ["0.1", "0.3", "1", "3", "10", "30", "100", "300"]),
        ((1, 10000), ["1", "10", "100", "1000", "10000"]),
        ((1e-7, 0.02), ["10⁻⁷", "10⁻⁶", "10⁻⁵", "0.0001", "0.001", "0.01"]),
    ],
)
def test_a_logarithmic_scale_has_fewer_numbers_to_a_decade_the_more_it_spans(
    ends: tuple[float, float], expected: list[str]
):
    assert labels(bar(*ends)) == expected


@pytest.mark.parametrize(("least", "largest"), [(0.025, 0.8), (1, 50), (1, 9000)])
def test_small_ticks_between_have_no_words(least: float, largest: float):
    axes = curve(np.geomspace(least, largest, 8).tolist())
    axes.figure.draw_without_rendering()
    for axis in (axes.xaxis, axes.yaxis):
        assert axis.get_scale() == "log"
        assert not any(tick.label1.get_text() for tick in axis.get_minor_ticks())


def test_a_scale_is_linear_up_to_exactly_a_decade_and_a_half():
    for largest, scale in ((10**1.5, "linear"), (31.7, "log")):
        axes = curve([1, largest])
        assert (axes.get_xscale(), axes.get_yscale()) == (scale, scale)
    assert curve([0, 40]).get_xscale() == "linear"
    assert curve([0.001, 0.9]).get_xscale() == "log"
