"""Sections 1 and 3.1: the chain reaction over depth, in linear stacks and behind ReLU."""

from itertools import pairwise, product

import numpy as np
import pytest
from sympy import pi, sqrt

from paper_checks.comparing import exact, proved, value
from paper_checks.ledger import Evidence, Verdict, check
from paper_checks.statistics import agree, disagree
from simulator import BatchNorm, Dropout, Equicorrelated, Linear, Reading, ReLU, Stack
from theory import EQUATIONS
from theory import symbols as s

RETAIN = 0.6
BATCH = 8192  # finite batches of m bias a deep BN by about 1/m, far below the standard errors here


def chain_of(retain: float, depth: int, rng: np.random.Generator) -> tuple[Reading, ...]:
    """Readings of every BN in a stack of Dropout and BN, 16 units wide."""
    layers = [layer for _ in range(depth) for layer in (Dropout(retain), BatchNorm(16))]
    return Stack(layers).measure(Equicorrelated(16, 0.0, 1.0, 0.0), rng, replicas=160, batches=2, batch=BATCH)


def mixing(inputs_per_unit: int, units: int) -> Linear:
    """Each unit sums inputs of its own, so that it is nearly normal in training as well."""
    return Linear(np.kron(np.eye(units), np.ones(inputs_per_unit)))


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
    batch, stack = 2048, [Dropout(RETAIN), mixing(inputs_per_unit, 8), BatchNorm(8), ReLU(), BatchNorm(8)]
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
    stack = [Dropout(RETAIN), mixing(8, units), BatchNorm(units), ReLU(), mixing(width, 2), BatchNorm(2)]
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
