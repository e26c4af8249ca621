"""Section 3.2: one weighted sum between Dropout and BN, Eqs. 7-12, on three levels."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from sympy import Rational

from paper_checks.comparing import (
    FINITE,
    FINITE_RETAINS,
    FINITE_WEIGHTS,
    Setting,
    exact,
    moments_of,
    proved,
    settings_of_case_b,
    value,
)
from paper_checks.controls import Unscaled
from paper_checks.error_rates import agree, all_agree, disagree, powered
from paper_checks.ledger import Evidence, Verdict, check, control
from simulator import (
    BatchMeans,
    Dropout,
    Equicorrelated,
    FiniteInputs,
    enumerate_dropout,
    enumerate_masked_pair,
    measure_case,
    one_hot_plus_shift,
)
from theory import EQUATIONS
from theory import symbols as s
from theory.sums import PairSum, total

HALF = Fraction(1, 2)
FIXED = Setting(retain=0.5, c=0.5, v=1.0, rho=0.2, d=8, cos2=0.3, draw="gaussian", seed=1)

UNIT = (s.c**2 + s.v) / s.p - s.c**2
SQUARES, PAIRS = total(s.w[s.i] ** 2, s.d), PairSum(s.w[s.i] * s.w[s.j], s.d)
CROSS = s.v * s.rho * (s.d * s.cos2 - 1)
K = s.d * s.cos2
PRINTED = {
    "eq7": UNIT * (SQUARES + s.rho_ax * PAIRS),
    "eq8": s.v * (SQUARES + s.rho * PAIRS),
    "eq9": s.rho * s.v / UNIT,
    "eq10": (s.v + CROSS) / (UNIT + CROSS),
    "eq11": total(s.w[s.i], s.d) ** 2 / (s.d * SQUARES),
    "eq12": (s.v * s.rho + (s.v - s.v * s.rho) / K)
    / (s.v * s.rho + (s.v / s.p - s.v * s.rho + (1 / s.p - 1) * s.c**2) / K),
}


@check("E7", Evidence.PROVED)
@check("E8", Evidence.PROVED)
@check("E9", Evidence.PROVED)
@check("E10", Evidence.PROVED)
@check("E11", Evidence.PROVED)
def test_eqs_7_to_11_are_derived_as_printed_and_confirmed_with_their_sums_written_out() -> None:
    for name in ("eq7", "eq8", "eq9", "eq10", "eq11"):
        equation = proved(name, PRINTED[name])
        assert equation.confirmed_at == (() if name == "eq9" else (2, 3, 5, 8))


@check("E12", Evidence.PROVED, Verdict.HOLDS_IF)
def test_eq12_is_eq10_wherever_the_weights_do_not_sum_to_zero() -> None:
    equation = proved("eq12", PRINTED["eq12"])
    moments = {"retain": "0.5", "c": 0, "v": 1, "rho": "0.2", "d": 4}
    assert equation.exact(cos2="0.3", **moments) == EQUATIONS["eq10"].exact(cos2="0.3", **moments)
    assert EQUATIONS["eq10"].exact(cos2=0, **moments) == Rational(4, 9)
    with pytest.raises(ValueError, match="divides by zero"):
        equation.exact(cos2=0, **moments)


@check("E7", Evidence.ENUMERATED)
@check("E8", Evidence.ENUMERATED)
@check("E9", Evidence.ENUMERATED)
@check("E10", Evidence.ENUMERATED)
@check("E11", Evidence.ENUMERATED)
@check("E12", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("retain", FINITE_RETAINS)
@pytest.mark.parametrize("row", FINITE_WEIGHTS)
@pytest.mark.parametrize("inputs", FINITE, ids=str)
def test_over_all_masks_and_points_eqs_7_to_12_are_exact(inputs: FiniteInputs, row: tuple, retain: Fraction) -> None:
    w, moments = row[: inputs.d], moments_of(inputs)
    counted, pair = enumerate_dropout(inputs, w, retain), enumerate_masked_pair(inputs, retain)
    rho_ax = exact("eq9", retain=retain, **moments)
    assert pair.correlation == rho_ax
    without_rho = {"retain": retain, "c": moments["c"], "v": moments["v"]}
    assert counted.var_train == exact("eq7", rho_ax=rho_ax, w=w, **without_rho)
    assert counted.var_test == exact("eq8", v=moments["v"], rho=moments["rho"], w=w)
    cos2 = exact("eq11", w=w)
    assert cos2 == Fraction(sum(w) ** 2, len(w) * sum(x * x for x in w))
    if counted.var_train:
        assert counted.shift == exact("eq10", retain=retain, d=len(w), cos2=cos2, **moments)
    if counted.var_train and cos2:
        assert counted.shift == exact("eq12", retain=retain, d=len(w), cos2=cos2, **moments)


@control("E9")
@control("E10")
def test_with_one_mask_for_all_inputs_eqs_9_and_10_are_wrong() -> None:
    inputs, w = FINITE[1], (1, 2, 3)
    counted, pair = (
        enumerate_dropout(inputs, w, HALF, masks="shared"),
        enumerate_masked_pair(inputs, HALF, masks="shared"),
    )
    assert pair.correlation != exact("eq9", retain=HALF, **moments_of(inputs))
    assert counted.shift != exact("eq10", retain=HALF, d=3, cos2=exact("eq11", w=w), **moments_of(inputs))


@check("E7", Evidence.SIMULATED)
@check("E8", Evidence.SIMULATED)
@check("E10", Evidence.SIMULATED)
@check("E12", Evidence.SIMULATED, Verdict.HOLDS_IF)
@given(setting=settings_of_case_b())
@settings(max_examples=8, deadline=None)
def test_simulated_sums_obey_eqs_7_8_10_and_12(seed: int, setting: Setting) -> None:
    rng, noise = np.random.default_rng([seed, setting.seed]), Dropout(setting.retain)
    w, moments = [float(x) for x in setting.weights], {"retain": setting.retain, "c": setting.c, "v": setting.v}
    rho_ax = value("eq9", rho=setting.rho, **moments)
    expected = {
        "var_train": value("eq7", rho_ax=rho_ax, w=w, **moments),
        "var_test": value("eq8", v=setting.v, rho=setting.rho, w=w),
        "shift": value("eq10", retain=setting.retain, **setting.moments),
    }
    assert value("eq12", retain=setting.retain, **setting.moments) == pytest.approx(expected["shift"], rel=1e-12)
    all_agree(lambda n: setting.measure(noise, n, rng), expected, catches=0.02)


@check("E7", Evidence.SIMULATED)
@check("E8", Evidence.SIMULATED)
@check("E10", Evidence.SIMULATED)
def test_one_setting_is_measured_to_one_percent_and_controls_are_rejected(rng: np.random.Generator) -> None:
    w, moments = FIXED.weights.tolist(), {"retain": FIXED.retain, "c": FIXED.c, "v": FIXED.v}
    expected = value("eq10", retain=FIXED.retain, **FIXED.moments)
    known = {
        "var_train": value("eq7", rho_ax=value("eq9", rho=FIXED.rho, **moments), w=w, **moments),
        "var_test": value("eq8", v=FIXED.v, rho=FIXED.rho, w=w),
        "shift": expected,
    }
    all_agree(lambda n: FIXED.measure(Dropout(0.5), n, rng), known)
    disagree(FIXED.measure(Unscaled(0.5), 200_000, rng).shift, expected)
    disagree(
        FIXED.measure(Unscaled(0.5), 200_000, rng).var_train, FIXED.measure(Dropout(0.5), 10_000, rng).var_train.value
    )
    wrong_correlation = value("eq8", v=1, rho=0, w=w)
    disagree(FIXED.measure(Dropout(0.5), 200_000, rng).var_test, wrong_correlation)


@check("E12", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_the_shift_of_one_setting_is_that_of_eq12_to_one_percent(rng: np.random.Generator) -> None:
    expected = value("eq12", retain=FIXED.retain, **FIXED.moments)
    agree(powered(lambda n: FIXED.measure(Dropout(0.5), n, rng).shift, expected), expected)
    wider = value("eq12", retain=FIXED.retain, **FIXED.moments | {"cos2": 2 * FIXED.cos2})
    disagree(FIXED.measure(Dropout(0.5), 200_000, rng).shift, wider)


def _correlation(setting: Setting, samples: int, rng: np.random.Generator) -> BatchMeans:
    """The covariance and the variance of two masked inputs, batch by batch."""
    batches = Dropout(setting.retain).train(setting.inputs.sample(samples // 100 * 100, rng), rng).reshape(-1, 100, 2)
    deviations = batches - batches.mean(axis=1, keepdims=True)
    products = (deviations[:, :, 0] * deviations[:, :, 1]).sum(axis=1) / 99
    means = BatchMeans("covariance", "variance", samples_per_batch=100)
    means.add(np.stack([products, (deviations**2).sum(axis=(1, 2)) / 198], axis=1))
    return means


@check("E9", Evidence.SIMULATED)
@pytest.mark.parametrize("rho", [0.8, -0.9])
def test_the_simulated_correlation_behind_dropout_is_that_of_eq9(rng: np.random.Generator, rho: float) -> None:
    setting = Setting(retain=0.7, c=0.5, v=2.0, rho=rho, d=2, cos2=1, draw="uniform", seed=0)
    expected = value("eq9", retain=0.7, c=0.5, v=2, rho=rho)
    measured = powered(lambda n: _correlation(setting, n, rng).ratio("covariance", "variance"), expected)
    agree(measured, expected)
    disagree(measured, rho)


def _require_gain_of_eq11(w: np.ndarray, rng: np.random.Generator) -> None:
    """In doubles: weights that all but cancel leave less of a common input than singles resolve."""
    common, width = Equicorrelated(len(w), 0.0, 1.0, 1.0), len(w) * value("eq11", w=[float(x) for x in w])
    gain = powered(lambda n: measure_case("b", common, Dropout(1), w / np.linalg.norm(w), n, rng).var_test, width)
    agree(gain, width)
    disagree(gain, 2 * width)


@check("E11", Evidence.SIMULATED)
@pytest.mark.parametrize("d", [3, 20])
def test_the_gain_of_a_common_input_is_the_width_of_eq11(rng: np.random.Generator, d: int) -> None:
    _require_gain_of_eq11(rng.standard_normal(d), rng)


@check("E11", Evidence.SIMULATED)
def test_the_gain_of_weights_that_all_but_cancel_is_the_width_of_eq11(rng: np.random.Generator) -> None:
    _require_gain_of_eq11(np.array([1.0, -2.0, 1 + 2e-6]), rng)


@check("E11", Evidence.PROVED)
def test_cos2_lies_between_zero_and_one_by_lagranges_identity() -> None:
    last = EQUATIONS["cos2-bound"].derivation.steps[-1]
    assert (last.relation, last.expression) == (">=", 0)
    assert EQUATIONS["cos2-bound"].exact(w=[1, 1, 1]) == 0 < EQUATIONS["cos2-bound"].exact(w=[1, 1, 2])


@check("E8-DOMAIN", Evidence.PROVED, Verdict.CONTRADICTED)
def test_a_correlation_below_the_bound_would_make_a_variance_negative() -> None:
    formula = proved("rho-bound", s.v * s.d * (1 + (s.d - 1) * s.rho)).formula
    assert formula.subs({s.v: 1, s.d: 5, s.rho: Rational(-1, 2)}) < 0
    assert formula.subs({s.v: 1, s.d: 5, s.rho: Rational(-1, 4)}) == 0
    with pytest.raises(ValueError, match=r"rho = -0\.5"):
        value("eq10", retain=0.5, c=0, v=1, rho=-0.5, d=5, cos2=0.1)


@check("E8-DOMAIN", Evidence.ENUMERATED, Verdict.CONTRADICTED)
@pytest.mark.parametrize("d", [2, 3, 6])
def test_the_lowest_correlation_is_reached_by_inputs_whose_sum_is_constant(d: int) -> None:
    lowest = one_hot_plus_shift(d, 1, [0])
    assert lowest.correlation == Fraction(-1, d - 1)
    assert enumerate_dropout(lowest, (1,) * d, 1).var_test == 0
    with pytest.raises(ValueError, match="correlation"):
        Equicorrelated(d, 0.0, 1.0, -1 / (d - 1) - 1e-9)
