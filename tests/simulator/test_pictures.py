import itertools
import subprocess
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.pictures import Sweep, draw, read_sweep, save
from tests.simulator.drawn import MEASURED, STDERR, Point, caption, curves, grid, legend


def lines_of(keys: Sequence[str], points: Iterable[Point]) -> list[str]:
    """A point is its setting, and the shift of each of its BNs."""
    lines = [["experiment", *keys, "bn", "n", *(name + end for name in MEASURED for end in ("", "_stderr"))]]
    for setting, shifts in points:
        for bn, shift in enumerate(shifts, start=1):
            values = (0.5, 1.5 / shift, 0.5, 1.5, shift, max(shift, 1 / shift))
            numbers = [repr(number) for value in values for number in (float(value), STDERR)]
            lines.append(["0123456789ab", *map(str, setting), str(bn), "1024", *numbers])
    return [",".join(cells) for cells in lines]


def sweep_of(folder: Path, keys: Sequence[str], points: Iterable[Point]) -> Sweep:
    path = folder / "sweep.csv"
    path.write_text("".join(f"{line}\n" for line in lines_of(keys, points)))
    return read_sweep(path)


def picture(folder: Path, keys: Sequence[str], points: Iterable[Point], **asked: str) -> Any:
    return draw(sweep_of(folder, keys, points), **asked)


class TestReading:
    def test_a_key_is_numeric_if_all_its_values_are(self, tmp_path: Path):
        sweep = sweep_of(tmp_path, ["retain", "noise"], grid([0.5, 1], ["uout", "0.5"]))
        assert sweep.settings == ("retain", "noise")
        assert sweep.along() == ["retain", "bn"]
        assert [(row["retain"], row["shift"], row["bn"]) for row in sweep.rows[1:3]] == [(0.5, 0.21, 1), (1.0, 0.22, 1)]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_either_end_of_line_will_do(self, end: str, tmp_path: Path):
        path = tmp_path / "sweep.csv"
        path.write_bytes("".join(line + end for line in lines_of(["retain"], grid([0.5]))).encode())
        assert [row["shift_ratio"] for row in read_sweep(path).rows] == [5.0]

    def refusal(self, folder: Path, content: bytes) -> str:
        path = folder / "a sweep.csv"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="sweep's CSV") as caught:
            read_sweep(path)
        message = str(caught.value)
        assert message.startswith(f"{path}, line ")
        assert "\n" not in message
        return message.removeprefix(f"{path}, ").replace(": not a sweep's CSV", "")

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("shift_ratio_stderr", "shift_error", "line 1: column missing or there twice: shift_ratio_stderr"),
            ("retain", "shift", "line 1: column missing or there twice: shift"),
            ("0.7,", "0.7,0.7,", "line 3: 17 cells, while the header has 16"),
            ("ab,0.7,1,1024,0.5,", "ab,0.7,1,1024,", "line 3: 15 cells"),
            ("0.7,1,1024,0.5", "0.7,1,1024,much", 'line 3: moving_mean = "much": must be a number as'),
            ("0.7,1,1024,0.5", "0.7,1,1024,nan", 'line 3: moving_mean = "nan": must be'),
            ("0.7,1,1024,0.5", "0.7,1,1024,1e999", 'line 3: moving_mean = "1e999": must be'),
            ("0.7,1,1024,0.5,0.01", "0.7,1,1024,0.5,-0.01", 'line 3: moving_mean_stderr = "-0.01": must be >= 0'),
            ("0.7,1,1024", "0.7,1,-5", 'line 3: n = "-5": must be a whole number'),
            ("0.7,1,1024", "0.7,2,1024", 'line 3: bn = "2": must count from 1 for each point'),
            ("0.5,2,1024", "0.5,3,1024", 'line 5: bn = "3"'),
            ("ab,0.7", "cd,0.7", "line 3: another experiment"),
            ("0.7,1", '"0.7,1', "line 3: unexpected end of data"),
            ("0.7,1", "0.7\n,1", "line 3: 2 cells"),
            ("\n", "\n\n", "line 2: 0 cells"),
        ],
    )
    def test_a_fault_is_named_with_its_line(self, old: str, new: str, told: str, tmp_path: Path):
        points = [((0.1,), [0.5]), ((0.7,), [0.5]), ((0.5,), [0.5, 0.4])]
        sound = "".join(f"{line}\n" for line in lines_of(["retain"], points))
        assert old in sound
        assert self.refusal(tmp_path, sound.replace(old, new).encode()).startswith(told)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "line 1: empty"),
            (f"{lines_of(['d'], [])[0]}\n".encode(), "line 2: no row"),
            (b"name,value\nx,1\n", "line 1: column missing"),
            (b"\x89PNG\r\n\x1a\n\x00\n", "line 1: 'utf-8' codec can't decode"),
        ],
        ids=["nothing", "no row", "other columns", "a picture"],
    )
    def test_another_file_is_refused(self, content: bytes, told: str, tmp_path: Path):
        assert self.refusal(tmp_path, content).startswith(told)

    @settings(max_examples=40)
    @given(cut=st.integers(1, 90))
    def test_a_file_torn_anywhere_in_its_last_line_is_refused(self, cut: int, tmp_path_factory: pytest.TempPathFactory):
        lines = lines_of(["retain"], grid([0.5, 0.25]))
        whole = "".join(f"{line}\n" for line in lines).encode()
        kept = max(len(lines[-1]) + 1 - cut, 1)
        torn = whole[: len(whole) - len(lines[-1]) - 1 + kept]
        assert self.refusal(tmp_path_factory.mktemp("torn"), torn).startswith("line 3: torn")


