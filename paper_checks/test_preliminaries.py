"""Section 1 and 2: masks, scaling, and Batch Normalization to the letter of Eqs. 2-4."""

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sympy import sqrt

from paper_checks.comparing import RETAINS, VARIANCES, exact, proved, value, variance_of
from paper_checks.controls import ScaledInTest, Unscaled
from paper_checks.error_rates import agree, disagree, powered
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    BatchMeans,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    FiniteInputs,
    Noise,
    ReLU,
    Stack,
    enumerate_dropout,
    measure_case,
)
from theory import EQUATIONS
from theory import symbols as s

HALF, UNITS = Fraction(1, 2), 50
POPULATION = (Fraction(0), Fraction(1), Fraction(3))
MEAN, VARIANCE = Fraction(4, 3), Fraction(14, 9)


@check("E1", Evidence.PROVED)
def test_masks_are_bernoulli_and_the_scaling_preserves_the_mean() -> None:
    equation = proved("eq1", s.p ** s.a[s.k] * (1 - s.p) ** (1 - s.a[s.k]))
    assert equation.derivation.steps[-1].expression.args[0] == s.x[s.k]
    assert equation.evaluate(retain=0.3, a=1) == 0.3
    assert equation.evaluate(retain=0.3, a=0) == 0.7


@check("E1", Evidence.ENUMERATED)
@pytest.mark.parametrize("retain", [Fraction(1, 10), HALF, Fraction(9, 10), Fraction(1)])
def test_over_all_masks_the_mean_is_exactly_preserved(retain: Fraction) -> None:
    counted = enumerate_dropout(FiniteInputs(((Fraction(1), Fraction(5)), (Fraction(2), Fraction(-3)))), (1, 2), retain)
    assert counted.mean_train == counted.mean_test != 0


