"""The text of Sections 1, 4, 5 and 6, held against the paper's own tables: nothing here is a reproduction."""

import json
from collections.abc import Mapping
from fractions import Fraction

import pytest

from paper_checks.ledger import Evidence, Verdict, check, control
from paper_checks.printed import Interval, Printed, Reading, less, surely_increasing, surely_less
from paper_checks.reported import (
    COS2_RANGE,
    DROPS,
    FIGURE1,
    FIGURE6_LABEL_AND_TICKS,
    NETS,
    SEAL,
    SECTION5,
    SETS,
    TABLE1,
    TABLE2,
    TABLE3,
    TABLE4,
    TABLE5,
    TRANSCRIPT,
    altered,
    block,
    digest,
)

Numbers = Mapping[str, Mapping[str, Interval]]
Cell = tuple[str, str]

ALL = {(data, net) for data in SETS for net in NETS}
WRN = {(data, "WRN") for data in SETS}
SHIFTS = block(TABLE2)
ERRORS = {data: block(TABLE3[data]) for data in SETS}
UOUT = {data: block(TABLE4[data]) for data in SETS}
ANGLES = {data: block(TABLE1[data]) for data in SETS}


def surely_better(errors: Mapping[str, Numbers], first: str, second: str) -> set[Cell]:
    """Where model `first` has surely the lower error."""
    return {
        (data, net) for data, rows in errors.items() for net in rows if surely_less(rows[net][first], rows[net][second])
    }


def smallest_everywhere(figures: Numbers, net: str) -> bool:
    """Whether a row is surely below all others in every column."""
    others = [row for name, row in figures.items() if name != net]
    return all(surely_less(value, row[column]) for row in others for column, value in figures[net].items())


def rows_grow(figures: Numbers, columns: tuple[str, ...]) -> bool:
    """Whether every row surely increases along `columns`."""
    return all(surely_increasing(row[column] for column in columns) for row in figures.values())


def gains(rows: Numbers, before: str, after: str) -> dict[str, Interval]:
    """By how many points each net improves."""
    return {net: row[before] - row[after] for net, row in rows.items()}


def mean_dimension(rows: Numbers) -> dict[str, Interval]:
    """The cos^2-weighted mean of d that Table 1 implies: mean d cos^2 over mean cos^2."""
    return {net: row["d_cos2"] / row["cos2"] for net, row in rows.items()}


def one_digit_changes(text: str) -> list[str]:
    """Every text that differs from `text` in one digit, made one larger."""
    bumped = ((i, str((int(digit) + 1) % 10)) for i, digit in enumerate(text) if digit.isdigit())
    return [text[:i] + digit + text[i + 1 :] for i, digit in bumped]


