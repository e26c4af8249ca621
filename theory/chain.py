"""The chain reaction: how shifts compound over depth, in linear stacks and behind ReLU (Section 3.1)."""

from dataclasses import dataclass

from sympy import Eq, Symbol, erfc, exp, pi, sqrt, sympify

from theory import domain
from theory.case_b import COS2, SQUARES
from theory.derivation import Derivation
from theory.equation import Equation
from theory.expectation import (
    CORRELATION,
    INDEPENDENT,
    MASKS_APART,
    MEAN,
    NOISE_VARIANCE,
    SAMPLES_APART,
    TESTED_RELU,
    TRAINED_RELU,
    UNIT_MEAN,
    VARIANCE,
    E,
    Var,
)
from theory.law import NOISY_SUM
from theory.sums import PairSum, total
from theory.symbols import (
    c,
    cos2,
    d,
    depth,
    drift,
    i,
    j,
    k,
    m,
    moving_var,
    n,
    rho,
    s2,
    spread,
    v,
    w,
    width,
    x,
    y,
)

SECTION = "beyond Section 3.1"
TEST_RELU = total(w[i] * y[i], d)
RELU_BLOCK = (INDEPENDENT, MASKS_APART, UNIT_MEAN, NOISE_VARIANCE, SAMPLES_APART, TRAINED_RELU)


def chain() -> Equation:
    """L linear blocks of case (a), each ending in BN, leave the variance (1 + s²)^-L in test; p^L with Dropout."""
    inherited = (1 + s2) ** (1 - depth)
    derivation = (
        Derivation(inherited * Var(x[k]) / Var(n[k] * x[k]), where={c: sympify(0)})
        .equals(
            inherited * Var(x[k]) / ((1 + s2) * v),
            "the law for one unit: BN remembers (1 + s²) v, and hands on mean 0 and variance 1 in training",
            INDEPENDENT,
            NOISE_VARIANCE,
            MEAN,
            VARIANCE,
        )
        .equals((1 + s2) ** -depth, "in test the L-1 blocks before left (1 + s²)^(1-L) of it", MEAN, VARIANCE)
    )
    hypotheses = (
        "in every block the noise meets each unit alone, right before its BN; c = 0, ε = 0",
        "behind weighted sums of correlated inputs local shifts do not simply multiply: the correlation differs too",
    )
    title = "the chain reaction in a linear stack of case (a): test variance after L blocks"
    parameters = (domain.NOISE_VAR, domain.DEPTH)
    statement = Eq(Symbol("Var_L"), (1 + s2) ** -depth)
    return Equation("chain", title, SECTION, statement, parameters, derivation, hypotheses)


def drift_of_means() -> Equation:
    """The drift that a moved input mean leaves behind a weighted sum and BN, squared, and its bound."""
    core = v * (1 - rho) + v * rho * width
    added = s2 * (c**2 + v)
    formula = width * drift**2 / (core + added)
    bound = drift**2 / (v * rho)
    margin = drift**2 * (v * (1 - rho) + added) / (v * rho * (v * rho * width + v * (1 - rho) + added))
    derivation = (
        Derivation((drift * total(w[i], d)) ** 2 / Var(NOISY_SUM), where={width: d * COS2})
        .equals(
            formula,
            "what noise adds by the law, and Eq. 11",
            INDEPENDENT,
            MASKS_APART,
            UNIT_MEAN,
            NOISE_VARIANCE,
            MEAN,
            VARIANCE,
            CORRELATION,
        )
        .at_most(bound, "for ρ > 0; at ρ = 0 it grows with K without bound", margin, positive=(rho,))
    )
    hypotheses = ("every input's mean has moved by δ between training and test",)
    title = "the squared drift of means behind a sum of width K = d cos²θ, in units of BN's variance"
    parameters = (domain.NOISE_VAR, domain.DRIFT, domain.C, domain.V, domain.RHO, domain.WIDTH)
    return Equation("drift", title, SECTION, Eq(Symbol("m²_out"), formula), parameters, derivation, hypotheses)


def relu_mean() -> Equation:
    """The mean behind ReLU: at drift 0 it is sqrt(D / (2 pi)), so a shifted variance reaches the means."""
    tail = erfc(drift / (sqrt(2) * spread)) / 2
    formula = drift * (1 - tail) + spread * exp(-(drift**2) / (2 * spread**2)) / sqrt(2 * pi)
    derivation = Derivation(E(y[k])).equals(formula, "integrate t over the normal density, t > 0", TESTED_RELU)
    title = "the mean of relu(N(δ, τ²)): √(τ²/2π) at δ = 0"
    parameters = (domain.DRIFT, domain.SPREAD)
    return Equation("relu-mean", title, SECTION, Eq(Symbol("E[relu]"), formula), parameters, derivation)


