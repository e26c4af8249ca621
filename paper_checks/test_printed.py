"""A printed decimal stands for all values that round to it, and arithmetic loses none of them."""

import operator
from collections.abc import Callable
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paper_checks.ledger import Evidence, check
from paper_checks.printed import (
    Interval,
    Number,
    Printed,
    Reading,
    interval,
    less,
    surely_at_most,
    surely_increasing,
    surely_less,
)

OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv)
fractions = st.fractions(min_value=-100, max_value=100, max_denominator=10_000)
intervals = st.tuples(fractions, fractions).map(lambda ends: Interval(min(ends), max(ends)))
decimals = st.decimals(min_value=-1000, max_value=1000, places=9)


@st.composite
def interval_and_point(draw: st.DrawFn) -> tuple[Interval, Fraction]:
    """An interval, and a value somewhere in it."""
    held = draw(intervals)
    share = draw(st.fractions(min_value=0, max_value=1, max_denominator=1000))
    return held, held.low + share * (held.high - held.low)


@check("ROUNDING", Evidence.ENUMERATED)
@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("8.42", Fraction(8415, 1000), Fraction(8425, 1000)),
        ("8.420", Fraction(84195, 10_000), Fraction(84205, 10_000)),
        ("0.9", Fraction(17, 20), Fraction(19, 20)),
        ("10000", Fraction(19_999, 2), Fraction(20_001, 2)),
        ("-1.5", Fraction(-31, 20), Fraction(-29, 20)),
        ("007", Fraction(13, 2), Fraction(15, 2)),
    ],
)
def test_a_printed_decimal_reaches_half_a_unit_of_its_last_digit_to_either_side(
    text: str, low: Fraction, high: Fraction
) -> None:
    printed = Printed(text)
    assert (printed.low, printed.high, printed.text) == (low, high, text)
    assert printed.value == Fraction(text)


@check("ROUNDING", Evidence.ENUMERATED)
@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "1e3", " 8", "8\n", "8,42", "1/2", "nan", "inf", "+1", "--1", "٣", "8.42%", "1_0"]
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a printed decimal"):
        Printed(text)


@check("ROUNDING", Evidence.ENUMERATED)
@given(decimals, st.integers(0, 7), st.sampled_from([ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_HALF_DOWN]))
def test_every_value_that_rounds_to_the_print_lies_in_it(true: Decimal, places: int, rounding: str) -> None:
    text = f"{true.quantize(Decimal(1).scaleb(-places), rounding):f}"
    assert Fraction(true) in Printed(text)


@check("ROUNDING", Evidence.ENUMERATED)
@given(decimals, st.integers(0, 7))
def test_no_value_that_rounds_to_another_print_lies_inside_it(true: Decimal, places: int) -> None:
    printed = Printed(f"{true.quantize(Decimal(1).scaleb(-places)):f}")
    unit = printed.high - printed.low
    for other in (printed.value - unit, printed.value + unit):
        assert other not in printed
    assert Fraction(1, 10**places) == unit


@check("ROUNDING", Evidence.ENUMERATED)
@given(interval_and_point(), interval_and_point(), st.sampled_from(OPERATIONS))
def test_an_operation_holds_every_pointwise_result(
    left: tuple[Interval, Fraction],
    right: tuple[Interval, Fraction],
    operation: Callable[..., Number],
) -> None:
    assume(operation is not operator.truediv or 0 not in right[0])
    exact = operation(left[1], right[1])
    assert isinstance(exact, Fraction)
    assert exact in interval(operation(left[0], right[0]))
    assert exact in interval(operation(left[1], right[0]))
    assert exact in interval(operation(left[0], right[1]))


@check("ROUNDING", Evidence.ENUMERATED)
@given(intervals, intervals, st.sampled_from(OPERATIONS))
def test_the_ends_of_a_result_are_reached_at_ends_of_the_operands(
    left: Interval, right: Interval, operation: Callable[..., Interval]
) -> None:
    assume(operation is not operator.truediv or 0 not in right)
    corners = [operation(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    result = operation(left, right)
    assert result.low in corners
    assert result.high in corners


@check("ROUNDING", Evidence.ENUMERATED)
@given(interval_and_point(), interval_and_point())
def test_a_sure_comparison_is_true_of_every_pair_and_an_undecided_one_of_some(
    left: tuple[Interval, Fraction], right: tuple[Interval, Fraction]
) -> None:
    (a, x), (b, y) = left, right
    expected = {Reading.HOLDS: {True}, Reading.CONTRADICTED: {False}, Reading.UNDECIDED: {True, False}}[less(a, b)]
    assert (x < y) in expected
    assert {a.low < b.high, a.high < b.low} == expected
    assert surely_less(a, b) is (less(a, b) is Reading.HOLDS)


@check("ROUNDING", Evidence.ENUMERATED)
@pytest.mark.parametrize(
    ("a", "b", "reading"),
    [
        ("3.81", "3.97", Reading.HOLDS),
        ("19.48", "19.17", Reading.CONTRADICTED),
        ("1.00", "1.00", Reading.UNDECIDED),
        ("1.00", "1.01", Reading.UNDECIDED),
        ("1.01", "1.00", Reading.CONTRADICTED),
        ("1.00", "1.02", Reading.HOLDS),
    ],
)
def test_neighbouring_prints_may_share_a_value(a: str, b: str, reading: Reading) -> None:
    assert less(Printed(a), Printed(b)) is reading


@check("ROUNDING", Evidence.ENUMERATED)
def test_touching_intervals_are_at_most_but_not_less() -> None:
    assert surely_at_most(Printed("1.00"), Printed("1.01"))
    assert not surely_less(Printed("1.00"), Printed("1.01"))


@check("ROUNDING", Evidence.ENUMERATED)
def test_a_row_increases_only_if_every_step_does() -> None:
    assert surely_increasing([1, Printed("1.5"), Fraction(2)])
    assert not surely_increasing([1, Printed("1.5"), Printed("1.6"), 3])
    assert not surely_increasing([1, 3, 2])


@check("ROUNDING", Evidence.ENUMERATED)
def test_exact_numbers_are_points_and_floats_are_refused() -> None:
    assert (interval(3).low, interval(3).high) == (3, 3)
    with pytest.raises(TypeError, match="exact numbers only"):
        interval(0.1)  # pyright: ignore[reportArgumentType]


@check("ROUNDING", Evidence.ENUMERATED)
def test_an_interval_does_not_run_downwards_nor_divide_by_zero() -> None:
    with pytest.raises(ValueError, match="runs upwards"):
        Interval(2, 1)
    with pytest.raises(ZeroDivisionError, match="holds zero"):
        operator.truediv(Printed("1.0"), Interval(-1, 1))


@check("ROUNDING", Evidence.ENUMERATED)
def test_an_interval_shows_its_ends() -> None:
    assert repr(Printed("8.42")) == "[8.415, 8.425]"
