"""Advice holds what it promises: Eq. 10, as theory derives it, meets the threshold with the number that was given."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fullscale.doctor.advice import advise, d_cos2_at, foremost, listed, noise_share, strongest
from fullscale.doctor.report import Linear, Report, Row, Source, Way
from theory import EQUATIONS

NUMBER = r"[\d,.]+(?:e-\d+)?"
D = 10_000
"""Weights of an output unit, so many that cos^2 theta = d_cos2 / D stays below 1."""
DIGITS = 0.005
"""relative, half a unit of the last of three digits at most"""


def source(name: str = "drop", s2: float | None = 1.0, **others: object) -> Source:
    noise = "bernoulli" if s2 is not None else None
    made = Source(name, "Dropout", noise, s2, sharing="element", safe=False)
    return replace(made, **others)


def bn(ways: tuple[Way, ...], predicted: float | None, **others: object) -> Row:
    made = Row(
        index=1,
        bn="bn1",
        kind="BatchNorm2d",
        channels=4,
        ways=ways,
        predicted=predicted,
        stderr=0.0,
        exact=True,
        worst_channel=2,
        worst_shift=predicted,
        moving_var=1.0,
        real_var=None,
        trained=False,
    )
    return replace(made, **others)


def measured(row: Row, shift: float) -> Row:
    return replace(row, trained=True, real_var=shift)


def report(row: Row, *sources: Source) -> Report:
    last = bn((), 1.0, index=2, bn="last_bn")
    return Report((row, last), sources, (), images=8, batch=4)


def one_way(linear: Linear, s2: float) -> tuple[Row, Report]:
    """A BN behind one linear layer and one Dropout, as Eq. 10 has it."""
    way = Way("drop", exact=True, shift=linear.eq10(s2), stderr=0.0, linear=linear, eq10=linear.eq10(s2))
    row = bn((way,), linear.eq10(s2))
    return row, report(row, source(s2=s2))


def ratio(linear: Linear, retain: float) -> float:
    """1 / Delta by theory, for d cos^2 as it is in `linear`."""
    values = {"retain": retain, "c": linear.c, "v": linear.v, "rho": linear.rho}
    return 1 / EQUATIONS["eq10"].evaluate(**values, d=D, cos2=linear.d_cos2 / D)


def said(advice: tuple[str, ...], beginning: str) -> str:
    (sentence,) = (sentence for sentence in advice if sentence.startswith(beginning))
    return sentence


def first_words(advice: tuple[str, ...]) -> list[str]:
    return [sentence.split()[0] for sentence in advice]


def some_ways(**shifts: float | None) -> list[Way]:
    return [Way(name, True, shift, 0.0, None, None) for name, shift in shifts.items()]  # noqa: FBT003


def number(advice: tuple[str, ...], beginning: str, before: str) -> float:
    """The number that a sentence gives after some words."""
    found = re.search(rf"{re.escape(before)}({NUMBER})", said(advice, beginning))
    assert found is not None
    return float(found[1].replace(",", ""))


C, V, S2 = st.floats(-2, 2), st.floats(0.1, 4), st.floats(0.05, 4)
RHO, K, THRESHOLD = st.floats(0.0, 0.2), st.floats(0.5, 20), st.floats(1.01, 1.5)
LINEARS = st.builds(Linear, name=st.just("conv"), d=st.just(D), d_cos2=K, c=C, v=V, rho=RHO)


@settings(deadline=None)  # theory derives as it is asked
@given(linear=LINEARS, s2=S2, threshold=THRESHOLD)
def test_the_weaker_dropout_brings_eq_10_to_the_threshold(linear: Linear, s2: float, threshold: float) -> None:
    assume(ratio(linear, 1 / (1 + s2)) > threshold)
    row, whole = one_way(linear, s2)
    advice = advise(row, whole, threshold)
    drop = number(advice, "Make it weaker", "drop ")
    assert ratio(linear, 1 - drop * (1 - DIGITS)) <= threshold <= ratio(linear, 1 - drop * (1 + DIGITS))
    assert f"instead of {s2 / (1 + s2):.3g}: the ratio becomes {threshold:g}." in said(advice, "Make it weaker")


@settings(deadline=None)  # theory derives as it is asked
@given(linear=LINEARS, s2=S2, threshold=THRESHOLD)
def test_uout_brings_eq_10_to_the_threshold_or_the_strongest_stays_below(
    linear: Linear, s2: float, threshold: float
) -> None:
    def with_uout(beta: float) -> float:
        return ratio(linear, 1 / (1 + beta**2 / 3))

    assume(ratio(linear, 1 / (1 + s2)) > threshold)
    row, whole = one_way(linear, s2)
    advice = advise(row, whole, threshold)
    if with_uout(1) < threshold:
        assert "even beta = 1, the most there is, stays below" in said(advice, "Take Uout instead")
    else:
        beta = number(advice, "Take Uout instead", "beta = ")
        assert beta <= 1
        assert with_uout(beta * (1 - DIGITS)) <= threshold <= with_uout(beta * (1 + DIGITS))


def test_uout_is_eq_13_where_the_mean_is_zero() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=2.0, rho=0.0), 1.0)
    beta = number(advise(row, whole, 1.2), "Take Uout instead", "beta = ")
    assert 1 / EQUATIONS["eq13"].evaluate(beta=beta) == pytest.approx(1.2, rel=DIGITS)


@settings(deadline=None)  # theory derives as it is asked
@given(linear=LINEARS, s2=S2, threshold=THRESHOLD)
def test_the_wider_layer_brings_eq_10_to_the_threshold(linear: Linear, s2: float, threshold: float) -> None:
    assume(linear.rho > 0.001)
    assume(ratio(linear, 1 / (1 + s2)) > threshold)
    wanted = d_cos2_at(threshold, linear, s2)
    assume(wanted <= D)  # cos^2 <= 1
    assert ratio(replace(linear, d_cos2=wanted), 1 / (1 + s2)) == pytest.approx(threshold, rel=1e-9)
    row, whole = one_way(linear, s2)
    advice = advise(row, whole, threshold)
    assert number(advice, "Widen conv", "d cos²θ = ") == pytest.approx(wanted, rel=DIGITS)
    times = number(advice, "Widen conv", "Widen conv, ")
    assert times * linear.d_cos2 == pytest.approx(wanted, rel=DIGITS)


@pytest.mark.parametrize("rho", [0.0, -0.0001])
def test_where_rho_is_not_positive_width_is_said_not_to_help(rho: float) -> None:
    linear = Linear("conv", D, 2.0, c=0.5, v=1.0, rho=rho)
    assert ratio(replace(linear, d_cos2=200.0), 0.5) >= ratio(linear, 0.5) > 1.05  # indeed
    row, whole = one_way(linear, 1.0)
    assert said(advise(row, whole), "Widening conv does not help: Eq. 10 needs rho > 0").endswith(f"it is {rho:.3g}.")


def test_where_eq_10_sees_no_harm_it_asks_for_no_width() -> None:
    row, whole = one_way(Linear("conv", D, 500.0, c=0.0, v=1.0, rho=0.1), 1.0)
    assert ratio(Linear("conv", D, 500.0, c=0.0, v=1.0, rho=0.1), 0.5) < 1.05
    advice = advise(replace(row, predicted=0.5), whole)  # for its channels are not alike
    assert not any(sentence.startswith("Widen") for sentence in advice)
    assert len(advice) == 4


def test_of_several_sources_all_are_weakened_by_one_factor() -> None:
    s2, added, threshold = (1.0, 0.25), (0.3, 0.8), 1.1  # Var_Train / Var_Test = 1 + sum of s2 times these
    predicted = 1 / (1 + sum(map(math.prod, zip(s2, added, strict=True))))
    ways = tuple(
        Way(f"drop{i}", exact=True, shift=1 / (1 + s2[i] * added[i]), stderr=0.0, linear=None, eq10=None)
        for i in range(2)
    )
    row = bn(ways, predicted)
    advice = advise(row, report(row, *(source(f"drop{i}", s2[i]) for i in range(2))), threshold)
    weaker = said(advice, "Make them weaker, ")
    drops = [float(each) for each in re.findall(rf"drop ({NUMBER}) instead", weaker)]
    assert re.findall(rf"instead of ({NUMBER})[,:]", weaker) == ["0.5", "0.2"]
    left = sum(drop / (1 - drop) * share for drop, share in zip(drops, added, strict=True))
    assert 1 + left == pytest.approx(threshold, rel=DIGITS * (threshold - 1))
    lighter = said(advice, "Take Uout instead")
    betas = [float(each) for each in re.findall(rf"({NUMBER}) instead of", lighter)]
    assert re.findall(rf"instead of drop ({NUMBER})[,:]", lighter) == ["0.5", "0.2"]
    left = sum(beta**2 / 3 * share for beta, share in zip(betas, added, strict=True))
    assert 1 + left == pytest.approx(threshold, rel=2 * DIGITS * (threshold - 1))
    assert "Remove drop0, drop1: the local shift becomes 1." in advice
    assert "Move them after the last BN, last_bn: no BN sees them there (Section 5)." in advice


def test_a_factor_on_the_drop_ratio_itself_would_miss_the_threshold() -> None:
    linear, s2 = Linear("conv", D, 2.0, c=0.5, v=1.0, rho=0.1), 1.0
    factor = 0.05 / (1 / linear.eq10(s2) - 1)
    wrong = factor * s2 / (1 + s2)
    assert not ratio(linear, 1 - wrong * (1 - DIGITS)) <= 1.05 <= ratio(linear, 1 - wrong * (1 + DIGITS))


def test_what_was_measured_and_is_inherited_stays_when_the_noise_is_removed() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 1.0)
    advice = advise(measured(row, 0.4), whole)
    assert advice[0] == "Remove drop: the local shift becomes 1; of the measured 0.400 the inherited 0.800 stays."


def test_what_was_probed_is_said_to_be_about() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 1.0)
    assert said(advise(replace(row, exact=False), whole), "Make").endswith("the ratio becomes about 1.05.")


@pytest.mark.parametrize("sharing", ["channel", "sample", "batch", "other"])
def test_noise_that_is_shared_is_not_replaced_by_uout_nor_helped_by_eq_10(sharing: str) -> None:
    row, _ = one_way(Linear("conv", D, 2.0, c=0.5, v=1.0, rho=0.1), 1.0)
    advice = advise(row, report(row, source(sharing=sharing)))
    assert first_words(advice) == ["Remove", "Move", "Make"]


@pytest.mark.parametrize(("noise", "name"), [("uniform", "beta"), ("normal", "sigma")])
def test_other_noise_is_weakened_in_its_own_terms(noise: str, name: str) -> None:
    linear, s2 = Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 0.25
    row, _ = one_way(linear, s2)
    advice = advise(row, report(row, source(s2=s2, noise=noise)), 1.05)
    value = number(advice, "Make it weaker", f"{name} ")
    assert value**2 / (3 if noise == "uniform" else 1) == pytest.approx(0.05, rel=2 * DIGITS)  # 1 / Delta = 1 + s2
    assert any("Uout" in sentence for sentence in advice) == (noise == "normal")


def test_under_the_threshold_there_is_nothing_to_say() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 0.04)
    assert advise(row, whole, 1.05) == ()
    assert advise(measured(row, 1 / 1.049), whole, 1.05) == ()
    assert advise(row, whole, 1.03) != ()


def test_where_the_shift_is_inherited_the_bns_before_are_pointed_at() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 0.04)
    (own,) = advise(measured(row, 0.5), whole, 1.05)
    assert own.startswith("Its own noise gives a ratio of 1.040 only, while 2.000 was measured: it inherits the rest")
    (none,) = advise(measured(bn((), 1.0), 2.0), whole, 1.05)
    assert none.startswith("No noise reaches it but through other BNs, while 2.000 was measured")
    assert advise(bn((), 1.0), whole, 1.05) == ()
    assert advise(measured(bn((), None), 2.0), whole, 1.05) == ()  # whatever shifts it is no noise that was followed


def test_where_nothing_could_be_predicted_no_number_is_given() -> None:
    unknown = Way("drop", exact=False, shift=None, stderr=None, linear=None, eq10=None)
    row = bn((unknown,), None)
    advice = advise(row, report(row, source(s2=None)))
    assert first_words(advice) == ["Remove", "Move"]
    assert noise_share(row) is None


def test_where_nothing_varies_in_test_no_weaker_noise_is_promised_a_ratio() -> None:
    way = Way("drop", exact=True, shift=0.0, stderr=0.0, linear=Linear("conv", D, 2.0, 0.5, 0.0, 0.1), eq10=0.0)
    row = bn((way,), 0.0)
    assert noise_share(row) == math.inf
    assert first_words(advise(row, report(row, source()))) == ["Remove", "Move"]


def test_noise_that_takes_variance_away_is_not_weakened_by_a_law_that_it_does_not_follow() -> None:
    way = Way("drop", exact=False, shift=1.861, stderr=0.01, linear=Linear("conv", D, 2.0, 0.5, 1.0, 0.1), eq10=None)
    row = bn((way,), 1.861, exact=False)
    assert first_words(advise(row, report(row, source()))) == ["Remove", "Move"]
    inherited = advise(measured(row, 1.861 * 0.5), report(row, source()))
    assert inherited[0] == "Remove drop: the local shift becomes 1; of the measured 0.930 the inherited 0.500 stays."
    assert advise(row, report(row, source()), 1.9) == ()


def test_what_takes_little_away_and_inherits_much_is_told_its_own_ratio() -> None:
    way = Way("drop", exact=False, shift=1.02, stderr=0.01, linear=None, eq10=None)
    row = measured(bn((way,), 1.02), 0.5)
    (own,) = advise(row, report(row, source()))
    assert own.startswith("Its own noise gives a ratio of 1.020 only, while 2.000 was measured")


def test_a_bn_that_keeps_no_moving_statistics_needs_no_advice() -> None:
    row, whole = one_way(Linear(None, 1, 1.0, c=0.0, v=1.0, rho=0.0), 1.0)
    assert advise(row, whole) != ()
    assert advise(replace(row, moving_var=None), whole) == ()
    assert advise(replace(row, moving_var=None, predicted=None), whole) == ()


@pytest.mark.parametrize(("exact", "about"), [(True, ""), (False, "about ")])
def test_where_uout_cannot_be_strong_enough_the_ratio_is_the_most_there_can_be(about: str, *, exact: bool) -> None:
    s2 = (4.0, 0.25)
    ways = tuple(Way(f"drop{i}", exact=exact, shift=0.9, stderr=0.0, linear=None, eq10=None) for i in range(2))
    row = bn(ways, 0.8, exact=exact)  # e = 1 / 4; all of it is kept, so that beta^2 = 3 s^2 f
    whole = report(row, *(source(f"drop{i}", s2[i]) for i in range(2)))
    lighter = said(advise(row, whole, 1.125), "Take Uout instead")
    assert lighter == (
        "Take Uout instead, beta = 1 instead of drop 0.8, 0.612 instead of drop 0.2:"
        f" the ratio becomes at most {about}1.125."
    )
    assert f"the ratio becomes {about}1.01." in said(advise(row, whole, 1.01), "Take Uout instead")


def test_the_strongest_way_is_the_one_that_shifts_most() -> None:
    ways = some_ways(weak=0.9, strong=0.5, unknown=None, other=1.2)
    for order in (ways, ways[::-1]):
        way = strongest(bn(tuple(order), 0.4))
        assert way is not None
        assert way.source == "strong"
    away = strongest(bn(tuple(some_ways(weak=0.7, away=1.861)), 1.3))
    assert away is not None
    assert away.source == "away"
    assert strongest(bn((), 1.0)) is None


def test_a_long_list_is_cut_and_what_is_the_same_is_told_once() -> None:
    assert listed(["a", "b", "a", "a", "c"]) == "a, b, c"
    assert listed("abcde") == "a, b, c and 2 more"
    assert listed([]) == ""


def test_advised_first_are_the_most_harmed_and_the_one_with_most_noise_of_its_own() -> None:
    way = Way("drop", exact=True, shift=0.5, stderr=0.0, linear=None, eq10=None)
    own, less = bn((way,), 0.5, bn="own"), bn((way,), 0.7, bn="less")
    heir = measured(bn((), 1.0, bn="heir"), 0.1)
    assert foremost(Report((less, own, heir), (source(),), (), 8, 4)) == (heir, own)
    assert foremost(Report((less, own), (source(),), (), 8, 4)) == (own,)
    away = bn((way,), 2.5, bn="away")
    assert foremost(Report((less, own, heir, away), (source(),), (), 8, 4)) == (heir, away)
    batchwise = replace(away, moving_var=None)
    assert foremost(Report((less, own, batchwise), (source(),), (), 8, 4)) == (own,)
    assert foremost(Report((), (), (), 8, 4)) == ()
