"""What a description or a sweep is refused for, in full: a person reads the whole line, and goes by it."""

import copy
import datetime
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest

from simulator.contracts import refusal
from simulator.description import described
from simulator.grid import read_grid
from simulator.layers import BatchNorm
from simulator.noise import Dropout

BN = {"kind": "batch-norm"}
RELU = {"kind": "relu"}
UNITS = {"kind": "units", "d": 4, "mean": 0.0, "variance": 1.0}
MAPS = {"kind": "maps", "channels": 4, "size": [6, 5], "mean": 0.5, "variance": 1}
NO_TABLE: Any = []


def stack(*layers: object, inputs: object = None, **measure: object) -> dict[str, Any]:
    return {"inputs": inputs or UNITS, "layers": [*layers, BN], "measure": measure}


def linear(units: int, **more: object) -> dict[str, Any]:
    return {"kind": "linear", "units": units, **more}


def convolution(channels: int, kernel: int = 1, **more: object) -> dict[str, Any]:
    return {"kind": "convolution", "channels": channels, "kernel": kernel, **more}


def repeated(times: int, *layers: object) -> dict[str, Any]:
    return {"kind": "repeat", "times": times, "layers": list(layers)}


def residual(*branch: object, **more: object) -> dict[str, Any]:
    return {"kind": "residual", "branch": list(branch), **more}


def nested(deep: int, layer: dict[str, Any]) -> dict[str, Any]:
    return layer if deep == 0 else residual(nested(deep - 1, layer))


def on_maps(*layers: object) -> dict[str, Any]:
    return stack(*layers, inputs=MAPS)


def grid(**keys: object) -> dict[str, Any]:
    return {"layers": [f"${key}" for key in keys], "grid": keys}


def draws(points: int = 5, **keys: object) -> dict[str, Any]:
    return {"layers": [f"${key}" for key in keys], "draws": {"points": points, **keys}}


def boxed(deep: int, box: Callable[[object], object]) -> dict[str, Any]:
    value: object = "$p"
    for _ in range(deep):
        value = box(value)
    return {"inputs": value, "grid": {"p": [1]}}


def in_list(value: object) -> object:
    return [value]


def in_table(value: object) -> object:
    return {"a": value}


