"""Which indices a moment may take to be distinct: those of pairs and free ones, never those that meet in a sum."""

from typing import cast

import pytest
from sympy import Expr, Sum

from theory.expectation import CORRELATION, MEAN, SAMPLES_APART, Cov, E, Var, reduce_moments
from theory.sums import PairSum, total, vanishes
from theory.symbols import W, c, d, i, j, k, rho, v, x

PAIR = E(x[i] * x[j])


@pytest.mark.parametrize(
    "expression",
    [
        Sum(PAIR, (i, 1, d), (j, 1, d)),
        total(total(PAIR, d, j), d),
        total(total(Cov(x[i], x[j]), d, j), d),
        total(total(Var(x[i] + x[j]), d, j), d),
        total(E(x[i] * x[k]), d),
        total(E(x[i] * x[1]), d),
        total(E(x[i] * x[i + 1]), d),
        PairSum(E(x[i] * x[k]), d),
        E(PairSum(x[i] * x[k], d)),
        E(total(x[i], d) * PairSum(x[i] * x[j], d)),
    ],
)
def test_indices_that_meet_in_a_sum_are_not_taken_to_be_distinct(expression: Expr) -> None:
    with pytest.raises(ValueError, match=r"(under|of) a sum"):
        reduce_moments(expression, (MEAN, CORRELATION, SAMPLES_APART))


def test_free_indices_and_those_of_pairs_are_distinct() -> None:
    assert reduce_moments(PAIR, (CORRELATION,)) == c**2 + rho * v
    pairs = reduce_moments(cast(Expr, PairSum(PAIR, d)), (CORRELATION,))
    assert vanishes(pairs - d * (d - 1) * (c**2 + rho * v))
    assert vanishes(reduce_moments(total(total(E(x[i]) * E(x[j]), d, j), d), (MEAN,)) - d**2 * c**2)


def test_squaring_a_sum_does_not_capture_the_index_of_a_sum_in_it() -> None:
    rows = total(x[k] * total(W[k, i], d), d, k)
    with pytest.raises(ValueError, match="cannot be split"):
        reduce_moments(E(rows**2), ())
