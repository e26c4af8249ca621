import math
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sympy import Eq, Rational

from theory import EQUATIONS, Derivation, Equation
from theory.chain import Response, relu_stack

few = settings(deadline=None, max_examples=25)
# 5 s of CPU where ten million additions take half a second. Hosts differ, and change: both are timed in one process.
ADDITIONS = 10
DERIVE_ALL = """
import time, theory
start, total = time.process_time(), 0
for i in range(10_000_000):
    total += i
unit, start = time.process_time() - start, time.process_time()
derived = [equation.derivation.result for equation in theory.EQUATIONS.values()]
print(len(derived), (time.process_time() - start) / unit)
"""

retains = st.fractions(Fraction(1, 20), 1, max_denominator=20)
means = st.fractions(-3, 3, max_denominator=8)
variances = st.fractions(Fraction(1, 16), 9, max_denominator=16)
unit = st.fractions(0, 1, max_denominator=12)
weights = st.lists(st.fractions(-2, 2, max_denominator=5), min_size=1, max_size=6).filter(any)


def feasible(position: Fraction, d: int) -> Fraction:
    """A correlation between -1/(d-1) and 1."""
    least = Fraction(-1, max(d - 1, 1))
    return least + position * (1 - least)


def holds(name: str, expected: Fraction, **values: Any) -> None:
    """The equation's value is this number, as an exact one and as the nearest double."""
    assert EQUATIONS[name].exact(**values) == Rational(expected.numerator, expected.denominator)
    assert EQUATIONS[name].evaluate(**values) == float(expected)


def pairs(ws: list[Fraction]) -> Fraction:
    return sum((one * two for s, one in enumerate(ws) for t, two in enumerate(ws) if s != t), Fraction(0))


def squares(ws: list[Fraction]) -> Fraction:
    return sum((one * one for one in ws), Fraction(0))


def test_equations_is_a_mapping_with_those_of_the_paper_and_more():
    assert isinstance(EQUATIONS, Mapping)
    assert {*(f"eq{number}" for number in range(1, 14)), "law"} < set(EQUATIONS)
    assert len(EQUATIONS) == len(list(EQUATIONS)) > 14
    assert "eq14" not in EQUATIONS
    assert EQUATIONS.get("eq14") is None
    with pytest.raises(KeyError):
        EQUATIONS["eq14"]


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_equation_is_complete(name: str):
    equation = EQUATIONS[name]
    assert isinstance(equation, Equation)
    assert equation.name == name
    assert equation is EQUATIONS[name]
    assert isinstance(equation.statement, Eq)
    assert equation.formula == equation.statement.rhs
    assert isinstance(equation.derivation, Derivation)
    assert equation.derivation.steps
    assert all(step.reason for step in equation.derivation.steps)
    assert equation.title
    assert equation.source


def test_everything_is_derived_in_a_fresh_process_in_time():
    least = math.inf
    for _ in range(3):  # the best of three: others may use the machine
        command = [sys.executable, "-c", DERIVE_ALL]
        count, additions = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(count) == len(EQUATIONS)
        least = min(least, float(additions))
        if least < ADDITIONS:
            break
    assert least < ADDITIONS


def test_eq10_at_the_issue_s_values_is_the_nearest_double():
    value = EQUATIONS["eq10"].evaluate(retain=0.5, c=0, v=1, rho=0.2, d=576, cos2=0.02)
    assert value == float(Fraction(3104, 4104))
    assert value not in (math.nextafter(value, 0), math.nextafter(value, 1))


@pytest.mark.parametrize("name", ["eq10", "eq12"])
@pytest.mark.parametrize(
    "values",
    [
        {"retain": 0.1, "c": 0, "v": 1, "rho": 0, "d": 5, "cos2": 1},
        {"retain": "0.1", "c": "0", "v": "1", "rho": "0", "d": "5", "cos2": "1"},
        {"retain": Fraction(1, 10), "c": 0.0, "v": Fraction(1), "rho": Fraction(0), "d": 5.0, "cos2": 1.0},
        {"retain": "1/10", "c": Rational(0), "v": Rational(1), "rho": "0.0", "d": "5", "cos2": "1e0"},
        {"retain": " 0.10 ", "c": "-0", "v": "10e-1", "rho": 0, "d": "5.0", "cos2": "1e0"},
    ],
)
def test_numbers_may_come_in_any_form_and_a_decimal_means_what_it_says(name: str, values: dict[str, Any]):
    assert EQUATIONS[name].exact(**values) == Rational(1, 10)
    assert EQUATIONS[name].exact(**values) != Fraction(0.1)  # the double is not one tenth
    assert EQUATIONS[name].evaluate(**values) == 0.1


