import pytest
from sympy import Eq, Expr, Integer, Rational, sqrt, sympify

from theory import EQUATIONS, Derivation, DerivationError, Equation, Step
from theory.derivation import FEASIBLE
from theory.expectation import (
    BITS,
    CORRELATION,
    INDEPENDENT,
    INPUT_AXIOMS,
    MASKS_APART,
    MEAN,
    RETAIN,
    VARIANCE,
    Axiom,
    Cov,
    E,
    Var,
)
from theory.sums import PairSum, total, vanishes
from theory.symbols import a, c, cos2, d, i, j, k, m, p, rho, s2, v, var_test, var_train, w, x

CASE_A = (INDEPENDENT, BITS, RETAIN, MEAN, VARIANCE)
VAR_TRAIN = (c**2 + v) / p - c**2
ABOUT_1 = Rational(101, 100)
MASKED = Derivation(Var(a[k] * x[k] / p))


def test_a_right_step_is_taken_and_recorded():
    derived = MASKED.equals(VAR_TRAIN, "Eq. 5", *CASE_A)
    assert derived.result == VAR_TRAIN
    assert derived.steps == (Step("=", VAR_TRAIN, "Eq. 5", CASE_A),)
    assert derived.axioms == CASE_A
    assert MASKED.steps == ()  # the derivation that was added to is as it was
    assert MASKED.result == MASKED.start


@pytest.mark.parametrize(
    "wrong", [VAR_TRAIN * ABOUT_1, (c**2 + v) / p, v / p, (c**2 + v) / p**2 - c**2, (c**2 + v) / p - c, Integer(0)]
)
def test_a_wrong_step_is_refused_with_what_it_differs_by(wrong: Expr):
    with pytest.raises(DerivationError, match=r"my reason: .* does not equal .* they differ by"):
        MASKED.equals(wrong, "my reason", *CASE_A)


def test_by_how_much_a_step_is_wrong_is_told():
    with pytest.raises(DerivationError, match=r"^doubled: v does not equal 2\*v; they differ by -v$"):
        Derivation(v).equals(2 * v, "doubled")


@pytest.mark.parametrize("missing", CASE_A, ids=lambda axiom: axiom.name)
def test_a_right_step_with_an_axiom_missing_is_refused(missing: Axiom):
    with pytest.raises(DerivationError, match="does not equal"):
        MASKED.equals(VAR_TRAIN, "Eq. 5", *(axiom for axiom in CASE_A if axiom is not missing))


@pytest.mark.parametrize("idle", [MASKS_APART, CORRELATION], ids=lambda axiom: axiom.name)
def test_an_axiom_that_is_cited_but_not_needed_is_refused(idle: Axiom):
    with pytest.raises(DerivationError, match=f"the axiom '{idle.name}' is cited but not needed"):
        MASKED.equals(VAR_TRAIN, "Eq. 5", *CASE_A, idle)


def test_what_is_known_of_symbols_is_used_and_nothing_more():
    start = Var(x[k]) + c
    with pytest.raises(DerivationError):
        Derivation(start).equals(v, "c = 0", MEAN, VARIANCE)
    with pytest.raises(DerivationError):
        Derivation(start, where={c: Integer(1)}).equals(v, "c = 0", MEAN, VARIANCE)
    assert Derivation(start, where={c: Integer(0)}).equals(v, "c = 0", MEAN, VARIANCE).result == v


def test_a_zero_divided_by_a_zero_equals_nothing():
    zero, other = (1 + c) ** 2 - 1 - 2 * c - c**2, (1 + c) ** 3 - 1 - 3 * c - 3 * c**2 - c**3
    with pytest.raises(DerivationError, match=r"c.* divides by zero"):
        Derivation(zero / other).equals(7, "not so")


def test_a_sum_over_an_inner_index_is_not_its_diagonal():
    with pytest.raises(ValueError, match="under a sum"):
        Derivation(total(w[i] * total(E(x[i] * x[j]), d, j), d)).equals(
            total(w[i], d) * total(E(x[i] ** 2), d), "the index j renamed to the free i"
        )


