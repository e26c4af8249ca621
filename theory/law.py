"""One law behind Eqs. 5-13 (not in the paper): what multiplicative noise adds to a variance.

Let the noise have mean 1 and variance s², independent over i and of x. For X = sum_i w_i n_i x_i and any joint
distribution of x with second moments, Var_Train(X) = Var_Test(X) + s² sum_i w_i² E[x_i²].
"""

from sympy import Eq, Symbol

from theory import domain
from theory.case_b import COS2, SPREAD, SQUARES, TEST_SUM
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import (
    CORRELATION,
    INDEPENDENT,
    MASKS_APART,
    MEAN,
    NOISE_VARIANCE,
    UNIT_MEAN,
    VARIANCE,
    E,
    Var,
)
from theory.sums import PairSum, total
from theory.symbols import W, c, cos2, d, groups, hidden, i, j, k, n, s2, shift, u, v, var_test, var_train, w, x, y, z

SECTION = "beyond the paper"
NOISY_SUM = total(w[i] * n[i] * x[i], d)
ADDED = s2 * total(w[i] ** 2 * E(x[i] ** 2), d)
POWER = c**2 + v
LAW_PARAMETERS = (domain.VAR_TEST, domain.NOISE_VAR, domain.WEIGHTS, domain.SECOND_MOMENTS)
NOISE = (INDEPENDENT, MASKS_APART, UNIT_MEAN, NOISE_VARIANCE)


def law() -> Equation:
    """The law."""
    pairs = PairSum(w[i] * w[j] * E(n[i]) * E(n[j]) * E(x[i] * x[j]), d)
    squares = total(w[i] ** 2 * E(n[i] ** 2) * E(x[i] ** 2), d)
    unit = PairSum(w[i] * w[j] * E(x[i] * x[j]), d) - total(w[i] * E(x[i]), d) ** 2
    derivation = (
        Derivation(Var(NOISY_SUM), where={var_test: Var(TEST_SUM)})
        .equals(
            squares + pairs - total(w[i] * E(n[i]) * E(x[i]), d) ** 2,
            "diagonal and pairs; noises look neither at the inputs nor at each other",
            INDEPENDENT,
            MASKS_APART,
        )
        .equals(squares + unit, "E[n] = 1: where two noises meet, or one stands alone, it disappears", UNIT_MEAN)
        .equals((1 + s2) * total(w[i] ** 2 * E(x[i] ** 2), d) + unit, "E[n²] = 1 + s²", NOISE_VARIANCE)
        .equals(var_test + ADDED, "without noise the same expression has s² = 0")
    )
    title = "the law: what multiplicative noise adds to a variance"
    hypotheses = ("var_test and second_moments are those of one distribution of inputs, under the same weights",)
    return Equation("law", title, SECTION, Eq(var_train, var_test + ADDED), LAW_PARAMETERS, derivation, hypotheses)


def law_shared() -> Equation:
    """The law where inputs share their noise: a channel (Dropout2d), a branch (stochastic depth)."""
    added = s2 * total(E(y[i] ** 2), groups)
    derivation = Derivation(
        Var(total(n[i] * y[i], groups)), where={var_test: Var(total(y[i], groups))}, upper=groups
    ).equals(var_test + added, "the law, with y for x and weights 1: y_g is the sum of w_i x_i over group g", *NOISE)
    parameters = (domain.VAR_TEST, domain.NOISE_VAR, domain.GROUP_SECOND_MOMENTS)
    title = "the law where groups of inputs share one noise"
    return Equation("law-shared", title, SECTION, Eq(var_train, var_test + added), parameters, derivation)


def law_residual() -> Equation:
    """The law where a branch without this noise is added before BN, as in pre-activation networks."""
    derivation = Derivation(Var(z + NOISY_SUM), where={var_test: Var(z + TEST_SUM)}).equals(
        var_test + ADDED, "given the inputs the noise has mean zero, so it does not covary with z", *NOISE
    )
    title = "the law with a residual branch z added to X"
    return Equation("law-residual", title, SECTION, Eq(var_train, var_test + ADDED), LAW_PARAMETERS, derivation)


def general_shift() -> Equation:
    """Eq. 10 for any multiplicative noise: only its variance matters."""
    formula = SPREAD / (SPREAD + s2 * POWER)
    derivation = (
        Derivation(Var(TEST_SUM) / Var(NOISY_SUM), where={cos2: COS2})
        .equals(SPREAD * SQUARES / Var(NOISY_SUM), "Eqs. 8 and 11", MEAN, VARIANCE, CORRELATION)
        .equals(formula, "the law, with E[x²] = c² + v", *NOISE, MEAN, VARIANCE, CORRELATION)
    )
    parameters = (domain.NOISE_VAR, domain.C, domain.V, domain.RHO, domain.D, domain.COS2)
    title = "the shift under any multiplicative noise: only s² matters"
    return Equation("shift", title, SECTION, Eq(shift, formula), parameters, derivation)


def two_convolutions() -> Equation:
    """Two linear layers in a row are one, with the weights multiplied (Section 3)."""
    inner = total(W[k, i] * n[i] * x[i], d)
    composed = total(total(u[k] * W[k, i], hidden, k) * n[i] * x[i], d)
    derivation = Derivation(total(u[k] * inner, hidden, k)).equals(composed, "finite sums can be exchanged")
    title = "two convolutions in a row are one, with weights Σₖ uₖ Wₖᵢ"
    hypotheses = ("nothing but linear maps between Dropout and BN",)
    statement = Eq(Symbol("X"), composed)
    return Equation("two-convolutions", title, "Section 3", statement, (), derivation, hypotheses)