@pytest.mark.parametrize("form", ["1, 0.5,-2", [1, 0.5, -2], (1, "0.5", Fraction(-2)), ["1", "1/2", "-2.0"]], ids=repr)
def test_weights_may_come_as_text_or_as_any_list(form: Any):
    holds("eq11", Fraction(1, 4) / (3 * Fraction(21, 4)), w=form)


@few
@given(retains, means, variances)
@example(Fraction(1), Fraction(3), Fraction(1))
@example(Fraction(1, 2), Fraction(0), Fraction(1))
def test_case_a(p: Fraction, c: Fraction, v: Fraction):
    train = (c**2 + v) / p - c**2
    holds("eq5", train, retain=p, c=c, v=v)
    for name in ("eq6", "scaled-in-test", "affine", "limit-uncorrelated"):
        holds(name, v / train, retain=p, c=c, v=v)
    holds("case-a-best", p - v / train, retain=p, c=c, v=v)


@few
@given(st.tuples(retains, means, variances), st.sampled_from([1, 2, 3, 5, 64, 576]), unit, unit)
def test_case_b(moments: tuple[Fraction, Fraction, Fraction], d: int, position: Fraction, cos2: Fraction):
    p, c, v = moments
    rho, cos2 = feasible(position, d), Fraction(1) if d == 1 else cos2
    train = (c**2 + v) / p - c**2
    pooled, dropped = v + v * rho * (d * cos2 - 1), train + v * rho * (d * cos2 - 1)
    assume(dropped != 0)
    values = {"retain": p, "c": c, "v": v, "rho": rho, "d": d, "cos2": cos2}
    holds("eq9", rho * v / train, retain=p, c=c, v=v, rho=rho)
    holds("eq10", pooled / dropped, **values)
    holds("deficit", 1 - pooled / dropped, **values)
    holds("a-against-b", pooled / dropped - v / train, **values)
    holds("shift", pooled / dropped, noise_var=(1 - p) / p, c=c, v=v, rho=rho, d=d, cos2=cos2)
    holds("spectrum", pooled, v=v, rho=rho, d=d, cos2=cos2)
    if cos2 > 0:
        wide = d * cos2
        over = v * rho + (v / p - v * rho + (1 / p - 1) * c**2) / wide
        holds("eq12", (v * rho + (v - v * rho) / wide) / over, **values)
        assert EQUATIONS["eq12"].exact(**values) == EQUATIONS["eq10"].exact(**values)


@few
@given(weights, unit, retains, means, variances)
@example([Fraction(1), Fraction(-1)], Fraction(0), Fraction(1, 2), Fraction(1), Fraction(1))
def test_sums_over_weights(ws: list[Fraction], position: Fraction, p: Fraction, c: Fraction, v: Fraction):
    rho = feasible(position, len(ws))
    train = (c**2 + v) / p - c**2
    rho_ax = rho * v / train
    holds("eq7", train * (squares(ws) + rho_ax * pairs(ws)), retain=p, c=c, v=v, rho_ax=rho_ax, w=ws)
    holds("eq8", v * (squares(ws) + rho * pairs(ws)), v=v, rho=rho, w=ws)
    holds("eq11", sum(ws) ** 2 / (len(ws) * squares(ws)), w=ws)
    holds("cos2-bound", len(ws) * squares(ws) - sum(ws) ** 2, w=ws)


@few
@given(st.lists(st.tuples(means, st.fractions(0, 9, max_denominator=8)), min_size=1, max_size=6), variances, variances)
def test_the_law(inputs: list[tuple[Fraction, Fraction]], var_test: Fraction, noise: Fraction):
    ws, powers = [w for w, _ in inputs], [power for _, power in inputs]
    assume(any(ws))
    added = noise * sum((w * w * power for w, power in inputs), Fraction(0))
    for name in ("law", "law-residual"):
        holds(name, var_test + added, var_test=var_test, noise_var=noise, w=ws, second_moments=powers)
    holds("law-shared", var_test + noise * sum(powers), var_test=var_test, noise_var=noise, second_moments=powers)


@few
@given(st.fractions(0, 1, max_denominator=1000))
@example(Fraction(1, 10))
def test_uout(beta: Fraction):
    holds("eq13", 3 / (3 + beta**2), beta=beta)
    holds("equal-noise", 3 / (3 + beta**2), beta=beta)
    holds("noise-uout", beta**2 / 3, beta=beta)


