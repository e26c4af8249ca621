"""What the notebook shows: an equation's right side by formula, its left side by simulation, over what can be set."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isnan, log10, nan
from typing import Any, TypeAlias

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from simulator import (
    Array,
    BatchMeans,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    Linear,
    Noise,
    Stack,
    Uout,
    measure_case,
    weights_with_cos2,
)
from simulator.inputs import smallest_dtype
from simulator.pictures import COLOURS, STYLE
from theory import EQUATIONS
from theory.printing import as_text

Setting: TypeAlias = Mapping[str, float]
"""by slider"""

Seed: TypeAlias = int | Sequence[int]

EXPLORED = ("eq6", "eq8", "eq9", "eq10", "eq12", "eq13", "chain")
LABELS = {
    "retain": "retain ratio p",
    "beta": "strength β of Uout",
    "d": "width d",
    "cos2": "cos²θ of the weights",
    "rho": "correlation ρ",
    "c": "mean c",
    "v": "variance v",
    "depth": "blocks L",
}
"""by slider, in the order of the page"""
START = {"retain": 0.5, "beta": 0.5, "d": 576, "cos2": 0.02, "rho": 0.2, "c": 0.0, "v": 1.0, "depth": 3}
"""the README's example"""
MADE_OF = {"w": ("d", "cos2"), "noise_var": ("retain",)}
"""by argument of a formula that has no slider: the sliders that it is made of"""
WHERE = {**dict.fromkeys(("eq8", "eq10", "eq12"), "eq11"), "chain": "noise-dropout"}
"""by equation: the one that says what a symbol in it is"""
PAIR = 2
"""inputs, where an equation is of two"""
SAMPLES, FEWER = 20_000, 4_000
"""of the number, and of each dot of its curve"""
ROUNDING = 1e-9
INK = "#000000"
"""what matplotlib draws axes in, in place of which the page puts the colour of its text"""


def knobs(name: str) -> list[str]:
    """List the sliders that an equation depends on."""
    needed = [key for one in EQUATIONS[name].parameters for key in MADE_OF.get(one.name, (one.name,))]
    return [key for key in LABELS if key in needed]


def steps(key: str, name: str, d: int = PAIR) -> list[float]:
    """List what a slider may be set to, ascending: nothing but what there is, for rho at a width of d."""
    if key == "depth":
        return [1, 2, 3, 4, 5, 6]
    if key == "d":  # Eq. 8 is summed pair by pair
        return [2, 3, 4, 5, 6] if name == "eq8" else [2, 3, 4, 6, 9, 12, 16, 24, 32, 48, 64, 96, 144, 288, 576]
    low, high = {"retain": (20, 100), "c": (-200, 200), "v": (25, 400)}.get(key, (0, 100))
    if name == "chain":  # under still weaker noise the 1/m by which a batch's variance is off would show
        high = 95
    below = [-_three_digits(share / 20 / (d - 1)) for share in range(20, 0, -1)] if key == "rho" else []
    return below + [hundredths / 100 for hundredths in range(low, high + 1)]


def by_formula(name: str, setting: Setting) -> float:
    """Evaluate the right side of an equation.

    Raises:
        ValueError: where it has no value, in one line.
    """
    made = {"w": lambda: _weights(setting).tolist(), "noise_var": lambda: by_formula("noise-dropout", setting)}
    needed = [one.name for one in EQUATIONS[name].parameters]
    return EQUATIONS[name].evaluate(**{key: made[key]() if key in made else setting[key] for key in needed})


def by_simulation(name: str, setting: Setting, samples: int = SAMPLES, seed: Seed = 0) -> Estimate:
    """Estimate the left side of an equation, by drawing.

    Raises:
        ValueError: where Var_Train is 0, in one line.
    """
    rng = np.random.default_rng(seed)
    noise = Uout(setting["beta"]) if "beta" in setting else Dropout(setting.get("retain", 1.0))
    if name == "chain":
        return _linear_stack(noise, int(setting["depth"]), samples, rng)
    d = int(setting.get("d", PAIR if name == "eq9" else 1))
    moments = setting.get("c", 0.0), setting.get("v", 1.0), setting.get("rho", 0.0)
    inputs = Equicorrelated(d, *moments, dtype=smallest_dtype(d, *moments))
    if name == "eq9":
        return _correlation(noise.train(inputs.sample(samples, rng), rng))
    if d == 1:
        return measure_case("a", inputs, noise, None, samples, rng).shift
    measured = measure_case("b", inputs, noise, _weights(setting), samples, rng)
    return measured.var_test if name == "eq8" else measured.shift


def apart(number: float, estimate: Estimate) -> float:
    """Return by how many standard errors a number and an estimate differ, rounding aside."""
    return max(0.0, abs(number - estimate.value) - ROUNDING) / max(estimate.stderr, ROUNDING)


