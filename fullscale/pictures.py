"""Pictures in the form of the paper's Figs. 3 (angles), 4 (shift), 5 (responses) and 6 (ensemble); of the doctor's."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fullscale import responses
from fullscale.angles import Angles
from fullscale.doctor.report import Report
from fullscale.ensemble import Ensemble
from fullscale.files import replace
from fullscale.measure import Measurement
from fullscale.shift_ratio import ratio

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe and Ito's
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "variance-shift",
    "font.size": 8,
    "figure.titlesize": 8,
    "axes.titlesize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.5,
    "legend.frameon": False,
}
# One column of a journal, in inches.
WIDTH, HEIGHT = 3.5, 2.8
TICKS_AT_MOST = 20
BNS_A_COLUMN = 80
LARGE = 10
"""a ratio beyond which others could not be told apart on a linear axis"""

styled = style.context(["default", STYLE])


def save(figure: Figure, path: Path) -> None:
    """Write a picture as SVG, whole or not at all; the same picture, the same bytes.

    Raises:
        ValueError: if the file cannot be written.
    """
    replace(path, svg(figure).encode())


@styled
def svg(figure: Figure) -> str:
    """Write a picture as the text of an SVG file; the same picture, the same text."""
    drawing = io.BytesIO()
    figure.savefig(drawing, format="svg", metadata={"Date": None})
    return drawing.getvalue().decode()


@styled
def shift(measured: Measurement, title: str) -> Figure:
    """Draw the shift ratio of each BN (Fig. 4), the floor that it stands on, and what it is without drift."""
    index = [row.index for row in measured.rows]
    free = [ratio(row.drift_free_shift) for row in measured.rows]
    figure, axes = _axes(title, "BN, in order of execution", "shift ratio")
    axes.plot(index, [row.shift_ratio for row in measured.rows], "o-", color=BLUE, label="against BN's moving variance")
    axes.plot(index, free, "s--", mfc="none", color=ORANGE, label="against train mode, weights fixed")
    axes.plot(index, [row.floor for row in measured.rows], ":", color=GREY, label="floor: no shift, same estimator")
    axes.set_ylim(bottom=1)
    figure.legend(loc="outside lower center")
    return figure


@styled
def angles(measured: Angles, title: str) -> Figure:
    """Draw the mean cos^2 of each convolution, and d cos^2 over d (Fig. 3)."""
    figure = _figure(title, 2 * WIDTH, HEIGHT)
    left, right = figure.subplots(1, 2)
    left.plot([row.index for row in measured.rows], [row.cos2 for row in measured.rows], "o-", color=BLUE)
    count(left)
    left.set(xlabel="convolution", ylabel="mean of cos²θ", ylim=(0, None))
    right.plot([row.d for row in measured.rows], [row.d_cos2 for row in measured.rows], "o", color=BLUE)
    right.set(xlabel="d, weights of a filter", ylabel="mean of d cos²θ", ylim=(0, None), xlim=(0, None))
    return figure


@styled
def ensemble(measured: Ensemble, title: str) -> Figure:
    """Draw the error over the number of sampled nets, with its spread over the groups, and weight scaling (Fig. 6)."""
    k, mean = np.arange(1, measured.errors.shape[1] + 1), measured.mean.numpy()
    figure, axes = _axes(title, "sampled nets averaged, k", "test error (%)")
    if len(measured.errors) > 1:
        spread = measured.std.numpy()
        told = f"± 1 standard deviation of {len(measured.errors)} groups"
        axes.fill_between(k, mean - spread, mean + spread, color=BLUE, alpha=0.25, linewidth=0, label=told)
    axes.plot(k, mean, "o-", color=BLUE, label="Monte-Carlo averaging")
    axes.axhline(measured.weight_scaling, color=ORANGE, linestyle="--", label="weight scaling")
    figure.legend(loc="outside lower center")
    return figure


@styled
def flips(measured: responses.Responses, title: str) -> Figure:
    """Draw images that are right in train mode and wrong in test mode, with their logits in both (Fig. 5)."""
    rows = len(measured.examples)
    figure = _figure(title, 2 * WIDTH, 0.5 + 1.3 * max(rows, 1))
    if not rows:
        figure.text(0.5, 0.5, "No image is right in train mode and wrong in test mode.", ha="center")
        return figure
    grid = figure.subplots(rows, 2, squeeze=False, width_ratios=(1, 4))
    for (left, right), flip in zip(grid, measured.examples, strict=True):
        _flip(left, right, flip)
    grid[0, 1].legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    grid[-1, 1].set_xlabel("class")
    figure.align_ylabels()
    return figure


@styled
def doctor(report: Report, title: str = "") -> Figure:
    """Draw each BN's shift ratio: predicted from its own noise, with one standard error, and measured, with gaps."""
    index = [row.index for row in report.rows]
    local = [ratio(row.predicted) if row.predicted else math.nan for row in report.rows]
    slopes = [each**2 if each > (row.predicted or 0) else 1 for each, row in zip(local, report.rows, strict=True)]
    error = [slope * (row.stderr or 0) for slope, row in zip(slopes, report.rows, strict=True)]
    measured = [row.shift_ratio if row.trained and row.shift_ratio else math.nan for row in report.rows]
    figure, axes = _axes(title, "BN, in order of execution", "shift ratio")
    figure.set_figwidth(WIDTH * min(2, max(1, len(index) / BNS_A_COLUMN)))
    if any(map(math.isfinite, measured)):
        axes.plot(index, measured, "s--", mfc="none", color=ORANGE, label="measured: real against moving variance")
    axes.errorbar(index, local, error, fmt="o-", color=BLUE, label="predicted: local, from its own noise")
    if max((ratio for ratio in (*local, *measured) if math.isfinite(ratio)), default=1) > LARGE:
        axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    figure.legend(loc="outside lower center")
    return figure


def _flip(left: Axes, right: Axes, flip: responses.Flip) -> None:
    image = flip.image.permute(1, 2, 0).numpy()
    left.imshow((image - image.min()) / max(image.max() - image.min(), 1e-9), interpolation="nearest")
    left.set_axis_off()
    left.set_title(f"image {flip.index}")
    logits(right, flip.label, flip.train_logits.numpy(), flip.test_logits.numpy())


def logits(axes: Axes, label: int, train: np.ndarray, test: np.ndarray) -> None:
    """Draw the logits of an image of a class, in train and in test mode: (classes,) each."""
    classes = np.arange(len(train))
    axes.bar(classes - 0.2, train, 0.4, color=BLUE, label="train mode")
    axes.bar(classes + 0.2, test, 0.4, color=ORANGE, label="test mode")
    axes.axvspan(label - 0.5, label + 0.5, color=GREEN, alpha=0.15, linewidth=0, zorder=0, label="its class")
    axes.set_ylabel("logit")
    axes.set_xticks(classes[:: -(-len(classes) // TICKS_AT_MOST)])


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = _figure(title, WIDTH, HEIGHT)
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    count(axes)
    return figure, axes


def _figure(title: str, width: float, height: float) -> Figure:
    figure = Figure((width, height), layout="constrained")
    figure.suptitle(title, wrap=True, parse_math=False)
    return figure


def count(axes: Axes) -> None:
    """Let x, which counts, have whole ticks."""
    axes.xaxis.set_major_locator(MaxNLocator(steps=(1, 2, 5, 10), integer=True))