def test_a_unit_beside_a_sum_over_all_units_does_not_skip_itself():
    with pytest.raises(ValueError, match="which may be one of its terms"):
        Derivation(E(x[k] * total(x[i], d))).equals(d * (c**2 + rho * v), "the term i = k is E[x²]", CORRELATION)


def test_a_full_double_sum_is_not_one_of_pairs():
    with pytest.raises(ValueError, match="under a sum"):
        Derivation(total(total(E(x[i] * x[j]), d, j), d)).equals(d**2 * (c**2 + rho * v), "no diagonal", CORRELATION)


SLACK = (1 - p) * (c**2 + v) / p  # Var_Train - v, in a form whose sign shows


def test_a_lower_bound_is_strict_only_where_dropout_is_said_to_be_on():
    derived = Derivation(VAR_TRAIN).equals(v + SLACK, "split")
    assert derived.at_least(v, "why", SLACK).steps[-1] == Step(">=", v, "why")
    assert derived.at_least(v, "why", SLACK, positive=(1 - p,)).steps[-1] == Step(">", v, "why", positive=(1 - p,))


def test_an_upper_bound_is_strict_only_where_dropout_is_said_to_be_on():
    derived = Derivation(v / VAR_TRAIN)
    margin = SLACK / (v + SLACK)
    assert derived.at_most(1, "why", margin).steps[-1].relation == "<="
    assert derived.at_most(1, "why", margin, positive=(1 - p,)).steps[-1].relation == "<"


def test_what_is_positive_by_its_symbol_bounds_strictly_without_help():
    assert Derivation(p + v).at_least(p, "v > 0", v).steps[-1].relation == ">"
    assert Derivation(p + c**2).at_least(p, "c² >= 0", c**2).steps[-1].relation == ">="


@pytest.mark.parametrize("wrong", [SLACK * ABOUT_1, SLACK + v, -SLACK, Integer(0)])
def test_a_margin_that_is_not_the_distance_is_refused(wrong: Expr):
    with pytest.raises(DerivationError, match="is not the distance"):
        Derivation(VAR_TRAIN).at_least(v, "why", wrong)


def test_a_bound_on_the_wrong_side_is_refused():
    with pytest.raises(DerivationError, match="is not the distance"):
        Derivation(VAR_TRAIN).at_most(v, "why", SLACK)
    with pytest.raises(DerivationError, match="cannot be read off"):
        Derivation(VAR_TRAIN).at_most(v, "why", -SLACK)


@pytest.mark.parametrize(
    "margin", [c, rho * v, v - c, p - 1, rho * (d * cos2 - 1), (c**2 + v) / p - c**2 - v, cos2 - Rational(1, 2)]
)
def test_a_margin_of_unreadable_sign_is_refused(margin: Expr):
    with pytest.raises(DerivationError, match="cannot be read off"):
        Derivation(margin).at_least(0, "why", margin)


@pytest.mark.parametrize("fact", FEASIBLE, ids=str)
def test_what_the_feasible_domain_says_can_be_read_off_but_not_its_opposite(fact: Expr):
    assert Derivation(fact * v).at_least(0, "why", fact * v).steps[-1].relation == ">="
    with pytest.raises(DerivationError, match="cannot be read off"):
        Derivation(-fact * v).at_least(0, "why", -fact * v)


def test_a_sum_of_squares_over_pairs_is_not_negative_but_one_of_products_may_be():
    squares, products = PairSum((w[i] - w[j]) ** 2, d), PairSum(w[i] * w[j], d)
    assert Derivation(squares).at_least(0, "why", squares).steps[-1].relation == ">="
    with pytest.raises(DerivationError, match="cannot be read off"):
        Derivation(products).at_least(0, "why", products)


