"""Sections 1 and 3.1: the chain reaction over depth, in linear stacks and behind ReLU."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from sympy import pi, sqrt

from paper_checks.comparing import exact, proved, relative_drift, value
from paper_checks.error_rates import agree, disagree, powered, quotient
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    Array,
    BatchMeans,
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    Linear,
    Reading,
    ReLU,
    Stack,
)
from theory import EQUATIONS
from theory import symbols as s
from theory.chain import Response, relu_stack
from theory.sums import vanishes

RETAIN = 0.6
REPLICAS, FEWER = 160, 80
RELU_BATCH = 2048


def summing(weights: Sequence[float]) -> Callable[[Array], Array]:
    """A layer whose units each sum inputs of their own: the inputs stay independent, and the sums are nearly normal."""
    return lambda x: x.reshape(len(x), -1, len(weights)) @ np.asarray(weights, dtype=x.dtype)


@check("S1a", Evidence.PROVED, Verdict.HOLDS_IF)
@check("S3-CHAIN", Evidence.PROVED, Verdict.HOLDS_IF)
def test_a_linear_stack_of_case_a_delivers_p_to_the_power_of_its_depth() -> None:
    formula = proved("chain", (1 + s.s2) ** -s.depth).formula
    assert formula.subs(s.s2, EQUATIONS["noise-dropout"].formula).equals(s.p**s.depth)
    left = [exact("chain", noise_var="0.1", depth=depth) for depth in (1, 2, 10, 100)]
    assert all(deeper < earlier for earlier, deeper in pairwise(left))
    assert exact("chain", noise_var=0, depth=100) == 1


MIXED = np.array([[2.0, 1.0], [1.0, 2.0]])


def _variances_left(depth: int, noise_var: Fraction) -> tuple[Fraction, Fraction]:
    """What blocks of noise, MIXED and BN leave of the variance in test, and the product of their local shifts.

    Both units have one variance, so both covariance matrices stay of the form (variance, covariance), exactly.
    """
    left, shared, trained, product_of_shifts = Fraction(1), Fraction(0), Fraction(0), Fraction(1)
    for _ in range(depth):
        remembered = 5 * (1 + noise_var) + 4 * trained
        product_of_shifts *= (5 + 4 * trained) / remembered
        left, shared = (5 * left + 4 * shared) / remembered, (4 * left + 5 * shared) / remembered
        trained = (4 * (1 + noise_var) + 5 * trained) / remembered
    return left, product_of_shifts


@check("X-PRODUCT", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_behind_sums_of_correlated_inputs_the_product_of_local_shifts_understates_what_is_left() -> None:
    left, multiplied = _variances_left(1, Fraction(1))
    assert left == multiplied == Fraction(1, 2)
    for depth in (3, 4, 8):
        left, multiplied = _variances_left(depth, Fraction(1))
        assert left > multiplied
    assert _variances_left(8, Fraction(0)) == (1, 1)


@check("X-PRODUCT", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_a_simulated_stack_of_correlated_sums_does_not_multiply_its_local_shifts(rng: np.random.Generator) -> None:
    units = 16  # in pairs
    mixing = Linear(np.kron(np.eye(units // 2), MIXED))
    layers = [layer for _ in range(5) for layer in (Dropout(0.5), mixing, BatchNorm(units))]
    inputs = Equicorrelated(units, 0.0, 1.0, 0.0, dtype="float32")
    # What five moving variances err by chance biases the shift by 30 / (batches x batch), half a standard error here.
    deepest = Stack(layers).measure(inputs, rng, replicas=50, batches=5, batch=8192)[-1]
    left, multiplied = (float(number) for number in _variances_left(5, Fraction(1)))
    agree(deepest.shift, left, catches=0.03, replicas=50)
    disagree(deepest.shift, multiplied, replicas=50)


@check("S3-CHAIN", Evidence.PROVED, Verdict.HOLDS_IF)
def test_behind_a_relu_a_shifted_variance_moves_the_mean() -> None:
    mean = EQUATIONS["relu-mean"].formula.subs(s.drift, 0)
    assert mean == s.spread / sqrt(2 * pi)
    proved("relu-variance", s.spread**2 * (pi - 1) / (pi * (1 + s.s2) - 1))


@check("S3-CHAIN", Evidence.ENUMERATED, Verdict.HOLDS_IF)
def test_a_relu_right_behind_dropout_commutes_with_every_mask() -> None:
    x, relu = np.array([-2.0, -0.5, 1.0, 3.0]), ReLU()
    for mask in product((0.0, 2.0), repeat=4):
        assert np.array_equal(relu(x * mask), relu(x) * mask)
    assert not np.array_equal(relu(x + 1), relu(x) + 1)


@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_simulated_normals_have_the_moments_behind_a_relu_that_the_prediction_iterates(
    rng: np.random.Generator,
) -> None:
    response = {"drift": "-0.3", "spread": "0.8"}
    for name, power in (("relu-mean", 1), ("relu-power", 2)):
        expected = value(name, **response)
        agree(powered(lambda n, power=power: _rectified(power, n, rng), expected), expected)
        disagree(_rectified(3 - power, 1_000_000, rng), expected)


def _rectified(power: int, samples: int, rng: np.random.Generator) -> Estimate:
    """The mean of a power of rectified normals."""
    means = BatchMeans("moment", samples_per_batch=100)
    normals = rng.normal(-0.3, 0.8, (-(-samples // 100), 100))
    means.add((ReLU()(normals) ** power).mean(axis=1)[:, None])
    return means.mean("moment")


def _behind_relu(inputs_per_unit: int, c: float, rng: np.random.Generator) -> Reading:
    """The BN behind Dropout, a sum, BN and a ReLU."""
    stack = Stack([Dropout(RETAIN), summing([1.0] * inputs_per_unit), BatchNorm(8), ReLU(), BatchNorm(8)])
    inputs = Equicorrelated(8 * inputs_per_unit, c, 1.0, 0.0, dtype="float32")
    return stack.measure(inputs, rng, replicas=REPLICAS, batches=2, batch=RELU_BATCH)[1]


@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_a_simulated_mean_stays_behind_a_relu_right_behind_dropout(rng: np.random.Generator) -> None:
    behind = _behind_relu(1, 0.0, rng)
    predicted = value("relu-mean", drift=0, spread=RETAIN**0.5)
    agree(behind.real_mean, predicted, replicas=REPLICAS)
    # Dropout's zeros leave the first BN at minus its batch mean; where that is positive it passes the ReLU.
    kink = (1 - RETAIN) / float(sqrt(2 * pi * RELU_BATCH))
    agree(behind.moving_mean, predicted + kink, replicas=REPLICAS)


@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize(("inputs_per_unit", "c"), [(8, 0.0), (1, 2.0)], ids=["mixing", "with a mean"])
def test_a_simulated_mean_moves_behind_a_relu_where_units_mix_or_have_a_mean(
    rng: np.random.Generator, inputs_per_unit: int, c: float
) -> None:
    behind = _behind_relu(inputs_per_unit, c, rng)
    shift = value("eq6", retain=RETAIN, c=c, v=1)
    predicted = value("relu-mean", drift=0, spread=shift**0.5)
    agree(behind.real_mean, predicted, catches=0.02, replicas=REPLICAS)
    disagree(behind.moving_mean, predicted, replicas=REPLICAS)


def _drift(width: int, rng: np.random.Generator) -> Reading:
    """A BN behind a sum of `width` rectified units, whose variance an earlier Dropout has shifted."""
    units = 2 * width
    layers = [Dropout(RETAIN), summing([1.0] * 8), BatchNorm(units), ReLU(), summing([1.0] * width), BatchNorm(2)]
    inputs = Equicorrelated(8 * units, 0.0, 1.0, 0.0, dtype="float32")
    # A narrow layer errs the most, and costs the least.
    return Stack(layers).measure(inputs, rng, replicas=FEWER, batches=max(1, 12 // width), batch=RELU_BATCH)[1]


@check("X-DRIFT", Evidence.PROVED, Verdict.CONTRADICTED)
def test_the_squared_drift_of_means_grows_with_the_width_in_proportion_only_without_correlation() -> None:
    formula = proved("relu-drift", s.d * s.cos2 * (s.spread - 1) ** 2 / (pi * (1 + s.s2) - 1)).formula
    assert formula.subs(s.d, 7 * s.d) == 7 * formula
    assert formula.subs(s.spread, 1) == 0
    correlated = EQUATIONS["drift"]
    assert (correlated.derivation[-1].relation, correlated.derivation[-1].expression) == (
        "<=",
        s.drift**2 / (s.v * s.rho),
    )
    assert vanishes(correlated.formula.subs(s.rho, 0) - s.width * s.drift**2 / (s.v + s.s2 * (s.c**2 + s.v)))


@check("X-DRIFT", Evidence.SIMULATED, Verdict.CONTRADICTED)
def test_simulated_means_drift_further_in_units_of_their_deviation_where_the_sum_is_wider(
    rng: np.random.Generator,
) -> None:
    rectified = value("relu-mean", drift=0, spread=RETAIN**0.5)
    readings = {width: _drift(width, rng) for width in (2, 16)}
    for width, reading in readings.items():
        agree(reading.real_mean, width * rectified, catches=0.02, replicas=FEWER)
        disagree(reading.moving_mean, width * rectified, replicas=FEWER)
    # The squares are to each other as the widths are.
    further = quotient(relative_drift(readings[16]), relative_drift(readings[2]))
    agree(further, 8**0.5, catches=0.1, replicas=FEWER)
    disagree(further, 1.0, replicas=FEWER)


BALANCED = [1.0] * 84 + [-1.0] * 60  # d cos^2 = (84 - 60)^2 / 144 = 4, of so many weights that sums are normal
ALIGNED = [1.0] * 4  # d cos^2 = 4


@check("S3-CHAIN", Evidence.PROVED, Verdict.HOLDS_IF)
def test_behind_relus_the_first_block_shifts_variances_and_the_later_ones_means_as_well() -> None:
    responses = relu_stack(noise_var=1, d_cos2=4, depth=4)
    assert responses[0].variance == pytest.approx(value("relu-variance", noise_var=1, spread=1))
    assert responses[0].mean == 0
    drift = value("relu-drift", noise_var=1, spread=responses[0].variance ** 0.5, d=4, cos2=1)
    assert responses[1].mean == pytest.approx(-(drift**0.5))
    assert all(abs(deeper.mean) > abs(earlier.mean) for earlier, deeper in pairwise(responses))
    quiet = relu_stack(noise_var=0, d_cos2=4, depth=4)
    assert [(response.mean, response.variance) for response in quiet] == [(0, pytest.approx(1))] * 4


@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_two_simulated_relu_blocks_drift_and_shift_as_predicted(rng: np.random.Generator) -> None:
    noise, units = Dropout(0.5), 8
    first = [ReLU(), noise, summing(BALANCED), BatchNorm(units, eps=0.0)]
    stack = Stack([*first, ReLU(), noise, summing(ALIGNED), BatchNorm(2, eps=0.0)])
    inputs = Equicorrelated(units * len(BALANCED), 0.0, 1.0, 0.0, dtype="float32")
    deepest = stack.measure(inputs, rng, replicas=REPLICAS, batches=1, batch=1024)[1]
    predicted = relu_stack(noise_var=1, d_cos2=4, depth=2)
    # The prediction is a limit of width, from which sums of 144 units are half a percent away: a standard error here.
    agree(deepest.shift, predicted[1].variance, catches=0.05, replicas=REPLICAS)
    mean = _aligned_mean(predicted[0])
    agree(deepest.real_mean, mean, catches=0.02, replicas=REPLICAS)
    disagree(deepest.moving_mean, mean, replicas=REPLICAS)
    for weaker in (0.0, 0.25):
        disagree(deepest.real_mean, _aligned_mean(relu_stack(weaker, d_cos2=4, depth=1)[0]), replicas=REPLICAS)


def _aligned_mean(response: Response) -> float:
    """The mean, in test, of a sum of rectified units that each respond so."""
    return sum(ALIGNED) * value("relu-mean", drift=response.mean, spread=response.variance**0.5)
