"""Fig. 1 and Section 3.1: BN directly behind Dropout."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from paper_checks.comparing import Setting, exact, proved, settings_of_case_b, value
from paper_checks.controls import Unscaled
from paper_checks.error_rates import agree, all_agree, disagree
from paper_checks.ledger import Evidence, check, control
from simulator import BatchMeans, Dropout, Equicorrelated, FiniteInputs, enumerate_dropout, measure_case
from theory import EQUATIONS
from theory import symbols as s

RATIOS = [Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(9, 10), Fraction(1)]
UNITS = [
    FiniteInputs(((Fraction(-1),), (Fraction(1),))),
    FiniteInputs(((Fraction(0),), (Fraction(1),), (Fraction(5),))),
    FiniteInputs(((Fraction(-7, 3),), (Fraction(1, 2),))),
]


@check("F1a", Evidence.PROVED)
def test_a_standard_normal_unit_has_variance_one_over_p_in_training_and_one_in_test() -> None:
    standard = {s.c: 0, s.v: 1}
    assert proved("eq5", (s.c**2 + s.v) / s.p - s.c**2).formula.subs(standard) == 1 / s.p
    assert EQUATIONS["eq6"].formula.subs(standard) == s.p


@check("F1a", Evidence.ENUMERATED)
@pytest.mark.parametrize("retain", RATIOS)
def test_a_centred_unit_of_variance_one_has_variance_one_over_p_exactly(retain: Fraction) -> None:
    counted = enumerate_dropout(UNITS[0], (1,), retain)
    assert (counted.var_train, counted.var_test) == (1 / retain, 1)


@check("F1a", Evidence.SIMULATED)
def test_a_simulated_standard_normal_unit_shows_both_variances(rng: np.random.Generator) -> None:
    inputs = Equicorrelated(1, 0.0, 1.0, 0.0, dtype="float32")
    result = measure_case("a", inputs, Dropout(0.5), None, 8_000_000, rng)
    agree(result.var_train, 2.0)
    agree(result.var_test, 1.0)
    disagree(result.var_test, 2.0)


@check("E5", Evidence.PROVED)
def test_eq5_follows_from_five_axioms() -> None:
    assert len(proved("eq5", (s.c**2 + s.v) / s.p - s.c**2).needs) == 5


@check("E6", Evidence.PROVED)
def test_eq6_follows_from_eq5() -> None:
    assert len(proved("eq6", s.v / ((s.c**2 + s.v) / s.p - s.c**2)).needs) == 5


@check("E5", Evidence.ENUMERATED)
@check("E6", Evidence.ENUMERATED)
@pytest.mark.parametrize("retain", RATIOS)
@pytest.mark.parametrize("unit", UNITS)
def test_over_all_masks_and_values_eqs_5_and_6_are_exact(unit: FiniteInputs, retain: Fraction) -> None:
    counted, moments = enumerate_dropout(unit, (1,), retain), {"c": unit.mean, "v": unit.variance}
    assert counted.var_train == exact("eq5", retain=retain, **moments)
    assert counted.shift == exact("eq6", retain=retain, **moments)


@check("E5", Evidence.SIMULATED)
@check("E6", Evidence.SIMULATED)
@given(setting=settings_of_case_b())
@settings(max_examples=8, deadline=None)
def test_simulated_units_obey_eqs_5_and_6(seed: int, setting: Setting) -> None:
    inputs = replace(setting.inputs, d=1, correlation=0.0)
    rng, noise = np.random.default_rng([seed, setting.seed]), Dropout(setting.retain)
    moments = {"retain": setting.retain, "c": setting.c, "v": setting.v}
    expected = {"var_train": value("eq5", **moments), "shift": value("eq6", **moments)}
    all_agree(lambda n: measure_case("a", inputs, noise, None, n, rng), expected)


@control("E5")
@control("E6")
def test_a_dropout_that_forgets_its_scaling_disobeys_eqs_5_and_6(rng: np.random.Generator) -> None:
    result = measure_case("a", Equicorrelated(1, 0.5, 1.0, 0.0), Unscaled(0.5), None, 200_000, rng)
    disagree(result.var_train, value("eq5", retain=0.5, c=0.5, v=1))
    disagree(result.shift, value("eq6", retain=0.5, c=0.5, v=1))


@check("E6-LE", Evidence.PROVED)
@check("E6-ONLY", Evidence.PROVED)
def test_the_shift_of_case_a_is_at_most_p() -> None:
    equation = proved("case-a-best", s.p * (1 - s.p) * s.c**2 / (s.v + (1 - s.p) * s.c**2))
    last = equation.derivation.steps[-1]
    assert (last.relation, last.expression) == (">=", 0)
    assert equation.formula.subs(s.c, 0) == 0


@check("E6-LE", Evidence.ENUMERATED)
@check("E6-ONLY", Evidence.ENUMERATED)
@pytest.mark.parametrize("retain", RATIOS)
@pytest.mark.parametrize("unit", UNITS)
def test_over_all_masks_the_shift_never_exceeds_p_and_is_one_only_at_p_one(
    unit: FiniteInputs, retain: Fraction
) -> None:
    shift = enumerate_dropout(unit, (1,), retain).shift
    assert shift <= retain <= 1
    assert (shift == 1) == (retain == 1)


@check("S3-MEAN", Evidence.PROVED)
def test_the_mean_needs_no_correction_where_the_variance_does() -> None:
    added = EQUATIONS["eq5"].formula - s.v
    assert EQUATIONS["eq1"].derivation.result.args == (s.x[s.k],)
    assert added.subs({s.p: Fraction(1, 2), s.c: 0, s.v: 1}) == 1


@check("S3-MEAN", Evidence.SIMULATED)
def test_on_the_same_inputs_the_mean_stays_and_the_variance_moves(rng: np.random.Generator) -> None:
    x = Equicorrelated(1, 1.0, 1.0, 0.0, dtype="float32").sample(4_000_000, rng)
    batches = [values.reshape(-1, 100) for values in (Dropout(0.5).train(x, rng), x)]
    means = BatchMeans("train", "test", "var_train", "var_test", samples_per_batch=100)
    means.add(np.stack([b.mean(axis=1) for b in batches] + [b.var(axis=1, ddof=1) for b in batches], axis=1))
    agree(means.ratio("test", "train"), 1.0)
    disagree(means.ratio("var_test", "var_train"), 1.0)
