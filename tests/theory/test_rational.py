import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Rational, S, erfc, expand, nan, oo, sqrt, zoo

from theory.rational import is_zero
from theory.symbols import c, d, mu, p, v

few = settings(deadline=None, max_examples=60)
HIDDEN_ZERO = (1 + c) ** 2 - 1 - 2 * c - c**2
ANOTHER = (1 + c) ** 3 - 1 - 3 * c - 3 * c**2 - c**3
ALMOST = 1 - Rational(1, 10**9)

positive = st.recursive(
    st.sampled_from([d, p, v]) | st.integers(1, 3).map(Integer),
    lambda parts: (
        st.builds(lambda one, two: one + two, parts, parts)
        | st.builds(lambda one, two: one * two, parts, parts)
        | st.builds(lambda one, two: one / two, parts, parts)
        | st.builds(lambda one, power: (1 + one) ** power, parts, st.sampled_from([2, Rational(1, 2), Rational(-3, 2)]))
    ),
    max_leaves=5,
)


@few
@given(positive, positive)
def test_two_binomials_are_their_product_and_no_multiple_of_it(one: Expr, two: Expr):
    factors, product = (1 + one) * (2 + two), 2 + two + 2 * one + one * two
    assert is_zero(factors - product)
    assert not is_zero(factors - product * ALMOST)
    assert not is_zero(factors / product - ALMOST)


@few
@given(positive)
def test_one_over_a_root_is_a_root_over_its_square(base: Expr):
    root = sqrt(1 + base)
    assert is_zero(1 / root - root / (1 + base))
    assert is_zero((root - 1) * (root + 1) - base)
    assert not is_zero((root - 1) * (root + 1) - base * ALMOST)


@pytest.mark.parametrize(("outside", "inside"), [(p, v), (v, p), (c / v, p / mu), (Integer(2), Integer(3))])
def test_a_root_under_a_root_is_squared_away_in_whichever_order_their_names_are(outside: Expr, inside: Expr):
    root = sqrt(sqrt(inside) + outside)
    assert is_zero(((1 + root) * (1 - root) - 1 + outside) ** 2 - inside)
    assert not is_zero(((1 + root) * (1 - root) - 1 + outside) ** 2 - inside * ALMOST)


@pytest.mark.parametrize("inside", [c / 2, c / mu, 1 / (1 + c), (1 + c) / (1 + mu)])
def test_the_root_of_a_fraction_squares_to_that_fraction(inside: Expr):
    root = sqrt(inside)
    assert is_zero((1 + root) ** 2 - 1 - 2 * root - inside)
    assert is_zero((1 + root) ** 4 - (1 + inside) ** 2 - 4 * inside - 4 * root * (1 + inside))
    assert not is_zero((1 + root) ** 2 - 1 - 2 * root - c)  # the numerator alone


@pytest.mark.parametrize("q", [2, 4, 8, 16])
def test_roots_of_roots_are_squared_away(q: int):
    root = (c / v) ** Rational(1, q)
    assert is_zero((1 + root) ** 2 - 1 - 2 * root - (c / v) ** Rational(2, q))
    assert is_zero((c / v) ** Rational(3, q) / root - (c / v) ** Rational(2, q))
    assert is_zero((1 - root) * (1 + root) - 1 + root**2)
    assert not is_zero((1 + root) ** 2 - 1 - 2 * root - (c / v) ** Rational(1, q))
    nested = sqrt(1 + root)
    assert is_zero((nested**2 - 1) ** q - c / v)
    assert not is_zero((nested**2 - 1) ** q - c / p)


def test_a_cube_root_is_an_unknown():
    root = c ** Rational(1, 3)
    assert is_zero((1 + root) * (v - 2) - v + 2 - v * root + 2 * root)
    assert not is_zero((1 + root) ** 3 - 1 - 3 * root - 3 * root**2 - c / 2)


def test_numbers_are_zero_or_not():
    assert is_zero(S.Zero)
    assert not is_zero(Rational(1, 10**30))
    assert is_zero((sqrt(2) - 1) * (sqrt(2) + 1) - 1)


def test_the_root_of_a_hidden_zero_is_zero():
    assert is_zero(HIDDEN_ZERO)
    assert is_zero(c * sqrt(HIDDEN_ZERO))
    assert is_zero(c * sqrt((1 + sqrt(c)) ** 2 - 1 - c - 2 * sqrt(c)))
    assert is_zero(c * HIDDEN_ZERO ** Rational(3, 8))
    assert is_zero((1 + sqrt(sqrt(HIDDEN_ZERO) + c)) ** 2 - 1 - c - 2 * sqrt(sqrt(HIDDEN_ZERO) + c))
    assert not is_zero(1 + sqrt(HIDDEN_ZERO))


@pytest.mark.parametrize(
    "nothing",
    [
        HIDDEN_ZERO / ANOTHER - 7,
        1 / ANOTHER + c / p,
        1 / HIDDEN_ZERO - 1 / ANOTHER,
        1 / (1 + 1 / HIDDEN_ZERO),
        ANOTHER / sqrt(HIDDEN_ZERO),
        ANOTHER * HIDDEN_ZERO ** Rational(-3, 2),
        1 / sqrt(1 + 1 / HIDDEN_ZERO),
        1 / (sqrt(1 + sqrt(HIDDEN_ZERO)) ** 3 - sqrt(1 + sqrt(HIDDEN_ZERO))),
        HIDDEN_ZERO / ((1 + sqrt(c)) ** 2 - 1 - c - 2 * sqrt(c)),
        HIDDEN_ZERO / (sqrt(expand((1 + c) ** 2)) - 1 - c),
        HIDDEN_ZERO / (sqrt(v + sqrt(expand((1 + c) ** 2))) - sqrt(v + 1 + c)),
        HIDDEN_ZERO / (sqrt(v + p * sqrt(expand((1 + c) ** 2))) - sqrt(v + p * (1 + c))),
        ANOTHER / sqrt(sqrt(HIDDEN_ZERO)),
        HIDDEN_ZERO / ((1 + c ** Rational(1, 4)) ** 2 - 1 - 2 * c ** Rational(1, 4) - sqrt(c)),
        ANOTHER * HIDDEN_ZERO ** Rational(-1, 3),
        ANOTHER * HIDDEN_ZERO ** (-p),
        HIDDEN_ZERO * erfc(1 / ANOTHER),
        HIDDEN_ZERO * erfc(1 / (1 + 1 / ANOTHER)),
    ],
    ids=str,
)
def test_nothing_is_proved_of_what_divides_by_a_hidden_zero(nothing: Expr):
    with pytest.raises(ZeroDivisionError, match=r"c.* divides by zero"):
        is_zero(nothing)


@pytest.mark.parametrize(
    "nothing",
    [zoo, nan, zoo * c * p, zoo * HIDDEN_ZERO, oo * HIDDEN_ZERO, -oo * HIDDEN_ZERO, HIDDEN_ZERO * erfc(zoo)],
    ids=str,
)
def test_nothing_is_proved_where_sympy_saw_the_division_by_zero_itself(nothing: Expr):
    with pytest.raises(ZeroDivisionError, match="divides by zero"):
        is_zero(nothing)
