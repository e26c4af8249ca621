"""Beyond the paper: one law behind Eqs. 5-13, and which assumption each of them needs."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from paper_checks.comparing import ANY_INPUTS, Setting, exact, proved, value
from paper_checks.controls import AdditiveUout
from paper_checks.error_rates import agree, disagree, powered
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    BatchMeans,
    BatchNorm,
    CaseResult,
    Dropout,
    Equicorrelated,
    Estimate,
    FiniteInputs,
    GaussianDropout,
    Linear,
    Noise,
    Residual,
    Stack,
    Uout,
    enumerate_dropout,
    measure_case,
)
from theory import EQUATIONS
from theory import symbols as s
from theory.expectation import INDEPENDENT, MASKS_APART, MEAN, NOISE_VARIANCE, UNIT_MEAN, E
from theory.sums import PairSum, total, vanishes
from theory.witness import AXIOMS, counter_models, law_witness, witness

DROPOUT, UOUT = (1 - s.p) / s.p, s.beta**2 / 3
SQUARES, PAIRS = total(s.w[s.i] ** 2, s.d), PairSum(s.w[s.i] * s.w[s.j], s.d)
NORMAL = Setting(retain=0.5, c=0.7, v=1.5, rho=-0.1, d=6, cos2=0.5, draw="gaussian", seed=2)


@dataclass(frozen=True)
class Uneven:
    """Inputs that share nothing: each has a mean and a variance of its own, x_i = offset_i + scale_i base_i."""

    base: Equicorrelated
    offsets: np.ndarray
    scales: np.ndarray

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw x: (n, d)."""
        return self.offsets + self.scales * self.base.sample(n, rng)

    @property
    def second_moments(self) -> list[float]:
        """E[x_i^2]: (d,)."""
        means = self.offsets + self.scales * self.base.mean
        return (means**2 + self.scales**2 * self.base.variance).tolist()


UNEVEN = Uneven(Equicorrelated(4, 0.5, 1.0, 0.3, "uniform"), np.array([0, 1, -2, 0.5]), np.array([1, 2, 0.3, -1]))
WEIGHTS = np.array([1.0, -0.5, 2.0, 0.25])

under_any_noise = pytest.mark.parametrize(
    ("noise", "name", "strength"),
    [
        (Dropout(0.6), "noise-dropout", {"retain": "0.6"}),
        (Uout(0.9), "noise-uout", {"beta": "0.9"}),
        (GaussianDropout(0.7), "noise-gaussian", {"sigma": "0.7"}),
    ],
    ids=["dropout", "uout", "gaussian"],
)


@check("LAW", Evidence.PROVED)
def test_eqs_5_to_13_are_special_cases_of_the_law() -> None:
    proved("law", s.var_test + s.s2 * total(s.w[s.i] ** 2 * E(s.x[s.i] ** 2), s.d))
    power, shift = s.c**2 + s.v, EQUATIONS["shift"].formula
    one_unit = {s.d: 1, s.cos2: 1}
    assert vanishes(shift.subs(s.s2, DROPOUT) - EQUATIONS["eq10"].formula)
    assert vanishes(shift.subs(one_unit).subs(s.s2, DROPOUT) - EQUATIONS["eq6"].formula)
    assert vanishes(shift.subs({**one_unit, s.c: 0}).subs(s.s2, UOUT) - EQUATIONS["eq13"].formula)
    assert vanishes(s.v + DROPOUT * power - EQUATIONS["eq5"].formula)
    added = EQUATIONS["eq8"].formula + DROPOUT * power * SQUARES
    assert vanishes(added - EQUATIONS["eq7"].formula.subs(s.rho_ax, EQUATIONS["eq9"].formula))
    assert not vanishes(added - EQUATIONS["eq7"].formula.subs(s.rho_ax, s.rho))


def _second_moments(inputs: FiniteInputs) -> list[Fraction]:
    """E[x_i^2]: (d,)."""
    squares = [[x**2 for x in point] for point in inputs.points]
    return [sum(column, Fraction(0)) / len(squares) for column in zip(*squares, strict=True)]


