import copy
import json
import math
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
UNITS = {"kind": "units", "d": 6, "mean": 0.0, "variance": 1.0}
MAPS = {"kind": "maps", "channels": 4, "size": [6, 5], "mean": 0.5, "variance": 1, "spatial": 0.3}
BN: dict[str, Any] = {"kind": "batch-norm"}
RELU = {"kind": "relu"}


def linear(units: int, **more: object) -> dict[str, Any]:
    return {"kind": "linear", "units": units, **more}


def convolution(channels: int, kernel: object, **more: object) -> dict[str, Any]:
    return {"kind": "convolution", "channels": channels, "kernel": kernel, **more}


def experiment(*layers: object, inputs: object = None, **measure: object) -> dict[str, Any]:
    return {"inputs": inputs or UNITS, "layers": list(layers), "measure": measure}


def weights(description: dict[str, Any]) -> list[np.ndarray]:
    layers = described(description).stack().layers
    return [layer.weight for layer in layers if isinstance(layer, Linear | Convolution)]


def test_toml_and_the_same_dict_are_the_same_experiment_to_the_bit():
    by_hand = experiment(
        {"kind": "dropout", "retain": 0.5},
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
    figure_1 = experiment({"kind": "dropout", "retain": 0.5}, BN, replicas=64, batches=2, batch=512)
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
    twice = weights(experiment({"kind": "repeat", "times": 2, "layers": [linear(6)]}, BN))
    assert (twice[0] != twice[1]).any()


def test_each_stack_has_batch_norms_of_its_own():
    built = described(experiment({"kind": "repeat", "times": 3, "layers": [BN | {"momentum": 0.1, "eps": 0.01}]}))
    found = [*norms(built.stack().layers), *norms(built.stack().layers)]
    assert len({id(norm) for norm in found}) == 6
    assert {(norm.units, norm.momentum, norm.eps) for norm in found} == {(6, 0.1, 0.01)}


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        (UNITS, "float32"),
        (UNITS | {"correlation": 0.5}, "float32"),
        (UNITS | {"mean": 1e6}, "float64"),
        (UNITS | {"correlation": -1 / 5}, "float64"),  # the sum of all six is constant
        (UNITS | {"correlation": 1}, "float64"),
        (MAPS, "float32"),
        (MAPS | {"spatial": 1}, "float64"),
        (MAPS | {"spatial": 1 - 1e-6}, "float64"),
    ],
)
def test_singles_are_enough_where_they_resolve_the_inputs_and_all_sums_of_them(inputs: dict[str, Any], dtype: str):
    assert described(experiment(BN, inputs=inputs)).inputs.dtype == dtype


POINT = linear(2)
sizes = st.integers(1, 3)
plain = st.sampled_from([RELU, BN, {"kind": "identity"}, {"kind": "dropout", "retain": 0.5}, linear(3)])
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
        st.builds(
            lambda n, layers: {"kind": "repeat", "times": n, "layers": layers}, sizes, st.lists(inner, min_size=1)
        )
        | st.builds(
            lambda layer: {"kind": "residual", "branch": [layer, linear(2)], "shortcut": [layer, linear(2)]}, inner
        )
    ),
    max_leaves=6,
)


@few
@given(st.lists(blocks, max_size=4))
def test_the_shapes_that_a_plan_foresees_are_those_that_flow(layers: list[dict[str, Any]]):
    planned = described(experiment(*layers, BN, inputs=MAPS))
    stack = planned.stack()
    stack.train(planned.inputs, np.random.default_rng(0), batches=1, batch=3)
    found = list(norms(stack.layers))
    assert len(found) == planned.plan.norms
    assert isinstance(stack.layers[-1], BatchNorm)
    assert stack.layers[-1].units == planned.plan.shape[0]


def test_strides_padding_and_pools_give_the_sizes_that_they_should():
    layers = [convolution(8, 3, stride=2, padding=1), {"kind": "average-pool", "kernel": [3, 1], "stride": 1}, BN]
    assert described(experiment(*layers, inputs=MAPS)).plan.shape == (8, 1, 3)


RESIDUAL = {"kind": "residual", "branch": [linear(3)], "shortcut": [linear(4)]}
DEEP: dict[str, Any] = BN
for _ in range(25):
    DEEP = {"kind": "residual", "branch": [DEEP]}