def _three_digits(number: float) -> float:
    """A positive number, rounded down."""
    scale = 10 ** (2 - floor(log10(number)))
    return floor(number * scale + ROUNDING) / scale


def _weights(setting: Setting) -> Array:
    return weights_with_cos2(int(setting["d"]), setting["cos2"], np.random.default_rng(0))


def _correlation(x: Array, batch: int = 100) -> Estimate:
    """The correlation of two units of one variance, x: (n, 2)."""
    batches = x.astype(np.float64).reshape(-1, batch, PAIR)
    one, other = np.moveaxis(batches - batches.mean(axis=1, keepdims=True), 2, 0)
    means = BatchMeans("covariance", "variance", samples_per_batch=batch)
    means.add(np.stack([(one * other).mean(axis=1), (one**2 + other**2).mean(axis=1) / 2], axis=1))
    return means.ratio("covariance", "variance")


def _linear_stack(noise: Noise, depth: int, batch: int, rng: np.random.Generator, units: int = 4) -> Estimate:
    """The variance in test behind blocks of a rotation, which keeps the units uncorrelated, noise and BN."""
    turns = [np.linalg.qr(rng.standard_normal((units, units)))[0] for _ in range(depth)]
    layers = [layer for turn in turns for layer in (Linear(turn), noise, BatchNorm(units, eps=0.0))]
    inputs = Equicorrelated(units, 0.0, 1.0, 0.0, dtype="float32")
    # A BN divides by its moving variance: the shift of what the last one receives is the variance of what it delivers.
    return Stack(layers).measure(inputs, rng, replicas=16, batches=1, batch=batch)[-1].shift


@dataclass(frozen=True)
class Curve:
    """An equation over one of its sliders, the others as they are set.

    Attributes:
        name: of the equation.
        key: of the slider.
        at: where it was evaluated, finely.
        values: there; nan where there is no value.
        refusal: why there is none where there first is none, in one line; empty if there always is one.
        points: what was simulated, by where; less finely, and with fewer samples.
    """

    name: str
    key: str
    at: Sequence[float]
    values: Sequence[float]
    refusal: str
    points: Mapping[float, Estimate]

    def svg(self, here: Mapping[float, Estimate]) -> str:
        """Draw it, in the colour of the text around it, and mark an estimate: two standard errors to either side."""
        up = as_text(EQUATIONS[self.name].statement.lhs)
        with style.context(["default", STYLE]):
            figure = Figure((4.2, 2.7), layout="constrained")
            axes = figure.subplots()
            axes.plot(self.at, self.values, color=COLOURS[0], linewidth=1.4)
            _draw(axes, self.points, markersize=3.5, color=COLOURS[0])
            _draw(axes, here, markersize=8, color=COLOURS[1], markerfacecolor="none")
            axes.set(xlabel=LABELS[self.key], ylabel=up)
            if self.key == "d":
                axes.set_xscale("log", base=2)
                axes.xaxis.set_major_formatter("{x:.0f}")
            figure.savefig(drawing := io.StringIO(), format="svg", transparent=True)
        _, opening, inside = drawing.getvalue().partition("<svg")
        told = escape(f"{up} over {LABELS[self.key]}: a curve, and estimates with error bars")
        look = (
            f' role="img" aria-label="{told}" style="width: 100%; max-width: 36rem; height: auto; fill: currentColor"'
        )
        return opening + look + inside.replace(INK, "currentColor")


def curve(name: str, setting: Setting, key: str, seed: int = 0) -> Curve:
    """Evaluate and simulate an equation over one of its sliders."""
    allowed = steps(key, name, int(setting.get("d", PAIR)))
    at, refusals = _spread(allowed, 41), []

    def value(x: float) -> float:
        try:
            return by_formula(name, {**setting, key: x})
        except ValueError as error:
            refusals.append(str(error))
            return nan

    values = [value(x) for x in at]
    known = {x for x, y in zip(at, values, strict=True) if not isnan(y)}
    some = [x for x in _spread(at, 7) if x in known]
    points = {x: by_simulation(name, {**setting, key: x}, FEWER, (seed, i)) for i, x in enumerate(some, start=1)}
    return Curve(name, key, at, values, refusals[0] if refusals else "", points)


def _spread(values: Sequence[float], count: int) -> list[float]:
    """At most so many of the values, evenly, both ends among them."""
    return [values[index] for index in sorted({round(at) for at in np.linspace(0, len(values) - 1, count)})]


def _draw(axes: Any, points: Mapping[float, Estimate], **look: Any) -> None:
    values, errors = [one.value for one in points.values()], [2 * one.stderr for one in points.values()]
    axes.errorbar(list(points), values, errors, fmt="o", **look)
