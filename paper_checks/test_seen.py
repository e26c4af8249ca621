"""What was seen in the records afterwards, without a criterion that stood before: the ledger's reasons rest on it."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean

import pytest

from fullscale.against_law import Row
from fullscale.experiments import figure5, figure6, inference, reordered, table3, width
from fullscale.experiments.law import local, of_shift, whole
from fullscale.experiments.scale import CIFAR_NETS, NetName
from fullscale.placement import Where
from fullscale.responses import TEST, TRAIN
from paper_checks.chance import above
from paper_checks.deciding_records import PLACEMENTS, adjusted, compared, drops, errors, excess, numbers, shifts
from paper_checks.evidence import committed
from paper_checks.ledger import Evidence, Verdict, check, control
from paper_checks.reported import TABLE2
from theory import EQUATIONS

SIMPLEST: tuple[NetName, ...] = ("PreResNet", "ResNeXt", "WRN")
"""whose Dropout stands in few places"""


REORDERED: tuple[NetName, ...] = ("PreResNet", "WRN")
"""that were reordered so far"""


def healed(c: float, v: float, shift: float) -> float:
    """Var_Test behind a layer in units of v sum w^2, at p = 0.5: Eq. 10 has 1 + rho (d cos^2 - 1) for it."""
    return (c**2 + v) / v * shift / (1 - shift)


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_eq_10_overstates_the_shift_at_every_convolution(net: NetName) -> None:
    assert all(each.eq10 < each.law for found in compared(committed(), net, "b") for each in found.seen)


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_what_unequal_moments_heal_is_more_than_what_the_width_does(net: NetName) -> None:
    for each in (each for found in compared(committed(), net, "b") for each in found.seen):
        by_width = each.rho * (each.d_cos2 - 1)
        assert healed(each.c, each.v, each.eq10) == pytest.approx(1 + by_width, abs=0.1)
        assert healed(each.c, each.v, each.law) - (1 + by_width) > abs(by_width)


@control("S3-MOMENTS")
def test_where_inputs_share_their_moments_nothing_else_heals() -> None:
    eq10 = EQUATIONS["eq10"].evaluate(retain=0.5, c=0.3, v=0.4, rho=0.1, d=288, cos2=0.01)
    assert healed(0.3, 0.4, eq10) == pytest.approx(1 + 0.1 * (288 * 0.01 - 1))


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", REORDERED)
def test_with_its_weights_in_random_order_a_filter_heals_what_eq_10_says(net: NetName) -> None:
    runs = reordered.cell(committed().scale, net)
    for row in (row for found in numbers(committed(), runs, reordered.REORDERED) for row in found.rows):
        law = {name: reordered.of_eq10(row, order) for name, order in reordered.ORDERS.items()}
        assert law["all mixed"] == pytest.approx(100, abs=5)
        assert law["as trained"] <= law["taps mixed"] < law["channels mixed"]  # of 1 x 1 there is one tap
        assert 100 - law["channels mixed"] < (100 - law["as trained"]) / 2


@check("X-WIDTH-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_wider_nets_shift_more_beyond_chance_from_the_narrowest_to_the_widest_alone() -> None:
    scale = committed().scale
    runs = [width.cell(scale, net, width.DROP) for net in scale.widths]
    excess = [[found.shift_ratio - 1 for found in numbers(committed(), own, width.SHIFT)] for own in runs]
    assert fmean(excess[0]) < fmean(excess[1]) < fmean(excess[2])
    assert not any(above(wider, narrower, 2) for narrower, wider in pairwise(excess))
    assert above(excess[2], excess[0], 1)
    d_cos2 = [fmean(found.d_cos2 for found in numbers(committed(), own, width.ANGLES)) for own in runs]
    assert d_cos2[2] < d_cos2[0]


@check("S2-INFERENCE", Evidence.TRAINED, Verdict.OPEN)
def test_batch_statistics_err_less_than_moving_ones_in_preresnet_alone_and_at_large_batches() -> None:
    less = set[tuple[NetName, int]]()
    for net in CIFAR_NETS:
        found = numbers(committed(), inference.cell(committed().scale, net), inference.INFERENCE)
        moving = fmean(own.moving for own in found)
        by_batch = zip(*(own.by_batch for own in found), strict=True)
        sizes = zip(inference.INFERENCE.sizes, by_batch, strict=True)
        less |= {(net, size) for size, errors in sizes if fmean(errors) < moving}
    assert less == {("PreResNet", 64), ("PreResNet", 256)}


@check("S3-CONST", Evidence.TRAINED, Verdict.OPEN)
def test_no_moving_variance_has_drifted_by_three_hundredths() -> None:
    rows = [row for net in CIFAR_NETS for found in shifts(committed(), net, "b", 0.5) for row in found.rows]
    assert max(abs(row.moving_var / row.train_var - 1) for row in rows) < 0.03


def right_behind_dropout(net: NetName, drop: float = 0.5) -> list[list[float]]:
    """The shift ratios of the BNs that noise reaches past no other, with (a), in order of execution, seed by seed."""
    reached = [{row.bn for row in found.rows} for found in compared(committed(), net, "a")]
    found = shifts(committed(), net, "a", drop)
    return [[row.shift_ratio for row in own.rows if row.name in bns] for own, bns in zip(found, reached, strict=True)]


@check("S1-DEPTH-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_the_shift_right_behind_dropout_grows_from_first_to_last_but_in_wrn_falls() -> None:
    grows = {net: {last > first for first, *_, last in right_behind_dropout(net)} for net in SIMPLEST}
    assert grows == {"PreResNet": {True}, "ResNeXt": {True}, "WRN": {False}}


@check("S4-STEPS", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_the_floor_is_over_a_tenth_of_the_shift_of_b_at_one_tenth_and_below_that_of_a_at_half_and_more(
    net: NetName,
) -> None:
    floor = excess(committed(), net, "b", 0.0)
    assert fmean(floor) > 0.1 * fmean(excess(committed(), net, "b", 0.1))
    for drop in (0.5, 0.7):
        assert max(floor) < 0.1 * min(excess(committed(), net, "a", drop))
    assert fmean(floor) > min(float(row["0.1"]) for row in TABLE2.values()) - 1


@check("F4-CLOSE-RUN", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_the_first_bn_behind_dropout_one_tenth_shifts_as_much_as_eq_6_asks_for_at_least(net: NetName) -> None:
    least = 1 / EQUATIONS["eq6"].evaluate(retain=0.9, c=0, v=1)
    for first, *_ in right_behind_dropout(net, 0.1):
        assert first > least

    def times_the_floor(placement: Where) -> float:
        return fmean(excess(committed(), net, placement, 0.1)) / fmean(excess(committed(), net, placement, 0.0))

    assert times_the_floor("a") > (10 if net == "WRN" else 3)
    assert (times_the_floor("b") < 2) is (net in {"PreResNet", "DenseNet"})


@check("F4-AB-RUN", Evidence.TRAINED, Verdict.OPEN)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_b_shifts_less_than_a_at_each_drop_but_in_resnext_hardly(net: NetName) -> None:
    for drop in drops(committed()):
        a, b = (excess(committed(), net, placement, drop) for placement in PLACEMENTS)
        if net == "ResNeXt":
            assert fmean(b) / fmean(a) > 6 / 7
            assert not above(a, b, len(CIFAR_NETS) * len(drops(committed())))
        else:
            assert fmean(a) > 1.3 * fmean(b)


@check("F4-AB-RUN", Evidence.TRAINED, Verdict.OPEN)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_what_shifts_behind_the_convolution_of_b_shifts_less_at_the_bn_but_in_resnext_as_much(net: NetName) -> None:
    for found in compared(committed(), net, "b"):
        at_bn, behind = fmean(row.local for row in found.rows), fmean(each.law for each in found.seen)
        assert at_bn == pytest.approx(behind, abs=0.005) if net == "ResNeXt" else at_bn > behind + 0.05


@check("F4-WRN-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_wrn_is_not_the_least_affected_of_the_siblings() -> None:
    less: dict[Where, NetName] = {"a": "ResNeXt", "b": "DenseNet"}
    for placement, net in less.items():
        for drop in drops(committed()):
            assert fmean(excess(committed(), net, placement, drop)) < fmean(excess(committed(), "WRN", placement, drop))


@check("F5-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_in_each_seed_test_mode_errs_more_than_train_mode_on_training_images() -> None:
    for found in numbers(committed(), figure5.runs(committed().scale), figure5.RESPONSES):
        wrong = {(each.noise, each.by_batch): each.error for each in found.errors}
        assert wrong[TEST] > wrong[TRAIN]


@check("T1-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_d_cos2_grows_at_the_second_step_of_width_alone_and_is_largest_in_resnext() -> None:
    scale = committed().scale
    d_cos2 = {
        net: fmean(found.d_cos2 for found in numbers(committed(), width.cell(scale, net, 0.0), width.ANGLES))
        for net in (*scale.widths, scale.nets["ResNeXt"])
    }
    one, two, four, resnext = d_cos2.values()
    assert two < one < four
    assert two < resnext


@check("F6-RUN", Evidence.TRAINED, Verdict.OPEN)
def test_one_sample_errs_less_than_weight_scaling_and_thirty_less_still() -> None:
    scale = committed().scale
    for found in numbers(committed(), figure6.sampled(scale), scale.ensemble):
        first, last = (fmean(group[at] for group in found.errors) for at in (0, -1))
        assert last < first < found.weight_scaling


@check("S4-CAUSE-RUN", Evidence.TRAINED, Verdict.OPEN)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_adjusted_nets_err_more_than_those_without_dropout(net: NetName) -> None:
    without = errors(committed(), table3.cell(committed().scale, net, "C10", "none"))
    for placement in PLACEMENTS:
        still = [found.readings["layerwise"].error for found in adjusted(committed(), net, placement)]
        assert min(still) > max(without)


@check("X-TOTAL-RUN", Evidence.TRAINED)
def test_the_whole_shift_is_local_times_inherited_to_four_in_a_hundred_at_each_bn() -> None:
    cells = [compared(committed(), net, placement) for net in CIFAR_NETS for placement in PLACEMENTS]
    off = [of_shift(*pair) for seeds in cells for found in seeds for pair in whole(found)]
    assert max(off) < 4  # percent


def all_reached() -> Iterator[Row]:
    """The BNs of all nets that noise reaches directly."""
    for net in CIFAR_NETS:
        for placement in PLACEMENTS:
            for found in compared(committed(), net, placement):
                yield from found.rows


@check("X-TOTAL-RUN", Evidence.TRAINED)
def test_where_the_whole_is_below_other_noise_has_lowered_what_arrives_more_than_what_is_added() -> None:
    below = [row for row in all_reached() if row.predicted and row.total < 0.99 * row.predicted * row.inherited]
    assert len(below) > 10
    for row in below:
        arrives, added = row.quiet_var / row.clean_var, (row.train_var - row.quiet_var) / (row.own_var - row.clean_var)
        assert 0.75 < arrives < 0.97
        assert arrives < added


@check("S3-MOMENTS", Evidence.TRAINED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("net", CIFAR_NETS)
def test_eq_6_with_one_mean_for_all_channels_understates_the_shift(net: NetName) -> None:
    rows = [row for found in compared(committed(), net, "a") for row in found.rows]
    assert all(row.eq10 > row.local for row in rows)


@check("X-LOCAL-RUN", Evidence.TRAINED)
def test_the_law_is_right_to_five_parts_in_a_thousand_at_each_bn() -> None:
    cells = [compared(committed(), net, placement) for net in CIFAR_NETS for placement in PLACEMENTS]
    off = [of_shift(*pair) for seeds in cells for found in seeds for pair in local(found)]
    assert max(off) < 0.5  # percent