class TestCurves:
    def test_bars_are_two_standard_errors_to_either_side(self, tmp_path: Path):
        figure = picture(tmp_path, ["retain", "d"], [((0.9, 576), [0.8]), ((0.5, 576), [0.4])], x="retain")
        ((x, y, bars),) = curves(figure)
        assert (x, y) == ([0.5, 0.9], [0.4, 0.8])
        np.testing.assert_allclose(bars, [(0.38, 0.42), (0.78, 0.82)])
        assert not figure.legends
        assert caption(figure) == "d = 576. Bars: ±2 standard errors."

    def test_each_combination_of_the_other_keys_is_a_curve(self, tmp_path: Path):
        keys = ["retain", "rho", "activation"]
        figure = picture(tmp_path, keys, grid([0.3, 0.6, 0.9], [-0.1, 0.2], ["relu", "identity"]), x="retain")
        assert len(curves(figure)) == 4
        assert set(legend(figure)) == {"ρ = −0.1, ReLU", "ρ = −0.1, linear", "ρ = 0.2, ReLU", "ρ = 0.2, linear"}
        np.testing.assert_allclose(curves(figure)[0][1], [0.2, 0.24, 0.28])

    def test_variance_is_the_noise_s_where_noises_are_swept(self, tmp_path: Path):
        beside = picture(tmp_path, ["noise", "variance"], grid(["dropout", "uout"], [0.1, 0.2]), x="variance")
        alone = picture(tmp_path, ["variance"], grid([0.1, 0.2]), x="variance")
        assert [drawn.axes[0].get_xlabel() for drawn in (beside, alone)] == ["noise variance s²", "variance"]
        assert set(legend(beside)) == {"Dropout", "Uout"}

    def test_elsewhere_than_over_depth_the_last_bn_of_each_point_is_drawn(self, tmp_path: Path):
        points = [((1,), [0.9]), ((3,), [0.9, 0.8, 0.7]), ((2,), [0.9, 0.85])]
        figure = picture(tmp_path, ["depth"], points, x="depth")
        assert curves(figure)[0][:2] == ([1, 2, 3], [0.9, 0.85, 0.7])
        assert "Last BN" in caption(figure)
        assert figure.axes[0].get_xlabel() == "depth"

    def test_over_depth_every_bn_is_drawn(self, tmp_path: Path):
        points = [(("relu",), [0.9, 0.8, 0.01]), (("identity",), [0.8, 0.5])]
        figure = picture(tmp_path, ["activation"], points, x="bn", y="shift_ratio")
        assert [curve[:2] for curve in curves(figure)] == [([1, 2, 3], [1 / 0.9, 1.25, 100]), ([1, 2], [1.25, 2])]
        assert (figure.axes[0].get_xlabel(), figure.axes[0].get_yscale()) == ("depth (number of the BN)", "log")
        assert "Last BN" not in caption(figure)

    def test_equal_products_of_d_and_cos2_are_one_place(self, tmp_path: Path):
        ((x, _, _),) = curves(picture(tmp_path, ["d", "cos2"], grid([3, 30], [0.1, 0.01]), x="d_cos2"))
        assert x == [0.03, 0.3, 0.3, 3.0]

    @pytest.mark.parametrize("y", MEASURED)
    def test_one_is_marked_where_it_means_no_shift(self, y: str, tmp_path: Path):
        axes = picture(tmp_path, ["retain"], grid([0.3, 0.6]), x="retain", y=y).axes[0]
        flat = [line for line in axes.lines if np.array_equal(line.get_ydata(), [1, 1])]
        low, high = axes.get_ylim()
        assert (bool(flat) and low <= 1 <= high) == (y in {"shift", "shift_ratio"})

    @settings(max_examples=25, deadline=None)
    @given(low=st.floats(-3, 1e3), decades=st.floats(0, 4))
    def test_a_scale_is_logarithmic_beyond_a_decade_and_a_half(
        self, low: float, decades: float, tmp_path_factory: pytest.TempPathFactory
    ):
        places = [low, low + abs(low) * (10**decades - 1)]
        axes = picture(tmp_path_factory.mktemp("scale"), ["d"], grid(places), x="d").axes[0]
        assert axes.get_xscale() == ("log" if low > 0 and places[1] > 10**1.5 * low else "linear")

    def test_seven_curves_differ_in_more_than_colour(self, tmp_path: Path):
        figure = picture(tmp_path, ["retain", "d"], grid([0.3, 0.6], range(7)), x="retain")
        lines = [curve.lines[0] for curve in figure.axes[0].containers]
        assert len({line.get_color() for line in lines}) == 7
        assert len({(line.get_marker(), line.get_markerfacecolor() == "none") for line in lines}) == 7

    def test_more_curves_are_refused_by_the_keys_that_make_them(self, tmp_path: Path):
        sweep = sweep_of(tmp_path, ["retain", "d", "rho", "v"], grid([0.3, 0.6], [4, 5], range(4), [1]))
        with pytest.raises(ValueError, match=r"^x = retain: d .2 values. and rho .4 values. make 8 curves"):
            draw(sweep, x="retain")


