"""Inequalities and limits: proved by a margin whose sign can be read off, never by sympy's `limit`.

`sympy.limit` answers 1 for Eq. 10 at d -> infinity whatever rho is assumed to be; here every limit is a bound that
holds at each finite d, under hypotheses that it names.
"""

from sympy import Derivative, Eq, diff, sympify

from theory import domain
from theory.case_a import UNIT_VAR_TRAIN
from theory.case_b import COS2, RHO_AX, SHIFT, SHIFT_PARAMETERS, SPREAD, SQUARES, TEST_SUM
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import INPUT_AXIOMS, Var
from theory.sums import PairSum, total
from theory.symbols import c, cos2, d, i, j, p, rho, rho_ax, shift, v, var_test, w, width, x

SECTION = "beyond Section 3.2"
EIGENVALUES = v * ((1 + (d - 1) * rho) * cos2 + (1 - rho) * (1 - cos2))
ADDED = (1 - p) * (c**2 + v) / p
SHIFT_BY_WIDTH = SHIFT.subs(d * cos2, width)


def rho_bound() -> Equation:
    """A common correlation below -1/(d-1) does not exist: the paper's domain [-1, 1] is too wide."""
    formula = v * d * (1 + (d - 1) * rho)
    derivation = Derivation(Var(total(x[i], d))).equals(
        formula, "d variances and d(d-1) covariances; a variance is not negative, so ρ >= -1/(d-1)", *INPUT_AXIOMS
    )
    title = "the variance of the sum of all inputs: why rho >= -1/(d-1)"
    parameters = (domain.V, domain.RHO, domain.D)
    return Equation("rho-bound", title, "Section 3.2", Eq(var_test, formula), parameters, derivation)


def cos2_bound() -> Equation:
    """Cauchy-Schwarz by Lagrange's identity: 0 <= cos²θ <= 1."""
    lagrange = PairSum((w[i] - w[j]) ** 2, d) / 2
    derivation = (
        Derivation(d * SQUARES - total(w[i], d) ** 2)
        .equals(lagrange, "Lagrange's identity")
        .at_least(0, "a sum of squares; equality where all weights agree", lagrange)
    )
    statement = Eq(d * SQUARES * (1 - cos2), lagrange)
    title = "cos²θ <= 1, with equality where all weights agree"
    return Equation(
        "cos2-bound", title, "Section 3.2, Eq. 11", statement, (domain.WEIGHTS,), derivation, meaning={cos2: COS2}
    )


def spectrum() -> Equation:
    """Var_Test is not negative: cos²θ weighs the two eigenvalues of the inputs' covariance."""
    derivation = (
        Derivation(Var(TEST_SUM) / SQUARES, where={cos2: COS2})
        .equals(SPREAD, "Eqs. 8 and 11", *INPUT_AXIOMS)
        .equals(EIGENVALUES, "v(1 + (d-1)ρ) belongs to (1, ..., 1), v(1 - ρ) to all that is orthogonal to it")
        .at_least(0, "every factor is nonnegative", EIGENVALUES)
    )
    parameters = (domain.V, domain.RHO, domain.D, domain.COS2)
    title = "what Var_Test / Σ w² is made of: two eigenvalues"
    statement = Eq(var_test / SQUARES, EIGENVALUES)
    return Equation("spectrum", title, SECTION, statement, parameters, derivation, meaning={var_test: Var(TEST_SUM)})


def deficit() -> Equation:
    """1 - Delta, positive whenever Dropout is on."""
    formula = (1 - p) * (c**2 + v) / (p * (UNIT_VAR_TRAIN + v * rho * (d * cos2 - 1)))
    margin = ADDED / (EIGENVALUES + ADDED)
    derivation = (
        Derivation(1 - SHIFT)
        .equals(formula, "one fraction")
        .equals(margin, "'spectrum': the denominator is Var_Test / Σ w² plus what Dropout adds")
        .equals(formula, "back again")
        .at_least(0, "p < 1 makes the numerator positive, and the denominator with it", margin, positive=(1 - p,))
    )
    title = "how far the shift is from 1: Delta(p, d) < 1 for p < 1"
    statement = Eq(1 - shift, formula)
    return Equation("deficit", title, "Section 3.2", statement, SHIFT_PARAMETERS, derivation, meaning={shift: SHIFT})


