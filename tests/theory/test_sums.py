from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Add, Expr, Integer, Rational, Sum, expand, pi, sqrt

from theory.expectation import E
from theory.sums import PairSum, concrete, normal, product_of_sums, sum_factors, total, vanishes
from theory.symbols import W, c, d, depth, hidden, i, j, k, m, p, shift, u, v, w, x

few = settings(deadline=None, max_examples=40)
SIZES = (1, 2, 3, 5)
ABOUT_1 = Rational(101, 100)
powers = st.integers(0, 3)
fractions = st.fractions(-3, 3, max_denominator=4)


@dataclass(frozen=True)
class Term:
    """factor * sum_i w_i^k u_i^l, or the sum over pairs of w_i^k u_j^l, or sum_i w_i^k times sum_i u_i^l."""

    factor: Fraction
    kind: str
    k: int
    l: int  # noqa: E741 - beside k

    @property
    def symbolic(self) -> Expr:
        factor = Rational(self.factor.numerator, self.factor.denominator)
        if self.kind == "single":
            return factor * total(w[i] ** self.k * u[i] ** self.l, d)
        if self.kind == "pairs":
            return factor * cast(Expr, PairSum(w[i] ** self.k * u[j] ** self.l, d))
        return factor * total(w[i] ** self.k, d) * total(u[j] ** self.l, d, j)

    def by_hand(self, ws: Sequence[Fraction], us: Sequence[Fraction]) -> Fraction:
        indices = range(len(ws))
        pairs = {
            "single": [(one, one) for one in indices],
            "pairs": [(one, two) for one, two in product(indices, repeat=2) if one != two],
            "product": list(product(indices, repeat=2)),
        }
        return self.factor * sum((ws[one] ** self.k * us[two] ** self.l for one, two in pairs[self.kind]), Fraction(0))


terms = st.lists(
    st.builds(Term, fractions, st.sampled_from(["single", "pairs", "product"]), powers, powers), min_size=1, max_size=4
)


def symbolic(drawn: list[Term]) -> Expr:
    return cast(Expr, Add(*(term.symbolic for term in drawn)))


def numbers(ws: Sequence[Fraction], us: Sequence[Fraction]) -> dict[Any, Any]:
    return {
        base[number]: Rational(value.numerator, value.denominator)
        for base, values in ((w, ws), (u, us))
        for number, value in enumerate(values, start=1)
    }


@few
@given(terms, st.sampled_from(SIZES), st.data())
def test_sums_and_their_normal_form_are_what_they_say_when_written_out(
    drawn: list[Term], size: int, data: st.DataObject
):
    values = st.lists(fractions, min_size=size, max_size=size)
    ws, us = data.draw(values), data.draw(values)
    expected = sum((term.by_hand(ws, us) for term in drawn), Fraction(0))
    for form in (symbolic(drawn), normal(symbolic(drawn))):
        written = concrete(form, size, d).subs(numbers(ws, us))
        assert Fraction(str(written)) == expected


@few
@given(terms)
def test_pairs_are_the_product_less_the_diagonal_and_a_changed_coefficient_is_noticed(drawn: list[Term]):
    split: list[Term] = []
    for term in drawn:
        if term.kind == "pairs":
            split += [Term(term.factor, "product", term.k, term.l), Term(-term.factor, "single", term.k, term.l)]
        else:
            split.append(term)
    assert vanishes(symbolic(drawn) - symbolic(split))
    assert not vanishes(symbolic(drawn) - symbolic(split) + total(w[i] ** 3 * u[i], d) / 1000)


@few
@given(terms)
def test_vanishing_is_vanishing_at_every_size(drawn: list[Term]):
    # Power sums of more terms than their degree are algebraically independent: 7 terms tell degrees up to 6 apart.
    expression = symbolic(drawn)
    at_hand = [Fraction(number * number + 1, 7) for number in range(1, 8)], [Fraction(3, n + 1) for n in range(1, 8)]
    if vanishes(expression):
        assert all(expand(concrete(expression, size, d)) == 0 for size in SIZES)
    else:
        assert sum((term.by_hand(*at_hand) for term in drawn), Fraction(0)) != 0