class TestMaps:
    def test_a_complete_grid_is_drawn_as_cells_around_its_values(self, tmp_path: Path):
        points = grid([0.3, 0.5, 0.9], [16, 64, 256, 1024], [0.5])
        figure = picture(tmp_path, ["retain", "d", "cos2"], points, x="retain", map_over="d_cos2", y="shift")
        axes, bar = figure.axes
        (mesh,) = axes.collections
        np.testing.assert_allclose(np.ravel(mesh.get_array()), np.arange(0.2, 0.32, 0.01).reshape(3, 4).T.ravel())
        borders = np.asarray(mesh.get_coordinates())
        np.testing.assert_allclose(borders[0, :, 0], [0.2, 0.4, 0.7, 1.1])
        np.testing.assert_allclose(borders[:, 0, 1], [4, 16, 64, 256, 1024])
        assert (axes.get_xscale(), axes.get_yscale(), mesh.get_cmap().name) == ("linear", "log", "cividis")
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("retain ratio p", "d cos²θ")
        assert bar.get_ylabel() == "shift Δ = Var_Test / Var_Train"

    def test_few_cells_carry_their_values(self, tmp_path: Path):
        figure = picture(tmp_path, ["retain", "d"], grid([0.3, 0.5], [4, 5]), x="retain", map_over="d")
        written = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
        assert written == {((0.3, 4), "0.2"), ((0.3, 5), "0.21"), ((0.5, 4), "0.22"), ((0.5, 5), "0.23")}

    def test_many_cells_carry_a_few_contour_lines(self, tmp_path: Path):
        figure = picture(tmp_path, ["retain", "d"], grid(range(1, 9), range(1, 9)), x="retain", map_over="d")
        _, contours = figure.axes[0].collections
        assert 2 <= len(contours.levels) <= 8
        assert all(0.2 < level < 0.83 for level in contours.levels)
        assert {text.get_text() for text in figure.axes[0].texts} <= {f"{level:.6g}" for level in contours.levels}

    def test_scattered_points_are_coloured_by_their_values(self, tmp_path: Path):
        places = np.random.default_rng(0).uniform(0.3, 0.9, (50, 2)).tolist()
        draws = [((p, d, p * d), [p]) for p, d in places]
        figure = picture(tmp_path, ["retain", "v", "rho"], [*draws, draws[0]], x="v", map_over="retain")
        (points,) = figure.axes[0].collections
        np.testing.assert_array_equal(points.get_offsets(), [(d, p) for p, d in places])
        np.testing.assert_array_equal(points.get_array(), [p for p, _ in places])
        assert caption(figure) == "Also varied: ρ. Standard errors up to 0.01."


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"x": "rho"}, "x = rho: must be one of retain, d, bn"),
        ({"x": "noise"}, "x = noise: must be one of retain, d, bn"),
        ({"x": "d", "y": "shift_stderr"}, "y = shift_stderr: must be one of moving_mean, "),
        ({"x": "d", "map_over": "d"}, "map = d: must be one of retain, bn"),
    ],
)
def test_an_axis_that_is_not_there_is_refused(asked: dict[str, str], told: str, tmp_path: Path):
    sweep = sweep_of(tmp_path, ["retain", "d", "noise"], grid([0.3], [4], ["uout"]))
    with pytest.raises(ValueError, match="must be one of") as caught:
        draw(sweep, **asked)
    assert str(caught.value).startswith(told)


