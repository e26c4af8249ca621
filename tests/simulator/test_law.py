"""One law for any stack with one noise, compared on the very inputs that a BN saw in training and in test.

Let y_g be what the inputs that share one factor n_g contribute to a BN's input X = sum_g n_g y_g, where E[n_g] = 1 and
Var n_g = s^2. Then noise adds s^2 sum_g E[y_g^2] to its variance. A batch's unbiased variance over n samples of p
positions, m = n p, takes out the batch mean, which is itself such a sum: y_g averaged over the positions, and over n
samples. Given the inputs, what noise adds to it is therefore expected to be exactly
m/(m-1) s^2 (mean of sum_g y_g^2 - mean of sum_g ybar_g^2 / n).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Array,
    AveragePool,
    BatchNorm,
    Convolution,
    Dropout,
    Equicorrelated,
    FeatureMaps,
    GaussianDropout,
    Inputs,
    Layer,
    Linear,
    ReLU,
    Residual,
    Stack,
    Uout,
    phases,
)
from simulator.draws import Draw, DType
from simulator.noise import Per

REPLICAS, BATCHES, BATCH = 200, 2, 12
KINDS = {"dropout": Dropout, "uout": Uout, "gaussian": GaussianDropout}


@dataclass
class Recorded:
    """Inputs that remember what they gave."""

    inputs: Inputs
    given: list[Array] = field(default_factory=list)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        self.given.append(self.inputs.sample(n, rng))
        return self.given[-1]


@dataclass(frozen=True)
class Experiment:
    """Inputs, layers, a noise, linear layers, and a BN."""

    inputs: Equicorrelated | FeatureMaps
    before: list[Layer]
    kind: str
    variance: float
    per: Per
    after: list[Layer]

    @property
    def noise(self) -> Any:
        return KINDS[self.kind].of_variance(self.variance, self.per)

    def matrix(self) -> Array:
        """The one linear map of all layers behind the noise: (groups, inputs of a group, units, positions)."""
        channels, *places = run(self.before, self.inputs.sample(1, np.random.default_rng(0))).shape[1:]
        numbers = channels * math.prod(places)
        columns = run(self.after, np.eye(numbers).reshape(-1, channels, *places))
        groups = channels if self.per == "channel" else numbers
        return columns.reshape(groups, numbers // groups, columns.shape[1], -1)

    def contributions(self, x: Array, matrix: Array) -> tuple[Array, Array]:
        """What the factors contribute: the means over samples of sum_g y_g^2 and sum_g ybar_g^2, (units,) each."""
        clean = run(self.before, x).astype(np.float64).reshape(len(x), *matrix.shape[:2])
        y = np.einsum("ngi,giop->ngop", clean, matrix, optimize=True)
        return (y**2).mean(3).sum(1).mean(0), (y.mean(3) ** 2).sum(1).mean(0)

    def differences(self, seed: int, noise: Any = None, batch: int = BATCH) -> tuple[Array, Array]:
        """What noise added to each unit's variance in each replica, and what the law adds on the same inputs."""
        inputs, matrix = Recorded(self.inputs), self.matrix()
        units, positions = matrix.shape[2:]
        norm, m = BatchNorm(units), batch * positions
        stack = Stack([*self.before, noise or self.noise, *self.after, norm])
        added, expected = [], []
        for replica in range(REPLICAS):
            stack.train(inputs, np.random.default_rng([seed, replica]), BATCHES, batch)
            inputs.given.clear()
            ((_, real_var),) = stack.test(inputs, np.random.default_rng([seed, replica]), BATCHES, batch)
            squares = [self.contributions(x, matrix) for x in inputs.given]
            law = [m / (m - 1) * self.variance * (values - means / batch) for values, means in squares]
            added.append(norm.moving_var - real_var)
            expected.append(np.mean(law, axis=0))
        return np.array(added), np.array(expected)

    def obeys_the_law(self, seed: int, noise: Any = None) -> bool:
        added, expected = self.differences(seed, noise)
        off = added - expected
        stderr = off.std(axis=0, ddof=1) / math.sqrt(REPLICAS)
        # Of single precision: a few roundings of numbers whose squares are of the order of the second moments.
        rounding = 1e-4 if self.inputs.dtype == "float32" else 1e-9
        scale = abs(expected).mean() + self.inputs.variance + self.inputs.mean**2
        return bool((abs(off.mean(axis=0)) <= 6.5 * stderr + rounding * scale).all())


