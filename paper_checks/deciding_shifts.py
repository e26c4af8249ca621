"""The criteria of what is said of shifts and angles, each as a function of the records."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from statistics import fmean
from typing import Any

from fullscale.experiments import chain, figure1, table1, width
from fullscale.experiments.ranks import rank_correlation
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS
from paper_checks.chance import above
from paper_checks.deciding_records import (
    PLACEMENTS,
    Finding,
    Places,
    compared,
    drops,
    each_seed,
    errors,
    excess,
    finding,
    numbers,
    place_by_place,
    reach,
    shifts,
    some_cell,
    times,
)


def moments(results: Results) -> Finding:
    """S3-MOMENTS."""
    cells = [
        [{each.name: times(abs(each.eq10 - each.law), 0.1 * (1 - each.law)) for each in found.seen} for found in seeds]
        for seeds in (compared(results, net, "b") for net in CIFAR_NETS)
    ]
    return place_by_place("Eq. 10 agrees with the law", "convolutions", cells)


def steps(results: Results) -> Finding:
    """S4-STEPS."""
    pairs = [
        (excess(results, net, placement, 0.0), excess(results, net, placement, drop))
        for net, placement, drop in product(CIFAR_NETS, PLACEMENTS, drops(results))
    ]
    return finding(
        f"The largest excess without Dropout, over the smallest with it: "
        f"{reach(times(max(without), min(dropped)) for without, dropped in pairs)}, by net, placement and drop.",
        holds=all(max(without) < 0.1 * min(dropped) for without, dropped in pairs),
        contradicted=any(min(without) > 0.1 * max(dropped) for without, dropped in pairs),
    )


def figure_1(results: Results) -> Finding:
    """F1b-RUN."""
    without, dropped = (excess(results, "DenseNet", "a", drop) for drop in (0.0, 0.5))
    baseline, error = (errors(results, figure1.cell(results.scale, drop)) for drop in (0.0, 0.5))
    leaves = all(less < 0.1 * more for less, more in zip(without, dropped, strict=True))
    stays = any(more <= less for less, more in zip(without, dropped, strict=True))
    return finding(
        f"Excess {reach(without)} without Dropout, {reach(dropped)} with (a) 0.5; accuracy "
        f"{100 - fmean(baseline):.1f}% and {100 - fmean(error):.1f}%.",
        holds=leaves and above(error, baseline, 1),
        contradicted=stays or above(baseline, error, 1),
    )


def depth(results: Results) -> Finding:
    """S1-DEPTH-RUN."""
    found = {net: shifts(results, net, "a", 0.5) for net in CIFAR_NETS}
    cells = {net: [_amplifying(own) for own in seeds] for net, seeds in found.items()}
    seen = [f"{net} {reach(own, '.2f')}" for net, own in cells.items()]
    return finding(
        f"Rank correlations: {'; '.join(seen)}.",
        holds=each_seed(cells.values(), lambda r: r > 0),
        contradicted=some_cell(cells.values(), lambda r: r < 0),
    )


def _amplifying(found: Any) -> float:
    """Return the rank correlation of a BN's ratio with its place."""
    return rank_correlation([row.index for row in found.rows], [row.shift_ratio for row in found.rows])


def constancy(results: Results) -> Finding:
    """S3-CONST."""
    cells = []
    for net in CIFAR_NETS:
        first = [found.rows[0].bn for found in compared(results, net, "b")]
        cells.append([_drifts(*pair) for pair in zip(shifts(results, net, "b", 0.5), first, strict=True)])
    return place_by_place("The moving variance has not drifted", "BNs", cells)


def _drifts(found: Any, first: str) -> Places:
    """Return how far what BNs keep has drifted, from the first that noise reaches on.

    A shortcut beside that one is not behind the noise: its BN gets what came into the block.
    """
    names = [row.name for row in found.rows]
    shortcut = f"{first.rpartition('.')[0]}.shortcut."
    behind = [row for row in found.rows[names.index(first) :] if not row.name.startswith(shortcut)]
    return {
        row.name: times(abs(row.moving_var - row.train_var), 0.1 * abs(row.real_var - row.train_var)) for row in behind
    }


def chain_reaction(results: Results) -> Finding:
    """S3-CHAIN-RUN."""
    found = [numbers(results, chain.cell(results.scale, net), chain.CHAIN) for net in CIFAR_NETS]
    deepening = [list(map(chain.deepening, seeds)) for seeds in found]
    mending = [list(map(chain.mending, seeds)) for seeds in found]
    holds = each_seed(deepening, lambda r: r > 0) and each_seed(mending, lambda r: r < 0)
    against = some_cell(deepening, lambda r: r < 0) or some_cell(mending, lambda r: r > 0)
    told = (reach((r for seeds in cells for r in seeds), ".2f") for cells in (deepening, mending))
    seen = "Rank correlations over the 12 runs: of a mean's deviation with the place {}; of the error with k {}."
    return finding(seen.format(*told), holds=holds, contradicted=against)