def test_an_expression_has_the_sign_of_what_it_is_a_positive_multiple_of():
    derived = Derivation(rho * v * (1 - p))
    assert derived.with_sign_of(rho, "why", v * (1 - p), positive=(1 - p,)).steps[-1] == Step(
        "has the sign of", rho, "why", positive=(1 - p,)
    )
    with pytest.raises(DerivationError, match="cannot be read off"):
        derived.with_sign_of(rho, "1 - p may be zero", v * (1 - p))
    with pytest.raises(DerivationError, match="cannot be read off"):
        derived.with_sign_of(v * (1 - p), "rho may be negative", rho)
    with pytest.raises(DerivationError, match="is not"):
        derived.with_sign_of(rho, "why", 2 * v * (1 - p), positive=(1 - p,))


def test_the_end_that_equals_the_start_lies_before_the_first_bound():
    bounded = Derivation(VAR_TRAIN).equals(v + SLACK, "split").at_least(v, "drop what is positive", SLACK)
    assert bounded.equal_end == v + SLACK
    assert bounded.result == v
    renamed = bounded.equals(2 * v - v, "another way to write the bound")
    assert not vanishes(renamed.start - v)
    assert renamed.equal_end == v + SLACK


def test_a_bounded_derivation_does_not_prove_an_equation():
    bounded = Derivation(VAR_TRAIN).at_least(v, "why", SLACK).equals(2 * v - v, "the bound once more")
    with pytest.raises(DerivationError):
        Equation("wrong", "Var_Train = v", "nowhere", Eq(var_train, v), (), bounded)


TEST_SUM = Var(total(w[i] * x[i], d))
TEST_VARIANCE = v * (total(w[i] ** 2, d) + rho * PairSum(w[i] * w[j], d))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_an_identity_is_confirmed_with_its_sums_written_out_and_a_false_one_is_not(size: int):
    derived = Derivation(TEST_SUM).equals(TEST_VARIANCE, "Eq. 8", *INPUT_AXIOMS)
    assert derived.confirmed_at(size)
    unchecked = Derivation(TEST_SUM, (Step("=", TEST_VARIANCE * ABOUT_1, "said, not shown", INPUT_AXIOMS),))
    assert not unchecked.confirmed_at(size)
    without = Derivation(TEST_SUM, (Step("=", TEST_VARIANCE, "said, not shown", (MEAN, VARIANCE)),))
    assert without.confirmed_at(size) == (size == 1)  # one weight has no pairs


def test_what_is_known_of_symbols_is_written_out_too():
    derived = Derivation(E(total(x[i], d)), where={c: 1 / d}).equals(1, "each has mean 1/d", MEAN)
    assert derived.confirmed_at(3)


def test_another_bound_than_d_can_be_written_out():
    mean_of_batch = Derivation(E(total(x[i], m) / m), upper=m).equals(c, "each has mean c", MEAN)
    assert all(mean_of_batch.confirmed_at(size) for size in (1, 2, 5))
    wrong = Derivation(E(total(x[i], m) / m), (Step("=", m * c, "", (MEAN,)),), upper=m)
    assert [wrong.confirmed_at(size) for size in (1, 2, 5)] == [True, False, False]


def test_dropping_an_axiom_shows_what_is_left_over():
    derived = MASKED.equals(VAR_TRAIN, "Eq. 5", *CASE_A)
    left = derived.broken_by_dropping(BITS)
    assert left is not None
    assert vanishes(left - (c**2 + v) * (E(a[k] ** 2) - p) / p**2)
    assert derived.broken_by_dropping(CORRELATION) is None
    assert vanishes(derived.residual(derived.start, derived.result, CASE_A))


def test_an_equation_must_state_what_was_derived():
    derived = MASKED.equals(VAR_TRAIN, "Eq. 5", *CASE_A)
    assert Equation("right", "", "", Eq(var_train, v + SLACK), (), derived).formula == v + SLACK
    with pytest.raises(DerivationError, match=r"wrong: derived .* but it states"):
        Equation("wrong", "", "", Eq(var_train, VAR_TRAIN * ABOUT_1), (), derived)


