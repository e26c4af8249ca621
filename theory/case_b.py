"""Section 3.2, case (b): one weighted sum between Dropout and BN (Eqs. 7-12)."""

from sympy import Eq, sqrt

from theory import domain
from theory.case_a import UNIT_VAR_TRAIN
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import (
    BITS,
    CORRELATION,
    CORRELATION_AX,
    DROPOUT_AXIOMS,
    INDEPENDENT,
    INPUT_AXIOMS,
    MASKS_APART,
    MEAN,
    RETAIN,
    VARIANCE,
    Cov,
    E,
    Var,
)
from theory.sums import PairSum, total
from theory.symbols import a, c, cos2, d, i, j, p, rho, rho_ax, shift, v, var_test, var_train, w, x

SECTION = "Section 3.2"

TRAINED_SUM = total(w[i] * a[i] * x[i] / p, d)
TEST_SUM = total(w[i] * x[i], d)
SQUARES = total(w[i] ** 2, d)
PAIRS = PairSum(w[i] * w[j], d)
RHO_AX = rho * v / UNIT_VAR_TRAIN
COS2 = total(w[i], d) ** 2 / (d * SQUARES)
SPREAD = v + v * rho * (d * cos2 - 1)
SHIFT = SPREAD / (UNIT_VAR_TRAIN + v * rho * (d * cos2 - 1))
SHIFT_PARAMETERS = (domain.RETAIN, domain.C, domain.V, domain.RHO, domain.D, domain.COS2)


def eq7() -> Equation:
    """Eq. 7, the variance of the sum in training."""
    diagonal = total(w[i] ** 2 * E(a[i] ** 2 * x[i] ** 2), d)
    pairs = PairSum(w[i] * w[j] * E(a[i] * a[j] * x[i] * x[j]), d)
    mean = total(w[i] * E(a[i] * x[i]), d)
    derivation = (
        Derivation(Var(TRAINED_SUM))
        .equals(
            (diagonal + pairs - mean**2) / p**2,
            "definition of the variance; the square of a sum is its diagonal and its pairs",
        )
        .equals(
            ((c**2 + v) * p * SQUARES + pairs - (p * c * total(w[i], d)) ** 2) / p**2,
            "as in Eq. 5",
            INDEPENDENT,
            BITS,
            RETAIN,
            MEAN,
            VARIANCE,
        )
        .equals(
            UNIT_VAR_TRAIN * (SQUARES + rho_ax * PAIRS), "the correlation of what Dropout lets through", CORRELATION_AX
        )
    )
    parameters = (domain.RETAIN, domain.C, domain.V, domain.RHO_AX, domain.WEIGHTS)
    statement = Eq(var_train, UNIT_VAR_TRAIN * (SQUARES + rho_ax * PAIRS))
    title = "case (b): the variance that BN remembers"
    return Equation("eq7", title, f"{SECTION}, Eq. 7", statement, parameters, derivation)


def eq8() -> Equation:
    """Eq. 8, the variance of the sum in test."""
    moments = total(w[i] ** 2 * E(x[i] ** 2), d) + PairSum(w[i] * w[j] * E(x[i] * x[j]), d)
    derivation = (
        Derivation(Var(TEST_SUM))
        .equals(moments - total(w[i] * E(x[i]), d) ** 2, "definition of the variance; diagonal and pairs")
        .equals(v * (SQUARES + rho * PAIRS), "the input's mean, variance and correlation", *INPUT_AXIOMS)
    )
    parameters = (domain.V, domain.RHO, domain.WEIGHTS)
    statement = Eq(var_test, v * (SQUARES + rho * PAIRS))
    title = "case (b): the variance that BN meets in test"
    return Equation("eq8", title, f"{SECTION}, Eq. 8", statement, parameters, derivation)


def eq9() -> Equation:
    """Eq. 9, how Dropout weakens the correlation of its inputs."""
    deviations = sqrt(Var(a[i] * x[i])) * sqrt(Var(a[j] * x[j]))
    derivation = (
        Derivation(Cov(a[i] * x[i], a[j] * x[j]) / deviations)
        .equals(
            (E(a[i]) * E(a[j]) * E(x[i] * x[j]) - E(a[i]) * E(x[i]) * E(a[j]) * E(x[j])) / deviations,
            "masks look neither at the inputs nor at each other",
            INDEPENDENT,
            MASKS_APART,
        )
        .equals(p**2 * rho * v / deviations, "E[a] = p, and the input's correlation", RETAIN, MEAN, CORRELATION)
        .equals(RHO_AX, "Eq. 5: each deviation is p √((c² + v)/p - c²)", INDEPENDENT, BITS, RETAIN, MEAN, VARIANCE)
    )
    parameters = (domain.RETAIN, domain.C, domain.V, domain.RHO)
    title = "the correlation behind Dropout"
    return Equation("eq9", title, f"{SECTION}, Eq. 9", Eq(rho_ax, RHO_AX), parameters, derivation)


def eq10() -> Equation:
    """Eq. 10, the shift of case (b)."""
    derivation = (
        Derivation(Var(TEST_SUM) / Var(TRAINED_SUM), where={cos2: COS2})
        .equals(v * (SQUARES + rho * PAIRS) / Var(TRAINED_SUM), "Eq. 8", *INPUT_AXIOMS)
        .equals(
            v * (SQUARES + rho * PAIRS) / (UNIT_VAR_TRAIN * SQUARES + rho * v * PAIRS),
            "Eqs. 7 and 9",
            *DROPOUT_AXIOMS,
            *INPUT_AXIOMS,
        )
        .equals(
            (v * SQUARES + v * rho * (d * cos2 - 1) * SQUARES)
            / (UNIT_VAR_TRAIN * SQUARES + v * rho * (d * cos2 - 1) * SQUARES),
            "Eq. 11: Σᵢ Σⱼ≠ᵢ wᵢ wⱼ = (Σᵢ wᵢ)² - Σᵢ wᵢ² = (d cos²θ - 1) Σᵢ wᵢ²",
        )
        .equals(SHIFT, "Σᵢ wᵢ² cancels")
    )
    title = "case (b): the shift"
    return Equation("eq10", title, f"{SECTION}, Eq. 10", Eq(shift, SHIFT), SHIFT_PARAMETERS, derivation)


def eq11() -> Equation:
    """Eq. 11, the cosine between the weights and (1, ..., 1)."""
    ones = total(1, d)
    derivation = (
        Derivation((total(w[i], d) / (sqrt(ones) * sqrt(SQUARES))) ** 2)
        .equals(total(w[i], d) ** 2 / (ones * SQUARES), "the square of the cosine of two vectors")
        .equals(COS2, "Σᵢ 1 = d")
    )
    title = "the angle between the weights and (1, ..., 1)"
    return Equation("eq11", title, f"{SECTION}, Eq. 11", Eq(cos2, COS2), (domain.WEIGHTS,), derivation)


def eq12() -> Equation:
    """Eq. 12, Eq. 10 divided by d cos²θ."""
    width = d * cos2
    numerator = v * rho + (v - v * rho) / width
    denominator = v * rho + (v / p - v * rho + (1 / p - 1) * c**2) / width
    derivation = Derivation(SHIFT).equals(numerator / denominator, "divide both by d cos²θ")
    hypotheses = ("cos²θ > 0: weights that sum to zero satisfy Eq. 10, but not this form of it",)
    title = "case (b): the shift, in the form that shows the width"
    return Equation(
        "eq12",
        title,
        f"{SECTION}, Eq. 12",
        Eq(shift, numerator / denominator),
        SHIFT_PARAMETERS,
        derivation,
        hypotheses,
    )
