"""What the checks of the equations share: printed formulas, exact values, feasible draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from sympy import Expr

from paper_checks.error_rates import difference, quotient, root
from simulator import (
    CaseResult,
    Equicorrelated,
    Estimate,
    FiniteInputs,
    Noise,
    Reading,
    measure_case,
    one_hot_plus_shift,
    weights_with_cos2,
)
from simulator.inputs import Draw
from theory import EQUATIONS, Equation
from theory.sums import vanishes

DRAWS: tuple[Draw, ...] = ("gaussian", "uniform", "exponential", "two-point", "student-t")
FREEDOM = 9.0  # degrees of student-t draws: variances then have standard errors that settle soon


def proved(name: str, printed: Expr) -> Equation:
    """The equation, after its derivation has been verified, if it states what the paper prints."""
    equation = EQUATIONS[name]
    assert equation.derivation.steps
    assert vanishes(equation.formula - printed), f"{name} states {equation.formula}, not {printed}"
    return equation


def exact(name: str, **values: Any) -> Fraction:
    """The value of a formula, as a fraction."""
    value = EQUATIONS[name].exact(**values)
    return Fraction(int(value.p), int(value.q))


def value(name: str, **values: Any) -> float:
    """The value of a formula."""
    return EQUATIONS[name].evaluate(**values)


@dataclass(frozen=True)
class Setting:
    """One feasible setting of case (b), and a seed; decimals are meant as they print."""

    retain: float
    c: float
    v: float
    rho: float
    d: int
    cos2: float
    draw: Draw
    seed: int

    @property
    def inputs(self) -> Equicorrelated:
        """Inputs of the setting."""
        freedom = FREEDOM if self.draw == "student-t" else None
        return Equicorrelated(self.d, self.c, self.v, self.rho, self.draw, freedom, "float32")

    @property
    def weights(self) -> np.ndarray:
        """w: (d,), a unit vector of the setting's cos^2 in a direction that the seed picks."""
        return weights_with_cos2(self.d, self.cos2, np.random.default_rng(self.seed))

    @property
    def moments(self) -> dict[str, float]:
        """What Eq. 10 needs beside the retain ratio."""
        return {"c": self.c, "v": self.v, "rho": self.rho, "d": self.d, "cos2": self.cos2}

    def measure(self, noise: Noise, samples: int, rng: np.random.Generator) -> CaseResult:
        """Case (b) in this setting, under some noise."""
        return measure_case("b", self.inputs, noise, self.weights, samples, rng)


def _decimal(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(round(low * 100), round(high * 100)).map(lambda hundredths: hundredths / 100)


SEEDS = st.integers(0, 2**32 - 1)
RETAINS = _decimal(0.3, 0.95)
MEANS = _decimal(-2, 2)
VARIANCES = _decimal(0.25, 4)
BETAS = _decimal(0.1, 1)


@st.composite
def settings_of_case_b(draw: st.DrawFn) -> Setting:
    """Settings over the feasible domain, negative correlations included, short of where Var_Test vanishes."""
    d = draw(st.integers(2, 9))
    lowest = -0.9 / (d - 1)
    return Setting(
        retain=draw(RETAINS),
        c=draw(MEANS),
        v=draw(VARIANCES),
        d=d,
        rho=round(lowest + draw(_decimal(0, 1)) * (0.9 - lowest), 4),
        cos2=draw(_decimal(0.05, 0.95)),
        draw=draw(st.sampled_from(DRAWS)),
        seed=draw(SEEDS),
    )


# Exchangeable inputs over the feasible correlations, the lowest that d = 3 allows included, for exact enumeration.
FINITE = (
    one_hot_plus_shift(3, 1, [0]),
    one_hot_plus_shift(3, 2, [0, 3]),
    one_hot_plus_shift(4, 1, [-2, 1, 5]),
    one_hot_plus_shift(5, Fraction(3, 2), [Fraction(1, 2)]),
)
FINITE_RETAINS = (Fraction(1, 4), Fraction(2, 3), Fraction(1))
FINITE_WEIGHTS = ((1, 1, 1, 1, 1), (1, -2, 3, 5, -1), (2, -1, -1, 0, 0))


ANY_INPUTS = FiniteInputs(
    tuple(tuple(map(Fraction, point)) for point in [(0, 5, -1), (2, 1, 1), (-3, 1, 4), (2, 2, 2), (0, 0, 7)])
)


def moments_of(inputs: FiniteInputs) -> dict[str, Fraction]:
    """The exact c, v and rho of enumerated inputs."""
    return {"c": inputs.mean, "v": inputs.variance, "rho": inputs.correlation}


def rotation(units: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an orthogonal matrix, (units, units), that keeps (1, ..., 1): every row has d cos^2 = 1.

    Uncorrelated inputs of one mean and one variance stay so behind it.
    """
    basis = np.linalg.qr(np.column_stack([np.ones(units), rng.standard_normal((units, units - 1))]))[0]
    kept, rest = basis[:, :1], basis[:, 1:]
    return kept @ kept.T + np.roll(rest, 1, axis=1) @ rest.T


def variance_of(outcomes: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    """The exact variance of (probability, value) pairs."""
    pairs = list(outcomes)
    mean = sum((chance * x for chance, x in pairs), Fraction(0))
    return sum((chance * x * x for chance, x in pairs), Fraction(0)) - mean**2


def drift(reading: Reading) -> Estimate:
    """By how much the mean is smaller in test than BN remembers, in units of the response."""
    return difference(reading.moving_mean, reading.real_mean)


def relative_drift(reading: Reading) -> Estimate:
    """The drift in units of the deviation that BN remembers."""
    return quotient(drift(reading), root(reading.moving_var))
