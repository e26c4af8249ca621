"""Which noise has which variance: Dropout, Uout (Section 5, Eq. 13), Gaussian; and what follows for the shift."""

from sympy import Eq, sympify

from theory import domain
from theory.case_a import TRAINED_UNIT, UNIT_VAR_TRAIN
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import BITS, GAUSSIAN, INDEPENDENT, MEAN, RETAIN, UNIFORM, VARIANCE, E, Var
from theory.symbols import a, beta, c, gain, k, offset, p, r, s2, shift, sigma, v, x

SECTION = "Section 5"


def eq13() -> Equation:
    """Eq. 13, the shift of Uout in case (a) at c = 0."""
    noisy = x[k] + x[k] * r[k]
    powers = E(x[k] ** 2) + 2 * E(x[k] ** 2) * E(r[k]) + E(x[k] ** 2) * E(r[k] ** 2)
    derivation = (
        Derivation(Var(x[k]) / Var(noisy), where={c: sympify(0)})
        .equals(v / Var(noisy), "in test Uout is the identity", MEAN, VARIANCE)
        .equals(v / powers, "at c = 0 the variance is the second moment", INDEPENDENT, MEAN)
        .equals(v / (v * (1 + beta**2 / 3)), "r is uniform: E[r] = 0, E[r²] = β²/3", UNIFORM, VARIANCE)
        .equals(3 / (3 + beta**2), "v cancels")
    )
    title = "Uout: the shift in case (a)"
    hypotheses = ("c = 0; with a mean the shift is v/(v + (β²/3)(c² + v))",)
    return Equation(
        "eq13", title, f"{SECTION}, Eq. 13", Eq(shift, 3 / (3 + beta**2)), (domain.BETA,), derivation, hypotheses
    )


def dropout_noise() -> Equation:
    """The variance of Dropout's noise a/p."""
    derivation = Derivation(Var(a[k] / p)).equals((1 - p) / p, "E[a²] = E[a] = p", BITS, RETAIN)
    title = "Dropout's noise variance"
    return Equation("noise-dropout", title, "Section 2", Eq(s2, (1 - p) / p), (domain.RETAIN,), derivation)


def uout_noise() -> Equation:
    """The variance of Uout's noise 1 + r."""
    derivation = Derivation(Var(1 + r[k])).equals(beta**2 / 3, "the variance of U(-β, β)", UNIFORM)
    return Equation("noise-uout", "Uout's noise variance", SECTION, Eq(s2, beta**2 / 3), (domain.BETA,), derivation)


def gaussian_noise() -> Equation:
    """The variance of multiplicative Gaussian noise 1 + r."""
    derivation = Derivation(Var(1 + r[k])).equals(sigma**2, "the variance of N(0, σ²)", GAUSSIAN)
    title = "Gaussian Dropout's noise variance"
    return Equation("noise-gaussian", title, SECTION, Eq(s2, sigma**2), (domain.SIGMA,), derivation)


def equal_noise() -> Equation:
    """The Dropout that shifts exactly as much as a given Uout, in every architecture."""
    derivation = Derivation(1 / (1 + s2), where={s2: beta**2 / 3}).equals(
        3 / (3 + beta**2), "(1 - p)/p = s² gives p = 1/(1 + s²), and Uout has s² = β²/3"
    )
    title = "the retain ratio at which Dropout shifts exactly as Uout does"
    hypotheses = ("both have the same s², so by the law the same shift everywhere",)
    return Equation(
        "equal-noise", title, "beyond Section 5", Eq(p, 3 / (3 + beta**2)), (domain.BETA,), derivation, hypotheses
    )


def scaled_in_test() -> Equation:
    """The original Dropout, which scales by p in test instead of 1/p in training, shifts the same."""
    derivation = Derivation(Var(p * x[k]) / Var(a[k] * x[k])).equals(
        v / UNIT_VAR_TRAIN, "both variances carry the same factor p²", INDEPENDENT, BITS, RETAIN, MEAN, VARIANCE
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    title = "Dropout that scales in test shifts as inverted Dropout does"
    return Equation("scaled-in-test", title, "Section 2", Eq(shift, v / UNIT_VAR_TRAIN), parameters, derivation)


def affine() -> Equation:
    """BN's own scale and shift do not change the ratio (Section 2 leaves them out)."""
    derivation = Derivation(Var(gain * x[k] + offset) / Var(gain * TRAINED_UNIT + offset)).equals(
        v / UNIT_VAR_TRAIN,
        "a scale leaves both as its square, an offset as nothing",
        INDEPENDENT,
        BITS,
        RETAIN,
        MEAN,
        VARIANCE,
    )
    parameters = (domain.RETAIN, domain.C, domain.V)
    title = "a common scale and offset leave the shift alone"
    return Equation("affine", title, "Section 2", Eq(shift, v / UNIT_VAR_TRAIN), parameters, derivation)
