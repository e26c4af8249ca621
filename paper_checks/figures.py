"""The page's figures: what the simulator measured, with error bars, over what theory derived."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sympy import lambdify

from paper_checks.svg import INK, Picture, picture_of
from simulator import (
    Array,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    GaussianDropout,
    Linear,
    Noise,
    Stack,
    Uout,
    measure_case,
    weights_with_cos2,
)
from theory import EQUATIONS

# Okabe and Ito's palette, as far as it shows on white and on black.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
# Narrow, so that a telephone shows it in full size; text stays text, and is set in the page's fonts.
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.markersize": 4,
    "errorbar.capsize": 2,
}
WIDTH, HEIGHT = 4.0, 3.1
Curve: TypeAlias = Callable[[Array], Array]
SAMPLES = 20_000
HIDDEN_ERRORS = "Error bars are two standard errors to either side; where none shows, it is smaller than its marker."


def pictures() -> list[Picture]:
    """Measure and draw all figures: the same seeds, the same SVGs."""
    with mpl.rc_context(STYLE):
        return [by_drop_ratio(), by_width(), by_depth(), by_noise()]


def by_drop_ratio() -> Picture:
    """Eqs. 6 and 10 over the drop ratio."""
    figure, axes = _blank("drop ratio 1 − p", "shift Δ = Var_Test / Var_Train")
    drops, smooth = np.linspace(0.1, 0.9, 9), np.linspace(0, 0.97, 98)
    off: list[float] = []
    for c, look in ((0.0, Look(BLUE, "o")), (1.0, Look(VERMILLION, "s"))):
        points = [_case_a(Dropout(1 - drop), seed, c) for seed, drop in enumerate(drops)]
        off += look.draw(axes, smooth, _over_drop("eq6", c=c, v=1.0), drops, points)
    for d, look in ((40, Look(GREEN, "^")), (320, Look(PURPLE, "D"))):
        points = [_case_b(Dropout(1 - drop), seed, d, 0.1, 0.2) for seed, drop in enumerate(drops)]
        off += look.draw(axes, smooth, _over_drop("eq10", c=0.0, v=1.0, rho=0.2, d=d, cos2=0.1), drops, points)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _say(axes, (0.30, 0.45), "(a), c = 1", "right")
    along = {"rotation": -45, "rotation_mode": "anchor", "transform_rotates_text": True}
    axes.text(0.545, 0.495, "(a), c = 0", **along)
    axes.text(0.372, 0.772, "(b), d cos²θ = 4", **along)
    _say(axes, (0.62, 0.93), "(b), d cos²θ = 32", "left")
    return picture_of(
        figure,
        "drop",
        "The shift against the drop ratio",
        "Four falling curves that start at 1 without Dropout. Case (a) with mean 1 falls fastest, case (a) with mean 0 "
        "is the straight line Δ = p, and case (b) stays above both, the wider layer the most.",
        f"Curves: Eqs. 6 and 10, derived. Points: simulated, {SAMPLES:,} values each, v = 1; in case (b) c = 0, "
        f"ρ = 0.2, cos²θ = 0.1, d = 40 and 320. {HIDDEN_ERRORS} {_farthest(off)}",
    )


def by_width() -> Picture:
    """Eq. 10 over the width: it heals only where inputs correlate positively."""
    figure, axes = _blank("width d cos²θ", "shift Δ at drop ratio 0.5")
    axes.set_xscale("log", base=2)
    looks = (Look(BLUE, "o"), Look(GREEN, "^"), Look(PURPLE, "D"))
    off = _draw_over_width(axes, Look(VERMILLION, "s"), -0.1, 10, np.array([0.25, 1, 4, 7, 10]))
    for rho, look in zip((0.0, 0.1, 0.5), looks, strict=True):
        off += _draw_over_width(axes, look, rho, 128, np.array([0.25, 1, 4, 16, 64, 128]))
    axes.set(ylim=(0, 1.02))
    axes.set_xticks([0.25, 1, 4, 16, 64], ["1/4", "1", "4", "16", "64"])
    _say(axes, (20, 0.95), "ρ = 0.5", "right")
    _say(axes, (40, 0.76), "ρ = 0.1", "left")
    _say(axes, (40, 0.43), "ρ = 0", "left")
    _say(axes, (7.5, 0.15), "ρ = −0.1 (needs d ≤ 11)", "right")
    return picture_of(
        figure,
        "width",
        "The shift against the width",
        "At correlation 0.5 and 0.1 the shift climbs towards 1 as the width grows. At correlation 0 it is flat at one "
        "half. At correlation −0.1 it falls below one half, to 0.09 at width 10, where the curve must end. All curves "
        "cross at width 1.",
        f"Width heals only positively correlated inputs. Curves: Eq. 10 (the same as Eq. 12), derived. Points: "
        f"simulated, {SAMPLES:,} values each, c = 0, v = 1, p = 0.5; d = 128, and d = 10 at ρ = −0.1, which "
        f"−1/(d − 1) ≤ ρ still allows. {HIDDEN_ERRORS} {_farthest(off)}",
    )


def _draw_over_width(axes: Axes, look: "Look", rho: float, d: int, widths: Array) -> list[float]:
    def curve(width: Array) -> Array:
        return _values("eq10", retain=0.5, c=0.0, v=1.0, rho=rho, d=d, cos2=width / d)

    points = [_case_b(Dropout(0.5), seed, d, width / d, rho) for seed, width in enumerate(widths)]
    return look.draw(axes, np.geomspace(0.18, d, 100), curve, widths, points)


def by_depth() -> Picture:
    """The chain reaction."""
    blocks, units = 10, 8
    figure, axes = _blank("blocks L", "variance of the L-th BN's output in test")
    axes.set_yscale("log")
    depths, off = np.arange(blocks + 1.0), list[float]()
    for drop, look in ((0.1, Look(BLUE, "o")), (0.3, Look(GREEN, "^")), (0.5, Look(VERMILLION, "s"))):
        local = EQUATIONS["eq6"].evaluate(retain=1 - drop, c=0, v=1)
        curve = _over("depth", "chain", noise_var=1 / local - 1)
        off += look.draw(axes, depths, curve, depths[1:], _linear_stack(1 - drop, blocks, units))
        axes.text(blocks + 0.25, curve(depths)[-1], f"drop {drop}", verticalalignment="center")
    axes.set(xlim=(0, blocks + 2), ylim=(5e-4, 1.3))
    axes.set_yticks([1, 0.1, 0.01, 0.001], ["1", "0.1", "0.01", "0.001"])
    axes.set_xticks(range(0, blocks + 1, 2))
    return picture_of(
        figure,
        "depth",
        "The chain reaction in a linear stack",
        "Three straight lines on a logarithmic axis, from 1 before the first block down to 0.35 at drop ratio 0.1, "
        "0.03 at 0.3 and 0.001 at 0.5 after ten blocks.",
        f"Lines: Δ^L, derived; with c = 0 and ρ = 0, Δ = p. Points: simulated stacks of blocks of Dropout, a random "
        f"rotation of {units} units, and BN, trained in batches of 1024. Training made every variance 1. "
        f"{HIDDEN_ERRORS} {_farthest(off)}",
    )


def _linear_stack(retain: float, blocks: int, units: int) -> list[Estimate]:
    rng = np.random.default_rng(0)
    # Rotations keep uncorrelated inputs uncorrelated, from block to block.
    turns = [np.linalg.qr(rng.standard_normal((units, units)))[0] for _ in range(blocks)]
    stack = Stack([layer for turn in turns for layer in (Dropout(retain), Linear(turn), BatchNorm(units, eps=0))])
    readings = stack.measure(Equicorrelated(units, 0.0, 1.0, 0.0), rng, replicas=12, batches=4)
    # A BN divides by its moving variance: what it receives in test over that is what it delivers.
    return [reading.shift for reading in readings]


def by_noise() -> Picture:
    """Noises of equal variance shift equally."""
    noises: tuple[tuple[str, str, Callable[[float], Noise], Array], ...] = (
        ("Dropout, s² = (1 − p)/p", "o", lambda s2: Dropout(1 / (1 + s2)), np.array([0.05, 0.11, 0.25, 0.5, 1])),
        ("Uout, s² = β²/3", "^", lambda s2: Uout((3 * s2) ** 0.5), np.array([0.03, 0.08, 0.16, 0.33])),
        ("Gaussian, s² = σ²", "s", lambda s2: GaussianDropout(s2**0.5), np.array([0.04, 0.2, 0.7])),
    )
    figure, axes = _blank("variance of the noise s²", "shift Δ")
    smooth = np.geomspace(0.02, 1.1, 60)
    axes.set_xscale("log")
    curves = {rho: _over("noise_var", "shift", c=0.0, v=1.0, rho=rho, d=40, cos2=0.1) for rho in (0.0, 0.2)}
    for curve, style in zip(curves.values(), ("-", "--"), strict=True):
        axes.plot(smooth, curve(smooth), style, color=INK)
    off: list[float] = []
    for (name, marker, noise, variances), colour in zip(noises, (BLUE, VERMILLION, GREEN), strict=True):
        for rho, curve in curves.items():
            points = [_case_b(noise(s2), seed, 40, 0.1, rho) for seed, s2 in enumerate(variances)]
            Look(colour, marker, name if rho else None).points(axes, variances, points)
            off += _distances(points, curve(variances))
    axes.set(ylim=(0.45, 1.02))
    axes.set_xticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    axes.minorticks_off()
    axes.legend(loc="lower left", frameon=False, handletextpad=0.3, fontsize=9)
    _say(axes, (0.42, 0.83), "ρ = 0.2", "left")
    _say(axes, (0.2, 0.78), "ρ = 0", "right")
    return picture_of(
        figure,
        "noise",
        "Only the variance of the noise matters",
        "Two falling curves, one for each correlation of the inputs, with the points of Dropout, Uout and Gaussian "
        "noise.",
        f"Curves: the shift under any multiplicative noise of mean 1 and variance s², derived. Points: simulated, "
        f"{SAMPLES:,} values each, c = 0, v = 1, d = 40, cos²θ = 0.1. Uout at its largest, β = 1, has s² = 1/3. "
        f"{HIDDEN_ERRORS} {_farthest(off)}",
    )


@dataclass(frozen=True)
class Look:
    """How one series is told from the others: by colour, and by the shape of its markers."""

    colour: str
    marker: str
    label: str | None = None

    def draw(self, axes: Axes, at: Array, curve: Curve, measured_at: Array, points: Sequence[Estimate]) -> list[float]:
        """Draw the points over their curve, and return their distances from it in standard errors."""
        axes.plot(at, curve(at), color=self.colour, linewidth=1.4)
        self.points(axes, measured_at, points)
        return _distances(points, curve(measured_at))

    def points(self, axes: Axes, measured_at: Array, points: Sequence[Estimate]) -> None:
        """Draw estimates, each with two standard errors to either side."""
        values, errors = [point.value for point in points], [2 * point.stderr for point in points]
        axes.errorbar(measured_at, values, errors, fmt=self.marker, color=self.colour, label=self.label)


def _case_a(noise: Noise, seed: int, c: float) -> Estimate:
    return measure_case("a", Equicorrelated(1, c, 1.0, 0.0), noise, None, SAMPLES, np.random.default_rng(seed)).shift


def _case_b(noise: Noise, seed: int, d: int, cos2: float, rho: float) -> Estimate:
    rng = np.random.default_rng(seed)
    inputs, weights = Equicorrelated(d, 0.0, 1.0, rho), weights_with_cos2(d, cos2, rng)
    return measure_case("b", inputs, noise, weights, SAMPLES, rng).shift


def _distances(points: Sequence[Estimate], derived: Array) -> list[float]:
    return [abs(point.value - value) / point.stderr for point, value in zip(points, derived, strict=True)]


def _farthest(distances: Sequence[float]) -> str:
    """Say how far the points are from their curves, which who looks cannot see."""
    return f"The farthest of {len(distances)} points is {max(distances):.1f} standard errors off its curve."


def _over(along: str, name: str, **given: float) -> Curve:
    """An equation's right side over one of its arguments."""
    return lambda at: _values(name, **given, **{along: at})


def _over_drop(name: str, **given: float) -> Curve:
    return lambda drop: _values(name, retain=1 - drop, **given)


def _values(name: str, **arguments: float | Array) -> Array:
    """The right side of an equation over arrays of its arguments."""
    equation = EQUATIONS[name]
    formula = lambdify([parameter.symbol for parameter in equation.parameters], equation.formula, "numpy")
    return np.asarray(formula(*(arguments[parameter.name] for parameter in equation.parameters)))


def _blank(along: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=along, ylabel=up)
    return figure, axes


def _say(axes: Axes, at: tuple[float, float], text: str, align: str) -> None:
    axes.text(*at, text, horizontalalignment=align)
