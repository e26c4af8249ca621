"""The figures of experiments that the paper does not have."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fullscale.against_law import Comparison
from fullscale.experiments import chain, law, width
from fullscale.experiments.drawing import BANDS, OF_NET, Curve, legend, not_run, page, plot
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS
from fullscale.pictures import BLUE, GREY, ORANGE, styled
from fullscale.placement import Where

MARKS: dict[Where, str] = {"a": "o", "b": "^"}


class Panel(NamedTuple):
    """One scatter plot: what is predicted over what is measured."""

    title: str
    measured: str
    predicted: str
    pairs: Callable[[Comparison], law.Pairs]


PANELS = (
    Panel("local Δ", "measured", "the law, from one noise-free pass", law.local),
    Panel("whole Δ, test mode over train mode", "measured", "the law's local Δ × inherited Δ", law.whole),
    Panel("Δ behind the convolution, (b)", "the law", "Eq. 10, of measured c, v, ρ, d cos²θ", law.behind),
    Panel("local Δ", "measured at the BN", "Eq. 10; in (a) Eq. 6", law.at_bn),
)


@styled
def law_scatter(results: Results) -> Figure:
    """Every BN of every net: what is predicted against what is measured."""
    made = page("The law against trained nets: a mark for every BN that Dropout 0.5 reaches, of every run", 7.2)
    axes = made.subplots(2, 2).flat
    for each, panel in zip(axes, PANELS, strict=True):
        each.set(title=panel.title, xlabel=panel.measured, ylabel=panel.predicted)
        _scatter(each, results, panel.pairs)
    nets = [Line2D([], [], color=OF_NET[net], marker="s", linestyle="", ms=4, label=net) for net in CIFAR_NETS]
    marks = [Line2D([], [], color=GREY, marker=mark, linestyle="", ms=4, label=f"({w})") for w, mark in MARKS.items()]
    made.legend(handles=[*nets, *marks], loc="outside lower center", ncols=6)
    return made


def _scatter(axes: Axes, results: Results, pairs: Callable[[Comparison], law.Pairs]) -> None:
    """Draw all pairs, and the diagonal that they should lie on."""
    found: law.Pairs = []
    for net in CIFAR_NETS:
        for placement, mark in MARKS.items():
            own = [
                pair
                for numbers in results.numbers(law.cell(results.scale, net, placement), law.LAW)
                for pair in pairs(numbers)
            ]
            axes.plot(*_columns(own), mark, color=OF_NET[net], mfc="none", mew=0.7, ms=3.5)
            found += own
    if not found:
        not_run(axes)
        return
    low, high = min(map(min, found)), max(map(max, found))
    rim = 0.05 * (high - low)
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.7, zorder=0)
    axes.set(xlim=(low - rim, high + rim), ylim=(low - rim, high + rim), box_aspect=1)


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


@styled
def width_curve(results: Results) -> Figure:
    """The shift against d cos^2, from the narrowest net to the widest."""
    made = page("Width alone: nets of one depth, from the narrowest on; bars: ± 1 standard deviation over seeds", 3.2)
    axes = made.subplots()
    axes.set(xlabel="mean d cos²θ over all convolutions", ylabel="mean shift ratio less 1")
    for drop, color, label in ((0.0, BLUE, "no Dropout"), (width.DROP, ORANGE, f"Dropout-(b) {width.DROP}")):
        there = [
            (net, x, y)
            for net in results.scale.widths
            if (x := width.d_cos2(results, net, drop)) and (y := width.excess(results, net, drop))
        ]
        if there:
            x, y = [each.mean for _, each, _ in there], [each.mean for _, _, each in there]
            wide, high = [each.std or 0 for _, each, _ in there], [each.std or 0 for _, _, each in there]
            axes.errorbar(x, y, xerr=wide, yerr=high, fmt="o-", color=color, label=label)
        for net, x, y in there:
            axes.annotate(net, (x.mean, y.mean), xytext=(4, 4), textcoords="offset points", fontsize=6)
    if axes.has_data():
        axes.set_ylim(bottom=0)
    else:
        not_run(axes)
    legend(made, [axes])
    return made


@styled
def chain_curves(results: Results) -> Figure:
    """How far means are off, BN by BN, and the error as BNs are mended."""
    made = page(f"The chain reaction, Dropout-(a) {chain.DROP}; {BANDS}", 3.2)
    left, right = made.subplots(1, 2)
    left.set(xlabel="BN, in order of execution", ylabel="its mean is off, in its deviations")
    right.set(xlabel="BNs whose statistics are replaced, from the first on", ylabel="test error (%)")
    for net in CIFAR_NETS:
        found = results.numbers(chain.cell(results.scale, net), chain.CHAIN)
        if found:
            bns = len(found[0].names)
            plot(left, Curve.over(range(1, bns + 1), [each.deviations for each in found]), OF_NET[net], net)
            plot(right, Curve.over(range(bns + 1), [each.errors for each in found]), OF_NET[net], net)
    for axes in (left, right):
        if not axes.lines:
            not_run(axes)
    legend(made, [left])
    return made


DRAWN: dict[str, Callable[[Results], Figure]] = {"law": law_scatter, "width": width_curve, "chain": chain_curves}
