"""Sweeps to draw, and what a picture of one shows."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

from simulator.pictures import Sweep

MEASURED = ("moving_mean", "moving_var", "real_mean", "real_var", "shift", "shift_ratio")
STDERR = 0.01
# A setting, and what was measured at each of its BNs.
Point = tuple[Sequence[object], Sequence[float]]


def grid(*values: Iterable[object]) -> list[Point]:
    """Every combination, with one BN and a shift of its own."""
    return [(setting, [(20 + place) / 100]) for place, setting in enumerate(itertools.product(*values))]


def swept(keys: Sequence[str], points: Iterable[Point], *, stderr: float = STDERR) -> Sweep:
    """What each point has measured stands in every measured column."""
    rows: list[dict[str, Any]] = []
    for setting, measured in points:
        for bn, value in enumerate(measured, start=1):
            row: dict[str, Any] = {"bn": float(bn)}
            for key, at in zip(keys, setting, strict=True):
                row[key] = at if isinstance(at, str) else float(str(at))
            for name in MEASURED:
                row |= {name: float(value), f"{name}_stderr": stderr}
            rows.append(row)
    return Sweep(tuple(keys), tuple(rows))


def curves(figure: Any) -> list[tuple[list[float], list[float], list[tuple[float, float]]]]:
    """Each curve's x, its y, and the ends of its error bars."""
    found = []
    for curve in figure.axes[0].containers:
        line, _, (bars,) = curve.lines
        found.append(([*line.get_xdata()], [*line.get_ydata()], [(a[1], b[1]) for a, b in bars.get_segments()]))
    return found


def legend(figure: Any) -> list[str]:
    """The names of the curves, from top to bottom."""
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def caption(figure: Any) -> str:
    """What stands below the axes, in one line."""
    return " ".join(figure.get_supxlabel().split())


def tick_labels(axis: Any) -> dict[float, str]:
    """What is read at the major ticks within the axis, by place."""
    axis.figure.draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks()
    shown = {float(tick.get_loc()): tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high}
    return {place: text.removeprefix(r"$\mathdefault{").removesuffix("}$") for place, text in sorted(shown.items())}


def sizes_of_letters(figure: Any) -> set[float]:
    """In points, of all that is written."""
    texts = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    return {text.get_fontsize() for text in texts if text.get_text()}


def luminance(colour: Any) -> float:
    """From 0, black, to 1, white."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: Any, other: Any) -> float:
    """From 1 to 21, as the Web Content Accessibility Guidelines have it."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)
