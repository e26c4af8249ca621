"""Sections 1 and 3.1: the chain reaction over depth, in linear stacks and behind ReLU."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product

import numpy as np
import pytest
from sympy import pi, sqrt

from paper_checks.comparing import exact, proved, value
from paper_checks.ledger import Evidence, Verdict, check
from paper_checks.statistics import agree, disagree
from simulator import Array, BatchMeans, BatchNorm, Dropout, Equicorrelated, Reading, ReLU, Stack
from theory import EQUATIONS
from theory import symbols as s
from theory.chain import Response, relu_stack

RETAIN = 0.6
BATCH = 8192  # finite batches of m bias a deep BN by about 1/m, far below the standard errors here


def chain_of(retain: float, depth: int, rng: np.random.Generator) -> tuple[Reading, ...]:
    """Readings of every BN in a stack of Dropout and BN, 16 units wide."""
    layers = [layer for _ in range(depth) for layer in (Dropout(retain), BatchNorm(16))]
    return Stack(layers).measure(Equicorrelated(16, 0.0, 1.0, 0.0), rng, replicas=160, batches=2, batch=BATCH)


def summing(weights: Sequence[float]) -> Callable[[Array], Array]:
    """A layer whose units each sum inputs of their own: the inputs stay independent, and the sums are nearly normal."""
    return lambda x: x.reshape(len(x), -1, len(weights)) @ np.asarray(weights)


@check("S1a", Evidence.PROVED, Verdict.HOLDS_IF)
@check("S3-CHAIN", Evidence.PROVED, Verdict.HOLDS_IF)
def test_a_linear_stack_of_equal_blocks_delivers_the_shift_to_the_power_of_its_depth() -> None:
    proved("chain", s.shift**s.depth)
    left = [exact("chain", shift="0.9", depth=depth) for depth in (1, 2, 10, 100)]
    assert all(deeper < earlier for earlier, deeper in pairwise(left))
    assert exact("chain", shift=1, depth=100) == 1


@check("S1a", Evidence.SIMULATED, Verdict.HOLDS_IF)
@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_simulated_shifts_multiply_from_block_to_block(rng: np.random.Generator) -> None:
    for depth, reading in enumerate(chain_of(RETAIN, 3, rng), start=1):
        agree(reading.shift, value("chain", shift=RETAIN, depth=depth))
        if depth > 1:
            disagree(reading.shift, RETAIN)


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
@pytest.mark.parametrize("inputs_per_unit", [1, 32], ids=["commuting", "mixing"])
def test_simulated_means_move_behind_a_relu_only_where_units_mix(
    rng: np.random.Generator, inputs_per_unit: int
) -> None:
    batch, stack = 2048, [Dropout(RETAIN), summing([1.0] * inputs_per_unit), BatchNorm(8), ReLU(), BatchNorm(8)]
    inputs = Equicorrelated(8 * inputs_per_unit, 0.0, 1.0, 0.0)
    behind = Stack(stack).measure(inputs, rng, replicas=160, batches=2, batch=batch)[1]
    predicted = value("relu-mean", drift=0, spread=RETAIN**0.5)
    agree(behind.real_mean, predicted)
    if inputs_per_unit > 1:
        disagree(behind.moving_mean, predicted)
    else:  # Dropout's zeros leave the first BN at minus its batch mean; where that is positive it passes the ReLU
        agree(behind.moving_mean, predicted + (1 - RETAIN) / float(sqrt(2 * pi * batch)))


def _drift(width: int, rng: np.random.Generator) -> Reading:
    """A BN behind a sum of `width` rectified units, whose variance an earlier Dropout has shifted."""
    units = 2 * width
    stack = [Dropout(RETAIN), summing([1.0] * 8), BatchNorm(units), ReLU(), summing([1.0] * width), BatchNorm(2)]
    return Stack(stack).measure(Equicorrelated(8 * units, 0.0, 1.0, 0.0), rng, replicas=160, batches=1, batch=512)[1]


@check("X-DRIFT", Evidence.PROVED, Verdict.CONTRADICTED)
def test_the_squared_drift_of_means_grows_in_proportion_to_the_width() -> None:
    formula = proved("relu-drift", s.d * s.cos2 * (s.spread - 1) ** 2 / (pi * (1 + s.s2) - 1)).formula
    assert formula.subs(s.d, 7 * s.d) == 7 * formula
    assert formula.subs(s.spread, 1) == 0


@check("X-DRIFT", Evidence.SIMULATED, Verdict.CONTRADICTED)
def test_simulated_means_drift_further_in_units_of_their_deviation_where_the_sum_is_wider(
    rng: np.random.Generator,
) -> None:
    drifts = {}
    for width in (2, 16):
        reading = _drift(width, rng)
        disagree(reading.moving_mean, reading.real_mean.value)
        moved = reading.moving_mean.value - reading.real_mean.value
        drifts[width] = moved**2 / reading.moving_var.value
    assert drifts[16] > 4 * drifts[2]


BALANCED = [1.0] * 84 + [-1.0] * 60  # d cos^2 = (84 - 60)^2 / 144 = 4, of so many weights that sums are normal
ALIGNED = [1.0] * 4  # d cos^2 = 4


def _relu_tree(noise: Dropout, rng: np.random.Generator) -> BatchMeans:
    """The second BN of two ReLU blocks: its drift, in units of its remembered deviation, and its shift."""
    last = BatchNorm(2, eps=0.0)
    stack = Stack([ReLU(), noise, summing(BALANCED), BatchNorm(8, eps=0.0), ReLU(), noise, summing(ALIGNED), last])
    inputs, means = Equicorrelated(8 * 144, 0.0, 1.0, 0.0), BatchMeans(*RESPONSE, samples_per_batch=256)
    for seed in rng.integers(2**32, size=160):
        stack.train(inputs, np.random.default_rng(seed), batches=1, batch=256)
        mean, variance = stack.test(inputs, np.random.default_rng(seed), batches=1, batch=256)[1]
        drift = (mean - last.moving_mean) / np.sqrt(last.moving_var)
        means.add([[drift.mean(), variance.mean(), last.moving_var.mean()]])
    return means


RESPONSE = ("drift", "real_var", "moving_var")


@check("S3-CHAIN", Evidence.PROVED, Verdict.HOLDS_IF)
def test_behind_relus_the_first_block_shifts_variances_and_the_later_ones_means_as_well() -> None:
    responses = relu_stack(noise_var=1, d_cos2=4, depth=4)
    assert responses[0].variance == pytest.approx(value("relu-variance", noise_var=1, spread=1))
    assert responses[0].mean == 0
    drift = value("relu-drift", noise_var=1, spread=responses[0].variance ** 0.5, d=4, cos2=1)
    assert responses[1].mean == pytest.approx(-(drift**0.5))
    assert all(abs(deeper.mean) > abs(earlier.mean) for earlier, deeper in pairwise(responses))
    assert relu_stack(noise_var=0, d_cos2=4, depth=4) == [Response(0.0, pytest.approx(1.0))] * 4


@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_two_simulated_relu_blocks_drift_and_shift_as_predicted(rng: np.random.Generator) -> None:
    predicted, measured = relu_stack(noise_var=1, d_cos2=4, depth=2)[1], _relu_tree(Dropout(0.5), rng)
    agree(measured.ratio("real_var", "moving_var"), predicted.variance, catches=0.1)
    # The drift's prediction is a limit of width and batch size, here about 2% away: too near for a rejection, but not
    # close enough for an agreement at the stated error rates. No drift, or that of a weaker noise, is out of question.
    for wrong in (0.0, relu_stack(noise_var=0.25, d_cos2=4, depth=2)[1].mean):
        disagree(measured.mean("drift"), wrong)