ENDLESS: dict[str, Any] = {"kind": "repeat", "times": 2, "layers": []}
ENDLESS["layers"].append(ENDLESS)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "inputs: is missing"),
    "no layers": ({"inputs": UNITS}, "layers: is missing"),
    "another table": (CASE_B | {"mesure": {}}, "mesure = {}: is no key that is known here; did you mean measure?"),
    "a grid": (CASE_B | {"grid": {}}, "grid: makes this the description of a sweep"),
    "inputs no table": (CASE_B | {"inputs": 3}, "inputs = 3: must be a table of keys and values"),
    "no kind": (experiment(BN, inputs={"d": 1}), "inputs.kind: is missing"),
    "unknown kind": (
        experiment(BN, inputs={"kind": "unit"}),
        'inputs.kind = "unit": must be one of units, maps; did you mean units?',
    ),
    "rho too low": (experiment(BN, inputs=UNITS | {"correlation": -0.5}), "inputs.correlation = -0.5: must lie in"),
    "rho of maps": (experiment(BN, inputs=MAPS | {"correlation": -0.5}), "inputs.correlation = -0.5: must lie in"),
    "v 0": (experiment(BN, inputs=UNITS | {"variance": 0}), "inputs.variance = 0: must be > 0"),
    "v -1": (experiment(BN, inputs=UNITS | {"variance": -1}), "inputs.variance = -1: must be > 0"),
    "text for a number": (experiment(BN, inputs=UNITS | {"mean": "0"}), 'inputs.mean = "0": must be a finite number'),
    "truth for a number": (experiment(BN, inputs=UNITS | {"d": True}), "inputs.d = true: must be a whole number >= 1"),
    "nan": (experiment(BN, inputs=UNITS | {"mean": math.nan}), "inputs.mean = nan: must be a finite number"),
    "inf": (experiment(BN, inputs=UNITS | {"mean": -math.inf}), "inputs.mean = -inf: must be a finite number"),
    "beyond doubles": (experiment(BN, inputs=UNITS | {"mean": 10**400}), "inputs.mean = 1000"),
    "d 2.0": (experiment(BN, inputs=UNITS | {"d": 2.0}), "inputs.d = 2.0: must be a whole number >= 1"),
    "d 0": (experiment(BN, inputs=UNITS | {"d": 0}), "inputs.d = 0: must be a whole number >= 1"),
    "size beyond doubles": (experiment(BN, inputs=MAPS | {"size": [1, 10**310]}), "...: must be <= 2^53"),
    "d beyond doubles": (experiment(BN, inputs=UNITS | {"d": 10**400}), "...: must be <= 2^53"),
    "batch beyond doubles": (experiment(BN, batch=10**400), "measure.batch = 1000"),
    "its bound": (experiment(BN, seed=2**53 + 1), "measure.seed = 9007199254740993: must be <= 2^53"),
    "d endless": (experiment(BN, inputs=UNITS | {"d": 10**13}), "inputs: makes 10,000,000,000,000 numbers of one"),
    "a draw": (experiment(BN, inputs=UNITS | {"draw": "gausian"}), "did you mean gaussian?"),
    "freedom": (experiment(BN, inputs=UNITS | {"freedom": 5}), "inputs.freedom = 5: means nothing"),
    "no freedom": (experiment(BN, inputs=UNITS | {"draw": "student-t"}), "inputs.freedom = None: must be > 4"),
    "spatial": (experiment(BN, inputs=MAPS | {"spatial": 2}), "inputs.spatial = 2: must lie in"),
    "spatial of units": (experiment(BN, inputs=UNITS | {"spatial": 0}), "inputs.spatial = 0: is no key that is known"),
    "size of three": (experiment(BN, inputs=MAPS | {"size": [2, 2, 2]}), "inputs.size = [2, 2, 2]: must be a whole"),
    "size of a word": (experiment(BN, inputs=MAPS | {"size": "8\n8"}), 'inputs.size = "8\\n8": must be a whole number'),
    "size of truth": (experiment(BN, inputs=MAPS | {"size": [2, True]}), "inputs.size = [2, true]: must be a whole"),
    "size of 0": (
        experiment(BN, inputs=MAPS | {"size": [2, 0]}),
        "inputs.size = [2, 0]: must be a whole number >= 1, or two",
    ),
    "no list": ({"inputs": UNITS, "layers": BN}, 'layers = {"kind": "batch-norm"}: must be a list of one or more'),
    "no layer": (experiment(), "layers = []: must be a list of one or more"),
    "no BN": (experiment(linear(3), RELU), "layers: must hold at least one batch-norm"),
    "a typo": (experiment({"kind": "dropout", "retian": 0.5}, BN), "layers[0].retian = 0.5: is no key that is known"),
    "its meaning": (experiment({"kind": "dropout", "retian": 0.5}, BN), "did you mean retain?"),
    "no key": (experiment({"kind": "relu", "x" * 300: 1}, BN), "is no key that is known here; known are kind"),
    "retain 1.2": (experiment(BN, BN, {"kind": "dropout", "retain": 1.2}), "layers[2].retain = 1.2: must lie in"),
    "two strengths": (experiment({"kind": "uout", "beta": 0.1, "variance": 0.1}, BN), "layers[0]: give exactly one of"),
    "no strength": (experiment({"kind": "uout"}, BN), "layers[0]: give exactly one of beta and variance, got none"),
    "uout too strong": (
        experiment({"kind": "uout", "variance": 0.5}, BN),
        "layers[0].variance = 0.5: must be <= 1/3 for Uout",
    ),
    "per": (experiment({"kind": "uout", "beta": 0, "per": "map"}, BN), 'layers[0].per = "map": must be one of element'),
    "momentum": (experiment(BN | {"momentum": 2}), "layers[0].momentum = 2: must lie in"),
    "eps": (experiment(BN | {"eps": -1}), "layers[0].eps = -1: must be >= 0"),
    "cos2": (experiment(linear(3, cos2=1.5), BN), "layers[0].cos2 = 1.5: must lie in 0 <= cos2 <= 1"),
    "cos2 of one": (experiment(linear(1), linear(3, cos2=0), BN), "layers[1].cos2 = 0: must be 1 for d = 1"),
    "kernel": (
        experiment(convolution(2, [9, 1], padding=1), BN, inputs=MAPS),
        "layers[0].kernel = [9, 1]: must fit the map of 8 x 7, padding included",
    ),
    "pool": (experiment({"kind": "average-pool", "kernel": 9}, BN, inputs=MAPS), "layers[0].kernel = 9: must fit the"),
    "groups": (experiment(convolution(4, 1, groups=3), BN, inputs=MAPS), "layers[0].groups = 3: must divide the"),
    "stride": (
        experiment(convolution(4, 1, stride=0), BN, inputs=MAPS),
        "layers[0].stride = 0: must be a whole",
    ),
    "padding": (experiment(convolution(4, 1, padding=-1), BN, inputs=MAPS), "layers[0].padding = -1: must be a whole"),
    "maps wanted": (
        experiment(convolution(4, 1), BN),
        'layers[0].kind = "convolution": must stand on maps, and',
    ),
    "residual": (experiment(RESIDUAL, BN), "layers[0]: the branch gives 3 units, and its shortcut 4 units"),
    "branch alone": (experiment(RESIDUAL | {"shortcut": []}, BN), "3 units, and its shortcut 6 units: they must be"),
    "no branch": (experiment({"kind": "residual"}, BN), "layers[0].branch: is missing"),
    "inside": (experiment({"kind": "residual", "branch": [linear(0)]}, BN), "layers[0].branch[0].units = 0: must be"),
    "times 0": (experiment({"kind": "repeat", "times": 0, "layers": [BN]}), "layers[0].times = 0: must be a whole"),
    "endless": (experiment({"kind": "repeat", "times": 10**9, "layers": [BN]}), "and at most 10000 are allowed"),
    "deep": (experiment(DEEP), "is nested more than 20 deep"),
    "holds itself": (experiment(ENDLESS, BN), "is nested more than 100 deep"),
    "too many weights": (experiment(linear(10**7), BN), "layers[0]: brings the weights to 60,000,000 numbers"),
    "much padding": (experiment(convolution(1, 1, padding=9**5), BN, inputs=MAPS), "layers[0].padding: makes"),
    "replicas 0": (experiment(BN, replicas=0), "measure.replicas = 0: must be a whole number >= 2"),
    "batch 0": (experiment(BN, batch=0), "measure.batch = 0: must be a whole number >= 2"),
    "batches 1e3": (experiment(BN, batches=1e3), "measure.batches = 1000.0: must be a whole number >= 1"),
    "seed -1": (experiment(BN, seed=-1), "measure.seed = -1: must be a whole number >= 0"),
    "n": (experiment(BN, n=0), "measure.n = 0: is no key that is known here"),
    "a $name": (
        experiment({"kind": "dropout", "retain": "$p"}, BN),
        'layers[0].retain = "$p": stands for a key of a grid',
    ),
    "two lines": (experiment({"kind": "a\nb"}, BN), 'layers[0].kind = "a\\nb": must be one of'),
}