def test_single_values_by_hand():
    holds("eq13", Fraction(300, 301), beta=0.1)
    holds("eq1", Fraction(3, 10), retain=0.3, a=1)
    holds("eq1", Fraction(7, 10), retain=0.3, a=0)
    holds("eq1", Fraction(0), retain=1, a=0)
    holds("eq1", Fraction(1), retain=1, a=1)
    holds("eq2", Fraction(3, 2), x=4, mu=1, batch_var="3.75", eps="0.25")
    holds("eq3", Fraction(24, 7), m=8, batch_var=3)
    holds("eq4", Fraction(-1, 2), x=0, moving_mean=1, moving_var=4, eps=0)
    holds("noise-dropout", Fraction(1), retain=0.5)
    holds("noise-gaussian", Fraction(1, 4), sigma=0.5)
    holds("rho-bound", Fraction(5, 2), v=1, rho="1/4", d=2)
    holds("moving-correlated", Fraction(3, 2), v=2, rho="1/4", m=3)
    holds("chain", Fraction(1, 8), noise_var=1, depth=3)
    holds("limit-retain", Fraction(1, 3), retain=0.5, c=0, v=1, rho=1, d=2, cos2=1)
    holds("constant-in-retain", Fraction(5, 7), c=2, v=1, rho=1, d=7, cos2=1)


@few
@given(st.integers(1, 2**60), st.integers(1, 2**60))
@example(2**53 + 1, 2**53)  # half way between two doubles
@example(2**53 + 3, 2**53)
@example(2**138 + 2**85 + 1, 2**138)  # by 10^-42 more than half way
@example(1, 3)
def test_evaluate_rounds_once_to_the_nearest_double(numerator: int, denominator: int):
    variance = Fraction(numerator, denominator)
    assert EQUATIONS["eq8"].evaluate(v=variance, rho=0, w=[1]) == numerator / denominator


@few
@given(st.integers(1, 10**6))
@example(15)  # where rounding to doubles on the way would show
def test_an_inverse_root_is_rounded_to_the_nearest_double_too(variance: int):
    with localcontext(prec=50):
        expected = float(1 / Decimal(variance).sqrt())
    assert EQUATIONS["eq2"].evaluate(x=1, mu=0, batch_var=variance, eps=0) == expected


def test_values_behind_relu_by_hand():
    assert EQUATIONS["relu-mean"].evaluate(drift=0, spread=1) == pytest.approx(1 / math.sqrt(2 * math.pi), rel=2**-52)
    assert EQUATIONS["relu-power"].evaluate(drift=0, spread=3) == 4.5
    expected = (math.pi - 1) / (2 * math.pi - 1)
    assert EQUATIONS["relu-variance"].evaluate(noise_var=1, spread=1) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("name", ["monotone-retain", "monotone-width"])
def test_a_derivative_is_the_slope_of_a_small_step(name: str):
    values = {"retain": Fraction(2, 5), "c": Fraction(1, 3), "v": Fraction(2), "rho": Fraction(1, 5)}
    step = Fraction(1, 10**9)
    if name == "monotone-retain":
        at = values | {"d": 9, "cos2": Fraction(1, 4)}
        above = EQUATIONS["eq10"].exact(**at | {"retain": values["retain"] + step})
    else:
        at = values | {"d_cos2": Fraction(9, 4)}
        above = EQUATIONS["eq10"].exact(**values, d=9, cos2=(Fraction(9, 4) + step) / 9)
    here = EQUATIONS["eq10"].exact(**values, d=9, cos2=Fraction(1, 4))
    assert float((above - here) * 10**9) == pytest.approx(EQUATIONS[name].evaluate(**at), rel=1e-6)


def test_a_stack_without_noise_stays_as_it_was_trained():
    for response in relu_stack(noise_var=0, d_cos2=5, depth=4):
        assert (response.mean, response.variance) == (pytest.approx(0, abs=1e-12), pytest.approx(1, rel=1e-12))


def test_a_stack_shrinks_variances_by_the_same_factor_and_drifts_with_the_width():
    factor = EQUATIONS["relu-variance"].evaluate(noise_var=1, spread=1)
    centred = relu_stack(noise_var=1, d_cos2=0, depth=3)
    assert [one.variance for one in centred] == pytest.approx([factor, factor**2, factor**3])
    assert [one.mean for one in centred] == [0, 0, 0]
    wide = relu_stack(noise_var=1, d_cos2=9, depth=2)
    drift = EQUATIONS["relu-drift"].evaluate(noise_var=1, spread=factor**0.5, d=9, cos2=1)
    assert isinstance(wide[0], Response)
    assert (wide[0].mean, wide[0].variance) == (pytest.approx(0, abs=1e-12), pytest.approx(factor))
    assert wide[1].mean == pytest.approx(-(drift**0.5))
    assert wide[1].mean < -0.1
