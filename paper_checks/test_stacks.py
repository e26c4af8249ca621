"""Sections 1 and 3: deep stacks, linear and behind ReLU, and layers of any width."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from paper_checks.comparing import drift, exact, relative_drift, rotation, value
from paper_checks.error_rates import agree, disagree, quotient, surely_above, times
from paper_checks.ledger import Evidence, Verdict, check
from simulator import (
    BatchNorm,
    Dropout,
    Equicorrelated,
    Estimate,
    Layer,
    Linear,
    Reading,
    ReLU,
    Stack,
    weights_with_cos2,
)

RETAIN = 0.9
REPLICAS = 64


def above(one: Estimate, other: Estimate | float) -> bool:
    """Whether one is larger in these replicas beyond all doubt."""
    return surely_above(one, other, REPLICAS)


def deep(block: Sequence[Layer], blocks: int, units: int, batch: int, rng: np.random.Generator) -> tuple[Reading, ...]:
    """Every BN of a stack of blocks, each of which goes on with a rotation that mixes all units, and BN."""
    mixing = Linear(rotation(units, rng))
    layers = [layer for _ in range(blocks) for layer in (*block, mixing, BatchNorm(units, eps=0.0))]
    inputs = Equicorrelated(units, 0.0, 1.0, 0.0, dtype="float32")
    return Stack(layers).measure(inputs, rng, replicas=REPLICAS, batches=1, batch=batch)


@check("S1a", Evidence.SIMULATED, Verdict.HOLDS_IF)
@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_over_ten_simulated_blocks_the_shifts_multiply(rng: np.random.Generator) -> None:
    # Finite batches of m bias a deep BN by about 1/m a block: at depth ten a standard error here.
    readings = deep([Dropout(RETAIN)], 10, 16, 8192, rng)
    noise_var = exact("noise-dropout", retain=str(RETAIN))
    for depth, reading in enumerate(readings, start=1):
        agree(reading.shift, value("chain", noise_var=noise_var, depth=depth), replicas=REPLICAS)
        if depth > 1:
            disagree(reading.shift, value("chain", noise_var=noise_var, depth=depth - 1), replicas=REPLICAS)


@check("S1a", Evidence.SIMULATED, Verdict.HOLDS_IF)
@check("S3-CHAIN", Evidence.SIMULATED, Verdict.HOLDS_IF)
def test_over_eight_simulated_relu_blocks_variances_fall_faster_than_p_to_the_depth_and_means_drift_ever_further(
    rng: np.random.Generator,
) -> None:
    readings = deep([ReLU(), Dropout(RETAIN)], 8, 64, 4096, rng)
    # Only the first block's inputs are independent: deeper down, what the units share is amplified as well.
    noise_var = exact("noise-dropout", retain=str(RETAIN))
    agree(readings[0].shift, value("relu-variance", noise_var=noise_var, spread=1), replicas=REPLICAS)
    for depth, reading in enumerate(readings, start=1):
        assert above(times(-1, reading.shift), -(RETAIN**depth))
    for earlier, deeper in pairwise(readings):
        assert above(times(RETAIN, earlier.shift), deeper.shift)
        assert above(drift(deeper), drift(earlier))
    agree(quotient(readings[0].real_mean, readings[0].moving_mean), 1.0, catches=0.02, replicas=REPLICAS)
    # BN remembers ever more variance: in units of its deviation the drift hardly grows any more in the eighth block.
    sixth, seventh, eighth = map(relative_drift, readings[5:])
    assert above(seventh, sixth)
    assert above(times(1.04, seventh), eighth)
    # Without Dropout there is only what finite batches do: the unbiased variance behind a BN is m/(m-1), in training.
    undisturbed = deep([ReLU()], 8, 64, 4096, rng)[-1]
    assert above(undisturbed.shift, RETAIN)
    assert above(drift(readings[1]), drift(undisturbed))


def layer_of(d: int, rho: float, rng: np.random.Generator, filters: int = 32) -> Estimate:
    """The shift of a layer of many filters, each of cos^2 = 0.1, at retain ratio 0.5."""
    weights = [weights_with_cos2(d, 0.1, np.random.default_rng(each)) for each in range(filters)]
    stack = Stack([Dropout(0.5), Linear(weights), BatchNorm(filters)])
    inputs = Equicorrelated(d, 0.0, 1.0, rho, dtype="float32")
    return stack.measure(inputs, rng, replicas=REPLICAS, batches=max(1, 256 // d), batch=1024)[0].shift


@check("E10-D", Evidence.SIMULATED, Verdict.HOLDS_IF)
@check("S1b", Evidence.SIMULATED, Verdict.HOLDS_IF)
@pytest.mark.parametrize("rho", [0.3, 0.0])
def test_width_removes_the_simulated_shift_of_correlated_inputs_only(rng: np.random.Generator, rho: float) -> None:
    widths = (16, 128, 512)
    shifts = [layer_of(d, rho, rng) for d in widths]
    for d, shift in zip(widths, shifts, strict=True):
        expected = value("eq10", retain=0.5, c=0, v=1, rho=str(rho), d=d, cos2="0.1")
        agree(shift, expected, catches=0.02, replicas=REPLICAS)
    for narrower, wider in pairwise(shifts):
        if rho > 0:
            disagree(wider, narrower.value, replicas=REPLICAS)
            assert above(wider, narrower)
