"""Pictures of a sweep, from its file alone: curves with error bars, and maps."""

import contextlib
import io
import math
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib import style, ticker
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simulator.contracts import Array, refusal
from simulator.files import output, replace
from simulator.notation import MEASURED, axis_name, label, symbol, written
from simulator.results import read_results

# By column, a number or a word; and d_cos2, where d and cos2 are columns.
Row: TypeAlias = dict[str, Any]

# Okabe and Ito's colours but for the yellow, which is lost on white. Every second marker is hollow, and larger, so
# that it shows around the filled one of a series that it agrees with.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "o", "P")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (7, 2)), (0, (5, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3)))
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "variance-shift",
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "errorbar.capsize": 1.5,
    "lines.linewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
}
# One column of a journal, and what a line of text adds to its height.
WIDTH, HEIGHT, LINE = 3.5, 2.4, 0.15
LETTER = 0.07  # inches, for one as wide as a digit
DARK = 0.47  # of cividis: below it white contrasts by 4.5 or more, and above it black
LARGEST = 1e100
UNDATED: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


@dataclass(frozen=True)
class Sweep:
    """A sweep's file: its keys, and one row for each BN of each point, in the order of the points."""

    settings: tuple[str, ...]
    rows: tuple[Row, ...]

    def along(self) -> list[str]:
        """List what an axis can show: `bn`, and the keys that have nothing but finite numbers."""
        keys = dict.fromkeys([*self.settings, "d_cos2", "bn"])
        return [key for key in keys if all(isinstance(row.get(key), float) for row in self.rows)]


def read_sweep(path: Path | str) -> Sweep:
    """Read the CSV file of a sweep, or what there is of an unfinished one.

    Raises:
        ValueError: naming file and line, if it is anything else (see `read_results`), or has no rows.
        OSError: if there is no such file, or it cannot be read.
    """
    try:
        results = read_results(Path(path))
        if not results.rows:
            raise ValueError("line 2: not a sweep's CSV: no row")
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from None
    return Sweep(results.keys, tuple(map(_row, results.rows)))


def _row(cells: Mapping[str, str]) -> Row:
    row: Row = {name: _number_or_word(cell) for name, cell in cells.items()}
    if isinstance(row.get("d"), float) and isinstance(row.get("cos2"), float):
        # 3 x 0.1 and 30 x 0.01 must be the same place.
        row.setdefault("d_cos2", float(f"{row['d'] * row['cos2']:.12g}"))
    return row


def _number_or_word(cell: str) -> float | str:
    with contextlib.suppress(ValueError):
        if math.isfinite(float(cell)):
            return float(cell)
    return cell


def draw(sweep: Sweep, *, x: str, y: str = "shift", map_over: str | None = None) -> Figure:
    """Draw a measured column `y`, as curves over `x` or as a map over `x` and `map_over`.

    An axis is a numeric key, `bn` (the number of the BN), or `d_cos2` where `d` and `cos2` are keys. If none is `bn`,
    the last BN of each point is shown. There is a curve for each combination of the other keys, with error bars of two
    standard errors. A map has cells where the points make a complete grid, and else coloured points.

    Raises:
        ValueError: if there is no such axis or column, if the other keys make more than 7 curves, if they give several
            values to one place of the map, or if a number is beyond ±1e100, where axes overflow.
    """
    along = sweep.along()
    maps = [key for key in along if key != x]
    for name, given, allowed in (("x", x, along), ("y", y, [*MEASURED]), ("map", map_over, maps)):
        if given not in allowed and given is not None:
            raise refusal(name, given, f"must be one of {', '.join(allowed)}")
    for name in filter(None, (x, map_over, y, f"{y}_stderr")):
        _require_drawable(name, _column(sweep.rows, name))
    with style.context(["default", STYLE]):
        return _curves(sweep, x, y) if map_over is None else _map(sweep, x, map_over, y)


def _require_drawable(name: str, values: Array) -> None:
    """Refuse what would overflow on the way to the paper."""
    beyond = values[abs(values) > LARGEST]
    if beyond.size:
        raise refusal(name, beyond[0], f"cannot be drawn: must lie within ±{LARGEST:g}")


def save(figure: Figure, path: Path | str) -> None:
    """Write a picture, whole or not at all, as its suffix says: .svg, .png or .pdf; the same picture, the same bytes.

    Raises:
        ValueError: if the suffix is another, or the file cannot be written.
    """
    path = output(Path(path))
    kind = path.suffix.lower()
    if kind not in UNDATED:
        raise refusal("out", path, "must end in .svg, .png or .pdf")
    drawing = io.BytesIO()
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box in its place says enough
        figure.savefig(drawing, format=kind[1:], metadata=UNDATED[kind])
    replace(path, drawing.getvalue())