def test_an_equation_about_more_than_a_symbol_must_be_derived_from_it():
    derived = Derivation(1 - VAR_TRAIN / v).equals(-SLACK / v, "one fraction")
    about = {"derivation": derived, "meaning": {var_train: VAR_TRAIN}}
    assert Equation("right", "", "", Eq(1 - var_train / v, -SLACK / v), (), **about).formula == -SLACK / v
    for left in (1 + var_train / v, 2 - var_train / v, 1 - var_test / v):
        with pytest.raises(DerivationError, match=r"wrong: derived from .* but it is about"):
            Equation("wrong", "", "", Eq(left, -SLACK / v), (), **about)
    with pytest.raises(DerivationError, match=r"wrong: derived from .* but it is about"):
        Equation("wrong", "", "", Eq(var_train / v, -SLACK / v), (), derived)


def test_an_equation_must_hold_with_its_sums_written_out():
    unchecked = Derivation(TEST_SUM, (Step("=", TEST_VARIANCE + s2, "said, not shown", INPUT_AXIOMS),))
    with pytest.raises(DerivationError, match="not an identity at d = 2"):
        Equation("wrong", "", "", Eq(var_test, TEST_VARIANCE + s2), (), unchecked)


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_result_that_is_one_percent_off_is_refused(name: str):
    derived = EQUATIONS[name].derivation
    needed = tuple(EQUATIONS[name].needs)
    again = Derivation(derived.start, where=derived.where, upper=derived.upper)
    assert again.equals(derived.equal_end, "in one step", *needed).result == derived.equal_end
    for axioms in {needed, derived.axioms}:
        with pytest.raises(DerivationError, match="does not equal"):
            again.equals(derived.equal_end * ABOUT_1, "one percent more", *axioms)


@pytest.mark.parametrize("name", EQUATIONS)
def test_each_step_of_every_equation_stands_alone_and_fails_one_percent_off(name: str):
    derived = EQUATIONS[name].derivation
    before = derived.start
    for step in derived.steps:
        alone = Derivation(before, where=derived.where, upper=derived.upper)
        if step.relation == "=":
            assert alone.equals(step.expression, step.reason, *step.axioms).steps == (step,)
            with pytest.raises(DerivationError, match="does not equal"):
                alone.equals(step.expression * ABOUT_1 + Rational(1, 1000), step.reason, *step.axioms)
        before = step.expression


@pytest.mark.parametrize("name", EQUATIONS)
def test_an_equation_breaks_without_each_axiom_that_it_needs(name: str):
    equation = EQUATIONS[name]
    derived = equation.derivation
    again = Derivation(derived.start, where=derived.where, upper=derived.upper)
    assert set(equation.needs) <= set(derived.axioms)
    for axiom, residual in equation.needs.items():
        assert not vanishes(residual)
        with pytest.raises(DerivationError, match="does not equal"):
            again.equals(derived.equal_end, "", *(other for other in equation.needs if other is not axiom))


def test_eq5_needs_exactly_five_axioms():
    eq5 = EQUATIONS["eq5"]
    assert set(eq5.needs) == set(CASE_A)
    assert all(eq5.derivation.broken_by_dropping(axiom) is None for axiom in (MASKS_APART, CORRELATION))


def test_eq9_needs_the_masks_apart_and_a_shared_mask_breaks_it():
    masked = Cov(a[i] * x[i], a[j] * x[j]) / (sqrt(Var(a[i] * x[i])) * sqrt(Var(a[j] * x[j])))
    start = Derivation(masked)
    axioms = (*CASE_A, MASKS_APART, CORRELATION)
    assert start.equals(rho * v / VAR_TRAIN, "Eq. 9", *axioms).axioms == axioms
    with pytest.raises(DerivationError):
        start.equals(rho * v / VAR_TRAIN, "Eq. 9", *CASE_A, CORRELATION)
    with pytest.raises(DerivationError):
        start.equals(sympify(rho), "a mask changes nothing", *axioms)