WHOLE = "must be a whole number >= {}"
UNKNOWN = "is no key that is known here; known are {}"
OF_MEASURE = UNKNOWN.format("replicas, batches, batch, epochs, seed")
MOMENTS = "mean, variance, correlation, draw, freedom"
MUCH = "numbers of one sample, and at most 16,777,216 are allowed"
DESCRIPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no table": (NO_TABLE, "description = []: must be a table of keys and values"),
    "no table inside": (stack(inputs=[1]), "inputs = [1]: must be a table of keys and values"),
    "no texts for keys": (stack(inputs={(1, 2): 3}), "inputs = dict: must be a table of keys and values"),
    "a sweep": (stack() | {"draws": {}}, "draws: makes this the description of a sweep, not of one experiment"),
    "a $name": (
        stack({"kind": "dropout", "retain": "$p"}),
        'layers[0].retain = "$p": stands for a key of a grid, which only a sweep has',
    ),
    "of all": (stack() | {"zzz": 1}, f"zzz = 1: {UNKNOWN.format('inputs, layers, measure')}"),
    "of the measuring": (
        stack(zzz=1),
        f"measure.zzz = 1: {OF_MEASURE}",
    ),
    "of units": (
        stack(inputs=UNITS | {"zzz": 1}),
        f"inputs.zzz = 1: {UNKNOWN.format('kind, d')}, {MOMENTS}",
    ),
    "of maps": (
        stack(inputs=MAPS | {"zzz": 1}),
        f"inputs.zzz = 1: {UNKNOWN.format('kind, channels, size, spatial')}, {MOMENTS}",
    ),
    "of a layer": (stack(linear(1, zzz=1)), f"layers[0].zzz = 1: {UNKNOWN.format('kind, units, cos2')}"),
    "a nearer key": (stack(bach=1), "measure.bach = 1: is no key that is known here; did you mean batch?"),
    "plain key": (
        stack(**{"My_key-2": 1}),
        f"measure.My_key-2 = 1: {OF_MEASURE}",
    ),
    "a key in quotes": (
        stack(**{"a b": 1}),
        f'measure."a b" = 1: {OF_MEASURE}',
    ),
    "no key": (stack(**{"": 1}), f'measure."" = 1: {OF_MEASURE}'),
    "a long key": (
        stack(**{"z" * 99: 1}),
        f"measure.{'z' * 60} = 1: {OF_MEASURE}",
    ),
    "a word": (
        stack({"kind": "dropout", "retain": 1, "per": "map"}),
        'layers[0].per = "map": must be one of element, channel',
    ),
    "a nearer word": (
        stack({"kind": "uout", "beta": 1, "per": "chanel"}),
        'layers[0].per = "chanel": must be one of element, channel; did you mean channel?',
    ),
    "both": (
        stack({"kind": "uout", "beta": 0, "variance": 0}),
        "layers[0]: give exactly one of beta and variance, got beta and variance",
    ),
    "neither": (
        stack({"kind": "gaussian-dropout"}),
        "layers[0]: give exactly one of sigma and variance, got none",
    ),
    "of size": (stack(inputs=MAPS | {"size": [2**53 + 1, 1]}), "inputs.size = [9007199254740993, 1]: must be <= 2^53"),
    "of size, too": (
        stack(inputs=MAPS | {"size": [1, 2**53 + 1]}),
        "inputs.size = [1, 9007199254740993]: must be <= 2^53",
    ),
    "of a seed": (stack(seed=2**53 + 1), "measure.seed = 9007199254740993: must be <= 2^53"),
    "a date": (
        stack(inputs=UNITS | {"d": datetime.date(2020, 1, 2)}),
        f'inputs.d = "2020-01-02": {WHOLE.format(1)}',
    ),
    "no number": (stack(inputs=UNITS | {"mean": "x"}), 'inputs.mean = "x": must be a finite number'),
    "no layers": ({"inputs": UNITS, "layers": ()}, "layers = []: must be a list of one or more"),
    "no norm": ({"inputs": UNITS, "layers": (RELU,)}, "layers: must hold at least one batch-norm"),
    "nothing": ({}, "inputs: is missing"),
    "no kind": (stack({}), "layers[0].kind: is missing"),
    "on units": (
        stack({"kind": "average-pool", "kernel": 2}),
        'layers[0].kind = "average-pool": must stand on maps, and gets 4 units',
    ),
    "groups in": (
        on_maps(convolution(6, groups=3)),
        "layers[0].groups = 3: must divide the channels, 4 coming in and 6 going out",
    ),
    "groups out": (
        on_maps(convolution(3, groups=2)),
        "layers[0].groups = 2: must divide the channels, 4 coming in and 3 going out",
    ),
    "other maps": (
        on_maps(residual(convolution(2, 4))),
        "layers[0]: the branch gives 2 maps of 3 x 2, and its shortcut 4 maps of 6 x 5: "
        "they must be the same to be added",
    ),
    "in a shortcut": (
        stack(residual(RELU, shortcut=[RELU, linear(0)])),
        f"layers[0].shortcut[1].units = 0: {WHOLE.format(1)}",
    ),
    "many layers": (
        stack(repeated(9999, RELU)),
        "layers[1]: is layer number 10001, and at most 10000 are allowed",
    ),
    "deep": (stack(nested(20, RELU)), f"layers{'[0].branch' * 20}: is nested more than 20 deep"),
    "many inputs": (stack(inputs=UNITS | {"d": 2**24 + 1}), f"inputs: makes 16,777,217 {MUCH}"),
    "a large layer": (on_maps(linear(10**6)), f"layers[0]: makes 30,000,000 {MUCH}"),
    "much padding": (on_maps(convolution(1, padding=[2**21, 1])), f"layers[0].padding: makes 117,440,680 {MUCH}"),
    "many weights": (
        stack(linear(2**19), linear(4), linear(1)),
        "layers[2]: brings the weights to 4,194,308 numbers, and at most 4,194,304 are allowed",
    ),
    "momentum": (
        stack(BN | {"momentum": 0}),
        "layers[0].momentum = 0: must lie in 0 < momentum <= 1, or be left out",
    ),
} | {
    f"{key} of {value}": (stack(**{key: value}), f"measure.{key} = {value}: {WHOLE.format(value + 1)}")
    for key, value in {"replicas": 1, "batches": 0, "batch": 1, "epochs": 0, "seed": -1}.items()
}
SWEEPS: dict[str, tuple[dict[str, Any], str]] = {
    "no table": (NO_TABLE, "description = []: must be a table of keys and values"),
    "no grid": ({}, "grid: a sweep needs either [grid] or [draws], got none"),
    "two grids": (
        grid(p=[1]) | draws(p={}),
        "grid: a sweep needs either [grid] or [draws], got grid and draws",
    ),
    "a grid that is none": (grid(p=[1]) | {"grid": 1}, "grid = 1: must be a table of keys and values"),
    "a range that is none": (draws(p=1), "draws.p = 1: must be a table of keys and values"),
    "no key": ({"grid": {}}, "grid: holds no key to vary"),
    "no word": (grid(**{"a b": [1]}), 'grid."a b": a key must be letters, digits and _, from a letter or _ on'),
    "a result": (grid(shift=[1]), "grid.shift: is the name of a result; name the key otherwise"),
    "no such key": (
        grid(retain=[1]) | {"inputs": {"d": "$retian"}},
        'inputs.d = "$retian": names no key of grid; did you mean retain?',
    ),
    "a stranger": (draws(p={}) | {"inputs": ["$foo"]}, 'inputs[0] = "$foo": names no key of draws'),
    "nowhere": (
        {"layers": ["$retain"], "grid": {"retain": [1], "retian": [2]}},
        'grid.retian: stands nowhere in the description as "$retian"; did you mean retain?',
    ),
    "twice": (grid(p=["a", "b", "a"]), 'grid.p[2] = "a": stands there twice'),
    "a text": (grid(p=["a", 1]), "grid.p[1] = 1: must be a text, as what stands before it"),
    "a number": (grid(p=[1, "a"]), 'grid.p[1] = "a": must be a number, as what stands before it'),
    "neither": (grid(p=[1, True]), "grid.p[1] = true: must be a finite number or a text"),
    "no list": (grid(p=1), "grid.p = 1: must be a list of one or more"),
    "choices": (draws(p={"choices": [1, "a"]}), 'draws.p.choices[1] = "a": must be a number, as what stands before it'),
    "beside choices": (
        draws(p={"choices": [1], "low": 1}),
        "draws.p.low = 1: is no key that is known here; known are choices",
    ),
    "beside a range": (
        draws(p={"low": 1, "high": 2, "zzz": 1}),
        "draws.p.zzz = 1: is no key that is known here; known are low, high, whole, log",
    ),
    "no range": (draws(p={"low": 1, "high": 1.0}), "draws.p.high = 1.0: must be > low, which is 1"),
    "no log": (draws(p={"low": 0, "high": 1, "log": True}), "draws.p.low = 0: must be > 0 where log = true"),
    "log of 0": (draws(p={"low": 0, "high": 1, "log": 0}), "draws.p.log = 0: must be true or false"),
    "half": (
        draws(p={"low": 0, "high": 1.5, "whole": True}),
        "draws.p.high = 1.5: must be a whole number where whole = true, within 2^53 of 0",
    ),
    "beyond": (
        draws(p={"low": -(2**53) - 1, "high": 1, "whole": True}),
        "draws.p.low = -9007199254740993: must be a whole number where whole = true, within 2^53 of 0",
    ),
    "many points": (
        grid(p=[*range(317)], q=[*range(316)]),
        "grid: makes 100,172 points, and at most 100,000 are allowed",
    ),
    "many draws": (
        draws(100_001, p={"low": 0, "high": 1}),
        "draws: makes 100,001 points, and at most 100,000 are allowed",
    ),
    "deep lists": (boxed(100, in_list), f"inputs{'[0]' * 18}...: is nested more than 100 deep"),
    "deep tables": (boxed(100, in_table), f"inputs{'.a' * 27}...: is nested more than 100 deep"),
}