def test_two_weights_by_hand():
    assert concrete(total(w[i], d), 2, d) == w[1] + w[2]
    assert expand(concrete(cast(Expr, PairSum(w[i] * w[j], d)), 2, d) - 2 * w[1] * w[2]) == 0
    assert concrete(cast(Expr, PairSum(w[i] ** 2 * w[j], d)), 2, d) == w[1] ** 2 * w[2] + w[2] ** 2 * w[1]
    assert concrete(cast(Expr, PairSum(w[i] * w[j], d)), 1, d) == 0
    assert concrete(d * total(1, d), 3, d) == 9


def test_a_sum_to_another_bound_is_left_alone():
    other = total(w[k], hidden, k)
    assert concrete(other + total(w[i], d), 1, d) == other + w[1]


def test_writing_one_of_two_nested_sums_out_keeps_the_other():
    nested = total(total(W[k, i], d), hidden, k)
    assert concrete(nested, 2, d) == total(W[k, 1] + W[k, 2], hidden, k)
    assert expand(concrete(concrete(nested, 2, d), 2, hidden)) == W[1, 1] + W[1, 2] + W[2, 1] + W[2, 2]


def test_lagranges_identity_vanishes_and_its_double_does_not():
    squares, differences = total(w[i] ** 2, d), cast(Expr, PairSum((w[i] - w[j]) ** 2, d))
    assert vanishes(d * squares - total(w[i], d) ** 2 - differences / 2)
    assert not vanishes(d * squares - total(w[i], d) ** 2 - differences)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (total(c * w[i] + v, d), c * total(w[i], d) + d * v),
        (total(w[i], d), total(w[j], d, j)),
        ((c + v) ** 2, c**2 + 2 * c * v + v**2),
        (c / (c + v), 1 - v / (c + v)),
        (1 / total(w[i], d) - 1, (1 - total(w[i], d)) / total(w[i], d)),
        (sqrt(c**2 + v) ** 3, (c**2 + v) * sqrt(c**2 + v)),
        (1 / sqrt(v + 1), sqrt(v + 1) / (v + 1)),
        ((1 + sqrt(v)) ** 2, 1 + 2 * sqrt(v) + v),
        ((sqrt(2) - 1) * (sqrt(2) + 1), Integer(1)),
        (sqrt(pi) / pi, 1 / sqrt(pi)),
        ((sqrt(pi) - 1) * (sqrt(pi) + 1), pi - 1),
        (shift ** (depth - 1) * shift, shift**depth),
        (shift**depth * shift**depth, shift ** (2 * depth)),
        (E(x[k]) * (E(x[k]) + 1), E(x[k]) ** 2 + E(x[k])),
    ],
)
def test_equals_are_recognised_and_one_percent_more_is_not(left: Expr, right: Expr):
    assert vanishes(left - right)
    assert not vanishes(left - right * ABOUT_1)
    assert not vanishes(left - right - Rational(1, 1000))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sqrt(v), v),
        (sqrt(v) * sqrt(v + 1), v),
        (pi, Rational(22, 7)),
        (shift**depth, shift ** (depth + 1)),
        (total(w[i] ** 2, d), total(w[i], d) ** 2),
        (total(w[i], d), total(w[i], hidden)),
        (E(x[k] ** 2), E(x[k]) ** 2),
    ],
)
def test_what_differs_does_not_vanish(left: Expr, right: Expr):
    assert not vanishes(left - right)


def test_nothing_is_proved_of_what_divides_by_a_sum_that_hides_a_zero():
    with pytest.raises(ZeroDivisionError, match="divides by zero"):
        vanishes(c / (total(w[i] + 1, d) - total(w[j], d, j) - d))


