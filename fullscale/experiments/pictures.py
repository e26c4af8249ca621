"""The experiments' figures in the paper's form: the same axes, panels and legends in the same order."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fullscale.experiments import figure1, figure4, figure5, figure6, pictures_beyond, table1, table5
from fullscale.experiments.catalogue import EXPERIMENTS
from fullscale.experiments.drawing import BANDS, OF_COLUMN, OF_NET, PURPLE, YELLOW, Curve, legend, not_run, page, plot
from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import CIFAR_NETS
from fullscale.experiments.table import Cell, Table
from fullscale.experiments.text import NOT_RUN, status
from fullscale.pictures import BLUE, GREEN, GREY, ORANGE, count, logits, styled
from fullscale.sweep.run import Run

OF_DROP = {0.0: BLUE, 0.1: GREEN, 0.3: YELLOW, 0.5: ORANGE, 0.7: PURPLE}
"""0.0 is blue and 0.1 green in the paper, whose text says so"""
LIMITS = {"a": (1.0, 3.0), "b": (1.0, 1.2)}
"""of Fig. 4's shift ratios"""


@styled
def drawn(name: str, results: Results, root: Path) -> Figure:
    """Draw an experiment by its name; Fig. 5 takes its images from the data under `root`, if they are there."""
    figure = _fig5(results, root) if name == "fig5" else DRAWN.get(name, _beside(name))(results)
    figure.suptitle(f"{figure.get_suptitle()}\n{status(EXPERIMENTS[name], results)}", wrap=True)
    return figure


@styled
def png(figure: Figure) -> bytes:
    """Write a picture as PNG, 200 dots an inch; the same picture, the same bytes."""
    drawing = io.BytesIO()
    figure.savefig(drawing, format="png", dpi=200, metadata={"Software": None})
    return drawing.getvalue()


def _over_layers(results: Results, runs: Iterable[Run], x: str, y: str) -> Curve | None:
    """Average a column of measured rows over seeds; None where there is none."""
    own = tuple(runs)
    found = [numbers.rows for numbers in results.numbers(own, own[0].measurements[0])]
    if not found:
        return None
    return Curve.over((getattr(row, x) for row in found[0]), [[getattr(row, y) for row in rows] for rows in found])


@styled
def _fig1(results: Results) -> Figure:
    title = f"Fig. 1, lower part: DenseNet, {results.scale.called('C100')}; {BANDS}"
    figure = page(title, 3.2)
    axes = figure.subplots()
    axes.set(xlabel="BN, in order of execution", ylabel="shift ratio")
    for drop, color in ((0.0, BLUE), (0.5, ORANGE)):
        curve = _over_layers(results, figure1.cell(results.scale, drop), "index", "shift_ratio")
        accuracy = figure1.accuracy(results, drop)
        if curve is not None and accuracy is not None:
            named = f"Dropout-(a) {drop}" if drop else "no Dropout"
            plot(axes, curve, color, f"{named}: accuracy {_told(accuracy)}%")
    if axes.lines:
        axes.set_ylim(bottom=1)
    else:
        not_run(axes)
    legend(figure, [axes])
    return figure


def _told(spread: Spread) -> str:
    return f"{spread.mean:.2f}" if spread.std is None else f"{spread.mean:.2f} ± {spread.std:.2f}"


@styled
def _fig3(results: Results) -> Figure:
    sets = results.scale.there(*table1.SETS)
    figure = page(f"Fig. 3: angles of the filters, nets without Dropout; {BANDS}", 0.9 + 2.4 * len(sets))
    grid = figure.subplots(len(sets), 2, squeeze=False)
    for data, (left, right) in zip(sets, grid, strict=True):
        left.set(xlabel="convolution", ylabel="mean of cos²θ", ylim=(0, 1), title=results.scale.called(data))
        right.set(xlabel="d, weights of a filter", ylabel="mean of d cos²θ", title=results.scale.called(data))
        for net in CIFAR_NETS:
            runs = table1.cell(results.scale, net, data)
            curve, points = _over_layers(results, runs, "index", "cos2"), _over_layers(results, runs, "d", "d_cos2")
            if curve is not None and points is not None:
                plot(left, curve, OF_NET[net], net)
                right.plot(points.x, points.mean, "o", color=OF_NET[net], mfc="none", mew=0.6, ms=3, label=net)
        right.set(xlim=(0, None), ylim=(0, None))
        for axes in (left, right):
            if not axes.lines:
                not_run(axes)
    legend(figure, list(grid[:, 1]))
    return figure


