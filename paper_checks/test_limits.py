"""Section 3: what follows from the shifts of both cases, with the hypotheses that the text leaves out."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from sympy import Expr

from paper_checks.comparing import (
    FINITE,
    FINITE_RETAINS,
    FINITE_WEIGHTS,
    Setting,
    exact,
    settings_of_case_b,
    value,
)
from paper_checks.error_rates import agree, disagree, powered, surely_above
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    BatchMeans,
    Dropout,
    Equicorrelated,
    Estimate,
    FiniteInputs,
    enumerate_dropout,
    enumerate_masked_pair,
)
from theory import EQUATIONS
from theory import symbols as s

HALF = Fraction(1, 2)


def concluding(name: str) -> tuple[str, Expr]:
    """The relation and the bound that a derivation ends with."""
    last = EQUATIONS[name].derivation.steps[-1]
    return last.relation, last.expression


def shift_of(setting: Setting, rng: np.random.Generator, catches: float = 0.02) -> Estimate:
    """The measured shift of a setting, precise enough to notice a relative error of `catches`."""
    expected = value("eq10", retain=setting.retain, **setting.moments)
    return powered(lambda n: setting.measure(Dropout(setting.retain), n, rng).shift, expected, catches)


@check("E9-BOUND", Evidence.PROVED)
def test_dropout_only_weakens_a_correlation() -> None:
    assert concluding("rho-ax-bound") == (">=", 0)


@check("E9-BOUND", Evidence.ENUMERATED)
@pytest.mark.parametrize("inputs", FINITE, ids=str)
def test_over_all_masks_no_correlation_grows(inputs: FiniteInputs) -> None:
    behind = [enumerate_masked_pair(inputs, retain).correlation for retain in FINITE_RETAINS]
    assert all(abs(rho) <= abs(inputs.correlation) <= 1 for rho in behind)
    assert [abs(rho) == abs(inputs.correlation) for rho in behind] == [False, False, True]


@check("E10-LT", Evidence.PROVED)
def test_the_shift_of_case_b_is_below_one_whenever_dropout_is_on() -> None:
    assert concluding("deficit") == (">", 0)
    assert concluding("spectrum") == (">=", 0)


@check("E10-LT", Evidence.ENUMERATED)
@pytest.mark.parametrize("row", FINITE_WEIGHTS)
@pytest.mark.parametrize("inputs", FINITE, ids=str)
def test_over_all_masks_the_shift_is_below_one_unless_p_is_one(inputs: FiniteInputs, row: tuple) -> None:
    assert enumerate_dropout(inputs, row[: inputs.d], Fraction(99, 100)).shift < 1
    unshifted = enumerate_dropout(inputs, row[: inputs.d], 1)
    assert unshifted.var_train == unshifted.var_test


@check("E10-P", Evidence.PROVED, Verdict.HOLDS_IF)
def test_the_shift_tends_to_one_with_p_where_the_test_variance_is_positive() -> None:
    relation, bound = concluding("limit-retain")
    assert relation == "<="
    assert bound.subs(s.p, 1) == 0
    assert EQUATIONS["limit-retain"].hypotheses == ("Var_Test > 0",)


@check("E10-P", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_where_weights_cancel_the_inputs_the_shift_is_zero_for_every_p_below_one() -> None:
    retain, cancelled = Fraction(999, 1000), FINITE[0]
    assert enumerate_dropout(cancelled, (1, 1, 1), retain).shift == 0
    assert enumerate_dropout(cancelled, (1, -1, 0), retain).shift > Fraction(99, 100)


@check("S3-WAYS", Evidence.PROVED)
def test_no_weights_and_no_correlation_bring_the_shift_closer_to_one_than_the_width_allows() -> None:
    assert concluding("width-needed") == (">=", 0)
    best = {"retain": HALF, "c": 0, "v": 3, "rho": 1, "d": 7, "cos2": 1}
    assert EQUATIONS["width-needed"].exact(**best) == 0 < EQUATIONS["width-needed"].exact(**best | {"cos2": HALF})


@check("S3-WAYS", Evidence.ENUMERATED)
@pytest.mark.parametrize("row", FINITE_WEIGHTS)
@pytest.mark.parametrize("inputs", FINITE, ids=str)
def test_over_all_masks_the_shift_keeps_the_distance_from_one_that_the_width_asks_for(
    inputs: FiniteInputs, row: tuple
) -> None:
    shift = enumerate_dropout(inputs, row[: inputs.d], HALF).shift
    assert 1 - shift >= Fraction(1, 1 + inputs.d)
    aligned = FiniteInputs(tuple((x,) * inputs.d for x in (Fraction(-1), Fraction(1))))
    assert 1 - enumerate_dropout(aligned, (1,) * inputs.d, HALF).shift == Fraction(1, 1 + inputs.d)


@check("E10-D", Evidence.PROVED, Verdict.HOLDS_IF)
def test_the_shift_tends_to_one_with_the_width_where_the_correlation_is_positive() -> None:
    relation, bound = concluding("limit-width")
    assert relation == "<="
    assert bound.subs(s.width, s.width * 1000) == bound / 1000
    assert EQUATIONS["limit-uncorrelated"].formula == EQUATIONS["eq6"].formula


@check("S1b", Evidence.PROVED, Verdict.HOLDS_IF)
def test_the_derivative_of_the_shift_in_the_width_has_the_sign_of_the_correlation() -> None:
    assert concluding("monotone-width") == ("has the sign of", s.rho)


@check("S6-MONOTONE", Evidence.PROVED, Verdict.HOLDS_IF)
def test_the_derivative_of_the_shift_in_p_is_positive() -> None:
    assert concluding("monotone-retain") == (">", 0)
    assert EQUATIONS["monotone-retain"].hypotheses == ("Var_Test > 0",)


@check("S6-MONOTONE", Evidence.SIMULATED, Verdict.HOLDS_IF)
@given(setting=settings_of_case_b())
@settings(max_examples=3, deadline=None)
def test_on_the_same_network_a_smaller_drop_ratio_shifts_less(seed: int, setting: Setting) -> None:
    rng = np.random.default_rng([seed, setting.seed])
    more, less, same = (setting.measure(Dropout(retain), 400_000, rng).shift for retain in (0.5, 0.95, 0.5))
    assert surely_above(less, more)
    assert not surely_above(same, more)


def _advantage(setting: Setting) -> float:
    return value("eq10", retain=setting.retain, **setting.moments) - value(
        "eq6", retain=setting.retain, c=setting.c, v=setting.v
    )


MILDER = Setting(0.5, 0.0, 1.0, 0.4, 8, 0.6, "gaussian", 5)
HARSHER = [Setting(0.5, 0.0, 1.0, 0.4, 8, 0.0, "gaussian", 5), Setting(0.5, 0.0, 1.0, -0.12, 8, 0.6, "gaussian", 5)]


@check("AB", Evidence.PROVED, Verdict.HOLDS_IF)
def test_case_b_is_milder_exactly_where_correlation_and_width_agree() -> None:
    difference = EQUATIONS["a-against-b"]
    assert concluding("a-against-b") == ("has the sign of", s.rho * (s.d * s.cos2 - 1))
    for setting, sign in ((MILDER, 1), (HARSHER[0], -1), (HARSHER[1], -1)):
        found = difference.exact(retain=setting.retain, **setting.moments)
        assert float(found) == pytest.approx(_advantage(setting))
        assert found * sign > 0


@check("AB", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_over_all_masks_weights_that_cancel_make_case_b_the_harsher_one() -> None:
    inputs = FINITE[1]
    case_a = exact("eq6", retain=HALF, c=inputs.mean, v=inputs.variance)
    assert inputs.correlation > 0
    assert enumerate_dropout(inputs, (1, -1, 0), HALF).shift < case_a < enumerate_dropout(inputs, (1, 1, 1), HALF).shift


@check("AB", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_simulated_sums_shift_less_or_more_than_a_single_unit_as_predicted(rng: np.random.Generator) -> None:
    for setting in (MILDER, *HARSHER):
        shift = shift_of(setting, rng)
        disagree(shift, 0.5)
        disagree(shift, 0.5 - _advantage(setting))
        assert (shift.value > 0.5) == (_advantage(setting) > 0)


def _mean_width(d: int, offset: float, rng: np.random.Generator, filters: int = 400_000) -> BatchMeans:
    """The mean of d cos^2 over random weights, 100 filters a batch."""
    w = Equicorrelated(d, offset, 1.0, 0.0, dtype="float32").sample(filters, rng)
    means = BatchMeans("d_cos2", samples_per_batch=100)
    widths = np.einsum("fd->f", w) ** 2 / np.einsum("fd,fd->f", w, w)
    means.add(widths.reshape(-1, 100).mean(axis=1, keepdims=True))
    return means


@check("T1-LINEAR", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("magnitudes", [(1, 1), (1, 2, 5), (3, 1, 4, 1, 5, 9)])
def test_over_all_signs_of_given_magnitudes_the_mean_width_is_exactly_one(magnitudes: tuple[int, ...]) -> None:
    signed = product(*((-size, size) for size in magnitudes))
    widths = [len(magnitudes) * exact("eq11", w=w) for w in signed]
    assert sum(widths) / len(widths) == 1 < len(magnitudes) * exact("eq11", w=magnitudes)


@check("T1-LINEAR", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("d", [4, 16, 64])
def test_weights_of_mean_zero_have_a_width_of_one_whatever_d_and_a_mean_makes_it_grow(
    rng: np.random.Generator, d: int
) -> None:
    agree(_mean_width(d, 0.0, rng).mean("d_cos2"), 1.0, catches=0.03)
    disagree(_mean_width(d, 0.5, rng, 40_000).mean("d_cos2"), 1.0)


@check("T1-LINEAR", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_weights_whose_mean_is_half_their_spread_widen_by_a_fifth_for_each_input(rng: np.random.Generator) -> None:
    narrow, middle, wide = (_mean_width(d, 0.5, rng, 100_000).mean("d_cos2") for d in (64, 128, 256))
    for one, other, inputs in ((narrow, middle, 64), (middle, wide, 128)):
        error = (one.stderr**2 + other.stderr**2) ** 0.5 / inputs
        slope = Estimate((other.value - one.value) / inputs, error, other.n)
        agree(slope, 0.5**2 / (0.5**2 + 1), catches=0.03)
        disagree(slope, 0.0)