@check("LAW", Evidence.ENUMERATED)
@pytest.mark.parametrize("retain", [Fraction(1, 5), Fraction(2, 3), Fraction(1)])
@pytest.mark.parametrize("w", [(1, 1, 1), (2, -3, 1)])
def test_over_all_masks_the_law_is_exact_for_inputs_that_share_no_moments(retain: Fraction, w: tuple) -> None:
    counted = enumerate_dropout(ANY_INPUTS, w, retain)
    known = {"var_test": counted.var_test, "noise_var": exact("noise-dropout", retain=retain)}
    moments = _second_moments(ANY_INPUTS)
    assert counted.var_train == exact("law", w=w, second_moments=moments, **known)
    if retain < 1:
        assert counted.var_train != exact("law", w=[abs(x) ** 3 + 1 for x in w], second_moments=moments, **known)


@check("LAW", Evidence.SIMULATED)
@under_any_noise
def test_simulated_sums_of_uneven_inputs_obey_the_law_under_any_noise(
    rng: np.random.Generator, noise: Noise, name: str, strength: dict[str, str]
) -> None:
    known = {"noise_var": value(name, **strength), "w": WEIGHTS.tolist(), "second_moments": UNEVEN.second_moments}
    added = value("law", var_test=0, **known)
    agree(powered(lambda n: _added(UNEVEN, noise, n, rng).mean("added"), added, 0.03), added, catches=0.03)
    linear_weights = value("law", var_test=0, **known | {"w": np.sqrt(np.abs(WEIGHTS)).tolist()})
    disagree(_added(UNEVEN, noise, 200_000, rng).mean("added"), linear_weights)
    disagree(_added(UNEVEN, AdditiveUout(0.9), 200_000, rng).mean("added"), added)


@check("LAW", Evidence.SIMULATED)
def test_the_simulated_variance_of_a_sum_of_uneven_inputs_is_that_of_the_law_to_one_percent(
    rng: np.random.Generator,
) -> None:
    var_test = value("eq8", v=1, rho="0.3", w=(WEIGHTS * UNEVEN.scales).tolist())
    moments = {"w": WEIGHTS.tolist(), "second_moments": UNEVEN.second_moments}
    expected = value("law", var_test=var_test, noise_var=Fraction(2, 3), **moments)
    agree(powered(lambda n: _case_b(Dropout(0.6), n, rng).var_train, expected), expected)
    disagree(_case_b(Dropout(0.7), 200_000, rng).var_train, expected)


def _case_b(noise: Noise, samples: int, rng: np.random.Generator) -> CaseResult:
    """Case (b) of uneven inputs."""
    return measure_case("b", UNEVEN, noise, WEIGHTS, samples, rng)


@check("LAW", Evidence.SIMULATED)
@under_any_noise
def test_each_simulated_noise_has_the_variance_that_the_law_is_given(
    rng: np.random.Generator, noise: Noise, name: str, strength: dict[str, str]
) -> None:
    expected = value(name, **strength)
    agree(powered(lambda n: _of_twos(noise, n, rng), 4 * expected), 4 * expected)
    disagree(_of_twos(AdditiveUout(0.9), 200_000, rng), 4 * expected)


