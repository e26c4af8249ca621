"""What one reads off curves: which is which, and where the words about them stand."""

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from simulator.pictures import draw
from tests.simulator.drawn import Point, caption, contrast, grid, legend, sizes_of_letters, swept

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]


def named(*names: str) -> Any:
    """A curve for each name: a key with no other beside it gives its word alone."""
    return draw(swept(["retain", "kind"], grid([0.3, 0.6], names)), x="retain")


def heights(figure: Any) -> tuple[float, float]:
    """Of the paper, and of what lies between the axes, in inches."""
    figure.draw_without_rendering()
    return figure.get_figheight(), figure.axes[0].get_window_extent().height / figure.dpi


def places(figure: Any) -> tuple[Any, list[Any]]:
    """Of the axes, and of each name in the legend."""
    figure.draw_without_rendering()
    names = [text.get_window_extent() for box in figure.legends for text in box.get_texts()]
    assert all(name.x0 >= 0 and name.x1 <= figure.bbox.x1 and name.y1 <= figure.bbox.y1 for name in names)
    return figure.axes[0].get_window_extent(), names


class TestCurves:
    def test_every_second_marker_is_hollow_and_shows_around_a_filled_one_that_it_lies_on(self):
        filled, hollow = [], []
        for number, curve in enumerate(named(*WORDS).axes[0].containers):
            (hollow if number % 2 else filled).append(curve.lines[0])
        assert all(line.get_markerfacecolor() == "none" for line in hollow)
        assert all(line.get_markerfacecolor() == line.get_color() for line in filled)
        covered = max(line.get_markersize() + line.get_markeredgewidth() for line in filled)
        assert all(line.get_markersize() - line.get_markeredgewidth() >= covered for line in hollow)
        assert min(line.get_zorder() for line in hollow) > max(line.get_zorder() for line in filled)

    def test_every_curve_has_dashes_of_its_own(self, tmp_path: Any):
        figure = named(*WORDS)
        figure.savefig(tmp_path / "a.svg")
        drawing = (tmp_path / "a.svg").read_text()
        dashes = set()
        for curve in figure.axes[0].containers:
            colour = "#" + "".join(f"{round(255 * part):02x}" for part in to_rgb(curve.lines[0].get_color()))
            styles = re.findall(rf'style="fill: none; ([^"]*)stroke: {colour}; stroke-width: 0.8', drawing)
            dashes.add(next(style for style in styles if style or colour == "#0072b2"))
        assert len(dashes) == 7

    def test_bars_have_their_curve_s_colour(self):
        for curve in named(*WORDS).axes[0].containers:
            line, caps, (bars,) = curve.lines
            colours = [*bars.get_color(), *(cap.get_color() for cap in caps)]
            assert {to_rgb(colour) for colour in colours} == {to_rgb(line.get_color())}
            assert len(caps) == 2

    def test_the_line_of_no_shift_is_grey_thin_and_behind_the_curves(self):
        axes = named("a", "b").axes[0]
        (line,) = (line for line in axes.lines if [*line.get_ydata()] == [1, 1])
        assert len(set(to_rgb(line.get_color()))) == 1
        assert 0.3 < to_rgb(line.get_color())[0] < 0.7
        curves = [curve.lines[0] for curve in axes.containers]
        assert all(line.get_linewidth() < curve.get_linewidth() for curve in curves)
        assert all(line.get_zorder() < curve.get_zorder() for curve in curves)


class TestLegend:
    def test_the_highest_curve_is_named_first(self):
        heights_of = {"mid": [0.5, 0.6], "low": [0.9, 0.1], "top": [0.8, 0.7]}
        points: list[Point] = [((p, name), [y[p]]) for p in (0, 1) for name, y in heights_of.items()]
        figure: Any = draw(swept(["retain", "kind"], points), x="retain")
        assert legend(figure) == ["top", "mid", "low"]
        colours = {name: figure.axes[0].containers[place].lines[0].get_color() for place, name in enumerate(heights_of)}
        handles = figure.legends[0].legend_handles
        assert [handle.get_color() for handle in handles] == [colours[name] for name in ("top", "mid", "low")]

    def test_equal_curves_are_named_in_the_order_of_the_file(self):
        heights_of = {"a": 0.5, "b": 0.5, "c": 0.6, "d": 0.6}
        points: list[Point] = [((p, name), [y]) for p in (0.3, 0.6) for name, y in heights_of.items()]
        assert legend(draw(swept(["retain", "kind"], points), x="retain")) == ["c", "d", "a", "b"]

    def test_names_of_up_to_ten_letters_stand_beside_the_curves_in_one_column(self):
        figure = named("abcdefghij", "b")
        axes, names = places(figure)
        assert all(name.x0 > axes.x1 and axes.y0 < name.y0 < name.y1 < axes.y1 for name in names)
        assert len({round(name.x0) for name in names}) == 1
        assert heights(figure)[0] == pytest.approx(2.55)

    @pytest.mark.parametrize(("letters", "columns"), [(11, 2), (15, 2), (17, 1), (44, 1)])
    def test_longer_names_stand_above_the_curves_in_as_many_columns_as_fit(self, letters: int, columns: int):
        axes, names = places(
            named(*(f"{letter} is a trial of it, and no more than that, as one sees"[:letters] for letter in "abcd"))
        )
        assert all(name.y0 > axes.y1 for name in names)
        assert len({round(name.x0) for name in names}) == columns
        assert min(name.x0 for name in names) < axes.x0 + 40

    def test_names_as_wide_as_digits_in_two_columns_stay_on_the_paper(self):
        figure = named(*("0" * 14 + letter for letter in "abcd"))
        _, names = places(figure)
        assert len({round(name.x0) for name in names}) == 2
        assert max(name.x1 for name in names) < figure.bbox.x1

    @pytest.mark.parametrize(
        ("names", "rows"),
        [
            ([("a",)], 0),
            ([("a" * 12,), ("b" * 12,)], 1),
            ([("a" * 12,), ("b" * 12,), ("c" * 12,)], 2),
            ([("a" * 20,), ("b" * 20,), ("c" * 20,)], 3),
            ([("a" * 30, "b" * 30), ("c" * 30, "d" * 30)], 4),
        ],
    )
    def test_the_paper_is_higher_by_each_line_of_names_and_the_curves_are_not(self, names: list[Any], rows: int):
        points: list[Point] = [((p, *name), [0.5]) for p in (0.3, 0.6) for name in names]
        paper, axes = heights(draw(swept(["retain", "kind", "sort"][: 1 + len(names[0])], points), x="retain"))
        assert paper == pytest.approx(2.55 + 0.15 * rows)
        assert 1.7 < axes < 2