LONG = "a_key_with_a_name_that_goes_on_and_on_and_on_and_on"
HARD: dict[str, tuple[list[str], list[Point], dict[str, str]]] = {
    "one point": (["retain"], grid([0.5]), {"x": "retain"}),
    "one cell": (["retain", "d"], grid([0.5], [4]), {"x": "retain", "map_over": "d"}),
    "seven curves": (["retain", "rho"], grid([0.3, 0.6], np.linspace(-0.3, 0.9, 7)), {"x": "retain"}),
    "long names": (["retain", LONG], grid([0.3, 0.6], [f"{k}" * 99 for k in "abc"]), {"x": "retain"}),
    "many keys": (["d", *"efgh"], grid([1, 2], *[["student-t" * 2]] * 2, *[["long", "v" * 38]] * 2), {"x": "d"}),
    "formulas": (["$x_1$", "b"], grid([0.3, 0.6], ["$\\frac$", "_hidden", "$"]), {"x": "$x_1$"}),
    "negative rho": (["rho"], grid([-0.11, -0.05, 0, 0.5, 1]), {"x": "rho"}),
    "huge d": (["d"], grid(np.geomspace(1e6, 1e12, 7)), {"x": "d"}),
    "huge d in a row": (["d"], grid(range(1_000_000, 1_000_040, 5)), {"x": "d"}),
    "near one": (["d"], [((d,), [1 - d * 1e-9]) for d in range(1, 9)], {"x": "d", "y": "shift_ratio"}),
    "wide shifts": (["d"], [((d,), [10.0**-d]) for d in range(1, 9)], {"x": "d"}),
    "flat map": (["d", "v"], [((d, v), [0.5]) for d in range(5) for v in range(5)], {"x": "d", "map_over": "v"}),
    "deep map": (["p"], [((p,), [p, p**3, p**9]) for p in (0.2, 0.5, 0.8)], {"x": "bn", "map_over": "p"}),
}


