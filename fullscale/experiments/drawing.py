"""What the experiments' figures share: colours, curves over layers with their spread, legends, and what was not run."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fullscale.experiments.scale import NetName
from fullscale.experiments.text import NOT_RUN
from fullscale.pictures import BLUE, GREEN, GREY, ORANGE

PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#E69F00"  # Okabe and Ito's
OF_COLUMN = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
OF_NET: dict[NetName, str] = {"PreResNet": BLUE, "ResNeXt": ORANGE, "WRN": GREEN, "DenseNet": PURPLE}
MANY = 40
"""layers, whose marks would hide one another"""
BANDS = "band: ± 1 standard deviation over seeds"
PAGE = 7.0
"""inches, both columns of a journal"""


class Curve(NamedTuple):
    """Over layers, the mean over seeds and the deviation.

    Attributes:
        x: (layers,)
        mean: (layers,)
        std: (layers,) from the UNBIASED variance; 0 of one seed.
    """

    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def over(cls, x: Iterable[float], seeds: Sequence[Iterable[float]]) -> Self:
        """Average the layers' values, one sequence a seed."""
        values = np.array([[*own] for own in seeds])
        std = values.std(0, ddof=1) if len(seeds) > 1 else np.zeros(values.shape[1])
        return cls(np.array([*x]), values.mean(0), std)


def page(title: str, height: float) -> Figure:
    """Make a page with a title, so many inches high."""
    made = Figure((PAGE, height), layout="constrained")
    made.suptitle(title)
    return made


def not_run(axes: Axes) -> None:
    """Say of a panel that has no number of ours that it was not run."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, NOT_RUN, transform=axes.transAxes, ha="center", va="center", color=GREY)


def plot(axes: Axes, curve: Curve, color: str, label: str) -> None:
    """Draw a curve and the band of its deviation."""
    many = len(curve.x) > MANY
    axes.plot(curve.x, curve.mean, "o-", color=color, label=label, ms=1 if many else 2.5, lw=0.5 if many else 1)
    low, high = curve.mean - curve.std, curve.mean + curve.std
    axes.fill_between(curve.x, low, high, color=color, alpha=0.2, linewidth=0)


def legend(made: Figure, axes: Sequence[Axes], columns: int = 5) -> None:
    """Put one legend below all panels, of whatever any of them has, in order of appearance."""
    entries: dict[str, Any] = {}
    for each in axes:
        for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        made.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=min(len(entries), columns))