@check("E1", Evidence.SIMULATED)
def test_a_simulated_unit_keeps_its_mean_and_loses_it_without_the_scaling(rng: np.random.Generator) -> None:
    def mean_of(noise: Dropout, samples: int) -> BatchMeans:
        means = BatchMeans("mean", samples_per_batch=100)
        x = Equicorrelated(1, 2.0, 1.0, 0.0).sample(samples, rng)
        means.add(noise.train(x, rng).reshape(-1, 100).mean(axis=1, keepdims=True))
        return means

    agree(powered(lambda n: mean_of(Dropout(0.5), n // 100 * 100).mean("mean"), 2.0), 2.0)
    disagree(mean_of(Unscaled(0.5), 200_000).mean("mean"), 2.0)


@check("E1-DOMAIN", Evidence.PROVED, Verdict.CONTRADICTED)
def test_a_retain_ratio_of_zero_is_refused_by_every_equation_that_takes_one() -> None:
    takers = [e for e in EQUATIONS.values() if any(one.name == "retain" for one in e.parameters)]
    assert len(takers) > 5
    for equation in takers:
        ones = {one.name: "1" for one in equation.parameters} | {"retain": "0"}
        with pytest.raises(ValueError, match="retain = 0: must be 0 < retain <= 1"):
            equation.evaluate(**ones)
    assert EQUATIONS["eq5"].formula.subs(s.p, 0).is_finite is False


@check("S2-SCALE", Evidence.PROVED)
def test_scaling_in_test_shifts_as_inverted_dropout_does() -> None:
    assert proved("scaled-in-test", EQUATIONS["eq6"].formula)


@check("S2-SCALE", Evidence.SIMULATED)
def test_simulated_dropout_shifts_the_same_with_either_scaling(rng: np.random.Generator) -> None:
    inputs, expected = Equicorrelated(1, 0.5, 2.0, 0.0), value("eq6", retain=0.6, c=0.5, v=2)
    for noise in (Dropout(0.6), ScaledInTest(0.6)):
        agree(powered(lambda n, noise=noise: measure_case("a", inputs, noise, None, n, rng).shift, expected), expected)
    disagree(measure_case("a", inputs, Unscaled(0.6), None, 200_000, rng).shift, expected)


@check("S1-SCALES", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("retain", [Fraction(1, 10), HALF, Fraction(9, 10)])
@pytest.mark.parametrize("scheme", ["original", "inverted"])
def test_over_both_masks_a_kept_response_is_scaled_by_p_and_the_mean_of_a_response_is_not(
    retain: Fraction, scheme: str
) -> None:
    in_training, in_test = (Fraction(1), retain) if scheme == "original" else (1 / retain, Fraction(1))
    trained = [[(1 - retain, Fraction(0)), (retain, in_training * x)] for x in POPULATION]
    tested = [in_test * x for x in POPULATION]
    for (_, (_, kept)), response in zip(trained, tested, strict=True):
        assert response == retain * kept
    assert [sum(chance * response for chance, response in masks) for masks in trained] == tested

    learnt, real = (
        variance_of((chance / 3, response) for masks in outcomes for chance, response in masks)
        for outcomes in (trained, [[(Fraction(1), response)] for response in tested])
    )
    noise = in_training**2 * retain * (1 - retain) * sum(x * x for x in POPULATION) / 3
    assert learnt - noise == real
    assert real / learnt == exact("eq6", retain=retain, c=MEAN, v=VARIANCE) != retain**2


def _geometric_mean(logits: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The normalised geometric mean of softmax outputs: one row of logits a mask."""
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    mean = np.exp(probabilities @ log_softmax)
    return mean / mean.sum()


@check("S2-GEOMETRIC", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("retain", [0.5, 0.8])
def test_weight_scaling_is_the_geometric_mean_over_all_masks_only_through_a_linear_layer(retain: float) -> None:
    rng = np.random.default_rng(0)
    x, hidden, weights = rng.normal(size=4), rng.normal(size=(4, 6)), rng.normal(size=(6, 3))
    masks = np.array(list(product((0, 1), repeat=4)))
    probabilities = np.prod(np.where(masks, retain, 1 - retain), axis=1)

    def gap(layer: Callable[[np.ndarray], np.ndarray]) -> float:
        scaled = _geometric_mean(layer(x[None] @ hidden) @ weights, np.ones(1))
        averaged = _geometric_mean(layer(masks * x / retain @ hidden) @ weights, probabilities)
        return np.abs(averaged - scaled).max()

    assert gap(np.positive) < 1e-12
    assert gap(ReLU()) > 1e-3


@check("E2", Evidence.PROVED, Verdict.HOLDS_IF)
def test_what_leaves_bn_has_the_variance_that_epsilon_allows() -> None:
    proved("eq2", (s.x[s.k] - s.mu) / sqrt(s.batch_var + s.eps))
    left = EQUATIONS["eq2"].derivation.result
    assert left.subs(s.eps, 0) == 1
    assert left.subs({s.batch_var: 3, s.eps: 1}) == Fraction(3, 4)


@check("E2", Evidence.ENUMERATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize(("eps", "variance"), [(0, 1), (3, Fraction(1, 4))])
def test_a_batch_of_two_numbers_is_normalised_exactly(eps: int, variance: Fraction) -> None:
    normalised = BatchNorm(1, eps=eps).train(np.array([[1.0], [3.0]]))
    assert normalised.mean() == 0
    assert normalised.var() == variance
    assert normalised[1, 0] == value("eq2", x=3, mu=2, batch_var=1, eps=eps)


@check("E2", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_large_simulated_batches_leave_bn_with_mean_zero_and_the_variance_of_the_formula(
    rng: np.random.Generator,
) -> None:
    eps, inputs, m = 1.0, Equicorrelated(1, 3.0, 2.0, 0.0), 20_000
    means = BatchMeans("mean", "variance", samples_per_batch=m)
    for _ in range(200):
        out = BatchNorm(1, eps=eps).train(inputs.sample(m, rng))
        means.add([[out.mean(), out.var()]])
    assert abs(means.mean("mean").value) < 1e-12
    agree(
        means.mean("variance"),
        EQUATIONS["eq2"].derivation.result.subs({s.batch_var: 2, s.eps: 1}).evalf(),
        replicas=200,
    )
    disagree(means.mean("variance"), 1.0, replicas=200)


@check("E2-AFFINE", Evidence.PROVED)
def test_a_common_scale_and_offset_leave_the_shift_alone() -> None:
    assert proved("affine", EQUATIONS["eq6"].formula)


@check("E3", Evidence.PROVED)
def test_the_moving_variance_of_independent_values_is_unbiased() -> None:
    assert proved("eq3", s.m * s.batch_var / (s.m - 1)).derivation.result == s.v


@check("E3", Evidence.PROVED, Verdict.HOLDS_IF)
def test_the_moving_variance_of_correlated_values_misses_what_they_share() -> None:
    assert proved("moving-correlated", s.v * (1 - s.rho))


@check("E3", Evidence.ENUMERATED)
@pytest.mark.parametrize("m", [2, 3, 4])
def test_over_all_batches_the_mean_of_the_unbiased_variance_is_exactly_the_variance(m: int) -> None:
    def biased(batch: tuple[Fraction, ...]) -> Fraction:
        mean = sum(batch, Fraction(0)) / m
        return sum(((x - mean) ** 2 for x in batch), Fraction(0)) / m

    expected = sum((biased(batch) for batch in product(POPULATION, repeat=m)), Fraction(0)) / len(POPULATION) ** m
    assert exact("eq3", m=m, batch_var=expected) == VARIANCE
    assert expected == VARIANCE * (m - 1) / m


@check("E3", Evidence.SIMULATED)
def test_bn_accumulates_the_variance_without_bias_and_the_biased_one_is_noticed(rng: np.random.Generator) -> None:
    m, units = 4, 400
    inputs = Equicorrelated(units, 1.0, 2.0, 0.0)

    def moving(samples: int) -> BatchMeans:
        bn = BatchNorm(units)
        for _ in range(max(2, samples // (m * units))):
            bn.train(inputs.sample(m, rng))
        means = BatchMeans("unbiased", "biased", samples_per_batch=bn.batches * m)
        means.add(np.stack([bn.moving_var, bn.moving_var * (m - 1) / m], axis=1))
        return means

    agree(powered(lambda n: moving(n).mean("unbiased"), 2.0, pilot=800_000), 2.0)
    disagree(moving(800_000).mean("biased"), 2.0)


@check("E3", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_bn_over_correlated_values_measures_less_than_their_variance(rng: np.random.Generator) -> None:
    positions, expected = 16, value("moving-correlated", v=2, rho=0.5, m=16)
    images = Equicorrelated(positions, 1.0, 2.0, 0.5)
    means = BatchMeans("unbiased", samples_per_batch=positions)
    means.add(images.sample(200_000, rng).var(axis=1, ddof=1, keepdims=True))
    agree(means.mean("unbiased"), expected)
    disagree(means.mean("unbiased"), 2.0)


@check("E4", Evidence.PROVED)
def test_in_test_the_variance_behind_bn_is_the_ratio_to_what_bn_remembers() -> None:
    equation = proved("eq4", (s.x[s.k] - s.moving_mean) / sqrt(s.moving_var + s.eps))
    assert equation.derivation.result == s.v / (s.moving_var + s.eps)


@check("E4", Evidence.ENUMERATED)
def test_a_trained_bn_maps_a_test_value_exactly_by_its_moving_statistics() -> None:
    bn = BatchNorm(1, eps=2.0)
    bn.train(np.array([[1.0], [3.0]]))
    assert (bn.moving_mean[0], bn.moving_var[0]) == (2, 2)
    assert bn.test(np.array([[10.0]]))[0, 0] == value("eq4", x=10, moving_mean=2, moving_var=2, eps=2) == 4


@check("E4", Evidence.SIMULATED)
@given(retain=RETAINS, v=VARIANCES)
@settings(max_examples=5, deadline=None)
def test_behind_a_frozen_bn_the_variance_is_the_shift(seed: int, retain: float, v: float) -> None:
    inputs = Equicorrelated(UNITS, 0.0, v, 0.0, dtype="float32")
    rng = np.random.default_rng([seed, int(retain * 100), int(v * 100)])

    def behind(noise: Noise) -> Estimate:
        """The variance behind a BN that was trained with noise, in test: units are independent, and so replicas."""
        bn = BatchNorm(UNITS, eps=0.0)
        Stack([noise, bn]).train(inputs, rng, batches=100, batch=1000)
        variances = bn.test(inputs.sample(20_000, rng)).var(axis=0, ddof=1)
        return Estimate(float(variances.mean()), float(variances.std(ddof=1)) / UNITS**0.5, 20_000 * UNITS)

    shift = value("eq6", retain=retain, c=0, v=v)
    agree(behind(Dropout(retain)), shift, catches=0.05, replicas=UNITS)
    disagree(behind(Unscaled(retain)), shift, replicas=UNITS)


@check("S1-TOOLBOX", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_pytorch_keeps_the_unbiased_variance_of_training_and_does_not_touch_it_in_test() -> None:
    bn = torch.nn.BatchNorm1d(1, momentum=None, affine=False, dtype=torch.float64)
    bn(torch.tensor([[1.0], [3.0]], dtype=torch.float64))
    assert bn.running_var is not None
    assert bn.running_var.item() == exact("eq3", m=2, batch_var=1) == 2
    bn.eval()(torch.tensor([[100.0], [-100.0]], dtype=torch.float64))
    assert bn.running_var.item() == 2


@check("S1-TOOLBOX", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_pytorch_scales_by_one_over_p_in_training_and_is_the_identity_in_test() -> None:
    dropout, x = torch.nn.Dropout(p=0.75), torch.ones(1000)
    assert set(dropout(x).tolist()) == {0.0, 4.0}
    assert torch.equal(dropout.eval()(x), x)