@styled
def _fig4(results: Results) -> Figure:
    columns, drops = figure4.columns(results.scale), results.scale.drops
    figure = page(f"Fig. 4: shift ratio of each BN, and test errors; {BANDS}", 8.5)
    grid = figure.subplots(len(CIFAR_NETS) + 1, len(columns), squeeze=False)
    for column, panels in zip(columns, grid.T, strict=True):
        panels[0].set_title(column.title(results.scale))
        for net, axes in zip(CIFAR_NETS, panels[:-1], strict=True):
            axes.set(xlabel=f"BN index on {net}", ylabel="shift ratio")
            for drop in drops:
                curve = _over_layers(results, column.cell(results.scale, net, drop), "index", "shift_ratio")
                if curve is not None:
                    plot(axes, curve, OF_DROP[drop], f"Dropout {drop}")
            low, high = LIMITS[column.placement]
            axes.set_ylim(low, max(high, axes.dataLim.y1 if axes.lines else high))
            if not axes.lines:
                not_run(axes)
        _error_bars(panels[-1], results, column)
    legend(figure, list(grid[:-1].flat))
    return figure


def _error_bars(axes: Axes, results: Results, column: figure4.Column) -> None:
    drops = results.scale.drops
    width, places = 0.8 / len(drops), np.arange(len(CIFAR_NETS))
    for number, drop in enumerate(drops):
        found = [results.test_error(column.cell(results.scale, net, drop)) for net in CIFAR_NETS]
        there = [(place, each) for place, each in zip(places, found, strict=True) if each is not None]
        x = [place + (number - (len(drops) - 1) / 2) * width for place, _ in there]
        axes.bar(
            x,
            [each.mean for _, each in there],
            width,
            yerr=[each.std or 0 for _, each in there],
            color=OF_DROP[drop],
            error_kw={"linewidth": 0.6},
        )
    axes.set_xticks(places, CIFAR_NETS, fontsize=6, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_ylabel("error rate (%)")
    if not axes.patches:
        not_run(axes)


@styled
def _fig5(results: Results, root: Path) -> Figure:
    title = f"Fig. 5: DenseNet, Dropout-(a) 0.5, {results.scale.called('C10')}: right in train, wrong in test mode"
    record, examples = figure5.examples(results) or (None, ())
    figure = page(title, 0.9 + 1.2 * max(len(examples), 1))
    if record is None or not examples:
        told = NOT_RUN if record is None else "No image is right in train mode and wrong in test mode."
        figure.text(0.5, 0.5, told, ha="center")
        return figure
    grid = figure.subplots(len(examples), 2, squeeze=False, width_ratios=(1, 4))
    images = figure5.images(record, examples, root)
    for number, ((left, right), example) in enumerate(zip(grid, examples, strict=True)):
        _image(left, f"image {example.index}", None if images is None else images[number].permute(1, 2, 0).numpy())
        logits(right, example.label, np.array(example.train_logits), np.array(example.test_logits))
    grid[0, 1].legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    grid[-1, 1].set_xlabel("class")
    figure.align_ylabels()
    return figure


def _image(axes: Axes, title: str, pixels: np.ndarray | None) -> None:
    axes.set_axis_off()
    axes.set_title(title)
    if pixels is None:
        axes.text(0.5, 0.5, "no data at hand", ha="center", va="center", color=GREY, transform=axes.transAxes)
    else:
        axes.imshow((pixels - pixels.min()) / max(np.ptp(pixels), 1e-9), interpolation="nearest")


@styled
def _fig6(results: Results) -> Figure:
    called, samples = results.scale.called("C100"), results.scale.ensemble.samples
    figure = page(f"Fig. 6: PreResNet, {called}; {BANDS}", 3.4)
    axes = figure.subplots()
    axes.set(xlabel=f"number of samples used for Monte-Carlo averaging (k) on {called}", ylabel="test error (%)")
    found = [figure6.error(results, k) for k in range(1, samples + 1)]
    errors = [each for each in found if each is not None]
    count(axes)
    if errors:
        mean, std = np.array([each.mean for each in errors]), np.array([each.std or 0 for each in errors])
        curve = Curve(np.arange(1, len(errors) + 1), mean, std)
        plot(axes, curve, BLUE, "Monte-Carlo model averaging on Dropout-(b) 0.5")
    lines = {
        "approximate averaging by weight scaling on Dropout-(b) 0.5": (figure6.weight_scaling(results), ORANGE),
        "Dropout-(b) 0.0 (without Dropout)": (results.test_error(figure6.baseline(results.scale)), GREEN),
    }
    for label, (spread, color) in lines.items():
        if spread is not None:
            axes.axhline(spread.mean, color=color, linestyle="--", label=label)
    if not axes.lines:
        not_run(axes)
    legend(figure, [axes], columns=1)
    return figure


def _beside(name: str) -> Callable[[Results], Figure]:
    """Draw a table: ours with their spread on the left, what the paper prints on the right, in the same order."""

    @styled
    def draw(results: Results) -> Figure:
        found = table5.apart(results) if name == "table5" else EXPERIMENTS[name].tables(results)
        tables = list(filter(_printed, found)) or found  # without the paper's numbers there are only ours
        first, what = tables[0].title.split(": ", 1)
        figure = page(f"{first.partition(',')[0]}: {what}", 1.2 + 2.1 * len(tables))
        grid = figure.subplots(len(tables), 1 + _printed(tables[0]), squeeze=False, sharey="row")
        for own, (left, *right) in zip(tables, grid, strict=True):
            _dots(left, own, lambda cell: cell.ours)
            left.set_title(f"ours, {own.title.split(': ')[0].partition(', ')[2]}")
            for axes in right:
                _dots(axes, own, lambda cell: _as_spread(cell.paper), hollow=True)
                axes.set_title("the paper's, as printed")
            if not any(cell.ours for row in own.rows.values() for cell in row):
                not_run(left)
            left.legend(ncols=3, loc="upper left", bbox_to_anchor=(0, -0.12), fontsize=6)
        return figure

    return draw


def _printed(table: Table) -> bool:
    return any(cell.paper for row in table.rows.values() for cell in row)


def _as_spread(paper: str | None) -> Spread | None:
    return None if paper is None else Spread(float(paper.split()[0]), None, 1)


def _dots(axes: Axes, table: Table, read: Callable[[Cell], Spread | None], *, hollow: bool = False) -> None:
    """Draw a row's numbers at its height, a little below one another, in a colour a column."""
    columns = len(table.columns)
    for number, column in enumerate(table.columns):
        found = [(height, read(row[number])) for height, row in enumerate(table.rows.values())]
        there = [(height, spread) for height, spread in found if spread is not None]
        color = OF_COLUMN[number % len(OF_COLUMN)]
        axes.errorbar(
            [spread.mean for _, spread in there],
            [height + 0.6 * (number / max(columns - 1, 1) - 0.5) for height, _ in there],
            xerr=None if hollow else [spread.std or 0 for _, spread in there],
            fmt="o",
            color=color,
            mfc="none" if hollow else color,
            markersize=4,
            label=column,
        )
    axes.set_yticks(range(len(table.rows)), list(table.rows))
    axes.set_ylim(len(table.rows) - 0.5, -0.5)


DRAWN: dict[str, Callable[[Results], Figure]] = {
    "fig1": _fig1,
    "table1": _fig3,
    "fig4": _fig4,
    "fig6": _fig6,
} | pictures_beyond.DRAWN