@pytest.mark.parametrize("hard", HARD)
def test_nothing_is_cut_off_crowded_or_small(hard: str, tmp_path: Path):
    keys, points, asked = HARD[hard]
    figure = picture(tmp_path, keys, points, **asked)
    figure.draw_without_rendering()
    paper = figure.bbox
    texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()]
    assert all(text.get_fontsize() >= 8 for text in texts)
    drawn = figure.axes[0]
    low, high = drawn.get_xlim()
    ticks = [tick.label1.get_window_extent() for tick in drawn.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert ticks
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(ticks))
    around = [axis.label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    shown = [
        *ticks,
        *(item.get_window_extent() for item in (*around, *figure.texts, *figure.legends) if item.get_visible()),
    ]
    assert all(paper.x0 <= box.x0 <= box.x1 <= paper.x1 and paper.y0 <= box.y0 <= box.y1 <= paper.y1 for box in shown)
    assert figure.get_figwidth() == 3.5


class TestSaving:
    def figure(self, folder: Path) -> Any:
        return picture(folder, ["retain", "rho"], grid([0.3, 0.6], [0, 0.2]), x="retain")

    @pytest.mark.parametrize(("suffix", "start"), [("PNG", "\x89PNG"), ("pdf", "%PDF"), ("svg", "<?xml")])
    def test_the_same_sweep_gives_the_same_bytes(self, suffix: str, start: str, tmp_path: Path):
        files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for file in files:
            save(self.figure(tmp_path), str(file))
        assert len({file.read_bytes() for file in files}) == 1
        assert files[0].read_bytes().startswith(start.encode("latin-1"))

    def test_the_text_of_an_svg_is_text(self, tmp_path: Path):
        save(self.figure(tmp_path), tmp_path / "a.svg")
        drawing = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert all(text in drawing for text in (">shift Δ = Var_Test / Var_Train<", ">retain ratio p<", ">ρ = 0.2<"))
        assert "<dc:date>" not in drawing

    @pytest.mark.parametrize("name", ["a", "a.jpg", "none/a.svg", "sweep.csv/a.svg", "folder.svg"])
    def test_what_cannot_be_written_is_refused_in_one_line(self, name: str, tmp_path: Path):
        figure = self.figure(tmp_path)
        (tmp_path / "folder.svg").mkdir()
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match=r"^out = ") as caught:
            save(figure, tmp_path / name)
        assert "\n" not in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before

    def test_another_kind_of_picture_is_refused_by_those_that_there_are(self, tmp_path: Path):
        with pytest.raises(ValueError, match="must end") as told:
            save(self.figure(tmp_path), tmp_path / "a.svg.gz")
        assert str(told.value) == f"out = {tmp_path / 'a.svg.gz'}: must end in .svg, .png or .pdf"

    def test_a_letter_that_the_font_lacks_is_no_reason_to_warn_but_others_are(self, tmp_path: Path):
        figure = picture(tmp_path, ["\u6f22"], grid([0.3, 0.6]), x="\u6f22")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save(figure, tmp_path / "a.png")
        figure.set_size_inches(0.3, 0.3)
        with pytest.warns(UserWarning, match="constrained_layout not applied"):
            save(figure, tmp_path / "a.png")

    def test_a_drawing_that_fails_leaves_the_old_file(self, tmp_path: Path):
        figure, file = self.figure(tmp_path), tmp_path / "a.svg"
        file.write_text("old")
        figure.text(0, 0, r"$\frac$")
        with pytest.raises(ValueError, match="frac"):
            save(figure, file)
        assert file.read_text() == "old"


def test_a_program_keeps_its_own_style_and_needs_no_display(tmp_path: Path):
    sweep_of(tmp_path, ["retain"], grid([0.3, 0.6]))
    program = """
import sys, matplotlib
from simulator.pictures import draw, read_sweep, save
matplotlib.rcParams["font.size"] = 31
before = dict(matplotlib.rcParams)
figure = draw(read_sweep("sweep.csv"), x="retain")
save(figure, "a.svg")
assert dict(matplotlib.rcParams) == before
assert figure.axes[0].xaxis.label.get_fontsize() == 8
assert "matplotlib.pyplot" not in sys.modules
"""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "MPLCONFIGDIR": str(tmp_path), "MPLBACKEND": "agg"}
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, env=environment, check=True)
