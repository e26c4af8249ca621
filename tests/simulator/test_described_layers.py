"""A description means what the Python API means: the same layers, inputs and measuring, with the same defaults."""

from typing import Any

import numpy as np
import pytest

from simulator.contracts import Array, Inputs
from simulator.convolution import AveragePool, Convolution
from simulator.description import Measuring, described
from simulator.inputs import Equicorrelated
from simulator.layers import BatchNorm, Linear, ReLU
from simulator.maps import FeatureMaps
from simulator.noise import Dropout, GaussianDropout, Uout
from simulator.phases import Layer, Residual
from simulator.stack import Reading
from tests.simulator import descriptions
from tests.simulator.descriptions import BN

UNITS = descriptions.UNITS | {"d": 6, "mean": 0.5, "variance": 2}
MAPS = descriptions.MAPS | {"variance": 2}
FILTERS = {"kind": "convolution", "channels": 8, "kernel": [3, 2]}


def experiment(*layers: object, inputs: object = None, **measure: object) -> dict[str, Any]:
    return descriptions.experiment(*layers, BN, inputs=inputs or MAPS, **measure)


def built(layer: dict[str, Any], seed: int = 0) -> Any:
    """The layer that a description of it builds, on maps."""
    return described(experiment(layer, seed=seed)).stack().layers[0]


def weights(layers: tuple[Layer, ...]) -> list[Array]:
    found: list[Array] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += [*weights(layer.branch), *weights(layer.shortcut)]
        elif isinstance(layer, Linear | Convolution):
            found.append(layer.weight)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"stride": [2, 1]},
        {"padding": 1},
        {"padding": [0, 2]},
        {"groups": 2},
        {"stride": [1, 3], "padding": [2, 1], "groups": 4},
    ],
    ids=str,
)
def test_a_described_convolution_is_that_of_the_api_with_the_same_options_and_weights(options: dict[str, Any]):
    layer = built(FILTERS | options)
    by_hand = Convolution(layer.weight, **options)
    x = np.random.default_rng(0).standard_normal((3, 4, 6, 5))
    assert layer.weight.shape == (8, 4 // options.get("groups", 1), 3, 2)
    assert np.array_equal(layer(x), by_hand(x))
    planned = described(experiment(FILTERS | options)).plan
    assert planned.shape == layer(x).shape[1:]


@pytest.mark.parametrize("options", [{"kernel": 2}, {"kernel": [3, 1]}, {"kernel": [2, 3], "stride": [1, 2]}], ids=str)
def test_a_described_pool_is_that_of_the_api_with_the_same_options(options: dict[str, Any]):
    layer = built({"kind": "average-pool"} | options)
    x = np.random.default_rng(0).standard_normal((3, 4, 6, 5))
    assert np.array_equal(layer(x), AveragePool(**options)(x))
    assert described(experiment({"kind": "average-pool"} | options)).plan.shape == layer(x).shape[1:]


@pytest.mark.parametrize(
    ("layer", "noise"),
    [
        ({"kind": "dropout", "retain": 0.3}, Dropout(0.3)),
        ({"kind": "dropout", "retain": 0.3, "per": "channel"}, Dropout(0.3, per="channel")),
        ({"kind": "dropout", "variance": 0.25}, Dropout(0.8)),
        ({"kind": "uout", "beta": 0.3, "per": "element"}, Uout(0.3)),
        ({"kind": "uout", "variance": 0.03, "per": "channel"}, Uout(0.3, per="channel")),
        ({"kind": "gaussian-dropout", "sigma": 0.3}, GaussianDropout(0.3)),
        ({"kind": "gaussian-dropout", "variance": 4}, GaussianDropout(2)),
    ],
    ids=str,
)
def test_a_described_noise_is_that_of_the_api(layer: dict[str, Any], noise: object):
    assert built(layer) == noise


def test_other_layers_are_those_of_the_api():
    x = np.array([[-1.0, 2.0]])
    assert isinstance(built({"kind": "relu"}), ReLU)
    assert np.array_equal(built({"kind": "identity"})(x), x)
    for options in ({}, {"momentum": 0.2}, {"eps": 0}, {"momentum": 1, "eps": 1e-3}):
        norm, by_hand = built(BN | options), BatchNorm(4, **options)
        assert (norm.units, norm.momentum, norm.eps) == (by_hand.units, by_hand.momentum, by_hand.eps)


@pytest.mark.parametrize(
    ("inputs", "of_the_api"),
    [
        (UNITS, Equicorrelated(6, 0.5, 2, 0, dtype="float32")),
        (
            UNITS | {"correlation": 0.3, "draw": "student-t", "freedom": 5},
            Equicorrelated(6, 0.5, 2, 0.3, draw="student-t", freedom=5, dtype="float32"),
        ),
        (MAPS, FeatureMaps(4, (6, 5), 0.5, 2, 0, dtype="float32")),
        (MAPS | {"size": 3, "correlation": 1}, FeatureMaps(4, (3, 3), 0.5, 2, 1)),
        (
            MAPS | {"spatial": -0.5, "draw": "two-point"},
            FeatureMaps(4, (6, 5), 0.5, 2, 0, spatial=-0.5, draw="two-point", dtype="float32"),
        ),
    ],
    ids=str,
)
def test_described_inputs_are_those_of_the_api(inputs: dict[str, Any], of_the_api: Inputs):
    assert described(experiment(inputs=inputs)).inputs == of_the_api


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        # Far from 0, rounding adds 1e4 times the number of summands: some 7,000 are what singles allow.
        (UNITS | {"d": 5000, "mean": 100, "variance": 1}, "float32"),
        (UNITS | {"d": 8000, "mean": 100, "variance": 1}, "float64"),
        (MAPS | {"size": 40, "mean": 100, "variance": 1}, "float32"),
        (MAPS | {"size": 50, "mean": 100, "variance": 1}, "float64"),
    ],
)
def test_units_and_positions_both_count_among_the_summands_that_singles_must_resolve(
    inputs: dict[str, Any], dtype: str
):
    assert described(experiment(inputs=inputs)).inputs.dtype == dtype


