"""What one reads off a map: its cells, their colours and labels, and the colour bar."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from simulator.pictures import draw
from tests.simulator.drawn import caption, contrast, sizes_of_letters, swept, tick_labels


def mapped(values: ArrayLike, across: Sequence[float] = (), up: Sequence[float] = ()) -> Any:
    """A map of values, whose first row is the lowest one."""
    cells = np.asarray(values)
    across, up = across or range(1, cells.shape[1] + 1), up or range(1, cells.shape[0] + 1)
    places = itertools.product(enumerate(up), enumerate(across))
    points = [((x, y), [cells[row, column]]) for (row, y), (column, x) in places]
    return draw(swept(["u", "v"], points), x="u", map_over="v", y="moving_mean")


def scattered(values: Sequence[float]) -> Any:
    """Coloured points along the diagonal, which is no complete grid."""
    points = [((k, k), [value]) for k, value in enumerate(values)]
    return draw(swept(["u", "v"], points), x="u", map_over="v", y="moving_mean")


class TestCells:
    def test_cells_reach_halfway_to_their_neighbours_and_as_far_to_the_outside(self):
        (mesh,) = mapped([[0.1, 0.2, 0.4], [0.3, 0.4, 0.5]], across=[2, 3, 6], up=[4, 8]).axes[0].collections
        borders = np.asarray(mesh.get_coordinates())
        np.testing.assert_allclose(borders[0, :, 0], [1.5, 2.5, 4.5, 7.5])
        np.testing.assert_allclose(borders[:, 0, 1], [2, 6, 10])

    def test_a_lone_value_has_a_cell_one_wide_around_it(self):
        (mesh,) = mapped([[0.1], [0.2]], across=[7], up=[4, 8]).axes[0].collections
        np.testing.assert_allclose(np.asarray(mesh.get_coordinates())[0, :, 0], [6.5, 7.5])

    def test_cells_leave_no_gaps_and_cover_nothing_of_their_neighbours(self):
        figure = mapped(np.linspace(0.1, 0.9, 36).reshape(6, 6))
        figure.draw_without_rendering()
        mesh = figure.axes[0].collections[0]
        np.testing.assert_array_equal(mesh.get_edgecolor(), mesh.get_facecolor())
        assert len({tuple(colour) for colour in mesh.get_facecolor()}) == 36
        assert all(0 < width < 1 for width in mesh.get_linewidth())

    @pytest.mark.parametrize("up", [[1, 2, 3], [1, 10, 100]])
    def test_a_label_stands_in_the_middle_of_its_cell(self, up: Sequence[float]):
        figure = mapped(np.linspace(-0.5, 0.6, 12).round(1).reshape(3, 4), up=up)
        figure.draw_without_rendering()
        axes = figure.axes[0]
        borders = np.asarray(axes.collections[0].get_coordinates())
        corners = axes.transData.transform(borders.reshape(-1, 2)).reshape(borders.shape)
        for text, (row, column) in zip(axes.texts, np.ndindex(3, 4), strict=True):
            (left, low), (right, high) = corners[row, column], corners[row + 1, column + 1]
            written = text.get_window_extent()
            assert left < written.x0 < written.x1 < right
            assert low < written.y0 < written.y1 < high
            assert written.x0 - left == pytest.approx(right - written.x1, abs=2)
            assert written.y0 - low == pytest.approx(high - written.y1, abs=2)

    def test_labels_have_three_digits_and_a_minus_of_their_width(self):
        texts = mapped([[-0.5, -1.2345], [12.345, 3]]).axes[0].texts
        assert [text.get_text() for text in texts] == ["−0.5", "−1.23", "12.3", "3"]

    def test_a_label_contrasts_with_its_cell(self):
        values = np.linspace(0.1, 0.9, 24)
        axes = mapped(values.reshape(8, 3)).axes[0]
        cells = axes.collections[0].to_rgba(values)
        assert all(contrast(text.get_color(), cell) > 4.5 for text, cell in zip(axes.texts, cells, strict=True))
        assert len(axes.texts) == 24

    @pytest.mark.parametrize(
        ("rows", "columns", "labels"),
        [(8, 3, 24), (9, 3, 0), (3, 9, 27), (3, 10, 0), (1, 9, 9), (12, 1, 0)],
    )
    def test_there_are_labels_where_there_is_room(self, rows: int, columns: int, labels: int):
        values = np.linspace(0.11, 0.97, rows * columns).round(2).reshape(rows, columns)
        figure = mapped(values)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
        assert len(boxes) == labels
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))

    @pytest.mark.parametrize(("value", "most"), [(5, 18), (-5, 9), (-0.1, 7), (1e5, 5), (-1.23e-5, 3), (1.25, 9)])
    def test_labels_of_any_kind_stand_apart_where_there_are_as_many_as_there_may_be(self, value: float, most: int):
        figure = mapped([[value] * most])
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
        assert (len(boxes), len(mapped([[value] * (most + 1)]).axes[0].texts)) == (most, 0)


class TestContours:
    def test_there_are_contours_from_four_by_four_cells_on_instead_of_labels(self):
        values = np.linspace(0.05, 0.95, 16).reshape(4, 4)
        _, contours = mapped(values).axes[0].collections
        np.testing.assert_allclose(contours.levels, [0.2, 0.4, 0.6, 0.8])
        few = mapped(values[:3]).axes[0]
        assert (len(few.collections), len(few.texts)) == (1, 12)

    def test_a_contour_contrasts_with_the_cells_that_it_crosses_and_is_thin(self):
        across, up = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 12))
        cells, contours = mapped((across + up) / 2).axes[0].collections
        np.testing.assert_allclose(contours.levels, [0.2, 0.4, 0.6, 0.8])
        colours = zip(contours.get_edgecolor(), cells.to_rgba(contours.levels), strict=True)
        assert all(contrast(line, cell) > 4.5 for line, cell in colours)
        assert all(width < 1 for width in contours.get_linewidth())

    def test_the_least_and_the_largest_value_have_no_contour(self):
        _, contours = mapped(np.linspace(0.2, 1, 25).reshape(5, 5)).axes[0].collections
        np.testing.assert_allclose(contours.levels, [0.4, 0.6, 0.8])

    def test_over_decades_contours_are_at_round_numbers_and_say_which(self):
        across, up = np.meshgrid(np.linspace(-2.1, 0, 16), np.linspace(-2.1, 0, 16))
        axes = mapped(10 ** (across + up)).axes[0]
        _, contours = axes.collections
        np.testing.assert_allclose(contours.levels, [1e-4, 1e-3, 1e-2, 1e-1])
        assert {text.get_text() for text in axes.texts} <= {"0.0001", "0.001", "0.01", "0.1"}
        assert len(axes.texts) >= 3


class TestColours:
    @pytest.mark.parametrize("drawn", [lambda values: mapped([values, values[::-1]]), scattered])
    def test_the_colour_bar_spans_exactly_the_values(self, drawn: Any):
        for values, scale in (([0.3, 0.25, 0.41], "linear"), ([0.02, 0.5, 0.9], "log"), ([-3, 0.5, 90], "linear")):
            axes, bar = drawn(values).axes
            assert bar.get_yscale() == scale
            np.testing.assert_allclose(bar.get_ylim(), [min(values), max(values)])
            ends = axes.collections[0].to_rgba([min(values), max(values)])
            np.testing.assert_allclose(ends, [[0, 0.135112, 0.304751, 1], [0.995737, 0.909344, 0.217772, 1]], atol=1e-6)

    def test_the_colour_bar_is_written_as_the_axes_are(self):
        assert [*tick_labels(mapped([[0.02, 0.9], [0.2, 0.3]]).axes[1].yaxis).values()] == [
            "0.02",
            "0.05",
            "0.1",
            "0.2",
            "0.5",
        ]

    def test_nothing_is_written_between_the_round_numbers_of_a_logarithmic_colour_bar(self):
        bar = mapped([[0.02, 0.9], [0.2, 0.3]]).axes[1].yaxis
        bar.figure.draw_without_rendering()
        assert {tick.label2.get_text() for tick in bar.get_minor_ticks()} == {""}

    def test_a_point_is_outlined_but_mostly_its_colour(self):
        figure = scattered([0.1, 0.9, 0.5])
        figure.draw_without_rendering()
        (points,) = figure.axes[0].collections
        diameter, outline = np.sqrt(points.get_sizes()), points.get_linewidth()
        assert all(3 < size < 5 for size in diameter)
        assert all((diameter - outline) ** 2 > (diameter + outline) ** 2 / 2)
        assert all(contrast(colour, "white") > 3 for colour in points.get_edgecolor())


class TestWords:
    def test_ticks_stand_at_the_values_that_were_swept(self):
        figure = mapped(np.linspace(0.1, 0.9, 9).reshape(3, 3), across=[0.31, 0.57, 0.93], up=[16, 243, 1024])
        axes = figure.axes[0]
        assert tick_labels(axes.xaxis) == {0.31: "0.31", 0.57: "0.57", 0.93: "0.93"}
        assert tick_labels(axes.yaxis) == {16: "16", 243: "243", 1024: "1024"}

    def test_all_letters_have_one_size(self):
        for cells in (np.linspace(0.1, 0.9, 9).reshape(3, 3), np.linspace(0.1, 0.9, 64).reshape(8, 8)):
            figure = mapped(cells)
            assert figure.axes[0].texts
            assert sizes_of_letters(figure) == {8}

    def test_a_map_is_a_column_wide_and_as_high_as_its_caption_asks(self):
        figure = mapped([[0.1, 0.2], [0.3, 0.4]])
        assert caption(figure) == "Standard errors up to 0.01."
        np.testing.assert_allclose(figure.get_size_inches(), [3.5, 2.55])

    def test_the_keys_that_vary_apart_from_the_axes_are_listed(self):
        points = [((k, -k, k / 8, k * k), [0.5]) for k in range(1, 4)]
        figure = draw(swept(["p", "q", "rho", "retain"], points, stderr=0.0123), x="p", map_over="q")
        assert caption(figure) == "Also varied: ρ, p. Standard errors up to 0.012."

    def test_a_place_with_several_values_is_refused_by_the_keys_that_differ(self):
        sweep = swept(["retain", "d", "rho", "cos2"], [((0.3, 4, 0, 0.1), [0.5]), ((0.3, 4, 0.1, 0.2), [0.5])])
        with pytest.raises(ValueError, match="several") as told:
            draw(sweep, x="retain", map_over="d")
        assert str(told.value) == "map = d: retain = 0.3, d = 4 has several values, which differ in rho and cos2"
