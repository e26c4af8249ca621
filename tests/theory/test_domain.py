import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from theory import EQUATIONS
from theory.sums import concrete

VALID: dict[str, dict[str, Any]] = {
    "eq1": {"retain": "0.5", "a": 1},
    "eq2": {"x": 1, "mu": 0, "batch_var": 1, "eps": 0},
    "eq3": {"m": 8, "batch_var": 1},
    "eq4": {"x": 1, "moving_mean": 0, "moving_var": 1, "eps": 0},
    "eq6": {"retain": "0.5", "c": 0, "v": 1},
    "eq7": {"retain": "0.5", "c": 0, "v": 1, "rho_ax": "0.1", "w": "1,2,3"},
    "eq8": {"v": 1, "rho": "0.1", "w": "1,2,3"},
    "eq10": {"retain": "0.5", "c": 0, "v": 1, "rho": "0.2", "d": 5, "cos2": "0.5"},
    "eq13": {"beta": "0.1"},
    "law": {"var_test": 1, "noise_var": 1, "w": "1,2", "second_moments": "3,4"},
    "rho-bound": {"v": 1, "rho": 0, "d": 5},
    "limit-width": {"retain": "0.5", "c": 0, "v": 1, "rho": "0.2", "d_cos2": 3},
    "noise-gaussian": {"sigma": 1},
    "chain": {"noise_var": "1", "depth": 3},
    "moving-correlated": {"v": 1, "rho": "0.2", "m": 3},
    "relu-mean": {"drift": 0, "spread": 1},
}
NOT_NUMBERS = ["nan", "inf", "-inf", "abc", "", "1/0", "0x10", math.nan, math.inf, None, 1j, "1 2"]
SCALARS = [
    (name, argument) for name, values in VALID.items() for argument in values if "," not in str(values[argument])
]

OUTSIDE: list[tuple[str, str, Any, str]] = [
    *[("eq6", "retain", value, "0 < retain <= 1") for value in (0, "0", 0.0, -0.5, 1.2, "1.0000001", "-1e-300")],
    *[("eq6", "v", value, "> 0") for value in (0, -1, "-1e-9")],
    *[("eq10", "d", value, "whole number >= 1") for value in (0, -3, 2.5, "5/2")],
    *[("eq10", "cos2", value, "0 <= cos2 <= 1") for value in (-0.1, 1.1, "1.0000001")],
    *[("eq10", "rho", value, "-1/(d-1) <= rho <= 1") for value in (1.1, "1.0000001", -2)],
    ("eq10", "rho", -0.5, "-1/(d-1) = -0.25 at d = 5"),
    ("rho-bound", "rho", -0.2500001, "-1/(d-1) = -0.25 at d = 5"),
    ("moving-correlated", "rho", -0.6, "-1/(m-1) = -0.5 at m = 3"),
    ("eq7", "rho_ax", -0.6, "-0.5/(d-1) = -0.25 at d = 3"),
    ("eq8", "rho", "-0.51", "-1/(d-1) = -0.5 at d = 3"),
    ("eq7", "rho_ax", 1.5, "-1/(d-1) <= rho <= 1"),
    *[("eq13", "beta", value, "0 <= beta <= 1") for value in (1.1, -0.1)],
    ("noise-gaussian", "sigma", -1, ">= 0"),
    ("law", "noise_var", -1, ">= 0"),
    ("law", "var_test", -1, ">= 0"),
    ("law", "second_moments", "1,-1", ">= 0"),
    ("eq2", "eps", "-1e-5", ">= 0"),
    ("eq2", "batch_var", -1, ">= 0"),
    ("eq4", "moving_var", -1, ">= 0"),
    *[("eq3", "m", value, "whole number >= 2") for value in (1, 2.5)],
    *[("eq1", "a", value, "0 or 1") for value in (2, 0.5)],
    *[("chain", "depth", value, "whole number >= 1") for value in (0, 1.5, 10_001)],
    ("relu-mean", "spread", 0, "> 0"),
    ("limit-width", "d_cos2", 0, "> 0"),
]
INSIDE: list[tuple[str, str, Any]] = [
    *[("eq6", "retain", value) for value in (1, "1", 1.0, "1e-300", Fraction(1, 3))],
    *[("eq6", "c", value) for value in (-5, 0, "1e10")],
    ("eq6", "v", "1e-300"),
    *[("eq10", "d", value) for value in (5.0, "5", "10/2", 10**9)],
    *[("eq10", "cos2", value) for value in (0, 1, "1")],
    *[("eq10", "rho", value) for value in (-0.25, 1, 0, "-1/4")],
    *[("eq13", "beta", value) for value in (0, 1)],
    *[("eq1", "a", value) for value in (0, 1)],
    ("noise-gaussian", "sigma", 0),
    ("eq3", "m", 2),
    *[("chain", "depth", value) for value in (1, 10_000)],
]