def test_what_is_not_said_of_the_measuring_is_as_the_api_has_it():
    silent = {"inputs": UNITS, "layers": [BN]}
    assert described(silent).measuring == described(silent | {"measure": {}}).measuring == Measuring()
    said = {"replicas": 3, "batches": 4, "batch": 5, "epochs": 6, "seed": 7}
    assert described(silent | {"measure": said}).measuring == Measuring(**said)


RICH = (
    FILTERS | {"padding": [1, 1], "groups": 2},
    {
        "kind": "residual",
        "branch": [FILTERS | {"kernel": 1}, {"kind": "linear", "units": 3, "cos2": 0.5}],
        "shortcut": [{"kind": "linear", "units": 3}],
    },
)


def test_the_seed_alone_decides_over_all_weights_those_of_branches_and_shortcuts_too():
    once, again, other = (weights(described(experiment(*RICH, seed=seed)).stack().layers) for seed in (3, 3, 4))
    assert len(once) == 4
    for one, same, another in zip(once, again, other, strict=True):
        assert np.array_equal(one, same)
        assert not np.array_equal(one, another)


def test_entropy_takes_the_seed_s_place_for_inputs_and_noise_and_leaves_the_weights():
    little: dict[str, Any] = {"replicas": 2, "batches": 2, "batch": 8}
    noise = {"kind": "uout", "beta": 0.3}
    without_weights = described(experiment(noise, **little, seed=3))
    assert described(experiment(noise, **little)).measure(entropy=3) == without_weights.measure()
    assert described(experiment(noise, **little)).measure() != without_weights.measure()
    of_weights, of_others = (described(experiment(*RICH, **little, seed=seed)).measure(entropy=5) for seed in (3, 4))
    assert of_weights != of_others


def test_progress_is_told_the_readings_so_far_up_to_the_last():
    seen: list[tuple[Reading, ...]] = []
    last = described(experiment(replicas=4, batches=2, batch=8)).measure(progress=seen.append)
    assert [readings[0].shift.n for readings in seen] == [2 * 16, 3 * 16, 4 * 16]
    assert seen[-1] == last


def test_numbers_that_leave_their_range_are_told_wherever_they_do():
    told = "^the numbers leave the range of their type: "
    too_strong = experiment({"kind": "gaussian-dropout", "sigma": 1e200}, replicas=2)
    with pytest.raises(ValueError, match=told + "overflow encountered"):
        described(too_strong).measure()
    # Single products are in range, and their sum is not, of which numpy says nothing.
    huge = {"kind": "maps", "channels": 1, "size": 40, "mean": 1e154, "variance": 1e300}
    strong = {"kind": "gaussian-dropout", "sigma": 1e152, "per": "channel"}
    with pytest.raises(ValueError, match=told + "(overflow|invalid value) encountered"):
        described(experiment(strong, inputs=huge, replicas=2, batches=1, batch=2)).measure()
