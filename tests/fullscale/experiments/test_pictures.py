"""The figures: the paper's axes, panels and legends in its order, and nothing of the paper shown as ours."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from fullscale import pictures
from fullscale.data import load
from fullscale.experiments import figure1, figure4, figure5, figure6, table1, table2, table3, table4, table5
from fullscale.experiments.catalogue import EXPERIMENTS
from fullscale.experiments.pictures import drawn, png
from fullscale.experiments.results import Results, gather
from fullscale.experiments.scale import CIFAR_NETS, PAPER, SCALES, SMOKE, NetName, Scale
from fullscale.measurements.kinds import Measurement
from fullscale.sweep.run import merged

Written = Callable[..., Path]
BNS = 3


def shift_of(ratio: float, bns: int = BNS) -> Callable[[Measurement], dict[str, Any]]:
    ones = dict.fromkeys(
        ("moving_var", "real_var", "shift", "floor", "real_var_pooled", "train_var", "train_var_pooled"), 1.0
    )
    rows = [
        ones | {"index": k + 1, "name": f"bn{k}", "channels": 1, "shift_ratio": ratio + k, "drift_free_shift": 1.0}
        for k in range(bns)
    ]
    mean = fmean(row["shift_ratio"] for row in rows)
    return lambda _: {"rows": rows, "shift_ratio": mean, "floor": 1.0, "images": 1, "batches": 1}


def gathered(scale: Scale, name: str, out: Path) -> Results:
    return gather(scale, merged(EXPERIMENTS[name].runs(scale)), out)


def texts(figure: Figure) -> str:
    return "\n".join(each.get_text() for each in figure.findobj(Text) if isinstance(each, Text))


def said(figure: Figure) -> str:
    """The title, in one line however it was wrapped."""
    return " ".join(figure.get_suptitle().split())


def drawn_values(axes: Any, way: str) -> list[list[float]]:
    """The values that each line of a panel has."""
    return [[float(each) for each in getattr(line, f"get_{way}data")()] for line in axes.lines]


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_was_not_run_is_said_and_draws_nothing_of_ours(name: str, scale: Scale, tmp_path: Path) -> None:
    figure = drawn(name, gathered(scale, name, tmp_path), tmp_path)
    assert "NOT RUN" in texts(figure)
    count = len(merged(EXPERIMENTS[name].runs(scale)))
    assert f"{name} at scale {scale.name}: 0 of {count} runs{'; ' * bool(scale.told)}{scale.told}" in said(figure)
    assert not [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == "-"]


def test_figure_1_has_a_curve_for_each_net_its_accuracy_and_the_spread(tmp_path: Path, written: Written) -> None:
    for drop, error, ratio in ((0.0, 22.0, 1.0), (0.5, 31.0, 2.0)):
        for seed, run in enumerate(figure1.cell(SMOKE, drop)):
            written(run, error + 2 * seed, shift_of(ratio + 0.2 * seed))
    figure = drawn("fig1", gathered(SMOKE, "fig1", tmp_path), tmp_path)
    (axes,) = figure.axes
    assert drawn_values(axes, "y") == [pytest.approx([r, r + 1, r + 2]) for r in (1.1, 2.1)]
    assert drawn_values(axes, "x") == [[1, 2, 3]] * 2
    (legend,) = figure.legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert entries == ["no Dropout: accuracy 77.00 ± 1.41%", "Dropout-(a) 0.5: accuracy 68.00 ± 1.41%"]
    assert axes.get_ylim()[0] == 1


def test_figure_4_has_the_papers_panels_axes_and_legend_in_its_order(tmp_path: Path, written: Written) -> None:
    for column in figure4.columns(PAPER):
        for net in CIFAR_NETS:
            for drop in PAPER.drops:
                run = column.cell(PAPER, net, drop)[0]
                if not (tmp_path / run.name).exists():
                    written(run, 10.0, shift_of(1.0 + drop / 10, bns=2))
    figure = drawn("fig4", gathered(PAPER, "fig4", tmp_path), tmp_path)
    grid = [figure.axes[row * 4 : row * 4 + 4] for row in range(5)]
    titles = ["Dropout-(a) C10", "Dropout-(a) C100", "Dropout-(b) C10", "Dropout-(b) C100"]
    assert [axes.get_title() for axes in grid[0]] == titles
    assert [row[0].get_xlabel() for row in grid[:4]] == [f"BN index on {net}" for net in CIFAR_NETS]
    assert [axes.get_ylim() for axes in grid[0][:2]] == [(1.0, 3.0)] * 2
    assert all(axes.get_ylim()[0] == 1.0 and axes.get_ylim()[1] > 2 for axes in grid[0][2:])  # ours go beyond 1.2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"Dropout {drop}" for drop in PAPER.drops]
    colors = [line.get_color() for line in grid[0][0].lines]
    assert colors[:2] == [pictures.BLUE, pictures.GREEN]
    assert len(set(colors)) == 5
    assert [len(axes.patches) for axes in grid[4]] == [20] * 4


def test_figure_4_keeps_the_papers_axis_where_ours_stay_within(tmp_path: Path, written: Written) -> None:
    (column,) = [column for column in figure4.columns(SMOKE) if column.placement == "b"]
    written(column.cell(SMOKE, "WRN", 0.5)[0], 10.0, shift_of(1.1, bns=1))
    figure = drawn("fig4", gathered(SMOKE, "fig4", tmp_path), tmp_path)
    assert figure.axes[2 * 2 + 1].get_ylim() == (1.0, 1.2)


def answers(_: Measurement) -> dict[str, Any]:
    modes = [
        {"noise": noise, "by_batch": by_batch, "error": 5.0} for noise in (True, False) for by_batch in (True, False)
    ]
    logits = {"train_logits": [0.0, 1.0], "test_logits": [1.0, 0.0]}
    example = {"index": 3, "label": 1, "drop": 0.4} | logits
    return {"errors": modes, "flipped": 1, "recovered": 0, "images": 64, "examples": [example]}


SYNTHETIC = load("synthetic", "", "cpu", images=64).checksum


@pytest.mark.parametrize(
    ("scale", "checksum", "at_hand"),
    [(SMOKE, SYNTHETIC, True), (SMOKE, "of others", False), (PAPER, SYNTHETIC, False)],
    ids=["synthetic", "other data", "cifar10"],
)
def test_figure_5_shows_the_image_if_its_data_are_at_hand(
    tmp_path: Path, written: Written, scale: Scale, checksum: str, *, at_hand: bool
) -> None:
    written(figure5.runs(scale)[0], 10.0, answers, checksum)
    figure = drawn("fig5", gathered(scale, "fig5", tmp_path), tmp_path)
    left, right = figure.axes
    assert left.get_title() == "image 3"
    assert (bool(left.images), "no data at hand" in texts(figure)) == (at_hand, not at_hand)
    bars: list[Any] = right.patches[:4]
    assert [bar.get_height() for bar in bars] == [0, 1, 1, 0]


def test_figure_5_takes_the_first_run_that_has_examples(tmp_path: Path, written: Written) -> None:
    first, second = figure5.runs(SMOKE)
    path = written(first, 10.0, lambda _: answers(_) | {"flipped": 0, "examples": []})
    assert "No image is right in train mode" in texts(drawn("fig5", gathered(SMOKE, "fig5", tmp_path), tmp_path))
    written(second, 10.0, answers)
    assert drawn("fig5", gathered(SMOKE, "fig5", tmp_path), tmp_path).axes[0].get_title() == "image 3"
    unmeasured = json.loads(path.read_text()) | {"measured": {}}
    path.write_text(json.dumps(unmeasured))
    assert drawn("fig5", gathered(SMOKE, "fig5", tmp_path), tmp_path).axes[0].get_title() == "image 3"


def test_figure_6_has_the_curve_and_both_lines(tmp_path: Path, written: Written) -> None:
    errors = {"errors": [[40.0, 30.0, 20.0, 10.0], [42.0, 32.0, 22.0, 12.0]], "weight_scaling": 15.0}
    shifts = {"rows": [{"name": "bn", "moving_var": 1.0, "sampled_var": 1.0}]}
    for run in figure6.sampled(SMOKE):
        written(run, 14.0, lambda measurement: errors if measurement.kind == "ensemble" else shifts)
    for run in figure6.baseline(SMOKE):
        there = written(run, 5.0)
        there.write_text(json.dumps(json.loads(there.read_text()) | {"measured": {}}))
    (axes,) = drawn("fig6", gathered(SMOKE, "fig6", tmp_path), tmp_path).axes
    assert drawn_values(axes, "y") == [[41, 31, 21, 11], [15, 15], [5, 5]]
    assert drawn_values(axes, "x")[0] == [1, 2, 3, 4]


def test_a_tables_picture_has_ours_on_the_left_and_the_papers_hollow_on_the_right(
    tmp_path: Path, written: Written
) -> None:
    for run in table2.cell(SMOKE, "WRN", 0.5):
        written(run, 10.0, shift_of(1.5, bns=1))
    figure = drawn("table2", gathered(SMOKE, "table2", tmp_path), tmp_path)
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == list(CIFAR_NETS)
    ours, papers = ({x for line in drawn_values(axes, "x") for x in line} for axes in (left, right))
    assert ours == {1.5}
    assert 1.013873 in papers
    assert 1.5 not in papers
    assert right.get_title() == "the paper's, as printed"
    assert {line.get_markerfacecolor() for line in right.lines} == {"none"}


def test_table_5_has_panels_of_its_own_for_each_measure(tmp_path: Path, written: Written) -> None:
    for run in table5.cell(SMOKE, "ResNet-200", 0.2):
        written(run, 10.0, lambda _: {"top1": 21.0, "top5": 5.0})
    figure = drawn("table5", gathered(SMOKE, "table5", tmp_path), tmp_path)
    names = ["ours, synthetic in place of ImageNet, top-1", "ours, synthetic in place of ImageNet, top-5"]
    assert [axes.get_title() for axes in figure.axes[::2]] == names
    assert [{x for line in drawn_values(axes, "x") for x in line} for axes in figure.axes] == [
        {21.0},
        {21.7, 21.48, 20.4, 20.17},
        {5.0},
        {5.8, 5.55, 5.3, 5.12},
    ]


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5"])
def test_without_the_papers_numbers_a_tables_picture_has_only_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (table2, table3, table4, table5):
        monkeypatch.setattr(module, "printed", lambda *_: None)
    figure = drawn(name, gathered(SMOKE, name, tmp_path), tmp_path)
    assert figure.axes
    assert all(axes.get_title().startswith("ours, ") for axes in figure.axes)


def test_the_same_picture_is_the_same_bytes(tmp_path: Path, written: Written) -> None:
    written(table2.cell(SMOKE, "WRN", 0.5)[0], 10.0, shift_of(1.5))
    made = [drawn("table2", gathered(SMOKE, "table2", tmp_path), tmp_path) for _ in range(2)]
    assert pictures.svg(made[0]) == pictures.svg(made[1])
    assert png(made[0]) == png(made[1])


def test_figure_3_has_the_papers_panels_and_order_for_each_set(tmp_path: Path, written: Written) -> None:
    for net in CIFAR_NETS:
        for cos2, run in zip((0.01, 0.03), table1.cell(SMOKE, net, "C10"), strict=True):
            written(run, 10.0, angles_of(cos2))
    figure = drawn("table1", gathered(SMOKE, "table1", tmp_path), tmp_path)
    left, right = figure.axes
    assert left.get_ylim() == (0, 1)
    assert (right.get_xlim()[0], right.get_ylim()[0]) == (0, 0)
    assert drawn_values(left, "x") == [[1, 2]] * 4
    assert drawn_values(left, "y") == [pytest.approx([0.02, 0.02])] * 4
    assert drawn_values(right, "x") == [[27, 1000]] * 4
    assert drawn_values(right, "y") == [pytest.approx([0.54, 20])] * 4
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(CIFAR_NETS)
    assert len({line.get_color() for line in left.lines}) == 4
    assert [line.get_color() for line in left.lines] == [line.get_color() for line in right.lines]


def angles_of(cos2: float) -> Callable[[Measurement], dict[str, Any]]:
    rows = [
        {"index": k + 1, "name": f"{k}", "filters": 1, "zero_filters": 0, "d": d, "cos2": cos2, "d_cos2": d * cos2}
        for k, d in enumerate((27, 1000))
    ]
    return lambda _: {"rows": rows, "cos2": cos2, "d_cos2": fmean(row["d_cos2"] for row in rows)}


def test_bands_are_one_deviation_over_seeds(tmp_path: Path, written: Written) -> None:
    for seed, run in enumerate(figure1.cell(SMOKE, 0.5)):
        written(run, 30.0, shift_of(2.0 + seed))
    (axes,) = drawn("fig1", gathered(SMOKE, "fig1", tmp_path), tmp_path).axes
    (band,) = axes.collections
    low, high = band.get_datalim(axes.transData).intervaly  # type: ignore[attr-defined]
    assert (low, high) == pytest.approx((2.5 - 0.5**0.5, 4.5 + 0.5**0.5))


def test_a_missing_run_is_left_out_and_the_others_keep_their_places(tmp_path: Path, written: Written) -> None:
    (column, _) = figure4.columns(SMOKE)
    wanted: list[tuple[NetName, float]] = [("WRN", 0.0), ("WRN", 0.5), ("DenseNet", 0.5)]
    for net, drop in wanted:
        written(column.cell(SMOKE, net, drop)[0], 10.0, shift_of(1.1))
    figure = drawn("fig4", gathered(SMOKE, "fig4", tmp_path), tmp_path)
    shifts = figure.axes[:8:2]
    assert [len(axes.lines) for axes in shifts] == [0, 0, 2, 1]
    assert [[text.get_text() for text in axes.texts] for axes in shifts] == [["NOT RUN"], ["NOT RUN"], [], []]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Dropout 0.0", "Dropout 0.5"]
    bars: list[Any] = list(figure.axes[8].patches)
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert middles == pytest.approx([2 - 0.8 / 3, 2 + 0.8 / 3, 3 + 0.8 / 3])
    assert [tick.get_text() for tick in figure.axes[8].get_xticklabels()] == list(CIFAR_NETS)


PANELS = {"fig1": (1, 1), "table1": (2, 4), "fig4": (10, 20), "table2": (2, 2), "table3": (2, 4), "table4": (2, 4)}


@pytest.mark.parametrize("name", PANELS)
def test_there_are_as_many_panels_as_the_paper_has_or_one_sets(name: str, tmp_path: Path) -> None:
    made = [drawn(name, gathered(scale, name, tmp_path), tmp_path) for scale in (SMOKE, PAPER)]
    assert tuple(len(figure.axes) for figure in made) == PANELS[name]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_nothing_leaves_the_page_and_no_panel_covers_another(name: str, tmp_path: Path) -> None:
    figure = drawn(name, gathered(SMOKE, name, tmp_path), tmp_path)
    figure.draw_without_rendering()  # which lays it out
    there, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(there.x0, there.y0) >= 0
    assert there.x1 <= width
    assert there.y1 <= height
    panels: list[Any] = [axes.get_tightbbox() for axes in figure.axes]
    assert not [pair for pair in combinations(panels, 2) if Bbox.intersection(*pair) is not None]
