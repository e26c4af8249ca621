"""Section 5: Uout and its relatives, and Dropout behind the last BN."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from sympy import pi, sqrt

from paper_checks.comparing import BETAS, FINITE, SEEDS, VARIANCES, Setting, exact, proved, value, variance_of
from paper_checks.controls import AdditiveUout
from paper_checks.error_rates import agree, disagree, powered
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    FiniteInputs,
    GaussianDropout,
    Noise,
    Stack,
    Uout,
    enumerate_dropout,
    measure_case,
)
from theory import EQUATIONS
from theory import symbols as s
from theory.expectation import INDEPENDENT, MEAN, UNIFORM, VARIANCE, Var, reduce_moments
from theory.sums import vanishes

SETTING = Setting(retain=0.5, c=0.4, v=1.0, rho=0.3, d=5, cos2=0.4, draw="gaussian", seed=4)


@check("E13", Evidence.PROVED, Verdict.HOLDS_IF)
def test_eq13_is_derived_as_printed_and_needs_a_mean_of_zero() -> None:
    equation = proved("eq13", 3 / (3 + s.beta**2))
    assert equation.exact(beta="0.1") == Fraction(300, 301)
    with_mean = EQUATIONS["shift"].formula.subs({s.d: 1, s.cos2: 1, s.s2: s.beta**2 / 3})
    assert vanishes(with_mean.subs(s.c, 0) - equation.formula)
    assert with_mean.subs({s.c: 1, s.v: 1, s.beta: 1}) < equation.formula.subs(s.beta, 1)


@check("E13", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("beta", [Fraction(1, 10), Fraction(1, 2), Fraction(1)])
def test_any_noise_with_the_two_moments_of_uout_shifts_exactly_as_eq13_says(beta: Fraction) -> None:
    sixths = {-beta: Fraction(1, 6), Fraction(0): Fraction(2, 3), beta: Fraction(1, 6)}  # E[r] = 0, E[r^2] = beta^2/3
    values = [(chance / 2, x * (1 + r)) for r, chance in sixths.items() for x in (-1, 1)]
    assert 1 / variance_of(values) == exact("eq13", beta=beta)
    added = [(chance / 2, 2 * x + r) for r, chance in sixths.items() for x in (-1, 1)]
    assert 4 / variance_of(added) != exact("eq13", beta=beta)


@check("E13", Evidence.SIMULATED, Verdict.HOLDS_IF)
@given(beta=BETAS, v=VARIANCES, drawn=SEEDS)
@settings(max_examples=8, deadline=None)
def test_simulated_uout_obeys_eq13(seed: int, beta: float, v: float, drawn: int) -> None:
    rng, inputs = np.random.default_rng([seed, drawn]), Equicorrelated(1, 0.0, v, 0.0)
    expected = value("eq13", beta=beta)
    agree(powered(lambda n: measure_case("a", inputs, Uout(beta), None, n, rng).shift, expected), expected)


@check("E13", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_additive_uout_and_a_mean_both_disobey_eq13(rng: np.random.Generator) -> None:
    centred, with_mean = Equicorrelated(1, 0.0, 4.0, 0.0), Equicorrelated(1, 3.0, 4.0, 0.0)
    expected = value("eq13", beta=1)
    disagree(measure_case("a", centred, AdditiveUout(1.0), None, 1_000_000, rng).shift, expected)
    shift = measure_case("a", with_mean, Uout(1.0), None, 1_000_000, rng).shift
    disagree(shift, expected)
    agree(shift, value("shift", noise_var=Fraction(1, 3), c=3, v=4, rho=0, d=1, cos2=1), catches=0.02)


@check("S5-P", Evidence.PROVED, Verdict.HOLDS_IF)
def test_at_mean_zero_the_shift_of_case_a_is_p_and_with_a_mean_it_is_smaller() -> None:
    assert EQUATIONS["eq6"].formula.subs(s.c, 0) == s.p
    assert exact("eq6", retain="0.9", c=0, v=7) == Fraction(9, 10) > exact("eq6", retain="0.9", c=1, v=7)


@check("S5-P", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_a_simulated_drop_ratio_of_a_tenth_scales_the_variance_by_nine_tenths(rng: np.random.Generator) -> None:
    shifts = [
        powered(lambda n, c=c: measure_case("a", Equicorrelated(1, c, 1.0, 0.0), Dropout(0.9), None, n, rng).shift, 0.9)
        for c in (0.0, 2.0)
    ]
    agree(shifts[0], 0.9)
    disagree(shifts[1], 0.9)


@check("S5-GAUSSIAN", Evidence.PROVED)
def test_standard_normal_noise_has_the_variance_of_dropout_at_one_half() -> None:
    assert exact("noise-gaussian", sigma=1) == exact("noise-dropout", retain="0.5") == 1
    assert EQUATIONS["noise-gaussian"].derivation.result == s.sigma**2


def _agrees_with_the_law(noise: Noise, noise_var: Fraction, rng: np.random.Generator) -> None:
    expected = value("shift", noise_var=noise_var, **SETTING.moments)
    agree(powered(lambda n: SETTING.measure(noise, n, rng).shift, expected), expected)
    disagree(SETTING.measure(noise, 400_000, rng).shift, value("shift", noise_var=3 * noise_var, **SETTING.moments))


@check("S5-GAUSSIAN", Evidence.SIMULATED)
def test_simulated_gaussian_noise_and_dropout_at_one_half_shift_the_same(rng: np.random.Generator) -> None:
    for noise in (GaussianDropout(1.0), Dropout(0.5)):
        _agrees_with_the_law(noise, Fraction(1), rng)


@check("S5-LIGHTER", Evidence.PROVED, Verdict.HOLDS_IF)
def test_uout_shifts_less_only_by_being_a_weaker_noise() -> None:
    proved("equal-noise", 3 / (3 + s.beta**2))
    assert exact("noise-dropout", retain="0.9") / exact("noise-uout", beta="0.1") == Fraction(100, 3)
    assert exact("equal-noise", beta=1) == Fraction(3, 4)
    same = EQUATIONS["noise-dropout"].formula.subs(s.p, EQUATIONS["equal-noise"].formula)
    assert vanishes(same - EQUATIONS["noise-uout"].formula)


@check("S5-LIGHTER", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_at_equal_noise_simulated_uout_and_dropout_shift_the_same(rng: np.random.Generator) -> None:
    noise_var = exact("noise-uout", beta=1)
    for noise in (Uout(1.0), Dropout(0.75)):
        _agrees_with_the_law(noise, noise_var, rng)


@check("S5-CASE", Evidence.PROVED, Verdict.UNDERSPECIFIED)
def test_behind_a_relu_the_mean_is_not_zero_and_eq13_understates_the_shift() -> None:
    at_unit = {s.drift: 0, s.spread: 1}
    mean, power = (EQUATIONS[name].formula.subs(at_unit) for name in ("relu-mean", "relu-power"))
    variance = power - mean**2
    assert sqrt(mean**2 / variance).equals(sqrt(1 / (pi - 1)))
    found = EQUATIONS["shift"].formula.subs({s.d: 1, s.cos2: 1, s.c: mean, s.v: variance, s.s2: s.beta**2 / 3})
    assert found.subs(s.beta, 1).evalf() < EQUATIONS["eq13"].formula.subs(s.beta, 1)


@check("S5-LAST", Evidence.PROVED)
def test_a_bn_that_no_noise_reaches_is_not_shifted() -> None:
    assert EQUATIONS["shift"].formula.subs(s.s2, 0) == 1
    assert EQUATIONS["law"].formula.subs(s.s2, 0) == s.var_test


@check("S5-LAST", Evidence.SIMULATED)
def test_dropout_behind_the_last_bn_leaves_it_alone_and_before_it_does_not(rng: np.random.Generator) -> None:
    inputs = Equicorrelated(8, 0.0, 1.0, 0.0, dtype="float32")
    behind, before = (
        Stack(layers).measure(inputs, rng, replicas=160, batches=2, batch=1024)[0].shift
        for layers in ([BatchNorm(8), Dropout(0.5)], [Dropout(0.5), BatchNorm(8)])
    )
    agree(behind, 1.0, replicas=160)
    disagree(before, 1.0, replicas=160)


@check("S3-BEFORE", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_dropout_behind_a_bn_shifts_the_next_one(rng: np.random.Generator) -> None:
    stack, inputs = Stack([BatchNorm(8), Dropout(0.5), BatchNorm(8)]), Equicorrelated(8, 0.0, 1.0, 0.0, dtype="float32")
    first, following = stack.measure(inputs, rng, replicas=160, batches=1, batch=8192)
    agree(first.shift, 1.0, replicas=160)
    agree(following.shift, value("eq6", retain=0.5, c=0, v=1), replicas=160)
    disagree(following.shift, 1.0, replicas=160)


@check("X-ADDITIVE", Evidence.PROVED, Verdict.HOLDS_IF)
def test_additive_uout_has_the_right_variance_exactly_where_the_second_moment_is_one() -> None:
    known = (INDEPENDENT, UNIFORM, MEAN, VARIANCE)
    unit, r = s.x[s.k], s.r[s.k]
    excess = reduce_moments(Var(unit + unit * r) - Var(unit + r), known)
    assert vanishes(excess - s.beta**2 / 3 * (s.c**2 + s.v - 1))


@check("X-ADDITIVE", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_one_noise_for_a_channel_adds_another_variance_than_one_for_each_element() -> None:
    inputs, w, retain = FINITE[1], (1, 2, 3), Fraction(1, 2)
    own, shared = (enumerate_dropout(inputs, w, retain, masks=masks) for masks in ("independent", "shared"))
    assert own.var_test == shared.var_test
    assert own.var_train != shared.var_train
    alone = [
        enumerate_dropout(FiniteInputs(((Fraction(2),), (Fraction(5),))), (3,), retain, masks=m).var_train
        for m in ("independent", "shared")
    ]
    assert alone[0] == alone[1]


@check("X-ADDITIVE", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_a_standard_normal_input_does_not_tell_additive_uout_from_the_right_one(rng: np.random.Generator) -> None:
    def shift(v: float, samples: int) -> Estimate:
        return measure_case("a", Equicorrelated(1, 0.0, v, 0.0), AdditiveUout(1.0), None, samples, rng).shift

    expected = value("eq13", beta=1)
    agree(powered(lambda n: shift(1.0, n), expected), expected)
    disagree(shift(4.0, 400_000), expected)