def run(layers: Sequence[Layer], x: Array) -> Array:
    """Without any noise."""
    return phases.Testing().run(layers, x)


def weights(draw: st.DrawFn, *shape: int) -> Array:
    w = np.random.default_rng(draw(st.integers(0, 2**32))).normal(0.2, 1, shape)
    return w / math.sqrt(math.prod(shape[1:]))


def convolution(draw: st.DrawFn, shape: tuple[int, ...], *, strided: bool = True) -> Convolution:
    """A convolution for maps of a shape; without a stride it keeps their size."""
    channels = shape[0]
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    out = groups * draw(st.integers(1, 2))
    if not strided:
        return Convolution(weights(draw, channels, channels, 3, 3), padding=1)
    kernel = [draw(st.integers(1, min(3, side))) for side in shape[1:]]
    stride, padding = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), draw(st.integers(0, 2))
    return Convolution(weights(draw, out, channels // groups, *kernel), stride, padding, groups)


def linear_layer(draw: st.DrawFn, shape: tuple[int, ...]) -> Layer:
    """Any linear layer, a residual block with linear sides included."""
    kinds = ["linear", "identity-block", "block"]
    kind = draw(st.sampled_from(kinds if len(shape) == 1 else [*kinds, "convolution", "pool"]))
    channels = shape[0]
    match kind:
        case "convolution":
            return convolution(draw, shape)
        case "pool":
            return AveragePool(draw(st.integers(1, min(shape[1:]))), draw(st.none() | st.integers(1, 2)))
        case "identity-block" if len(shape) == 3:
            return Residual([convolution(draw, shape, strided=False), Linear(weights(draw, channels, channels))])
        case "identity-block":
            return Residual([Linear(weights(draw, channels, channels))])
        case "block":
            return Residual([Linear(weights(draw, 2, channels))], [Linear(weights(draw, 2, channels))])
        case _:
            return Linear(weights(draw, draw(st.integers(1, 3)), channels))


def any_layer(draw: st.DrawFn, shape: tuple[int, ...]) -> Layer:
    """A layer of any kind, that need not be linear."""
    if draw(st.booleans()):
        return linear_layer(draw, shape)
    square = Linear(weights(draw, shape[0], shape[0]))
    return draw(st.sampled_from([ReLU(), Residual([ReLU(), square]), Residual([square, ReLU()], [square])]))


@st.composite
def inputs_of_any_kind(draw: st.DrawFn) -> Equicorrelated | FeatureMaps:
    d, shape = draw(st.integers(1, 4)), draw(st.sampled_from(get_args(Draw)))
    lowest = -1 / (d - 1) if d > 1 else -1.0
    moments: dict[str, Any] = {
        "mean": draw(st.floats(-2, 2)),
        "variance": draw(st.floats(0.1, 4)),
        "correlation": draw(st.floats(lowest, 1) | st.sampled_from([lowest, 1.0])),
        "draw": shape,
        "freedom": 9 if shape == "student-t" else None,  # the variance of a variance is then well estimated
        "dtype": draw(st.sampled_from(get_args(DType))),
    }
    if draw(st.integers(0, 3)) == 0:
        return Equicorrelated(d, **moments)
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    return FeatureMaps(d, size, spatial=draw(st.floats(-1, 1)), **moments)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    inputs = draw(inputs_of_any_kind())
    x = inputs.sample(1, np.random.default_rng(0))
    rows: list[list[Layer]] = [[], []]
    for row, layer in zip(rows, (any_layer, linear_layer), strict=True):
        for _ in range(draw(st.integers(0, 2))):
            row.append(layer(draw, x.shape[1:]))
            x = run(row[-1:], x)
    kind, per = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(get_args(Per)))
    variance = draw(st.floats(0.02, 1 / 3 if kind == "uout" else 1.5))
    return Experiment(inputs, rows[0], kind, variance, per, rows[1])


@settings(deadline=None, max_examples=30)
@given(experiments(), st.integers(0, 2**32))
def test_any_stack_of_one_noise_obeys_the_law(experiment: Experiment, seed: int):
    assert experiment.obeys_the_law(seed)


@dataclass(frozen=True)
class Additive(Uout):
    """Sabotage: x + r instead of x + x r."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return x + (super().train(np.ones_like(x), rng) - 1)


@dataclass(frozen=True)
class Forgetful(Dropout):
    """Sabotage: 1/p forgotten."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        return super().train(x, rng) * self.retain


def strided(per: Per, kind: str = "dropout", variance: float = 1.0) -> Experiment:
    """Maps through two convolutions with a ReLU before the second, which overlaps, strides, pads and has groups."""
    rng = np.random.default_rng(0)
    before = [Convolution(rng.normal(0.2, 1, (4, 2, 3, 3)), padding=1), ReLU()]
    after = [Convolution(rng.normal(0.2, 1, (2, 2, 3, 3)), (1, 2), (1, 0), 2), Residual([Linear([[1, 1], [0, 1]])])]
    inputs = FeatureMaps(2, (4, 5), 0.5, 1.0, 0.3, 0.6, "exponential")
    return Experiment(inputs, before, kind, variance, per, after)


@pytest.mark.parametrize("per", get_args(Per))
@pytest.mark.parametrize("kind", KINDS)
def test_a_net_in_which_every_part_matters_obeys_the_law(kind: str, per: Per):
    assert strided(per, kind, 0.3).obeys_the_law(0)


@pytest.mark.parametrize(
    ("experiment", "noise"),
    [
        (strided("element"), Dropout(0.5, "channel")),
        (strided("channel"), Dropout(0.5)),
        (strided("element"), Dropout(0.55)),
        (strided("element"), GaussianDropout(0.9)),
        (strided("element"), Forgetful(0.5)),
        (strided("element", "uout", 1 / 3), Additive(1.0)),
    ],
)
def test_a_noise_that_is_not_the_one_of_the_law_breaks_it(experiment: Experiment, noise: Any):
    assert not experiment.obeys_the_law(0, noise)


def test_a_layer_behind_the_noise_that_is_not_linear_breaks_it():
    experiment = strided("element")
    experiment.after.append(np.square)
    assert not experiment.obeys_the_law(0)


def test_for_one_unit_and_no_other_layer_the_law_adds_s2_times_the_second_moment():
    experiment = Experiment(Equicorrelated(1, 2.0, 1.0, 0.0), [], "gaussian", 0.5, "element", [])
    added, expected = experiment.differences(0)
    for values in (added, expected):
        error = values.std(ddof=1) / math.sqrt(REPLICAS)
        assert abs(values.mean() - 0.5 * (2**2 + 1)) < 6.5 * error
        assert abs(values.mean() - 0.5 * 2**2) > 6.5 * error  # the control: the mean alone


def test_where_positions_share_their_noise_the_batch_mean_takes_its_part():
    constant = FeatureMaps(1, 3, 0.0, 1.0, 0.0, spatial=1.0, draw="two-point")  # all positions +1, or all -1
    added, expected = Experiment(constant, [], "dropout", 1.0, "channel", []).differences(0, batch=2)
    assert np.allclose(expected, 18 / 17 * (1 - 1 / 2))
    error = added.std(ddof=1) / math.sqrt(REPLICAS)
    assert abs(added.mean() - expected.mean()) < 6.5 * error
    assert abs(added.mean() - 1) > 6.5 * error  # the control: what independent positions would give
