"""Section 3.1, case (a): BN directly after Dropout (Eqs. 5 and 6)."""

from sympy import Eq

from theory import domain
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import BITS, INDEPENDENT, MEAN, RETAIN, VARIANCE, E, Var
from theory.symbols import a, c, k, p, shift, v, var_train, x

SECTION = "Section 3.1"
TRAINED_UNIT = a[k] * x[k] / p
UNIT_VAR_TRAIN = (c**2 + v) / p - c**2


def eq5() -> Equation:
    """Eq. 5, the variance of one unit that Dropout has multiplied."""
    derivation = (
        Derivation(Var(TRAINED_UNIT))
        .equals(E(a[k] ** 2 * x[k] ** 2) / p**2 - (E(a[k] * x[k]) / p) ** 2, "definition of the variance")
        .equals(
            E(a[k] ** 2) * E(x[k] ** 2) / p**2 - (E(a[k]) * E(x[k]) / p) ** 2,
            "the mask does not look at the input",
            INDEPENDENT,
        )
        .equals(E(a[k]) * E(x[k] ** 2) / p**2 - (E(a[k]) * E(x[k]) / p) ** 2, "a² = a", BITS)
        .equals(E(x[k] ** 2) / p - E(x[k]) ** 2, "E[a] = p", RETAIN)
        .equals(UNIT_VAR_TRAIN, "the input has mean c and variance v", MEAN, VARIANCE)
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    title = "case (a): the variance that BN remembers"
    return Equation("eq5", title, f"{SECTION}, Eq. 5", Eq(var_train, UNIT_VAR_TRAIN), parameters, derivation)


def eq6() -> Equation:
    """Eq. 6, the shift of case (a)."""
    derivation = (
        Derivation(Var(x[k]) / Var(TRAINED_UNIT))
        .equals(v / Var(TRAINED_UNIT), "in test Dropout is the identity", MEAN, VARIANCE)
        .equals(v / UNIT_VAR_TRAIN, "Eq. 5", INDEPENDENT, BITS, RETAIN, MEAN, VARIANCE)
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    return Equation(
        "eq6", "case (a): the shift", f"{SECTION}, Eq. 6", Eq(shift, v / UNIT_VAR_TRAIN), parameters, derivation
    )


def case_a_best() -> Equation:
    """In case (a) the shift is at most p, whatever the input: only p -> 1 removes it."""
    gap = p * (1 - p) * c**2 / (v + (1 - p) * c**2)
    derivation = (
        Derivation(p - v / UNIT_VAR_TRAIN)
        .equals(gap, "one fraction")
        .at_least(0, "every factor is nonnegative; equality at c = 0 or p = 1", gap)
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    title = "case (a): the shift is never closer to 1 than p"
    statement, meaning = Eq(p - shift, gap), {shift: v / UNIT_VAR_TRAIN}
    return Equation("case-a-best", title, "beyond Section 3.1", statement, parameters, derivation, meaning=meaning)