def angles(results: Results) -> Finding:
    """T1-RUN."""
    nets = {net: numbers(results, table1.cell(results.scale, net, "C10"), table1.ANGLES) for net in CIFAR_NETS}
    widths = [_angles(results, net, 0.0) for net in results.scale.widths]
    largest = [(_d_cos2(nets["WRN"]), _d_cos2(seeds)) for net, seeds in nets.items() if net != "WRN"]
    growing = [(_d_cos2(wide), _d_cos2(narrow)) for narrow, wide in pairwise(widths)]
    comparisons = len(largest) + len(growing)
    all_of = [*nets.values(), *widths]
    within = each_seed(all_of, lambda found: 0.01 < found.cos2 < 0.10)
    ordered = all(above(more, less, comparisons) for more, less in (*largest, *growing))
    falls = any(above(narrow, wide, comparisons) for wide, narrow in growing)
    own = [
        f"{net} {fmean(_d_cos2(seeds)):.2f}" for net, seeds in zip((*nets, *results.scale.widths), all_of, strict=True)
    ]
    return finding(
        f"Mean cos^2 {reach(found.cos2 for seeds in all_of for found in seeds)}; d cos^2: {', '.join(own)}.",
        holds=within and ordered,
        contradicted=falls,
    )


def _angles(results: Results, net: str, drop: float) -> list[Any]:
    return numbers(results, width.cell(results.scale, net, drop), width.ANGLES)


def _d_cos2(seeds: list[Any]) -> list[float]:
    return [found.d_cos2 for found in seeds]


def growth(results: Results) -> Finding:
    """F4-DROP-RUN."""
    pairs = [
        pair
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
        for pair in pairwise(excess(results, net, placement, drop) for drop in results.scale.drops)
    ]
    return finding(
        f"From step to step the mean excess is {_times([(more, less) for less, more in pairs])} times the last.",
        holds=all(fmean(more) > fmean(less) for less, more in pairs),
        contradicted=any(above(less, more, len(pairs)) for less, more in pairs),
    )


def closeness(results: Results) -> Finding:
    """F4-CLOSE-RUN."""
    pairs = [
        ([2 * value for value in excess(results, net, placement, 0.0)], excess(results, net, placement, 0.1))
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    return finding(
        f"The mean excess at drop 0.1 is {_times([(small, twice) for twice, small in pairs])} times twice that at 0.",
        holds=all(fmean(small) <= fmean(twice) for twice, small in pairs),
        contradicted=any(above(small, twice, len(pairs)) for twice, small in pairs),
    )


def a_above_b(results: Results) -> Finding:
    """F4-AB-RUN."""
    pairs = [
        [excess(results, net, placement, drop) for placement in PLACEMENTS]
        for net, drop in product(CIFAR_NETS, drops(results))
    ]
    return finding(
        f"The mean excess of (a) is {_times(pairs)} times that of (b); above it beyond chance for "
        f"{sum(above(a, b, len(pairs)) for a, b in pairs)} of {len(pairs)} nets and drops.",
        holds=all(above(a, b, len(pairs)) for a, b in pairs),
        contradicted=any(above(b, a, len(pairs)) for a, b in pairs),
    )


def _times(pairs: Sequence[Sequence[list[float]]]) -> str:
    """Say how many times the one mean is the other."""
    return reach((times(fmean(one), fmean(other)) for one, other in pairs), ".2f")


def wrn_least(results: Results) -> Finding:
    """F4-WRN-RUN; siblings cannot contradict."""
    pairs = [
        (excess(results, net, placement, drop), excess(results, "WRN", placement, drop))
        for placement, drop, net in product(PLACEMENTS, drops(results), CIFAR_NETS)
        if net != "WRN"
    ]
    return finding(
        f"The mean excess of another net is {_times(pairs)} times WRN's; above it beyond chance in "
        f"{sum(above(other, wrn, len(pairs)) for other, wrn in pairs)} of {len(pairs)} comparisons.",
        holds=all(above(other, wrn, len(pairs)) for other, wrn in pairs),
    )


def wider_shifts_less(results: Results) -> Finding:
    """X-WIDTH-RUN."""
    nets = results.scale.widths
    d_cos2 = [fmean(_d_cos2(_angles(results, net, width.DROP))) for net in nets]
    excesses = [_of_width(results, net) for net in nets]
    pairs = list(pairwise(excesses))
    falls = all(above(narrow, wide, len(pairs)) for narrow, wide in pairs)
    own = [f"{net} {fmean(values):.3f} at {at:.2f}" for net, values, at in zip(nets, excesses, d_cos2, strict=True)]
    return finding(
        f"Excess at d cos^2: {', '.join(own)}.",
        holds=falls and all(less < more for less, more in pairwise(d_cos2)),
        contradicted=any(above(wide, narrow, len(pairs)) for narrow, wide in pairs),
    )


def _of_width(results: Results, net: str) -> list[float]:
    found = numbers(results, width.cell(results.scale, net, width.DROP), width.SHIFT)
    return [own.shift_ratio - 1 for own in found]


def local_shift(results: Results) -> Finding:
    """X-LOCAL-RUN."""
    return _at_every_bn("The law's local Delta is right", results, lambda row, by_law: by_law / row.local, 0.02)


def whole_shift(results: Results) -> Finding:
    """X-TOTAL-RUN."""
    what = "The whole shift is local times inherited"
    return _at_every_bn(what, results, lambda row, by_law: row.total / (by_law * row.inherited), 0.05)


def _at_every_bn(what: str, results: Results, ratio: Callable[[Any, float], float], allowed: float) -> Finding:
    """Return what the BNs come to; one of which the law says nothing contradicts nothing."""

    def off(row: Any) -> float | None:
        return None if row.predicted is None else abs(ratio(row, row.predicted) - 1) / allowed

    cells = [
        [{row.bn: off(row) for row in found.rows} for found in compared(results, net, placement)]
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    return place_by_place(what, "BNs", cells)