class TestCaption:
    def test_it_says_what_all_curves_have_in_common_in_lines_that_fit(self):
        keys = ["retain", "depth", *(f"key_{k}" for k in range(6))]
        figure = draw(swept(keys, [((p, 4, *range(6)), [0.5, 0.4]) for p in (0.3, 0.6)]), x="retain")
        assert caption(figure) == (
            "depth = 4, key_0 = 0, key_1 = 1, key_2 = 2, key_3 = 3, key_4 = 4, key_5 = 5. "
            "Last BN of each stack. Bars: ±2 standard errors."
        )
        lines = figure.get_supxlabel().split("\n")
        assert [line.strip() for line in lines] == lines
        assert len(lines) == 3
        paper, axes = heights(figure)
        assert paper == pytest.approx(2.4 + 0.15 * 3)
        assert 1.7 < axes < 2

    def test_it_is_grey_beside_the_black_labels_and_can_be_read(self):
        (text,) = (text for text in named("a").texts if "Bars" in text.get_text())
        assert 4.5 < contrast(text.get_color(), "white") < 10

    def test_all_letters_have_one_size(self):
        assert sizes_of_letters(named("a", "b")) == {8}
        assert sizes_of_letters(named("a" * 12, "b")) == {8}


class TestRefusals:
    def refusal(self, points: list[Point], **asked: str) -> str:
        stderr = float(asked.pop("stderr", "0.01"))
        with pytest.raises(ValueError, match="=") as told:
            draw(swept(["u", "v"], points, stderr=stderr), **asked)
        return str(told.value)

    @pytest.mark.parametrize(
        ("asked", "value", "told"),
        [
            ({"x": "u"}, (1, 1), "u = 2e+100"),
            ({"x": "v", "map_over": "u"}, (1, 1), "u = 2e+100"),
            ({"x": "v", "y": "real_mean"}, (1, -3e100), "real_mean = -3e+100"),
            ({"x": "v", "y": "real_mean", "stderr": "4e100"}, (1, 1), "real_mean_stderr = 4e+100"),
        ],
    )
    def test_a_number_that_axes_cannot_hold_is_named(self, asked: dict[str, str], value: Any, told: str):
        huge = 2e100 if told.startswith("u") else 2
        points: list[Point] = [((1, 1), [value[0]]), ((huge, 2), [value[1]])]
        assert self.refusal(points, **asked) == f"{told}: cannot be drawn: must lie within ±1e+100"

    def test_the_largest_numbers_are_drawn(self):
        for sign in (1, -1):
            points: list[Point] = [((1, 1), [0]), ((sign * 1e100, 2), [sign * 1e100])]
            draw(swept(["u", "v"], points), x="u", y="real_mean").draw_without_rendering()

    def test_the_keys_that_make_too_many_curves_are_counted(self):
        points = grid([0.3, 0.6], [4, 5], range(4), [1])
        with pytest.raises(ValueError, match="curves") as told:
            draw(swept(["retain", "d", "rho", "v"], points), x="retain")
        rule = "d (2 values) and rho (4 values) make 8 curves, and at most 7 can be told apart"
        assert str(told.value) == f"x = retain: {rule}"


def test_a_column_named_as_a_product_is_a_key_like_any_other():
    points: list[Point] = [((d, c, p), [0.5]) for d, c, p in ((3, 0.1, 1), (4, 0.1, 2))]
    figure: Any = draw(swept(["d", "cos2", "d_cos2"], points), x="d_cos2")
    np.testing.assert_array_equal(figure.axes[0].containers[0].lines[0].get_xdata(), [1])
    assert legend(figure) == ["d = 3", "d = 4"]