def width_needed() -> Equation:
    """Only p -> 1 or d -> infinity can remove the shift: no weights and no correlation do better than d allows."""
    least = (1 - p) / (1 - p + p * d)
    below_d = (d - 1) * (1 - rho) * cos2 + (1 + (d - 1) * rho + (d - 2) * (1 - rho)) * (1 - cos2)
    gap = (1 - p) * (d * c**2 + v * below_d) / ((EIGENVALUES + ADDED) * (1 - p + p * d))
    derivation = (
        Derivation(1 - SHIFT - least)
        .equals(gap, "one fraction, with 'spectrum': both eigenvalues are at most v d")
        .at_least(0, "every factor is nonnegative; equality at c = 0 and ρ = cos²θ = 1", gap, positive=(1 - p,))
    )
    title = "1 - Δ is at least (1 - p)/(1 - p + p d): the width that a given shift needs"
    statement = Eq(1 - shift - least, gap)
    hypotheses = ("d >= 2, p < 1",)
    meaning = {shift: SHIFT}
    return Equation("width-needed", title, SECTION, statement, SHIFT_PARAMETERS, derivation, hypotheses, meaning)


def rho_ax_bound() -> Equation:
    """|rho^ax| <= |rho| <= 1: Dropout only weakens a correlation."""
    margin = rho**2 * ADDED * (2 * v + ADDED) / (v + ADDED) ** 2
    derivation = (
        Derivation(rho**2 - RHO_AX**2)
        .equals(margin, "one fraction, with (c² + v)/p - c² = v + (1-p)(c² + v)/p")
        .at_least(0, "every factor is nonnegative; equality at ρ = 0 or p = 1", margin)
    )
    statement = Eq(rho**2 - rho_ax**2, margin)
    parameters = (domain.RETAIN, domain.C, domain.V, domain.RHO)
    title = "Dropout only weakens a correlation: |ρᵃˣ| <= |ρ|"
    source = "Section 3.2, Eq. 7"
    return Equation("rho-ax-bound", title, source, statement, parameters, derivation, meaning={rho_ax: RHO_AX})


def a_against_b() -> Equation:
    """Case (b) is milder than case (a) where rho (d cos²θ - 1) > 0, and harsher where it is negative."""
    lean = rho * (d * cos2 - 1)
    difference = ADDED * v * lean / ((SPREAD + ADDED) * (v + ADDED))
    quotient = ADDED * v / ((EIGENVALUES + ADDED) * (v + ADDED))
    derivation = (
        Derivation(SHIFT - v / UNIT_VAR_TRAIN)
        .equals(difference, "one fraction")
        .with_sign_of(lean, "with 'spectrum': every other factor is positive", quotient, positive=(1 - p,))
    )
    title = "the shift of case (b) minus that of case (a)"
    statement = Eq(shift - v / UNIT_VAR_TRAIN, difference)
    hypotheses = ("p < 1, for the sign: without Dropout both are 1",)
    meaning = {shift: SHIFT}
    return Equation("a-against-b", title, SECTION, statement, SHIFT_PARAMETERS, derivation, hypotheses, meaning)


def monotone_retain() -> Equation:
    """Less Dropout, less shift, in either case."""
    slope = EIGENVALUES * (c**2 + v) / (p * EIGENVALUES + p * ADDED) ** 2
    derivation = (
        Derivation(diff(SHIFT, p))
        .equals(slope, "the derivative, with 'spectrum'")
        .at_least(0, "every factor is nonnegative", slope, positive=(EIGENVALUES / v,))
    )
    hypotheses = ("Var_Test > 0",)
    title = "the shift's derivative in p: less Dropout shifts less"
    statement = Eq(Derivative(shift, p), slope)
    meaning = {shift: SHIFT}
    return Equation("monotone-retain", title, SECTION, statement, SHIFT_PARAMETERS, derivation, hypotheses, meaning)