def _shown(sweep: Sweep, axes: Sequence[str]) -> tuple[list[Row], list[str], list[str]]:
    """Return the rows to show, the keys that vary apart from the axes, and what a caption must say."""
    ends = [*(after["bn"] == 1 for after in sweep.rows[1:]), True]
    rows = [row for row, end in zip(sweep.rows, ends, strict=True) if end or "bn" in axes]
    product = {"d", "cos2"} if "d_cos2" in {*axes} - {*sweep.settings} else set()
    free = [key for key in sweep.settings if key not in {*axes, *product}]
    others = [key for key in free if len({row[key] for row in rows}) > 1]
    fixed = label(rows[0], [key for key in free if key not in others], sweep.settings)
    return rows, others, [fixed] * bool(fixed) + ["Last BN of each stack"] * (len(rows) < len(sweep.rows))


def _blank(told: Sequence[str], lines_above: int = 0) -> tuple[Figure, Axes]:
    caption = textwrap.wrap(". ".join(told) + ".", 54)
    figure = Figure((WIDTH, HEIGHT + LINE * (lines_above + len(caption))), layout="constrained")
    figure.supxlabel("\n".join(caption), x=0.02, ha="left", fontsize=8, color="#555555")
    return figure, figure.subplots()


def _curves(sweep: Sweep, x: str, y: str) -> Figure:
    rows, others, told = _shown(sweep, [x])
    series: dict[tuple[float | str, ...], list[Row]] = {}
    for row in rows:
        series.setdefault(tuple(row[key] for key in others), []).append(row)
    if len(series) > len(COLOURS):
        vary = " and ".join(f"{key} ({len({row[key] for row in rows})} values)" for key in others)
        raise refusal("x", x, f"{vary} make {len(series)} curves, and at most {len(COLOURS)} can be told apart")
    names = [textwrap.fill(label(group[0], others, sweep.settings), 44) for group in series.values()]
    longest = max(map(len, names))
    beside = longest <= 10
    columns = 1 if beside else max(1, int(WIDTH / (0.65 + LETTER * longest)))
    above = 0 if beside else math.ceil(("\n".join(names).count("\n") + 1) / columns)
    figure, axes = _blank([*told, "Bars: ±2 standard errors"], above)
    curves = [_curve(axes, number, group, x, y) for number, group in enumerate(series.values())]
    _scale(axes, "x", _column(rows, x), swept=True)
    _scale(axes, "y", _column(rows, y))
    axes.set(xlabel=axis_name(x, sweep.settings), ylabel=MEASURED[y])
    if y in {"shift", "shift_ratio"}:
        axes.axhline(1, color="#999999", linewidth=0.6, zorder=0)
    if others:
        heights = [_column(group, y).mean() for group in series.values()]
        highest_first = sorted(range(len(heights)), key=lambda number: -heights[number])
        shown = [curves[number] for number in highest_first], [names[number] for number in highest_first]
        figure.legend(*shown, loc="outside right center" if beside else "outside upper left", ncols=columns)
    return figure


def _curve(axes: Axes, number: int, rows: list[Row], x: str, y: str) -> Line2D:
    rows = sorted(rows, key=lambda row: row[x])
    errors = 2 * _column(rows, f"{y}_stderr")
    hollow = number % 2
    drawn = axes.errorbar(_column(rows, x), _column(rows, y), errors, color=COLOURS[number], zorder=3 + hollow)
    line = drawn.lines[0]
    line.set(linestyle=DASHES[number], marker=MARKERS[number], markersize=5.5 if hollow else 3.5)
    line.set(markerfacecolor="none" if hollow else COLOURS[number])
    return line