def told(read: Callable[[dict[str, Any]], object], description: dict[str, Any]) -> str:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is what the tests compare
        read(description)
    return str(refused.value)


@pytest.mark.parametrize(("description", "expected"), DESCRIPTIONS.values(), ids=DESCRIPTIONS.keys())
def test_what_is_wrong_in_a_description_is_told_with_its_place_its_value_and_the_rule(
    description: dict[str, Any], expected: str
):
    assert told(described, description) == expected


@pytest.mark.parametrize(("description", "expected"), SWEEPS.values(), ids=SWEEPS.keys())
def test_what_is_wrong_in_a_sweep_is_told_with_its_place_its_value_and_the_rule(
    description: dict[str, Any], expected: str
):
    assert told(read_grid, description) == expected


SMALLEST = {"kind": "maps", "channels": 1, "size": 1, "mean": 0, "variance": 1}
ALLOWED = {
    "the smallest measuring": stack(replicas=2, batches=1, batch=2, epochs=1, seed=0),
    "the largest seed": stack(seed=2**53),
    "one of everything": stack(
        convolution(1, 1, stride=1, padding=0, groups=1),
        {"kind": "average-pool", "kernel": 1, "stride": 1},
        repeated(1, linear(1)),
        inputs=SMALLEST,
    ),
    "one input": stack(inputs=UNITS | {"d": 1}),
    "the most layers": stack(repeated(9998, RELU)),
    "the most inputs": stack(inputs=UNITS | {"d": 2**24}),
    "the most weights": stack(linear(2**19), linear(4)),
    "the deepest": stack(nested(19, RELU)),
}