def _of_twos(noise: Noise, samples: int, rng: np.random.Generator) -> Estimate:
    """The variance of 2 r, by unbiased batch variances."""
    means = BatchMeans("variance", samples_per_batch=100)
    means.add(noise.train(np.full((-(-samples // 100), 100), 2.0), rng).var(axis=1, ddof=1)[:, None])
    return means.mean("variance")


def _added(inputs: Uneven, noise: Noise, samples: int, rng: np.random.Generator) -> BatchMeans:
    """What noise adds to the unbiased batch variance of the weighted sum, on the same inputs, batch by batch."""
    means = BatchMeans("added", samples_per_batch=100)
    for _ in range(-(-samples // 200_000)):
        x = inputs.sample(200_000, rng)
        variances = [(y @ WEIGHTS).reshape(-1, 100).var(axis=1, ddof=1) for y in (noise.train(x, rng), x)]
        means.add((variances[0] - variances[1])[:, None])
    return means


@check("LAW-SHARED", Evidence.PROVED)
def test_inputs_that_share_their_noise_count_as_one_input() -> None:
    assert len(proved("law-shared", s.var_test + s.s2 * total(E(s.y[s.i] ** 2), s.groups)).needs) == 4


@check("LAW-SHARED", Evidence.ENUMERATED)
@pytest.mark.parametrize("w", [(1, 1, 1), (2, -3, 1)])
def test_over_both_values_of_one_shared_mask_the_law_is_exact(w: tuple) -> None:
    retain = Fraction(1, 3)
    counted = enumerate_dropout(ANY_INPUTS, w, retain, masks="shared")
    sums = [sum(x * y for x, y in zip(w, point, strict=True)) ** 2 for point in ANY_INPUTS.points]
    known = {"var_test": counted.var_test, "noise_var": exact("noise-dropout", retain=retain)}
    assert counted.var_train == exact("law-shared", second_moments=[sum(sums) / len(sums)], **known)
    assert counted.var_train != exact("law", w=w, second_moments=_second_moments(ANY_INPUTS), **known)


@check("LAW-RESIDUAL", Evidence.PROVED)
def test_a_residual_branch_does_not_covary_with_the_noise() -> None:
    assert proved("law-residual", EQUATIONS["law"].formula)


SHORTCUT = np.array([2.0, 0, 0, 0, 0, 0])


def _shortcut(x: np.ndarray) -> np.ndarray:
    """z = 2 x_1 + x_2^2, which hangs on the same inputs as X, and not linearly."""
    return 2 * x[:, :1] + x[:, 1:2] ** 2


def _var_test_with_shortcut() -> float:
    """The variance of z + X for normal inputs, whose third cumulants are 0: that of a weighted sum, and 2 v^2 more."""
    weights = NORMAL.weights + SHORTCUT + 2 * NORMAL.c * np.eye(NORMAL.d)[1]
    return value("eq8", v=NORMAL.v, rho=NORMAL.rho, w=weights.tolist()) + 2 * NORMAL.v**2


@check("LAW-RESIDUAL", Evidence.SIMULATED)
@check("S3-WRN", Evidence.SIMULATED, Verdict.CONTRADICTED)
def test_with_a_residual_branch_the_law_holds_and_eq10_does_not(rng: np.random.Generator) -> None:
    branch = [Dropout(NORMAL.retain), Linear(NORMAL.weights[None])]
    stack = Stack([Residual(branch, [_shortcut]), BatchNorm(1)])
    (measured,) = stack.measure(NORMAL.inputs, rng, replicas=100, batches=20, batch=8192)
    known = {"noise_var": value("noise-dropout", retain=NORMAL.retain), "w": NORMAL.weights.tolist()}
    power, var_test = NORMAL.c**2 + NORMAL.v, _var_test_with_shortcut()
    var_train = value("law-residual", var_test=var_test, second_moments=[power] * NORMAL.d, **known)
    agree(measured.moving_var, var_train, replicas=100)
    agree(measured.shift, var_test / var_train, replicas=100)
    disagree(measured.shift, value("eq10", retain=NORMAL.retain, **NORMAL.moments), replicas=100)


@check("S3-WRN", Evidence.PROVED, Verdict.CONTRADICTED)
def test_an_independent_residual_of_variance_one_changes_the_shift_but_not_what_dropout_adds() -> None:
    moments = {"var_test": 2, "noise_var": 1, "w": [1], "second_moments": [1]}
    alone, with_branch = exact("law", **moments), exact("law-residual", **moments | {"var_test": 3})
    assert alone - 2 == with_branch - 3
    assert Fraction(2) / alone != Fraction(3) / with_branch


@check("LAW-AXIOMS", Evidence.PROVED)
@pytest.mark.parametrize("size", [2, 3])
def test_an_explicit_witness_satisfies_every_axiom_at_symbolic_parameters(size: int) -> None:
    space = witness(size)
    assert all(space.satisfies(axiom) for axiom in AXIOMS)


@check("LAW-AXIOMS", Evidence.PROVED)
def test_an_explicit_witness_satisfies_the_axioms_of_the_law_at_symbolic_noise_variance() -> None:
    space = law_witness(2)
    assert all(space.satisfies(axiom) for axiom in (INDEPENDENT, MASKS_APART, UNIT_MEAN, NOISE_VARIANCE))
    assert not space.satisfies(MEAN)


@check("LAW-AXIOMS", Evidence.ENUMERATED)
@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.name)
def test_where_one_axiom_fails_exactly_the_equations_that_need_it_fail(axiom) -> None:
    space = counter_models()[axiom]
    assert [other for other in AXIOMS if not space.satisfies(other)] == [axiom]
    for name in ("eq5", "eq6", "eq7", "eq8", "eq9", "eq10"):
        assert space.obeys(EQUATIONS[name]) == (axiom not in EQUATIONS[name].needs), name
