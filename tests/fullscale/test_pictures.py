"""Pictures of a run: valid SVG with its words as text, the same bytes every time, whatever the numbers are."""

import dataclasses
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
import torch

from fullscale import angles, measure, pictures
from fullscale.ensemble import Ensemble
from fullscale.responses import MODES, Flip, Responses

TITLE = "wrn-10-1 (a) drop 0.5, synthetic, 1 epochs, 200 images"


def bn(index: int, ratio: float) -> measure.Row:
    variances = {"moving_var": 1.0, "real_var": ratio, "real_var_pooled": ratio, "train_var": 1.0}
    ratios = {"shift": ratio, "shift_ratio": max(ratio, 1 / ratio), "floor": 1.01, "drift_free_shift": ratio}
    return measure.Row(index, f"bn{index}", 4, train_var_pooled=1.0, **variances, **ratios)


def measurement(*ratios: float) -> measure.Measurement:
    rows = tuple(bn(index, ratio) for index, ratio in enumerate(ratios, start=1))
    return measure.Measurement(rows, (), images=100, batches=2)


def convolutions(*d: int) -> angles.Angles:
    return angles.Angles(tuple(angles.Row(i, f"conv{i}", 8, 0, n, 1.5 / n, 1.5) for i, n in enumerate(d, start=1)), ())


def sampled(groups: int, samples: int = 6) -> Ensemble:
    errors = torch.arange(groups * samples, dtype=torch.float64).reshape(groups, samples).cos() + 50
    return Ensemble(errors, 49.5)


def flip(index: int, classes: int = 10) -> Flip:
    logits = torch.arange(classes).float().sin()
    return Flip(index, 3, torch.arange(48.0).reshape(3, 4, 4), logits, -logits, drop=0.5)


def answers(*flips: Flip) -> Responses:
    return Responses(dict.fromkeys(MODES, 10.0), len(flips), 2, 100, flips)


FIGURES: dict[str, Callable[[str], Any]] = {
    "shift": lambda title: pictures.shift(measurement(0.5, 1.0, 2.0), title),
    "angles": lambda title: pictures.angles(convolutions(27, 144, 288), title),
    "ensemble": lambda title: pictures.ensemble(sampled(3), title),
    "flips": lambda title: pictures.flips(answers(flip(7), flip(42)), title),
}
WORDS = {
    "shift": ["against BN's moving variance", "against train mode, weights fixed", "floor: no shift, same estimator"],
    "angles": ["mean of cos²θ", "mean of d cos²θ", "d, weights of a filter"],
    "ensemble": ["Monte-Carlo averaging", "weight scaling", "± 1 standard deviation of 3 groups", "test error (%)"],
    "flips": ["train mode", "test mode", "its class", "image 7", "image 42", "logit"],
}


def svg(figure: Any, folder: Path) -> bytes:
    pictures.save(figure, folder / "picture.svg")
    assert [path.name for path in folder.iterdir()] == ["picture.svg"]
    return (folder / "picture.svg").read_bytes()


def words(content: bytes) -> list[str]:
    root = ElementTree.fromstring(content)  # noqa: S314 - this test wrote it
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def y_of(figure: Any, label: str) -> list[float]:
    (line,) = (line for axes in figure.axes for line in axes.lines if line.get_label() == label)
    return list(line.get_ydata())


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_svg_whose_words_are_text(name: str, tmp_path: Path) -> None:
    found = words(svg(FIGURES[name](TITLE), tmp_path))
    assert set(WORDS[name]) <= set(found)
    assert TITLE in " ".join(found)


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_picture_is_the_same_bytes(name: str, tmp_path: Path) -> None:
    first = svg(FIGURES[name](TITLE), tmp_path)
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.fonttype": "path", "legend.frameon": True}):
        assert svg(FIGURES[name](TITLE), tmp_path) == first  # whatever the user's own matplotlibrc says


def test_another_picture_is_other_bytes(tmp_path: Path) -> None:
    other = pictures.shift(measurement(0.5, 1.0, 2.1), TITLE)
    assert svg(other, tmp_path) != svg(FIGURES["shift"](TITLE), tmp_path)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_sticks_out_of_a_picture_even_with_the_longest_title(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]("preresnet-110-bottleneck (last) sigma 0.654654, cifar100, 164 epochs, 50,000 images")
    svg(figure, tmp_path)
    page, drawn = figure.bbox_inches, extent(figure)
    assert drawn.x0 >= page.x0
    assert drawn.x1 <= page.x1
    assert drawn.y0 >= page.y0
    assert drawn.y1 <= page.y1