def _map(sweep: Sweep, x: str, over: str, y: str) -> Figure:
    rows, others, told = _shown(sweep, [x, over])
    places: dict[tuple[float, float], Row] = {}
    for row in rows:
        same = places.setdefault((row[x], row[over]), row)
        differ = [key for key in sweep.settings if row[key] != same[key]]
        if differ:
            at = f"{x} = {written(row[x])}, {over} = {written(row[over])}"
            raise refusal("map", over, f"{at} has several values, which differ in {' and '.join(differ)}")
    values = _column(places.values(), y)
    also = [f"Also varied: {', '.join(symbol(key, sweep.settings) for key in others)}"] * bool(others)
    error = f"{_column(rows, f'{y}_stderr').max():.2g}"
    figure, axes = _blank([*told, *also, f"Standard errors up to {written(float(error))}"])
    across, up = (np.unique([place[side] for place in places]) for side in (0, 1))
    _scale(axes, "x", across, swept=True)
    _scale(axes, "y", up, swept=True)
    norm = LogNorm() if _wide(values) else Normalize()  # between the ends of what is drawn
    look: dict[str, Any] = {"cmap": "cividis", "norm": norm}
    if len(places) == across.size * up.size:
        grid = np.array([[places[a, b][y] for a in across] for b in up])
        drawn = axes.pcolormesh(_edges(across), _edges(up), grid, edgecolors="face", linewidth=0.3, **look)
        _mark(axes, across, up, grid, norm)
    else:
        drawn = axes.scatter(*zip(*places, strict=True), c=values, s=16, edgecolors="#333333", linewidths=0.4, **look)
    axes.set(xlabel=axis_name(x, sweep.settings), ylabel=axis_name(over, sweep.settings))
    locator, formatter = _ticks(values)
    bar = figure.colorbar(drawn, label=MEASURED[y], ticks=locator, format=formatter)
    bar.ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    return figure


def _mark(axes: Axes, across: Array, up: Array, grid: Array, norm: Normalize) -> None:
    """Draw a few contour lines over many cells, or write the values into few."""

    def ink(value: float) -> str:
        return "white" if norm(value) < DARK else "black"

    texts = [[f"{value:.3g}".replace("-", "−") for value in row] for row in grid]
    if min(grid.shape) >= 4:
        low, high = float(grid.min()), float(grid.max())
        levels = [at for at in _ticks(grid)[0].tick_values(low, high) if low < at < high]
        if levels:
            lines = axes.contour(across, up, grid, levels, colors=[*map(ink, levels)], linewidths=0.6)
            axes.clabel(lines, fmt=written, fontsize=8)
    elif len(up) <= 8 and len(across) * (1 + max(_digits(text) for row in texts for text in row)) <= 36:
        for (b, a), value in np.ndenumerate(grid):
            axes.text(float(across[a]), float(up[b]), texts[b][a], color=ink(float(value)), ha="center", va="center")


def _digits(text: str) -> int:
    """How many digits would be as wide: a sign is nearly as wide as two, and a point adds next to nothing."""
    return len(text.replace(".", "").replace("−", "--").replace("+", "++"))


def _column(rows: Iterable[Row], name: str) -> Array:
    return np.array([row[name] for row in rows])


def _scale(axes: Axes, name: str, values: Array, *, swept: bool = False) -> None:
    """Choose an axis' scale, and its ticks: at the values that were swept, where there is room."""
    axes.set(**{f"{name}scale": "log" if _wide(values) else "linear"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    at = np.unique(values)
    gaps = np.diff(np.log(at) if _wide(at) else at)
    room = 0.03 * max(len(written(value)) for value in at) * gaps.sum()
    locator, formatter = _ticks(at)
    if swept and len(at) <= 6 and (gaps > room).all():
        locator, formatter = ticker.FixedLocator(at.tolist()), ticker.FuncFormatter(written)
        axis.set_minor_locator(ticker.NullLocator())
    axis.set(major_locator=locator, major_formatter=formatter, minor_formatter=ticker.NullFormatter())


def _wide(values: Array) -> bool:
    """Tell whether positive numbers span more than 1.5 decades, so that they need a logarithmic scale."""
    return bool(np.min(values) > 0 and np.max(values) > 10**1.5 * np.min(values))


def _ticks(values: Array) -> tuple[ticker.Locator, ticker.Formatter]:
    if not _wide(values):
        locator = ticker.MaxNLocator(6, integer=not np.mod(values, 1).any(), steps=[1, 2, 2.5, 5, 10])
        return locator, ticker.ScalarFormatter(useOffset=False, useMathText=True)
    decades = np.log10(np.max(values)) - np.log10(np.min(values))
    subs = (1, 2, 5) if decades < 2.5 else (1, 3) if decades < 4 else (1,)
    return ticker.LogLocator(subs=subs), ticker.FuncFormatter(written)


def _edges(values: Array) -> Array:
    """Return the borders of cells around ascending values: halfway between them, on their axis' scale."""
    at = np.log(values) if _wide(values) else values
    half = np.diff(at) / 2 if len(at) > 1 else np.array([0.5])
    edges = np.concatenate([at - [half[0], *half][: len(at)], at[-1:] + half[-1]])
    return np.exp(edges) if _wide(values) else edges
