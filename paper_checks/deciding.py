"""What the criteria come to: each of `paper_checks.criteria`, word for word, as a function of the records."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, product
from statistics import fmean
from typing import Any

from fullscale.experiments import chain, figure1, figure4, figure5, figure6, inference, law, table1, table3, width
from fullscale.experiments.ranks import rank_correlation
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName
from fullscale.measurements.kinds import Measurement
from fullscale.placement import Where
from fullscale.responses import TEST, TRAIN, Mode
from fullscale.sweep.run import Run
from paper_checks.chance import above, positive
from paper_checks.ledger import Verdict

PLACEMENTS: tuple[Where, ...] = ("a", "b")
CLEAN = Mode(noise=False, by_batch=True)


class MissingError(LookupError):
    """A run or a measurement that a criterion needs is not there."""


def decide(claim: str, results: Results) -> Verdict | None:
    """Return what the records make of a claim: it holds, is contradicted, or stays open; None where some are missing.

    Raises:
        KeyError: if no reduced run decides the claim.
    """
    try:
        return DECIDED[claim](results)
    except MissingError:
        return None


def _verdict(*, holds: bool, contradicted: bool = False) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.CONTRADICTED if contradicted else Verdict.OPEN


def _numbers(results: Results, runs: Sequence[Run], measurement: Measurement) -> list[Any]:
    """Return what a measurement came to, a seed after the other."""
    found = results.numbers(runs, measurement)
    if len(found) != len(runs):
        raise MissingError
    return found


def _errors(results: Results, runs: Sequence[Run]) -> list[float]:
    """Return the final test errors, a seed after the other."""
    found = results.of(runs)
    if len(found) != len(runs):
        raise MissingError
    return [record["final"]["test_error"] for record in found]


def _shifts(results: Results, net: NetName, placement: Where, drop: float) -> list[Any]:
    return _numbers(results, figure4.Column(placement, "C10").cell(results.scale, net, drop), figure4.SHIFT)


def _excess(results: Results, net: NetName, placement: Where, drop: float) -> list[float]:
    return [found.shift_ratio - 1 for found in _shifts(results, net, placement, drop)]


def _drops(results: Results) -> list[float]:
    return [drop for drop in results.scale.drops if drop]


def _somewhere_in_all_seeds(flaws: Iterable[Mapping[Any, bool]]) -> bool:
    """Whether there is a place that is flawed in every one of these, one a seed."""
    seeds = list(flaws)
    return any(all(seed.get(place, False) for seed in seeds) for place in seeds[0])


def inference_by_batch(results: Results) -> Verdict:
    """S2-INFERENCE."""
    sizes = range(len(inference.INFERENCE.sizes))
    gains = []
    for net, size in product(CIFAR_NETS, sizes):
        found = _numbers(results, inference.cell(results.scale, net), inference.INFERENCE)
        gains.append([each.moving - each.by_batch[size] for each in found])
    worse = any(positive(gain, len(gains)) for gain in gains)
    return _verdict(holds=all(fmean(gain) <= 0 for gain in gains), contradicted=worse)


def moments(results: Results) -> Verdict:
    """S3-MOMENTS."""
    flaws = [
        [{each.name: abs(each.eq10 - each.law) >= 0.1 * (1 - each.law) for each in found.seen} for found in seeds]
        for seeds in (_law(results, net, "b") for net in CIFAR_NETS)
    ]
    return _without_flaws(flaws)


def _law(results: Results, net: NetName, placement: Where) -> list[Any]:
    return _numbers(results, law.cell(results.scale, net, placement), law.LAW)


def _without_flaws(cells: Sequence[Sequence[Mapping[Any, bool]]]) -> Verdict:
    """Holds where no place of any run is flawed; contradicted where one is in all seeds of a cell."""
    flawless = not any(any(seed.values()) for seeds in cells for seed in seeds)
    return _verdict(holds=flawless, contradicted=any(map(_somewhere_in_all_seeds, cells)))


def steps(results: Results) -> Verdict:
    """S4-STEPS."""
    pairs = [
        (_excess(results, net, placement, 0.0), _excess(results, net, placement, drop))
        for net, placement, drop in product(CIFAR_NETS, PLACEMENTS, _drops(results))
    ]
    holds = all(max(without) < 0.1 * min(dropped) for without, dropped in pairs)
    return _verdict(holds=holds, contradicted=any(min(without) > 0.1 * max(dropped) for without, dropped in pairs))


def figure_1(results: Results) -> Verdict:
    """F1b-RUN."""
    without, dropped = (_excess(results, "DenseNet", "a", drop) for drop in (0.0, 0.5))
    errors = [_errors(results, figure1.cell(results.scale, drop)) for drop in (0.0, 0.5)]
    leaves = all(less < 0.1 * more for less, more in zip(without, dropped, strict=True))
    stays = any(more <= less for less, more in zip(without, dropped, strict=True))
    return _verdict(
        holds=leaves and above(errors[1], errors[0], 1), contradicted=stays or above(errors[0], errors[1], 1)
    )


def depth(results: Results) -> Verdict:
    """S1-DEPTH-RUN."""
    found = [
        [rank_correlation([row.index for row in each.rows], [row.shift_ratio for row in each.rows]) for each in seeds]
        for seeds in (_shifts(results, net, "a", 0.5) for net in CIFAR_NETS)
    ]
    return _verdict(holds=_all(found, lambda r: r > 0), contradicted=any(all(r < 0 for r in seeds) for seeds in found))


def _all(cells: Iterable[Iterable[float]], right: Callable[[float], bool]) -> bool:
    return all(right(value) for seeds in cells for value in seeds)


def constancy(results: Results) -> Verdict:
    """S3-CONST."""
    cells = []
    for net in CIFAR_NETS:
        reached = [{row.bn for row in found.rows} for found in _law(results, net, "b")]
        cells.append([_drifts(*pair) for pair in zip(_shifts(results, net, "b", 0.5), reached, strict=True)])
    return _without_flaws(cells)


def _drifts(found: Any, reached: set[str]) -> dict[str, bool]:
    """Say of each BN from the first that noise reaches whether what it keeps has drifted."""
    first = next(place for place, row in enumerate(found.rows) if row.name in reached)
    return {
        row.name: abs(row.moving_var - row.train_var) >= 0.1 * abs(row.real_var - row.train_var)
        for row in found.rows[first:]
    }


def chain_reaction(results: Results) -> Verdict:
    """S3-CHAIN-RUN."""
    seeds = [_numbers(results, chain.cell(results.scale, net), chain.CHAIN) for net in CIFAR_NETS]
    deepening = [[chain.deepening(found) for found in each] for each in seeds]
    mending = [[chain.mending(found) for found in each] for each in seeds]
    against = any(all(r < 0 for r in each) for each in deepening) or any(all(r > 0 for r in each) for each in mending)
    return _verdict(holds=_all(deepening, lambda r: r > 0) and _all(mending, lambda r: r < 0), contradicted=against)


def angles(results: Results) -> Verdict:
    """T1-RUN."""
    found = {net: _numbers(results, table1.cell(results.scale, net, "C10"), table1.ANGLES) for net in CIFAR_NETS}
    d_cos2 = {net: [each.d_cos2 for each in seeds] for net, seeds in found.items()}
    widths = [_widths(results, net, 0.0) for net in results.scale.widths]
    steps = [(narrow, wide) for (narrow, _), (wide, _) in pairwise(widths)]
    others = [d_cos2[net] for net in CIFAR_NETS if net != "WRN"]
    comparisons = len(steps) + len(others)
    largest = all(above(d_cos2["WRN"], other, comparisons) for other in others)
    grows = all(above(wide, narrow, comparisons) for narrow, wide in steps)
    within = all(0.01 < each.cos2 < 0.10 for seeds in found.values() for each in seeds)
    return _verdict(holds=within and largest and grows, contradicted=any(above(*step, len(steps)) for step in steps))


def _widths(results: Results, net: str, drop: float) -> tuple[list[float], list[float]]:
    """Return d cos^2 and the excess of a net, a seed after the other."""
    runs = width.cell(results.scale, net, drop)
    d_cos2 = [found.d_cos2 for found in _numbers(results, runs, width.ANGLES)]
    return d_cos2, [found.shift_ratio - 1 for found in _numbers(results, runs, width.SHIFT)]


def growth(results: Results) -> Verdict:
    """F4-DROP-RUN."""
    steps = [
        step
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
        for step in pairwise(_excess(results, net, placement, drop) for drop in results.scale.drops)
    ]
    rises = all(fmean(more) > fmean(less) for less, more in steps)
    return _verdict(holds=rises, contradicted=any(above(less, more, len(steps)) for less, more in steps))


def closeness(results: Results) -> Verdict:
    """F4-CLOSE-RUN."""
    pairs = [
        ([2 * value for value in _excess(results, net, placement, 0.0)], _excess(results, net, placement, 0.1))
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    farther = any(above(small, twice, len(pairs)) for twice, small in pairs)
    return _verdict(holds=all(fmean(small) <= fmean(twice) for twice, small in pairs), contradicted=farther)


def a_above_b(results: Results) -> Verdict:
    """F4-AB-RUN."""
    pairs = [
        [_excess(results, net, placement, drop) for placement in PLACEMENTS]
        for net, drop in product(CIFAR_NETS, _drops(results))
    ]
    holds = all(above(a, b, len(pairs)) for a, b in pairs)
    return _verdict(holds=holds, contradicted=any(above(b, a, len(pairs)) for a, b in pairs))


def wrn_least(results: Results) -> Verdict:
    """F4-WRN-RUN; siblings cannot contradict."""
    pairs = [
        (_excess(results, "WRN", placement, drop), _excess(results, net, placement, drop))
        for placement, drop, net in product(PLACEMENTS, _drops(results), CIFAR_NETS)
        if net != "WRN"
    ]
    return _verdict(holds=all(above(other, wrn, len(pairs)) for wrn, other in pairs))


def wider_shifts_less(results: Results) -> Verdict:
    """X-WIDTH-RUN."""
    steps = list(pairwise(_widths(results, net, width.DROP) for net in results.scale.widths))
    falls = all(above(narrow, wide, len(steps)) for (_, narrow), (_, wide) in steps)
    grows = any(above(wide, narrow, len(steps)) for (_, narrow), (_, wide) in steps)
    return _verdict(holds=falls and all(fmean(w) > fmean(n) for (n, _), (w, _) in steps), contradicted=grows)


def flipped(results: Results) -> Verdict:
    """F5-RUN."""
    seeds = [
        {(each.noise, each.by_batch): each.error for each in found.errors}
        for found in _numbers(results, figure5.runs(results.scale), figure5.RESPONSES)
    ]
    right = all(errors[CLEAN] < errors[TRAIN] < errors[TEST] for errors in seeds)
    return _verdict(holds=right, contradicted=all(errors[TEST] < errors[TRAIN] for errors in seeds))


def cause(results: Results) -> Verdict:
    """S4-CAUSE-RUN; siblings cannot contradict."""
    won = []
    for net, placement in product(CIFAR_NETS, PLACEMENTS):
        baseline = fmean(_errors(results, table3.cell(results.scale, net, "C10", "none")))
        won += [
            found.before.error - found.readings["layerwise"].error > 0.5 * (found.before.error - baseline)
            for found in _adjusted(results, net, placement)
        ]
    return _verdict(holds=all(won))


def _adjusted(results: Results, net: NetName, placement: Where) -> list[Any]:
    return _numbers(results, table3.cell(results.scale, net, "C10", placement), table3.ADJUST)


def adjusting(results: Results) -> Verdict:
    """T3-RUN."""
    gains = [
        [found.before.error - found.readings["batch"].error for found in _adjusted(results, net, placement)]
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    worse = any(positive([-gain for gain in cell], len(gains)) for cell in gains)
    return _verdict(holds=_all(gains, lambda gain: gain > 0), contradicted=worse)


def sampled_shift(results: Results) -> Verdict:
    """F6-SHIFT-RUN."""
    sampled = _numbers(results, figure6.sampled(results.scale), figure6.SAMPLED)
    without = _numbers(results, figure6.baseline(results.scale), figure6.SHIFT)
    bound = 2 * fmean(found.shift_ratio - 1 for found in without)
    excess = [found.shift_ratio - 1 for found in sampled]
    return _verdict(holds=all(each <= bound for each in excess), contradicted=all(each > bound for each in excess))


def _averaged(results: Results) -> list[tuple[list[float], float]]:
    """Return the error of k averaged samples, from k = 1 on, and that of weight scaling, a seed after the other."""
    seeds = _numbers(results, figure6.sampled(results.scale), results.scale.ensemble)
    return [([fmean(each) for each in zip(*found.errors, strict=True)], found.weight_scaling) for found in seeds]


def samples_that_match(results: Results) -> Verdict:
    """F6-RUN; siblings cannot contradict."""

    def matches(errors: Sequence[float], scaled: float) -> bool:
        first = next((k for k, error in enumerate(errors, start=1) if error <= scaled), 0)
        return 5 <= first <= 20 and errors[-1] < scaled

    return _verdict(holds=all(matches(*seed) for seed in _averaged(results)))


def samples_against_baseline(results: Results) -> Verdict:
    """F6-BASE-RUN."""
    most = [errors[-1] for errors, _ in _averaged(results)]
    without = _errors(results, figure6.baseline(results.scale))
    return _verdict(holds=above(most, without, 1), contradicted=above(without, most, 1))


def local_shift(results: Results) -> Verdict:
    """X-LOCAL-RUN."""
    return _at_every_bn(results, lambda row: row.predicted / row.local, 0.02)


def whole_shift(results: Results) -> Verdict:
    """X-TOTAL-RUN."""
    return _at_every_bn(results, lambda row: row.predicted * row.inherited / row.total, 0.05)


def _at_every_bn(results: Results, ratio: Callable[[Any], float], tolerance: float) -> Verdict:
    cells = [
        [
            {row.bn: row.predicted is None or abs(ratio(row) - 1) >= tolerance for row in found.rows}
            for found in _law(results, net, placement)
        ]
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    return _without_flaws(cells)


DECIDED: Mapping[str, Callable[[Results], Verdict]] = {
    "S2-INFERENCE": inference_by_batch,
    "S3-MOMENTS": moments,
    "S4-STEPS": steps,
    "F1b-RUN": figure_1,
    "S1-DEPTH-RUN": depth,
    "S3-CONST": constancy,
    "S3-CHAIN-RUN": chain_reaction,
    "T1-RUN": angles,
    "F4-DROP-RUN": growth,
    "F4-CLOSE-RUN": closeness,
    "F4-AB-RUN": a_above_b,
    "F4-WRN-RUN": wrn_least,
    "X-WIDTH-RUN": wider_shifts_less,
    "F5-RUN": flipped,
    "S4-CAUSE-RUN": cause,
    "T3-RUN": adjusting,
    "F6-SHIFT-RUN": sampled_shift,
    "F6-RUN": samples_that_match,
    "F6-BASE-RUN": samples_against_baseline,
    "X-LOCAL-RUN": local_shift,
    "X-TOTAL-RUN": whole_shift,
}
"""by claim"""
