"""The criteria of what is said of errors and sampled nets, each as a function of the records."""

from collections.abc import Sequence
from itertools import product
from statistics import fmean

from fullscale.experiments import figure5, figure6, inference, table3
from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS
from fullscale.responses import TEST, TRAIN, Mode
from paper_checks.chance import above, positive
from paper_checks.deciding_records import PLACEMENTS, Finding, adjusted, each_seed, errors, finding, numbers, reach

CLEAN = Mode(noise=False, by_batch=True)


def inference_by_batch(results: Results) -> Finding:
    """S2-INFERENCE."""
    sizes = range(len(inference.INFERENCE.sizes))
    gains = []
    for net, size in product(CIFAR_NETS, sizes):
        found = numbers(results, inference.cell(results.scale, net), inference.INFERENCE)
        gains.append([each.moving - each.by_batch[size] for each in found])
    return finding(
        f"By batches the error is {reach((-fmean(gain) for gain in gains), '+.2f')} points above that by moving "
        "statistics, by net and size.",
        holds=all(fmean(gain) <= 0 for gain in gains),
        contradicted=any(positive(gain, len(gains)) for gain in gains),
    )


def flipped(results: Results) -> Finding:
    """F5-RUN."""
    seeds = [
        {(each.noise, each.by_batch): each.error for each in found.errors}
        for found in numbers(results, figure5.runs(results.scale), figure5.RESPONSES)
    ]
    right = all(own[CLEAN] < own[TRAIN] < own[TEST] for own in seeds)
    told = {"test mode": TEST, "train mode": TRAIN, "Dropout off, BN by its batch": CLEAN}
    seen = [f"{name} {reach((own[mode] for own in seeds), '.1f')}" for name, mode in told.items()]
    return finding(
        f"Error (%): {'; '.join(seen)}.",
        holds=right,
        contradicted=all(own[TEST] < own[TRAIN] for own in seeds),
    )


def cause(results: Results) -> Finding:
    """S4-CAUSE-RUN; siblings cannot contradict, and where nothing was lost there is nothing to win back."""
    won_back = []
    for net, placement in product(CIFAR_NETS, PLACEMENTS):
        baseline = fmean(errors(results, table3.cell(results.scale, net, "C10", "none")))
        for found in adjusted(results, net, placement):
            lost, won = (found.before.error - error for error in (baseline, found.readings["layerwise"].error))
            won_back.append((won, lost))
    shares = [won / lost for won, lost in won_back if lost > 0]
    return finding(
        f"Won back: {reach(shares, '.0%')} of what was lost, more than half in "
        f"{sum(share > 0.5 for share in shares)} of {len(won_back)} runs.",
        holds=all(0 < lost < 2 * won for won, lost in won_back),
    )


def adjusting(results: Results) -> Finding:
    """T3-RUN."""
    gains = [
        [found.before.error - found.readings["batch"].error for found in adjusted(results, net, placement)]
        for net, placement in product(CIFAR_NETS, PLACEMENTS)
    ]
    return finding(
        f"Adjusting lowers the error by {reach((gain for cell in gains for gain in cell), '.2f')} points.",
        holds=each_seed(gains, lambda gain: gain > 0),
        contradicted=any(positive([-gain for gain in cell], len(gains)) for cell in gains),
    )


def sampled_shift(results: Results) -> Finding:
    """F6-SHIFT-RUN."""
    sampled = numbers(results, figure6.sampled(results.scale), figure6.SAMPLED)
    without = numbers(results, figure6.baseline(results.scale), figure6.SHIFT)
    bound = 2 * fmean(found.shift_ratio - 1 for found in without)
    excess = [found.shift_ratio - 1 for found in sampled]
    return finding(
        f"Excess {reach(excess)}; twice that without Dropout is {bound:.3f}.",
        holds=all(each <= bound for each in excess),
        contradicted=all(each > bound for each in excess),
    )


def _averaged(results: Results) -> list[tuple[list[float], float]]:
    """Return the error of k averaged samples, from k = 1 on, and that of weight scaling, a seed after the other."""
    seeds = numbers(results, figure6.sampled(results.scale), results.scale.ensemble)
    return [([fmean(each) for each in zip(*found.errors, strict=True)], found.weight_scaling) for found in seeds]


def samples_that_match(results: Results) -> Finding:
    """F6-RUN; siblings cannot contradict."""
    seeds = _averaged(results)
    firsts = [_first(*seed) for seed in seeds]
    lower = [curve[-1] < scaled for curve, scaled in seeds]
    return finding(
        f"The first k that matches weight scaling, by seed: {', '.join(str(k or 'none') for k in firsts)}; "
        f"the last is below it in {sum(lower)} of {len(lower)}.",
        holds=all(5 <= k <= 20 for k in firsts) and all(lower),
    )


def _first(curve: Sequence[float], scaled: float) -> int:
    """Return the first k at which the error of k samples is not above that of weight scaling; 0 if there is none."""
    return next((k for k, error in enumerate(curve, start=1) if error <= scaled), 0)


def samples_against_baseline(results: Results) -> Finding:
    """F6-BASE-RUN."""
    most = [curve[-1] for curve, _ in _averaged(results)]
    without = errors(results, figure6.baseline(results.scale))
    return finding(
        f"Error (%) of {results.scale.ensemble.samples} samples {reach(most, '.1f')}, without Dropout "
        f"{reach(without, '.1f')}.",
        holds=above(most, without, 1),
        contradicted=above(without, most, 1),
    )