@pytest.mark.parametrize(("description", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_not_in_order_is_told_in_one_line_with_its_place(description: dict[str, Any], told: str):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        described(description)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("inputs", "bad"),
    [
        *((UNITS, bad) for bad in ({"d": 0}, {"d": "6"})),
        *((MAPS, bad) for bad in ({"channels": 0}, {"size": 2.5}, {"size": [0, 2]}, {"spatial": 2}, {"spatial": "0"})),
        *(
            (inputs, {key: value})
            for inputs in (UNITS, MAPS)
            for key, values in {
                "kind": ("unit",),
                "mean": (math.inf, "0", 1e30),
                "variance": (math.nan, 0, -1),
                "correlation": (math.inf, "0", 2),
                "draw": ("cauchy", 1),
                "freedom": (math.nan, "5", 5),
            }.items()
            for value in values
        ),
    ],
    ids=lambda given: str(given) if len(given) == 1 else given["kind"],
)
def test_the_place_of_a_key_of_the_inputs_is_told_once(inputs: dict[str, Any], bad: dict[str, Any]):
    ((key, value),) = bad.items()
    with pytest.raises(ValueError, match=rf"^inputs\.{key} = ") as refused:
        described(experiment(BN, inputs=inputs | bad))
    written = json.dumps(value) if isinstance(value, str | list) else repr(value)
    assert str(refused.value).startswith(f"inputs.{key} = {written}: ")


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
