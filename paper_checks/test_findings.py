"""What the paper's own figures say beyond its text, and against it: arithmetic, not a reproduction."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from math import comb

import pytest
import sympy as sp

from paper_checks.ledger import Evidence, Verdict, check, control
from paper_checks.printed import Interval, Printed, Reading, less, surely_at_most, surely_increasing, surely_less
from paper_checks.reported import (
    COS2_RANGE,
    DROPS,
    FIGURE3_LAST_TICK,
    FIGURE4_BN_AXIS,
    NETS,
    PLACEMENTS,
    SETS,
    SETTING,
    TABLE1,
    TABLE2,
    TABLE3,
    TABLE4,
    TABLE4_BETAS,
    TABLE5,
    block,
)

Row = Mapping[str, Interval]

COS2_LOW, COS2_HIGH = (Fraction(end) for end in COS2_RANGE)
IMAGENET_VALIDATION_IMAGES = 50_000
SHIFTS = block(TABLE2)
ERRORS = {data: block(TABLE3[data]) for data in SETS}
UOUT = {data: block(TABLE4[data]) for data in SETS}
ANGLES = {data: block(TABLE1[data]) for data in SETS}
BN_COUNTS = {"ResNeXt": 31, "WRN": 25, "DenseNet": 99}


def basic_dimensions(blocks: int) -> list[int]:
    """d of each convolution of a basic-block PreResNet with `blocks` a stage."""
    stages = [[9 * width] * (2 * blocks) for width in (16, 32, 64)]
    stages[1][0], stages[2][0] = 9 * 16, 9 * 32
    return [27, *stages[0], 16, *stages[1], 32, *stages[2]]


def bottleneck_dimensions(blocks: int) -> list[int]:
    """d of each convolution of a bottleneck PreResNet with `blocks` a stage, shortcuts included."""
    dimensions, inputs = [27], 16
    for width in (16, 32, 64):
        dimensions.append(inputs)
        for _ in range(blocks):
            dimensions += [inputs, 9 * width, width]
            inputs = 4 * width
    return dimensions


def weighted_means(dimensions: Sequence[int], low: Fraction, high: Fraction) -> Interval:
    """All means of d, each convolution weighted by a cos^2 between `low` and `high`.

    A ratio of linear functions is extreme where every weight is: the `low` ones on one side of a threshold in d.
    """
    ordered = sorted(dimensions)
    means: list[Fraction] = []
    for cut in range(len(ordered) + 1):
        small, large = ordered[:cut], ordered[cut:]
        for weight, other in ((low, high), (high, low)):
            total = weight * sum(small) + other * sum(large)
            means.append(total / (weight * len(small) + other * len(large)))
    return Interval.hull(means)


def overlap(a: Interval, b: Interval) -> bool:
    """Whether one value may be both."""
    return not (surely_less(a, b) or surely_less(b, a))


def axis_fits(net: str, batch_norms: int) -> bool:
    """Whether the axis of Fig. 4 ends within one step of the number of BNs."""
    start, second, last = FIGURE4_BN_AXIS[net]
    return abs(last - batch_norms) < second - start


def odds(drop: str) -> Fraction:
    """(1 - p)/p, the variance of the noise, p being retained."""
    return Fraction(drop) / (1 - Fraction(drop))


def fits_eq10(row: Row) -> bool:
    """Whether (ratio - 1) p/(1-p) may be one constant along the row, as Eq. 10 has it."""
    constants = [(row[drop] - 1) / odds(drop) for drop in DROPS]
    return all(overlap(a, b) for a in constants for b in constants)


def sure_spread(row: Row) -> Fraction:
    """By what factor (ratio - 1) p/(1-p) varies at least along the row."""
    constants = [(row[drop] - 1) / odds(drop) for drop in DROPS]
    return max((a / b).low for a in constants for b in constants)


def bottleneck_floor(blocks: int, drop: str) -> Fraction:
    """The least average shift ratio that Eq. 10 allows PreResNet-(b) with bottlenecks.

    In the BN behind each last convolution ratio - 1 is at least odds / (d cos^2), the d cos^2 of the layer being its
    largest; all others count as unshifted.
    """
    behind_last = sum((blocks * odds(drop) / (width * COS2_HIGH) for width in (16, 32, 64)), start=Fraction(0))
    return 1 + behind_last / (9 * blocks + 1)


def ranking(figures: Mapping[str, Interval]) -> list[str]:
    """The names from the smallest figure to the largest; every step must be sure."""
    order = sorted(figures, key=lambda name: figures[name].low)
    assert surely_increasing(figures[name] for name in order)
    return order


def squared_error(before: Interval, after: Interval, images: int) -> Interval:
    """The squared standard error of a difference of two independent error rates, all in percent."""
    return (before * (100 - before) + after * (100 - after)) / images


def surely_within(errors: int, before: Interval, after: Interval, images: int) -> bool:
    """Whether a gain is surely below so many standard errors."""
    gain = before - after
    return surely_less(gain * gain, errors**2 * squared_error(before, after, images))


def won_back(row: Row, placement: str) -> Reading:
    """Whether adjusting wins back more than half of what Dropout cost: 2 (e - e_A) > e - e_none."""
    return less(2 * row[f"{placement}-A"], row[placement] + row["none"])


@check("S4-PRERES", Evidence.REPORTED, Verdict.CONTRADICTED)
def test_table_1_excludes_basic_blocks_and_figure_4_excludes_110_layers() -> None:
    basic = weighted_means(basic_dimensions(18), COS2_LOW, COS2_HIGH)
    for data in SETS:
        implied = ANGLES[data]["PreResNet"]["d_cos2"] / ANGLES[data]["PreResNet"]["cos2"]
        assert surely_less(implied, 83)
        assert surely_less(179, basic)
        assert all(overlap(implied, weighted_means(bottleneck_dimensions(n), COS2_LOW, COS2_HIGH)) for n in (12, 18))
    assert all(axis_fits(net, count) for net, count in BN_COUNTS.items())
    assert not axis_fits("PreResNet", 6 * 18 + 1)
    assert not axis_fits("PreResNet", 9 * 12 + 1)
    assert axis_fits("PreResNet", 9 * 18 + 1)


@control("S4-PRERES")
def test_the_three_preresnets_have_their_known_numbers_of_convolutions() -> None:
    lists = (basic_dimensions(18), bottleneck_dimensions(12), bottleneck_dimensions(18))
    assert [len(dimensions) for dimensions in lists] == [111, 112, 166]


@control("S4-PRERES")
def test_the_means_of_two_convolutions_are_reached_at_the_ends_of_the_range() -> None:
    means = weighted_means([10, 20], Fraction(1), Fraction(3))
    assert (means.low, means.high) == (Fraction(50, 4), Fraction(70, 4))


@check("F3-AXIS", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_any_preresnet_has_more_convolutions_than_figure_3_has_room_for() -> None:
    lists = (basic_dimensions(18), bottleneck_dimensions(12), bottleneck_dimensions(18))
    assert all(len(dimensions) > int(FIGURE3_LAST_TICK) for dimensions in lists)


@check("T2-MARGIN", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_the_margin_by_which_wrn_shifts_less_depends_on_the_drop_ratio() -> None:
    rest = {drop: [SHIFTS[net][drop] - 1 for net in NETS if net != "WRN"] for drop in DROPS}
    assert all(surely_less(Fraction(5, 2) * (SHIFTS["WRN"]["0.5"] - 1), other) for other in rest["0.5"])
    assert any(surely_less(other, Fraction(13, 10) * (SHIFTS["WRN"]["0.7"] - 1)) for other in rest["0.7"])


@check("T2-FLOOR", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_table_2_has_no_column_without_dropout_and_an_effect_of_a_third_of_a_percent() -> None:
    assert "0.0" not in {drop for row in TABLE2.values() for drop in row}
    smallest = min((value - 1 for row in SHIFTS.values() for value in row.values()), key=lambda effect: effect.low)
    assert surely_increasing([Fraction("0.0034"), smallest, Fraction("0.0035")])


@check("T2-EQ10", Evidence.REPORTED, Verdict.CONTRADICTED)
def test_no_row_of_table_2_keeps_the_constant_of_eq_10() -> None:
    assert not any(fits_eq10(SHIFTS[net]) for net in NETS)
    assert all(sure_spread(SHIFTS[net]) > Fraction(13, 10) for net in NETS)
    assert sure_spread(SHIFTS["DenseNet"]) > Fraction(13, 2)


@control("T2-EQ10")
@pytest.mark.parametrize("constant", ["0.002", "0.05", "0.3"])
def test_a_row_made_by_eq_10_and_rounded_to_six_digits_keeps_it(constant: str) -> None:
    row = {drop: Printed(f"{float(1 + odds(drop) * Fraction(constant)):.6f}") for drop in DROPS}
    assert fits_eq10(row)
    assert not fits_eq10({**row, "0.5": row["0.5"] + Fraction(1, 100_000)})


@check("T2-ORDER", Evidence.REPORTED, Verdict.CONTRADICTED)
def test_resnext_is_second_in_d_cos2_but_shifts_most_at_high_drop_ratios() -> None:
    expected = ranking({net: -ANGLES["C100"][net]["d_cos2"] for net in NETS})
    assert expected == ["WRN", "ResNeXt", "DenseNet", "PreResNet"]
    printed = {drop: ranking({net: SHIFTS[net][drop] for net in NETS}) for drop in DROPS}
    assert expected not in printed.values()
    assert [drop for drop in DROPS if printed[drop][1] == "ResNeXt"] == ["0.1"]
    assert [drop for drop in DROPS if printed[drop][-1] == "ResNeXt"] == ["0.5", "0.7"]


@check("T2-PRERES", Evidence.REPORTED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("drop", DROPS)
def test_preresnet_shifts_less_than_eq_10_allows(drop: str) -> None:
    for blocks in (12, 18):
        assert surely_less(SHIFTS["PreResNet"][drop], bottleneck_floor(blocks, drop))
        assert bottleneck_floor(blocks, "0.5") > Fraction("1.12")


@control("T2-PRERES")
def test_by_eq_10_the_excess_is_the_noise_over_the_gathering_of_the_inputs() -> None:
    p, c, v, rho, gathered = sp.symbols("p c v rho t", positive=True)
    train = (c**2 + v) / p - c**2 + v * rho * (gathered - 1)
    test = v + v * rho * (gathered - 1)
    excess = (1 - p) / p * (1 + c**2 / v) / (1 + rho * (gathered - 1))
    assert sp.simplify(train / test - 1 - excess) == 0


@control("T2-PRERES")
@pytest.mark.parametrize("width", [16, 32, 64])
def test_no_correlation_and_angle_gather_more_than_the_largest_d_cos2(width: int) -> None:
    largest = width * COS2_HIGH
    corners = [
        1 + rho * (d_cos2 - 1) for rho in (Fraction(-1, width - 1), Fraction(1)) for d_cos2 in (Fraction(0), largest)
    ]
    assert max(corners) == largest


@check("T2-LOSS", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_beyond_wrn_the_order_of_the_losses_reverses_that_of_the_shifts() -> None:
    shift = ranking({net: SHIFTS[net]["0.5"] for net in NETS})
    loss = ranking({net: row["b"] - row["none"] for net, row in ERRORS["C100"].items()})
    assert shift[0] == loss[0] == "WRN"
    assert shift[1:] == loss[:0:-1] == ["DenseNet", "PreResNet", "ResNeXt"]


@check("S6-HALF", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_wrn_at_seven_tenths_shifts_less_than_others_below_or_at_one_half() -> None:
    assert surely_less(SHIFTS["WRN"]["0.7"], SHIFTS["PreResNet"]["0.3"])
    assert surely_less(SHIFTS["WRN"]["0.7"], SHIFTS["ResNeXt"]["0.5"])


@check("S6-WIDE", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_resnext_is_seven_times_as_wide_as_preresnet_and_loses_a_larger_part() -> None:
    width = {net: row["d_cos2"] / row["cos2"] for net, row in ANGLES["C100"].items()}
    part = {net: row["b"] / row["none"] - 1 for net, row in ERRORS["C100"].items()}
    assert surely_less(7 * width["PreResNet"], width["ResNeXt"])
    assert surely_less(part["PreResNet"], part["ResNeXt"])


@check("S4-AB-ERROR", Evidence.REPORTED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("suffix", ["", "-A"])
def test_resnext_on_c100_makes_fewer_errors_in_the_harsher_placement(suffix: str) -> None:
    readings = {
        (data, net): less(ERRORS[data][net][f"b{suffix}"], ERRORS[data][net][f"a{suffix}"])
        for data in SETS
        for net in NETS
    }
    assert readings.pop(("C100", "ResNeXt")) is Reading.CONTRADICTED
    assert set(readings.values()) == {Reading.HOLDS}


@check("S4-CAUSE", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_adjusting_wins_back_most_of_the_loss_in_placement_a_but_not_in_b() -> None:
    cells = [(data, net) for data in SETS for net in NETS if net != "WRN"]
    readings = {place: {cell: won_back(ERRORS[cell[0]][cell[1]], place) for cell in cells} for place in PLACEMENTS}
    assert [cell for cell in cells if readings["a"][cell] is not Reading.HOLDS] == [("C10", "DenseNet")]
    assert [cell for cell in cells if readings["b"][cell] is not Reading.CONTRADICTED] == [("C10", "ResNeXt")]
    assert readings["b"]["C10", "ResNeXt"] is Reading.UNDECIDED


@check("T3-MARGIN", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_the_gain_of_adjusted_wrn_on_c100_is_far_below_a_standard_error() -> None:
    row, images = ERRORS["C100"]["WRN"], int(SETTING["runs"]) * int(SETTING["test images"])
    gain = row["none"] - row["b-A"]
    assert surely_less(0, gain)
    assert surely_less(64 * gain * gain, squared_error(row["none"], row["b-A"], images))


@check("T4-NOISE", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_half_of_the_gains_from_uout_are_below_one_standard_error_and_none_reaches_two() -> None:
    images = int(SETTING["runs"]) * int(SETTING["test images"])
    rows = [row for data in SETS for row in UOUT[data].values()]
    within = {errors: sum(surely_within(errors, row["0.0"], row["best"], images) for row in rows) for errors in (1, 2)}
    assert within == {1: 4, 2: 8}


@control("T3-MARGIN")
def test_the_loss_of_preresnet_b_would_be_seen_beyond_two_standard_errors() -> None:
    row = ERRORS["C10"]["PreResNet"]
    assert not surely_within(2, row["b"], row["none"], int(SETTING["test images"]))


@check("T4-BETA", Evidence.REPORTED, Verdict.OPEN)
def test_the_largest_beta_is_best_in_half_of_the_rows_as_chance_would_have_it_in_a_quarter_of_all_tables() -> None:
    best = [row["beta"] for data in SETS for row in TABLE4[data].values()]
    hits, rows, betas = best.count(TABLE4_BETAS[-1]), len(best), len(TABLE4_BETAS)
    tail = sum(Fraction(comb(rows, k) * (betas - 1) ** (rows - k), betas**rows) for k in range(hits, rows + 1))
    assert (hits, rows) == (4, 8)
    assert tail == Fraction(1697, 6561)


@check("T4-SELECTION", Evidence.PROVED, Verdict.UNDERSPECIFIED)
def test_the_best_of_three_normal_results_lies_three_over_two_root_pi_below_their_mean() -> None:
    x = sp.Symbol("x", real=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    below = (1 + sp.erf(x / sp.sqrt(2))) / 2
    largest = sp.diff(below**3, x)
    by_parts = sp.diff(-3 * density * below**2, x) + 6 * density**2 * below
    odd_half = below - sp.Rational(1, 2)
    assert sp.simplify(x * largest - by_parts) == 0
    assert sp.simplify(odd_half + odd_half.subs(x, -x)) == 0
    assert sp.limit(density * below**2, x, -sp.oo) == sp.limit(density * below**2, x, sp.oo) == 0
    assert sp.integrate(3 * density**2, (x, -sp.oo, sp.oo)) == 3 / (2 * sp.sqrt(sp.pi))


@check("T4-SELECTION", Evidence.ENUMERATED, Verdict.UNDERSPECIFIED)
def test_three_exchangeable_tries_beat_an_equally_good_baseline_three_times_in_four() -> None:
    orders = list(permutations(range(1 + len(TABLE4_BETAS))))
    improves = Fraction(sum(min(tries) < baseline for baseline, *tries in orders), len(orders))
    assert improves == Fraction(3, 4)
    assert Fraction(1, 10) < improves ** (len(SETS) * len(NETS)) < Fraction(101, 1000)


@check("T5-NOISE", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_the_gains_on_imagenet_are_within_two_standard_errors_and_in_top_1_within_one() -> None:
    for net in TABLE5:
        for measure, row in block(TABLE5[net]).items():
            limit = 1 if measure == "top-1" else 2
            assert surely_within(limit, row["0.0"], row["0.2"], IMAGENET_VALIDATION_IMAGES)


@check("T5-BASELINE", Evidence.REPORTED, Verdict.UNDERSPECIFIED)
def test_only_the_imagenet_baselines_end_in_zero_and_the_gains_survive_its_loss() -> None:
    rows = [row for measures in TABLE5.values() for row in measures.values()]
    assert [row["0.0"][-1] for row in rows] == ["0"] * 4
    assert "0" not in [row["0.2"][-1] for row in rows]
    assert all(surely_at_most(Printed(row["0.2"]), Printed(row["0.0"][:-1])) for row in rows)