def test_powers_of_unknown_exponents_are_put_together():
    assert vanishes(c**depth * p**depth - (c * p) ** depth)
    assert vanishes(c**depth * c - c ** (depth + 1))
    assert not vanishes(c**depth * p**depth - (c * p) ** (depth + 1))


def test_a_root_may_be_raised_to_any_power():
    assert vanishes(c ** Rational(3, 2) - c * sqrt(c))
    assert vanishes(c ** Rational(-5, 2) - sqrt(c) / c**3)
    assert not vanishes(c ** Rational(3, 2) - c**2)


def test_three_nested_sums_keep_all_three():
    nested = Sum(w[i] * u[j] * x[k], (i, 1, d), (j, 1, d), (k, 1, d))
    assert concrete(normal(nested), 2, d) - concrete(nested, 2, d) == 0
    assert expand(concrete(nested, 2, d) - (w[1] + w[2]) * (u[1] + u[2]) * (x[1] + x[2])) == 0


@pytest.mark.parametrize("upper", [i, j])
def test_a_product_of_sums_that_end_at_an_index_is_not_split(upper: Expr):
    with pytest.raises(ValueError, match="cannot be split"):
        product_of_sums(total(w[k], upper, k), total(w[k], upper, k), Integer(1))


def test_finite_sums_can_be_exchanged():
    rows_first = total(total(W[k, i] * x[i], d), hidden, k)
    columns_first = total(total(W[k, i] * x[i], hidden, k), d)
    weighted = total(u[k] * total(W[k, i] * x[i], d), hidden, k)
    composed = total(total(u[k] * W[k, i], hidden, k) * x[i], d)
    assert vanishes(rows_first - columns_first)
    assert vanishes(weighted - composed)
    assert not vanishes(weighted - rows_first)
    assert not vanishes(weighted - ABOUT_1 * composed)
    assert not vanishes(rows_first - total(total(W[i, k] * x[i], hidden, k), d))  # transposed


def test_renaming_a_bound_index_does_not_capture_a_free_one():
    weighted = total(u[i] * total(W[i, j], d, j), d)
    diagonal = total(u[i], d) * total(W[i, i], d)
    assert expand(concrete(weighted, 2, d) - concrete(diagonal, 2, d)) != 0
    assert not vanishes(weighted - diagonal)
    assert expand(concrete(normal(weighted), 2, d) - concrete(weighted, 2, d)) == 0


def test_a_product_of_sums_is_its_diagonal_and_its_pairs():
    left, right = total(w[i], d), total(u[j] * x[j], d, j)
    split = product_of_sums(cast(Any, left), cast(Any, right), c)
    for size in SIZES:
        assert expand(concrete(split - c * left * right, size, d)) == 0
    assert not vanishes(split - left * right)


def test_the_sums_among_factors_count_a_square_twice():
    one, other = total(w[i], d), total(u[i], d)
    assert sum_factors(c * one**2) == ([one, one], c)
    assert sorted(sum_factors(one * other)[0], key=str) == sorted([one, other], key=str)
    assert sum_factors(c / one) == ([], c / one)
    assert sum_factors(p * v) == ([], p * v)


def test_the_indices_of_a_pair_sum_are_bound():
    pairs = PairSum(c * w[i] * w[j], d)
    assert {c, d} <= pairs.free_symbols
    assert not {i, j} & pairs.free_symbols


def test_a_sum_that_does_not_start_at_1_is_refused():
    with pytest.raises(ValueError, match="start at 1"):
        normal(Sum(w[i], (i, 0, d)))


def test_a_sum_that_ends_at_the_index_of_another_is_not_exchanged_with_it():
    with pytest.raises(ValueError, match="cannot be exchanged"):
        normal(total(total(W[i, j], i, j), d))


def test_pairs_to_another_bound_are_left_alone():
    others = cast(Expr, PairSum(w[i] * w[j], m))
    assert concrete(others, 2, d) == others
    assert concrete(d * others, 2, d) == 2 * others