@pictures.styled  # ticks are made as they are looked at, in the style of that moment
def extent(figure: Any) -> Any:
    return figure.get_tightbbox()


@pytest.mark.parametrize("name", ["shift", "ensemble"])
def test_a_legend_lies_beside_the_curves(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name](TITLE)
    svg(figure, tmp_path)
    (legend,), (axes,) = figure.legends, figure.axes
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert not legend.get_frame_on()


def test_shift_draws_every_bn_and_never_below_one() -> None:
    figure = FIGURES["shift"](TITLE)
    assert y_of(figure, "against BN's moving variance") == [2.0, 1.0, 2.0]
    assert y_of(figure, "against train mode, weights fixed") == [2.0, 1.0, 2.0]
    assert y_of(figure, "floor: no shift, same estimator") == [1.01] * 3
    assert figure.axes[0].get_ylim()[0] == 1


def test_a_net_of_one_bn_can_be_drawn(tmp_path: Path) -> None:
    assert "shift ratio" in words(svg(pictures.shift(measurement(0.4), TITLE), tmp_path))


def test_angles_draw_cos2_over_convolutions_and_d_cos2_over_d() -> None:
    left, right = FIGURES["angles"](TITLE).axes
    assert left.lines[0].get_xydata().tolist() == [[1, 1.5 / 27], [2, 1.5 / 144], [3, 1.5 / 288]]
    assert right.lines[0].get_xydata().tolist() == [[27, 1.5], [144, 1.5], [288, 1.5]]


def test_ensemble_draws_a_band_of_one_standard_deviation() -> None:
    measured, figure = sampled(3), FIGURES["ensemble"](TITLE)
    assert y_of(figure, "Monte-Carlo averaging") == measured.mean.tolist()
    assert y_of(figure, "weight scaling") == [49.5, 49.5]
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    for k, mean, std in zip(range(1, 7), measured.mean.tolist(), measured.std.tolist(), strict=True):
        at_k = corners[corners[:, 0] == k, 1]
        assert (at_k.min(), at_k.max()) == pytest.approx((mean - std, mean + std))


def test_a_single_group_has_no_band(tmp_path: Path) -> None:
    figure: Any = pictures.ensemble(sampled(1), TITLE)
    assert not figure.axes[0].collections
    found = words(svg(figure, tmp_path))
    assert "Monte-Carlo averaging" in found
    assert not any("deviation" in word for word in found)


def test_what_is_counted_has_whole_ticks(tmp_path: Path) -> None:
    for figure in (pictures.ensemble(sampled(2, samples=3), TITLE), pictures.shift(measurement(0.5, 2), TITLE)):
        svg(figure, tmp_path)
        assert all(tick == int(tick) for tick in figure.axes[0].get_xticks())


def test_flips_draw_both_logits_of_each_image_and_shade_its_class() -> None:
    example = flip(7)
    figure: Any = pictures.flips(answers(example), TITLE)
    left, right = figure.axes
    assert left.get_images()[0].get_array().shape == (4, 4, 3)
    heights = [bar.get_height() for bar in right.containers[0]], [bar.get_height() for bar in right.containers[1]]
    assert heights == (example.train_logits.tolist(), example.test_logits.tolist())
    shade = next(patch for patch in right.patches if patch.get_label() == "its class")
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (2.5, 3.5)
    assert shade.get_zorder() < right.containers[0][0].get_zorder()
    assert list(right.get_xticks()) == list(range(10))


def test_a_hundred_classes_do_not_crowd_the_axis(tmp_path: Path) -> None:
    figure: Any = pictures.flips(answers(flip(7, classes=100)), TITLE)
    svg(figure, tmp_path)
    boxes = [label.get_window_extent() for label in figure.axes[1].get_xticklabels()]
    assert len(boxes) == 20
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_a_picture_without_flips_says_so(tmp_path: Path) -> None:
    found = words(svg(pictures.flips(answers(), TITLE), tmp_path))
    assert found == [TITLE, "No image is right in train mode and wrong in test mode."]


def test_an_image_of_one_colour_can_be_drawn(tmp_path: Path) -> None:
    grey = dataclasses.replace(flip(7), image=torch.zeros(3, 4, 4))
    assert "image 7" in words(svg(pictures.flips(answers(grey), TITLE), tmp_path))


def test_a_picture_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "picture.svg"
    with pytest.raises(ValueError, match=rf"^out = {re.escape(str(path))}: cannot be written: No such file"):
        pictures.save(FIGURES["angles"](TITLE), path)
