import copy
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.convolution import Convolution
from simulator.description import described
from simulator.layers import BatchNorm, Linear
from simulator.phases import norms
from tests.simulator.descriptions import (
    BN,
    MAPS,
    RELU,
    UNITS,
    convolution,
    dropout,
    experiment,
    linear,
    repeated,
    residual,
)

few = settings(deadline=None, max_examples=40)
TOML = """
[inputs]
kind = "units"
d = 12
mean = 0.5
variance = 1
correlation = 0.2

[[layers]]
kind = "dropout"
retain = 0.5
[[layers]]
kind = "linear"
units = 3
cos2 = 0.25
[[layers]]
kind = "batch-norm"

[measure]
replicas = 8
batches = 2
batch = 64
"""
CASE_B = tomllib.loads(TOML)


def weights(description: dict[str, Any]) -> list[np.ndarray]:
    layers = described(description).stack().layers
    return [layer.weight for layer in layers if isinstance(layer, Linear | Convolution)]


def test_toml_and_the_same_dict_are_the_same_experiment_to_the_bit():
    by_hand = experiment(
        dropout(0.5),
        linear(3, cos2=0.25),
        BN,
        inputs={"kind": "units", "d": 12, "mean": 0.5, "variance": 1.0, "correlation": 0.2},
        replicas=8,
        batches=2,
        batch=64,
    )
    assert described(CASE_B).measure(threads=1) == described(by_hand).measure(threads=2)
    assert described(by_hand | {"measure": by_hand["measure"] | {"seed": 1}}).measure() != described(CASE_B).measure()


def test_a_described_standard_normal_through_dropout_is_figure_1():
    figure_1 = experiment(dropout(0.5), BN, replicas=64, batches=2, batch=512)
    (reading,) = described(figure_1).measure()
    assert abs(reading.shift.value - 0.5) < 6 * reading.shift.stderr < 0.02
    figure_1["layers"][0]["retain"] = 0.6  # the control: another retain is told apart
    (reading,) = described(figure_1).measure()
    assert abs(reading.shift.value - 0.5) > 6 * reading.shift.stderr


def test_weights_have_length_1_and_the_angle_that_is_asked_for():
    maps = experiment(convolution(8, [3, 2], groups=2, cos2=0.3), linear(5, cos2=1), linear(7), BN, inputs=MAPS)
    filters, along, any_way = weights(maps)
    assert [w.shape for w in (filters, along, any_way)] == [(8, 2, 3, 2), (5, 8), (7, 5)]
    for w, cos2 in ((filters, 0.3), (along, 1.0)):
        flat = w.reshape(len(w), -1)
        assert (flat**2).sum(axis=1) == pytest.approx(1)
        assert flat.sum(axis=1) ** 2 / flat.shape[1] == pytest.approx(cos2)
    assert (any_way**2).sum(axis=1) == pytest.approx(1)


def test_weights_depend_on_the_seed_and_not_on_the_layers_around_them():
    one, other = experiment(RELU, linear(5), BN, seed=1), experiment({"kind": "identity"}, linear(5), BN, RELU, seed=1)
    assert (weights(one)[0] == weights(other)[0]).all()
    other["measure"]["seed"] = 2
    assert (weights(one)[0] != weights(other)[0]).any()
    twice = weights(experiment(repeated(2, linear(4)), BN))
    assert (twice[0] != twice[1]).any()


def test_each_stack_has_batch_norms_of_its_own():
    built = described(experiment(repeated(3, BN | {"momentum": 0.1, "eps": 0.01})))
    found = [*norms(built.stack().layers), *norms(built.stack().layers)]
    assert len({id(norm) for norm in found}) == 6
    assert {(norm.units, norm.momentum, norm.eps) for norm in found} == {(4, 0.1, 0.01)}


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        (UNITS, "float32"),
        (UNITS | {"correlation": 0.5}, "float32"),
        (UNITS | {"mean": 1e6}, "float64"),
        (UNITS | {"correlation": -1 / 3}, "float64"),  # the sum of all four is constant
        (UNITS | {"correlation": 1}, "float64"),
        (MAPS | {"spatial": 0.3}, "float32"),
        (MAPS | {"spatial": 1}, "float64"),
        (MAPS | {"spatial": 1 - 1e-6}, "float64"),
    ],
)
def test_singles_are_enough_where_they_resolve_the_inputs_and_all_sums_of_them(inputs: dict[str, Any], dtype: str):
    assert described(experiment(BN, inputs=inputs)).inputs.dtype == dtype


sizes = st.integers(1, 3)
plain = st.sampled_from([RELU, BN, {"kind": "identity"}, dropout(0.5), linear(3)])
noises = st.builds(
    lambda kind, variance, per: {"kind": kind, "variance": variance, "per": per},
    st.sampled_from(["dropout", "uout", "gaussian-dropout"]),
    st.floats(0, 0.3),
    st.sampled_from(["element", "channel"]),
)
convolutions = st.builds(
    lambda half, step, groups: convolution(
        2 * groups, [2 * half + 1, 1], stride=step, padding=[half, 0], groups=groups
    ),
    st.integers(0, 2),
    sizes,
    st.just(1),
)
leaves = plain | noises | convolutions | st.just({"kind": "average-pool", "kernel": 1})
blocks = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda n, layers: repeated(n, *layers), sizes, st.lists(inner, min_size=1))
        | st.builds(lambda layer: residual(layer, linear(2), shortcut=[layer, linear(2)]), inner)
    ),
    max_leaves=6,
)


@few
@given(st.lists(blocks, max_size=4))
def test_the_shapes_that_a_plan_foresees_are_those_that_flow(layers: list[dict[str, Any]]):
    planned = described(experiment(*layers, BN, inputs=MAPS | {"spatial": 0.3}))
    stack = planned.stack()
    stack.train(planned.inputs, np.random.default_rng(0), batches=1, batch=3)
    found = list(norms(stack.layers))
    assert len(found) == planned.plan.norms
    assert isinstance(stack.layers[-1], BatchNorm)
    assert stack.layers[-1].units == planned.plan.shape[0]


def test_strides_padding_and_pools_give_the_sizes_that_they_should():
    layers = [convolution(8, 3, stride=2, padding=1), {"kind": "average-pool", "kernel": [3, 1], "stride": 1}, BN]
    assert described(experiment(*layers, inputs=MAPS)).plan.shape == (8, 1, 3)


def test_reading_changes_nothing_in_a_description():
    before = copy.deepcopy(CASE_B)
    described(CASE_B)
    assert before == CASE_B


def test_numbers_that_overflow_are_told():
    with pytest.raises(ValueError, match="the numbers leave the range of their type"):
        described(experiment({"kind": "gaussian-dropout", "sigma": 1e200}, BN, replicas=2)).measure()


def test_many_cores_are_used_as_far_as_the_memory_goes(monkeypatch: pytest.MonkeyPatch):
    wide = described(experiment(BN, inputs=UNITS | {"d": 2000}, replicas=2, batches=1, batch=1024))
    on_two = wide.measure(threads=2)
    with pytest.raises(ValueError, match=r"batch = 1024: .* with threads = 64"):
        wide.measure(threads=64)
    with pytest.raises(ValueError, match=r"batch = 1024: .* with threads = 64"):
        wide.require_memory(64)
    monkeypatch.setattr("simulator.stack.cores", lambda threads: threads or 64)
    assert wide.measure() == on_two
    wide.require_memory(None)