@pytest.mark.parametrize("description", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_a_rule_just_allows_is_allowed(description: dict[str, Any]):
    assert described(description).plan.norms == 1


def test_what_a_rule_just_allows_is_allowed_in_a_sweep():
    assert len(read_grid(grid(p=[*range(250)], q=[*range(400)])).settings) == 100_000
    assert read_grid(boxed(99, in_list)).keys == read_grid(boxed(99, in_table)).keys == ("p",)
    assert read_grid(grid(Rho_1=[1], _d=[2])).keys == ("Rho_1", "_d")
    beside_0 = {"low": -(2**53), "high": 2**53, "whole": True}
    values = [value for (value,) in read_grid(draws(p=beside_0)).settings if isinstance(value, int)]
    assert len(values) > 1
    assert all(abs(value) <= 2**53 for value in values)


def test_a_long_value_is_cut_in_the_line_and_one_that_just_fits_is_not():
    fitting, cut = "x" * 58, "x" * 59  # 60 characters and 61, with their quotes
    of_fitting, of_cut = (told(described, stack(inputs=UNITS | {"mean": text})) for text in (fitting, cut))
    assert of_fitting == f'inputs.mean = "{fitting}": must be a finite number'
    assert of_cut == f'inputs.mean = "{cut[:56]}...: must be a finite number'


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - its own
def test_a_refusal_stays_whole_on_its_way_between_processes(again: Callable[[Exception], Exception]):
    there = refusal("retain", 1.2, "must lie in 0 < retain <= 1")
    assert str(again(there)) == str(there) == "retain = 1.2: must lie in 0 < retain <= 1"
    assert repr(again(there)) == repr(there) == "Refusal('retain', 1.2, 'must lie in 0 < retain <= 1')"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: Dropout(cast("float", "0.5")), "retain = 0.5: must be a finite number"),
        (lambda: BatchNorm(cast("int", 1.0)), "units = 1.0: must be a whole number >= 1"),
    ],
)
def test_the_python_api_refuses_in_the_same_form(call: Callable[[], object], expected: str):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        call()
    assert str(refused.value) == expected
