"""Section 2: Dropout with inverted scaling, and Batch Normalization (Eqs. 1-4)."""

from sympy import Eq, IndexedBase, Symbol, sqrt

from theory import domain
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import INDEPENDENT, MEAN, RETAIN, SAMPLES_APART, VARIANCE, E, Var
from theory.sums import PairSum, total
from theory.symbols import a, batch_var, eps, i, j, k, m, moving_mean, moving_var, mu, p, v, x

SECTION = "Section 2"


def eq1() -> Equation:
    """Eq. 1, the Bernoulli mask; shown of it: the inverted scaling preserves the mean."""
    derivation = (
        Derivation(E(a[k] * x[k] / p))
        .equals(E(a[k]) * E(x[k]) / p, "the mask does not look at the input", INDEPENDENT)
        .equals(E(x[k]), "a unit is kept with probability p: training and test have the same mean", RETAIN)
    )
    statement = Eq(Symbol("P(a)"), p ** a[k] * (1 - p) ** (1 - a[k]))
    parameters = (domain.RETAIN, domain.BIT)
    return Equation("eq1", "Dropout's mask", f"{SECTION}, Eq. 1", statement, parameters, derivation, defines=True)


def eq2() -> Equation:
    """Eq. 2, normalisation in training; shown of it: the variance that leaves BN is not quite 1."""
    centred = (x[i] - mu) ** 2
    derivation = (
        Derivation(total(centred / (batch_var + eps), m) / m, where={batch_var: total(centred, m) / m}, upper=m)
        .equals(total(centred, m) / m / (batch_var + eps), "the batch statistics are constants of the batch")
        .equals(batch_var / (batch_var + eps), "σ² is the batch's biased variance, (1/m) Σᵢ (xᵢ - μ)²")
    )
    statement = Eq(IndexedBase("xhat")[k], (x[k] - mu) / sqrt(batch_var + eps))
    parameters = (domain.X, domain.MU, domain.BATCH_VAR, domain.EPS)
    title = "BN in training, by the batch's mean and biased variance"
    return Equation("eq2", title, f"{SECTION}, Eq. 2", statement, parameters, derivation, defines=True)


def eq3() -> Equation:
    """Eq. 3, the moving variance; shown of it: m/(m-1) makes the biased batch variance unbiased."""
    mean = total(x[i], m) / m
    biased = total(x[i] ** 2, m) / m - mean**2
    split = total(x[i] ** 2, m) / m - (total(x[i] ** 2, m) + PairSum(x[i] * x[j], m)) / m**2
    derivation = (
        Derivation(E(m / (m - 1) * biased), upper=m)
        .equals(m / (m - 1) * E(split), "the square of a sum is its diagonal and its pairs")
        .equals(
            m / (m - 1) * (E(x[k] ** 2) - E(x[k] ** 2) / m - (m - 1) * E(x[k]) ** 2 / m),
            "the m values are independent and of one distribution",
            SAMPLES_APART,
            MEAN,
            VARIANCE,
        )
        .equals(v, "what is left is E[x²] - E[x]²", MEAN, VARIANCE)
    )
    statement = Eq(moving_var, m / (m - 1) * batch_var)
    hypotheses = (
        "batch_var is E_B[σ²], the expected biased batch variance",
        "unbiased if the m values of a batch are uncorrelated (see 'moving-correlated')",
    )
    title = "BN's moving variance, an average of unbiased batch variances"
    return Equation(
        "eq3", title, f"{SECTION}, Eq. 3", statement, (domain.M, domain.BATCH_VAR), derivation, hypotheses, defines=True
    )


def eq4() -> Equation:
    """Eq. 4, normalisation in test; shown of it: what leaves BN has variance Var_Test / (Var_Moving + eps)."""
    derivation = (
        Derivation(Var((x[k] - moving_mean) / sqrt(moving_var + eps)))
        .equals(Var(x[k]) / (moving_var + eps), "frozen statistics make BN an affine map")
        .equals(
            v / (moving_var + eps), "Var(x) = v, whatever BN remembers: at eps = 0 this is the shift", MEAN, VARIANCE
        )
    )
    statement = Eq(IndexedBase("xhat")[k], (x[k] - moving_mean) / sqrt(moving_var + eps))
    parameters = (domain.X, domain.MOVING_MEAN, domain.MOVING_VAR, domain.EPS)
    title = "BN in test, by the moving statistics"
    return Equation("eq4", title, f"{SECTION}, Eq. 4", statement, parameters, derivation, defines=True)