def complaint(name: str, values: dict[str, Any]) -> str:
    """What evaluate says against the values: one line."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        EQUATIONS[name].evaluate(**values)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", VALID)
def test_the_values_that_these_tests_start_from_are_accepted(name: str):
    assert math.isfinite(EQUATIONS[name].evaluate(**VALID[name]))


@pytest.mark.parametrize(("name", "argument", "value"), INSIDE, ids=repr)
def test_the_edge_of_the_domain_belongs_to_it(name: str, argument: str, value: Any):
    assert math.isfinite(EQUATIONS[name].evaluate(**VALID[name] | {argument: value}))


@pytest.mark.parametrize(("name", "argument", "value", "allowed"), OUTSIDE, ids=repr)
def test_a_value_outside_is_refused_with_its_name_and_what_is_allowed(
    name: str, argument: str, value: Any, allowed: str
):
    message = complaint(name, VALID[name] | {argument: value})
    assert message.startswith(f"{argument} = ")
    assert str(value).split(",")[-1] in message
    assert allowed in message


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("eq6", {"retain": 0}, "retain = 0: must be 0 < retain <= 1"),
        ("eq6", {"v": True}, "v = True: must be a finite number"),
        ("eq10", {"d": 2.5}, "d = 2.5: must be a whole number >= 1"),
        ("chain", {"depth": 10_001}, "depth = 10001: must be a whole number >= 1 and <= 10000"),
        ("law", {"second_moments": "3,-4"}, "second_moments = -4: must be finite numbers >= 0, separated by commas"),
        ("law", {"second_moments": "1,2,3"}, "different lengths: w has 2, second_moments has 3"),
        ("eq7", {"w": 3}, "w = 3: must be finite numbers, not all of them 0, separated by commas"),
        ("eq7", {"w": "0,0"}, "w = 0, 0: must be finite numbers, not all of them 0, separated by commas"),
        ("eq10", {"cos2": 0, "d": 1}, "cos2 = 0: must be 1 at d = 1, where w and (1) are parallel"),
        (
            "eq10",
            {"rho": "-0.5"},
            "rho = -0.5: must be >= -1/(d-1) = -0.25 at d = 5 and <= 1: no other exists",
        ),
        (
            "eq7",
            {"rho_ax": "0.7", "retain": "0.6"},
            "rho_ax = 0.7: must be >= -0.6/(d-1) = -0.3 at d = 3 and <= 0.6: no other exists",
        ),
        (
            "eq7",
            {"rho_ax": "0.7", "c": 3},
            "rho_ax = 0.7: must be >= -0.0909091/(d-1) = -0.0454545 at d = 3 and <= 0.0909091: no other exists",
        ),
        (
            "eq10",
            {"retain": 1, "rho": "-1/4", "cos2": 1},
            "eq10 divides by zero at retain = 1, c = 0, v = 1, rho = -1/4, d = 5, cos2 = 1",
        ),
        ("rho-bound", {"v": "1e400"}, "rho-bound: the value at these arguments leaves the range of doubles"),
        (
            "relu-mean",
            {"drift": "1e200", "spread": "1e-200"},
            "relu-mean: the value at these arguments leaves the range of doubles",
        ),
        (
            "limit-width",
            {"rho": "-0.3", "d_cos2": "4.01"},
            "d_cos2 = 4.01: must be <= d <= 1 - 1/rho = 4.33333 at a negative rho",
        ),
    ],
)
def test_what_is_refused_is_told_in_full(name: str, values: dict[str, Any], line: str):
    assert complaint(name, VALID[name] | values) == line


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
@pytest.mark.parametrize(("name", "argument"), SCALARS)
def test_what_is_no_finite_number_is_refused_everywhere(name: str, argument: str, value: Any):
    message = complaint(name, VALID[name] | {argument: value})
    assert message.startswith(f"{argument} = {value}")
    assert "finite number" in message


@pytest.mark.parametrize("value", ["1\n2", "a\nb", "1\r2"])
def test_the_complaint_is_one_line_even_where_the_value_is_two(value: str):
    assert len(complaint("eq13", {"beta": value}).splitlines()) == 1


def test_at_one_input_the_weight_is_parallel_to_one():
    values = {"retain": "0.5", "c": 0, "v": 1, "rho": 0, "d": 1}
    assert EQUATIONS["eq10"].evaluate(**values, cos2=1) == 0.5
    for cos2 in (0, 0.99):
        message = complaint("eq10", values | {"cos2": cos2})
        assert message.startswith("cos2 = ")
        assert "must be 1 at d = 1" in message
    assert EQUATIONS["eq10"].evaluate(**values | {"d": 2}, cos2=0.99) == 0.5


def accepts(rho: Any, d: int) -> bool:
    try:
        EQUATIONS["rho-bound"].evaluate(v=1, rho=rho, d=d)
    except ValueError:
        return False
    return True


def test_the_least_correlation_is_accepted_as_a_double_and_one_step_below_it_is_not():
    sizes = range(2, 201)
    least = [-1 / (d - 1) for d in sizes]
    assert all(accepts(rho, d) for rho, d in zip(least, sizes, strict=True))
    assert not any(accepts(math.nextafter(rho, -2), d) for rho, d in zip(least, sizes, strict=True))


@pytest.mark.parametrize("d", [2, 4, 7, 50])
def test_at_the_least_correlation_the_sum_of_all_inputs_is_constant(d: int):
    assert EQUATIONS["rho-bound"].exact(v=3, rho=-1 / (d - 1), d=d) == 0
    assert EQUATIONS["rho-bound"].exact(v=3, rho=Fraction(-1, d - 1), d=d) == 0
    assert EQUATIONS["rho-bound"].exact(v=3, rho=Fraction(-1, d), d=d) > 0


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 300), st.fractions(-1, 1, max_denominator=300))
def test_a_correlation_is_accepted_exactly_where_it_is_feasible(d: int, rho: Fraction):
    assert accepts(rho, d) == (rho >= Fraction(-1, d - 1))


def test_a_bound_of_eq9_as_a_double_is_taken_to_be_the_bound():
    values = VALID["eq7"] | {"c": 3}
    assert EQUATIONS["eq7"].exact(**values | {"rho_ax": 1 / 11}) == EQUATIONS["eq7"].exact(
        **values | {"rho_ax": Fraction(1, 11)}
    )


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_may_have_an_exponent_up_to_400(sign: str):
    assert EQUATIONS["rho-bound"].exact(v=f"1e{sign}400", rho=0, d=1) == Rational(10) ** int(f"{sign}400")
    assert (
        complaint("rho-bound", {"v": f"1e{sign}401", "rho": 0, "d": 1}) == f"v = 1e{sign}401: must be a finite number"
    )


@pytest.mark.parametrize("name", ["limit-width", "monotone-width"])
def test_a_negative_correlation_bounds_the_width(name: str):
    """At rho = -1/4 there are at most 5 inputs, at -3/10 at most 4, and d cos²θ <= d."""
    values = {"retain": "0.5", "c": 0, "v": 1}
    for rho, most in (("-0.25", 5), ("-0.3", 4)):
        assert math.isfinite(EQUATIONS[name].evaluate(**values, rho=rho, d_cos2=most - Fraction(1, 100)))
        assert "d_cos2" in complaint(name, values | {"rho": rho, "d_cos2": most + Fraction(1, 100)})
    assert math.isfinite(EQUATIONS[name].evaluate(**values, rho=0, d_cos2=100))


@pytest.mark.parametrize("empty", ["", [], ()])
def test_weights_cannot_be_empty(empty: Any):
    assert complaint("eq8", {"v": 1, "rho": 0, "w": empty}).startswith("w ")


@pytest.mark.parametrize("zeros", ["0", "0,0,0", [0.0, 0], ["0", "-0"]])
def test_weights_cannot_all_be_zero(zeros: Any):
    message = complaint("eq11", {"w": zeros})
    assert message.startswith("w = 0")
    assert "not all of them 0" in message
    assert EQUATIONS["eq11"].evaluate(w="0,1") == 0.5


@pytest.mark.parametrize("entry", ["nan", "inf", "x", ""])
def test_each_weight_must_be_a_number(entry: str):
    assert complaint("eq11", {"w": f"1,{entry},2"}).startswith(f"w = {entry}")


@pytest.mark.parametrize("value", [3, None, 0.5], ids=repr)
def test_a_number_where_a_list_belongs_is_refused_in_words(value: Any):
    assert "w" in complaint("eq11", {"w": value})


def test_weights_and_second_moments_come_in_pairs():
    message = complaint("law", VALID["law"] | {"second_moments": "1,2,3"})
    assert "w has 2" in message
    assert "second_moments has 3" in message


@pytest.mark.parametrize("name", VALID)
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str):
    message = complaint(name, VALID[name] | {"nonsense": 1})
    assert message.startswith(f"{name} does not take nonsense")
    assert all(argument in message for argument in VALID[name])


@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name in VALID for argument in VALID[name]])
def test_a_missing_value_is_named(name: str, argument: str):
    rest = {other: value for other, value in VALID[name].items() if other != argument}
    assert complaint(name, rest).startswith(f"{name} needs {argument}")


def test_the_paper_s_p_is_called_retain():
    assert "does not take p" in complaint("eq6", {"p": 0.5, "c": 0, "v": 1})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("eq12", VALID["eq10"] | {"cos2": 0}),
        ("eq2", {"x": 1, "mu": 0, "batch_var": 0, "eps": 0}),
        ("eq10", VALID["eq10"] | {"retain": 1, "rho": "-1/4", "cos2": 1}),
        ("eq2", {"x": 1, "mu": 1, "batch_var": 0, "eps": 0}),
        ("eq4", {"x": 1, "moving_mean": 1, "moving_var": 0, "eps": 0}),
        ("constant-in-retain", {"c": 0, "v": 1, "rho": "-1/4", "d": 5, "cos2": 1}),
    ],
)
def test_a_division_by_zero_is_reported_and_not_returned(name: str, values: dict[str, Any]):
    assert "divides by zero" in complaint(name, values)


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_parameters_are_all_that_the_right_side_depends_on_or_it_has_no_value(name: str):
    equation = EQUATIONS[name]
    if not equation.parameters:
        assert complaint(name, {}) == f"{name} relates random quantities: it has no value"
        return
    vectors = any(parameter.is_vector for parameter in equation.parameters)
    written_out = concrete(equation.formula, 2, equation.derivation.upper) if vectors else equation.formula
    for parameter in equation.parameters:
        replacements = parameter.replacements((1, 2) if parameter.is_vector else 1)
        only_bounds_another = (name, parameter.name) == ("moving-correlated", "m")
        assert all(written_out.has(symbol) for symbol in replacements) is not only_bounds_another
    values = [parameter.replacements((3, 5) if parameter.is_vector else 7) for parameter in equation.parameters]
    assert not written_out.subs({old: new for one in values for old, new in one.items()}).free_symbols