def axis_labels(extracted: str) -> dict[str, list[int]]:
    """Every data set that the label can end in, with the evenly spaced ticks that then remain."""
    found: dict[str, list[int]] = {}
    for name in ("CIFAR10", "CIFAR100"):
        rest = extracted.removeprefix(name)
        for width in range(1, len(rest) // 2 + 1):
            ticks = [rest[i : i + width] for i in range(0, len(rest), width)]
            if rest.isdigit() and ticks == [str(int(ticks[0]) + k) for k in range(len(ticks))]:
                found[name] = [int(tick) for tick in ticks]
    return found


@check("TRANSCRIPTION", Evidence.REPORTED)
def test_the_transcript_is_the_one_that_was_proof_read() -> None:
    assert digest() == SEAL


@control("TRANSCRIPTION")
def test_one_changed_digit_breaks_the_seal() -> None:
    assert digest(json.loads(json.dumps(TRANSCRIPT))) == SEAL
    changed = [digest(json.loads(other)) for other in one_digit_changes(json.dumps(TRANSCRIPT))]
    assert len(changed) > 500
    assert SEAL not in changed


@control("TRANSCRIPTION")
def test_the_seal_covers_every_table() -> None:
    for name in TRANSCRIPT:
        assert digest({**TRANSCRIPT, name: "lost"}) != SEAL


@check("F1b", Evidence.REPORTED)
def test_figure_1_prints_the_accuracies_that_go_with_densenet_in_table_3() -> None:
    for model, accuracy in FIGURE1.items():
        error = 100 - Printed(accuracy).value
        rows = TABLE3["C100"]["DenseNet"]
        assert [name for name, text in rows.items() if Fraction(text) == error] == [model]


@check("F6-LABEL", Evidence.REPORTED)
def test_figure_6_is_labelled_c100_and_only_c100_errors_fit_its_axis() -> None:
    labels = axis_labels(FIGURE6_LABEL_AND_TICKS)
    assert list(labels) == ["CIFAR100"]
    axis = Interval(labels["CIFAR100"][0], labels["CIFAR100"][-1])
    assert {
        (data, model) for data in SETS for model in ("b", "none") if ERRORS[data]["PreResNet"][model].value in axis
    } == {
        ("C100", "b"),
        ("C100", "none"),
    }


@control("F6-LABEL")
def test_the_other_label_would_have_been_read_as_such() -> None:
    assert list(axis_labels(FIGURE6_LABEL_AND_TICKS.replace("R100", "R10"))) == ["CIFAR10"]


@check("T1-RANGE", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_every_mean_squared_cosine_lies_in_the_stated_range() -> None:
    low, high = (Fraction(end) for end in COS2_RANGE)
    for data in SETS:
        for row in ANGLES[data].values():
            assert surely_increasing([low, row["cos2"], high])


@check("T1-WRN", Evidence.REPORTED)
def test_wrn_has_three_times_the_d_cos2_of_any_other_net() -> None:
    for data in SETS:
        rows = ANGLES[data]
        rest = [row["d_cos2"] for net, row in rows.items() if net != "WRN"]
        assert all(surely_less(3 * value, rows["WRN"]["d_cos2"]) for value in rest)


@check("T1-WIDTH", Evidence.REPORTED)
def test_width_and_not_the_angle_sets_wrn_apart() -> None:
    for data in SETS:
        rows, width = ANGLES[data], mean_dimension(ANGLES[data])
        for net in set(NETS) - {"WRN"}:
            angle_factor = rows["WRN"]["cos2"] / rows[net]["cos2"]
            assert surely_less(3 * angle_factor, width["WRN"] / width[net])


@check("T1-ORDER", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_the_nets_have_one_order_by_d_and_by_d_cos2_but_no_common_factor() -> None:
    order = ("PreResNet", "DenseNet", "ResNeXt", "WRN")
    for data in SETS:
        rows, width = ANGLES[data], mean_dimension(ANGLES[data])
        assert surely_increasing(width[net] for net in order)
        assert surely_increasing(rows[net]["d_cos2"] for net in order)
        assert surely_less(2 * rows["DenseNet"]["cos2"], rows["PreResNet"]["cos2"])


@check("T2-WRN", Evidence.REPORTED)
def test_wrn_shifts_least_at_every_drop_ratio() -> None:
    assert [net for net in NETS if smallest_everywhere(SHIFTS, net)] == ["WRN"]


@control("T2-WRN")
def test_a_larger_shift_of_wrn_in_any_column_would_be_noticed() -> None:
    for drop in DROPS:
        larger = max(row[drop] for row in TABLE2.values())
        assert not smallest_everywhere(block(altered(TABLE2, "WRN", drop, larger)), "WRN")


@check("T2-GROWTH", Evidence.REPORTED)
def test_every_net_shifts_more_the_more_is_dropped() -> None:
    assert rows_grow(SHIFTS, DROPS)


@check("S4-LARGER-P", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_every_net_shifts_less_the_more_is_retained() -> None:
    by_retained = sorted(DROPS, key=lambda drop: 1 - Fraction(drop))
    assert all(surely_increasing(-row[drop] for drop in by_retained) for row in SHIFTS.values())


@control("T2-GROWTH")
@pytest.mark.parametrize("net", NETS)
def test_a_row_that_stops_growing_would_be_noticed(net: str) -> None:
    for drop, lower in zip(DROPS[1:], DROPS, strict=False):
        assert not rows_grow(block(altered(TABLE2, net, drop, TABLE2[net][lower])), DROPS)


@check("T2-SMALL", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_at_drop_one_tenth_every_shift_is_below_one_point_four_percent() -> None:
    assert all(surely_less(row["0.1"], Fraction("1.014")) for row in SHIFTS.values())


@check("T3-T4", Evidence.REPORTED)
def test_tables_3_and_4_have_the_same_baselines() -> None:
    baselines = {data: {net: row["none"] for net, row in TABLE3[data].items()} for data in SETS}
    assert baselines == {data: {net: row["0.0"] for net, row in TABLE4[data].items()} for data in SETS}


@check("S1-WORSE", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_dropout_costs_accuracy_in_fifteen_of_sixteen_models() -> None:
    assert surely_better(ERRORS, "none", "a") == ALL
    assert surely_better(ERRORS, "none", "b") == ALL - {("C10", "WRN")}


@check("S1-WRN", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_wrn_profits_from_dropout_on_c10_in_placement_b_only() -> None:
    assert surely_better(ERRORS, "b", "none") == {("C10", "WRN")}
    assert surely_better(ERRORS, "a", "none") == set()


@check("S4-WRN-HALF", Evidence.REPORTED, Verdict.CONTRADICTED)
def test_wrn_at_one_half_beats_its_baseline_on_c10_but_not_on_c100() -> None:
    readings = {data: less(ERRORS[data]["WRN"]["b"], ERRORS[data]["WRN"]["none"]) for data in SETS}
    assert readings == {"C10": Reading.HOLDS, "C100": Reading.CONTRADICTED}


@check("S4-OTHERS", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_at_one_half_every_other_net_is_worse_than_its_baseline() -> None:
    for placement in ("a", "b"):
        assert surely_better(ERRORS, "none", placement) >= ALL - WRN


@check("T3-ADJUST", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_adjusting_improves_all_sixteen_models_but_lifts_only_two_above_no_dropout() -> None:
    for placement in ("a", "b"):
        assert surely_better(ERRORS, f"{placement}-A", placement) == ALL
    lifted = [surely_better(ERRORS, model, "none") for model in ("a-A", "b-A")]
    assert sum(map(len, lifted)) == 2


@control("T3-ADJUST")
def test_one_model_that_adjusting_leaves_alone_would_be_noticed() -> None:
    unmoved = {**ERRORS, "C10": block(altered(TABLE3["C10"], "WRN", "b-A", TABLE3["C10"]["WRN"]["b"]))}
    assert surely_better(unmoved, "b-A", "b") == ALL - {("C10", "WRN")}


@check("T3-DENSENET", Evidence.REPORTED)
def test_adjusting_densenet_a_gains_two_and_four_and_a_half_points_to_the_nearest_half() -> None:
    for data, stated in (("C10", Fraction(2)), ("C100", Fraction(9, 2))):
        gain = gains(ERRORS[data], "a", "a-A")["DenseNet"]
        assert surely_increasing([stated - Fraction(1, 4), gain, stated + Fraction(1, 4)])


@check("T3-A-MORE", Evidence.REPORTED)
def test_adjusting_gains_more_in_placement_a_than_in_b() -> None:
    for data in SETS:
        in_a, in_b = gains(ERRORS[data], "a", "a-A"), gains(ERRORS[data], "b", "b-A")
        assert all(surely_less(in_b[net], in_a[net]) for net in NETS)


@check("T3-WRN", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_once_adjusted_wrn_alone_beats_its_baseline_and_in_placement_b_alone() -> None:
    assert surely_better(ERRORS, "b-A", "none") == WRN
    assert surely_better(ERRORS, "a-A", "none") == set()


@check("S6-ADJUST", Evidence.REPORTED, Verdict.HOLDS_IF)
def test_adjusting_leaves_a_loss_in_fourteen_of_sixteen_models() -> None:
    assert surely_better(ERRORS, "none", "a-A") == ALL
    assert surely_better(ERRORS, "none", "b-A") == ALL - WRN


@check("E13-DIGITS", Evidence.REPORTED)
def test_the_printed_factors_belong_to_their_drop_ratio_and_beta() -> None:
    factor, uout = Fraction(SECTION5["factor"]), Printed(SECTION5["factor of Uout"])
    assert factor == 1 - Fraction(SECTION5["drop"])
    assert 3 / (3 + Fraction(SECTION5["beta"]) ** 2) in uout
    assert surely_less(30 * (1 - uout), 1 - factor)


@check("T4-IMPROVES", Evidence.REPORTED)
def test_uout_improves_every_net_as_printed() -> None:
    assert surely_better(UOUT, "best", "0.0") == ALL


@check("T4-GAIN", Evidence.REPORTED, Verdict.CONTRADICTED)
def test_on_c10_no_net_gains_two_tenths_of_a_point() -> None:
    gain = {data: gains(UOUT[data], "0.0", "best") for data in SETS}
    named = set(NETS) - {"ResNeXt"}
    assert all(surely_less(gain["C10"][net], Fraction(1, 5)) for net in named)
    assert surely_less(gain["C10"]["DenseNet"], Fraction(3, 20))
    assert not any(surely_less(gain["C100"][net], Fraction(1, 5)) for net in named)
    assert not any(surely_less(Fraction(3, 10), gain["C100"][net]) for net in named)


@check("T4-RESNEXT", Evidence.REPORTED)
def test_resnext_gains_least_from_uout() -> None:
    for data in SETS:
        gain = gains(UOUT[data], "0.0", "best")
        assert all(surely_less(gain["ResNeXt"], gain[net]) for net in set(NETS) - {"ResNeXt"})


@check("T5", Evidence.REPORTED)
def test_dropout_after_the_last_bn_improves_both_measures_of_both_nets() -> None:
    for net in TABLE5:
        errors = block(TABLE5[net])
        assert all(surely_less(row["0.2"], row["0.0"]) for row in errors.values())
        assert all(surely_less(errors["top-5"][drop], errors["top-1"][drop]) for drop in ("0.0", "0.2"))