def by_width() -> Equation:
    """1 - Delta as a function of K = d cos²θ, and its bound: the limit d -> infinity."""
    core = v * (1 - rho) + v * rho * width
    formula = ADDED / (core + ADDED)
    bound = ADDED / (v * rho * width)
    margin = ADDED * (v * (1 - rho) + ADDED) / (v * rho * width * (v * rho * width + v * (1 - rho) + ADDED))
    derivation = (
        Derivation(1 - SHIFT_BY_WIDTH)
        .equals(formula, "one fraction")
        .at_most(bound, "for ρ > 0; so it vanishes as K = d cos²θ grows", margin, positive=(rho,))
    )
    hypotheses = (
        "rho > 0 and d cos²θ -> infinity; at rho = 0 the width does nothing (see 'limit-uncorrelated')",
        "rho < 0 cannot stay fixed: it needs d <= 1 - 1/rho",
    )
    parameters = (domain.RETAIN, domain.C, domain.V, domain.RHO, domain.WIDTH)
    title = "how far the shift is from 1 at K = d cos²θ, and what K does"
    statement, meaning = Eq(1 - shift, formula), {shift: SHIFT_BY_WIDTH}
    return Equation("limit-width", title, "Section 3.2", statement, parameters, derivation, hypotheses, meaning)


def monotone_width() -> Equation:
    """Growing d cos²θ helps where rho > 0, and hurts where rho < 0."""
    kept = 1 - rho + rho * width
    quotient = v * ADDED / (v * kept + ADDED) ** 2
    slope = rho * quotient
    derivation = (
        Derivation(diff(SHIFT_BY_WIDTH, width))
        .equals(slope, "the derivative")
        .with_sign_of(rho, "every other factor is positive", quotient, positive=(1 - p, kept))
    )
    parameters = (domain.RETAIN, domain.C, domain.V, domain.RHO, domain.WIDTH)
    title = "the shift's derivative in K = d cos²θ: it has the sign of ρ"
    statement = Eq(Derivative(shift, width), slope)
    hypotheses = ("p < 1 and Var_Test > 0, for the sign",)
    meaning = {shift: SHIFT_BY_WIDTH}
    return Equation("monotone-width", title, SECTION, statement, parameters, derivation, hypotheses, meaning)


def uncorrelated() -> Equation:
    """At rho = 0 the width does nothing."""
    derivation = Derivation(SHIFT, where={rho: sympify(0)}).equals(
        v / UNIT_VAR_TRAIN, "d and cos²θ stand only beside ρ: the shift of case (a), at every width"
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    title = "uncorrelated inputs: width does nothing"
    return Equation(
        "limit-uncorrelated", title, SECTION, Eq(shift, v / UNIT_VAR_TRAIN), parameters, derivation, ("rho = 0",)
    )


def limit_retain() -> Equation:
    """Delta -> 1 as p -> 1."""
    formula = ADDED / (SPREAD + ADDED)
    margin = ADDED**2 / (EIGENVALUES * (EIGENVALUES + ADDED))
    derivation = (
        Derivation(1 - SHIFT)
        .equals(formula, "Var_Test / Σ w², and what Dropout adds to it")
        .at_most(ADDED / SPREAD, "so it vanishes as p -> 1", margin, positive=(EIGENVALUES / v,))
    )
    hypotheses = ("Var_Test > 0",)
    title = "how far the shift is from 1 beside Var_Test, and what p -> 1 does"
    statement, meaning = Eq(1 - shift, formula), {shift: SHIFT}
    return Equation("limit-retain", title, "Section 3", statement, SHIFT_PARAMETERS, derivation, hypotheses, meaning)


def table2_constant() -> Equation:
    """What Eq. 10 holds fixed when only p varies: a quantity that Table 2 should show as constant."""
    formula = (c**2 + v) / SPREAD
    derivation = Derivation((1 / SHIFT - 1) * p / (1 - p)).equals(formula, "one fraction: p is gone")
    parameters = (domain.C, domain.V, domain.RHO, domain.D, domain.COS2)
    statement = Eq((1 / shift - 1) * p / (1 - p), formula)
    title = "what does not depend on p"
    meaning = {shift: SHIFT}
    return Equation("constant-in-retain", title, SECTION, statement, parameters, derivation, ("p < 1",), meaning)