def relu_power() -> Equation:
    """The second moment behind ReLU."""
    tail = erfc(drift / (sqrt(2) * spread)) / 2
    formula = (drift**2 + spread**2) * (1 - tail) + drift * spread * exp(-(drift**2) / (2 * spread**2)) / sqrt(2 * pi)
    derivation = Derivation(E(y[k] ** 2)).equals(formula, "integrate t² over the normal density, t > 0", TESTED_RELU)
    title = "the second moment of relu(N(δ, τ²))"
    parameters = (domain.DRIFT, domain.SPREAD)
    return Equation("relu-power", title, SECTION, Eq(Symbol("E[relu²]"), formula), parameters, derivation)


def relu_variance() -> Equation:
    """One block ReLU, noise, weighted sum, BN: the variance that it hands on in test."""
    formula = spread**2 * (pi - 1) / (pi * (1 + s2) - 1)
    derivation = Derivation(Var(TEST_RELU) / Var(NOISY_SUM), where={drift: sympify(0)}).equals(
        formula, "relu of a normal has mean τ/√(2π) and second moment τ²/2", *RELU_BLOCK, TESTED_RELU
    )
    hypotheses = ("independent normal inputs of mean 0, with variance 1 in training and τ² in test",)
    parameters = (domain.NOISE_VAR, domain.SPREAD)
    title = "the chain reaction behind ReLU: the variance handed on"
    return Equation("relu-variance", title, SECTION, Eq(Symbol("Var_out"), formula), parameters, derivation, hypotheses)


def relu_drift() -> Equation:
    """The same block: the mean that it hands on, squared, in units of BN's remembered variance."""
    formula = d * cos2 * (spread - 1) ** 2 / (pi * (1 + s2) - 1)
    moved = (E(TEST_RELU) - E(NOISY_SUM)) ** 2 / Var(NOISY_SUM)
    derivation = (
        Derivation(moved, where={drift: sympify(0), cos2: COS2})
        .equals(
            (spread - 1) ** 2 * total(w[i], d) ** 2 / ((pi * (1 + s2) - 1) * SQUARES),
            "both means are in proportion to Σ w",
            *RELU_BLOCK,
            TESTED_RELU,
        )
        .equals(formula, "Eq. 11")
    )
    hypotheses = ("as for 'relu-variance'; with correlated inputs see 'drift'",)
    parameters = (domain.NOISE_VAR, domain.SPREAD, domain.D, domain.COS2)
    title = "the chain reaction behind ReLU: the squared mean handed on"
    return Equation("relu-drift", title, SECTION, Eq(Symbol("m²_out"), formula), parameters, derivation, hypotheses)


def moving_correlated() -> Equation:
    """Eq. 3's estimator where the values of a batch are correlated, as the positions of one feature map are."""
    mean = total(x[i], m) / m
    split = total(x[i] ** 2, m) / m - (total(x[i] ** 2, m) + PairSum(x[i] * x[j], m)) / m**2
    derivation = (
        Derivation(E(m / (m - 1) * (total(x[i] ** 2, m) / m - mean**2)), upper=m)
        .equals(m / (m - 1) * E(split), "the square of a sum is its diagonal and its pairs")
        .equals(v * (1 - rho), "what all values of a batch share is not seen inside it", VARIANCE, CORRELATION)
    )
    title = "BN's moving variance of correlated values: m/(m-1) does not make it unbiased"
    parameters = (domain.V, domain.RHO_IN_BATCH, domain.M)
    statement = Eq(moving_var, v * (1 - rho))
    return Equation("moving-correlated", title, "beyond Section 2", statement, parameters, derivation)


@dataclass(frozen=True)
class Response:
    """A unit's test-time distribution before ReLU, where training made it N(0, 1)."""

    mean: float
    variance: float


def relu_stack(noise_var: float, d_cos2: float, depth: int) -> list[Response]:
    """The test-time responses of `depth` blocks (ReLU, noise, wide weighted sum, BN), from N(0, 1) on.

    Each block's output is taken to be normal and its inputs independent, as in the limit of width; the weights sum to
    a positive number. Block by block this iterates 'relu-mean' and 'relu-power'.

    Args:
        noise_var: variance s² of the multiplicative noise.
        d_cos2: d cos²θ of the weights.
        depth: number of blocks.
    """
    mean_of, power_of = relu_mean(), relu_power()
    trained_mean, trained_power = (float(equation.evaluate(drift=0, spread=1)) for equation in (mean_of, power_of))
    remembered = trained_power * (1 + noise_var) - trained_mean**2
    responses = [Response(0.0, 1.0)]
    for _ in range(depth):
        at = {"drift": responses[-1].mean, "spread": responses[-1].variance ** 0.5}
        mean, power = mean_of.evaluate(**at), power_of.evaluate(**at)
        moved = d_cos2**0.5 * (mean - trained_mean) / remembered**0.5
        responses.append(Response(moved, (power - mean**2) / remembered))
    return responses[1:]
