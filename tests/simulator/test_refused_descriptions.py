"""What a description is refused for, in full: a person reads the whole line, and goes by it."""

import datetime
import json
import math
from typing import Any

import pytest

from simulator.description import described
from tests.simulator.descriptions import (
    BN,
    MAPS,
    RELU,
    UNITS,
    convolution,
    dropout,
    experiment,
    linear,
    nested,
    repeated,
    residual,
)

NO_TABLE: Any = []
ENDLESS = repeated(2)
ENDLESS["layers"].append(ENDLESS)


def stack(*layers: object, inputs: object = None, **measure: object) -> dict[str, Any]:
    return experiment(*layers, BN, inputs=inputs, **measure)


def on_units(**keys: object) -> dict[str, Any]:
    return stack(inputs=UNITS | keys)


def on_maps(*layers: object, **keys: object) -> dict[str, Any]:
    return stack(*layers, inputs=MAPS | keys)


MOMENTS = "mean, variance, correlation, draw, freedom"
OF_MEASURE = "is no key that is known here; known are replicas, batches, batch, epochs, seed"
OF_LAYER = (
    "dropout, uout, gaussian-dropout, linear, convolution, average-pool, batch-norm, relu, identity, residual, repeat"
)
TOO_MANY_NUMBERS = "numbers of one sample, and at most 16,777,216 are allowed"
NO_SUM = "they must be the same to be added"
ONE_OR_TWO = "must be a whole number >= 1, or two of them"
CUT_SHORT = f"1{'0' * 56}..."
OF_THE_WHOLE: list[tuple[str, dict[str, Any]]] = [
    ("description = []: must be a table of keys and values", NO_TABLE),
    ("zzz = 1: is no key that is known here; known are inputs, layers, measure", stack() | {"zzz": 1}),
    ("mesure = {}: is no key that is known here; did you mean measure?", stack() | {"mesure": {}}),
    ("draws: makes this the description of a sweep, not of one experiment", stack() | {"draws": {}}),
    ("grid: makes this the description of a sweep, not of one experiment", stack() | {"grid": {}}),
    ("inputs: is missing", {}),
    ("layers: is missing", {"inputs": UNITS}),
    ("layers = []: must be a list of one or more", experiment()),
    ("layers = []: must be a list of one or more", {"inputs": UNITS, "layers": ()}),
    ('layers = {"kind": "batch-norm"}: must be a list of one or more', {"inputs": UNITS, "layers": BN}),
    ("layers: must hold at least one batch-norm", experiment(linear(3), RELU)),
    ("layers: must hold at least one batch-norm", {"inputs": UNITS, "layers": (RELU,)}),
]
OF_INPUTS: list[tuple[str, dict[str, Any]]] = [
    ("inputs = [1]: must be a table of keys and values", stack(inputs=[1])),
    ("inputs = dict: must be a table of keys and values", stack(inputs={(1, 2): 3})),
    ("inputs.kind: is missing", stack(inputs={"d": 1})),
    ('inputs.kind = "unit": must be one of units, maps; did you mean units?', on_units(kind="unit")),
    (f"inputs.zzz = 1: is no key that is known here; known are kind, d, {MOMENTS}", on_units(zzz=1)),
    (f"inputs.spatial = 0: is no key that is known here; known are kind, d, {MOMENTS}", on_units(spatial=0)),
    (
        f"inputs.zzz = 1: is no key that is known here; known are kind, channels, size, spatial, {MOMENTS}",
        on_maps(zzz=1),
    ),
    ("inputs.d = 0: must be a whole number >= 1", on_units(d=0)),
    ("inputs.d = 2.0: must be a whole number >= 1", on_units(d=2.0)),
    ("inputs.d = true: must be a whole number >= 1", on_units(d=True)),
    ('inputs.d = "2020-01-02": must be a whole number >= 1', on_units(d=datetime.date(2020, 1, 2))),
    (f"inputs.d = {CUT_SHORT}: must be <= 2^53", on_units(d=10**400)),
    (f"inputs: makes 16,777,217 {TOO_MANY_NUMBERS}", on_units(d=2**24 + 1)),
    ('inputs.mean = "x": must be a finite number', on_units(mean="x")),
    ("inputs.mean = nan: must be a finite number", on_units(mean=math.nan)),
    ("inputs.mean = -inf: must be a finite number", on_units(mean=-math.inf)),
    (f"inputs.mean = {CUT_SHORT}: must be a finite number", on_units(mean=10**400)),
    ("inputs.variance = 0: must be > 0", on_units(variance=0)),
    ("inputs.variance = -1: must be > 0", on_units(variance=-1)),
    (
        "inputs.correlation = -0.5: must lie in -1/(d-1) <= rho <= 1, which starts at -0.333333 for d = 4",
        on_units(correlation=-0.5),
    ),
    (
        "inputs.correlation = -0.5: must lie in -1/(channels-1) <= rho <= 1, "
        "which starts at -0.333333 for channels = 4",
        on_maps(correlation=-0.5),
    ),
    (
        'inputs.draw = "gausian": must be one of gaussian, uniform, exponential, two-point, student-t; '
        "did you mean gaussian?",
        on_units(draw="gausian"),
    ),
    ("inputs.freedom = 5: means nothing for the draw gaussian; leave it out", on_units(freedom=5)),
    (
        "inputs.freedom: is missing; it must be > 4 for the draw student-t, whose fourth moment must be finite",
        on_units(draw="student-t"),
    ),
    (f"inputs.size = [2, 0]: {ONE_OR_TWO}", on_maps(size=[2, 0])),
    (f"inputs.size = [2, true]: {ONE_OR_TWO}", on_maps(size=[2, True])),
    (f"inputs.size = [2, 2, 2]: {ONE_OR_TWO}", on_maps(size=[2, 2, 2])),
    (f'inputs.size = "8\\n8": {ONE_OR_TWO}', on_maps(size="8\n8")),
    ("inputs.size = [9007199254740993, 1]: must be <= 2^53", on_maps(size=[2**53 + 1, 1])),
    ("inputs.size = [1, 9007199254740993]: must be <= 2^53", on_maps(size=[1, 2**53 + 1])),
    (f"inputs.size = [1, 1{'0' * 52}...: must be <= 2^53", on_maps(size=[1, 10**310])),
    ("inputs.spatial = 2: must lie in -1 <= spatial <= 1", on_maps(spatial=2)),
]
OF_ANY_LAYER: list[tuple[str, dict[str, Any]]] = [
    ("layers[0].kind: is missing", stack({})),
    (f'layers[0].kind = "a\\nb": must be one of {OF_LAYER}', stack({"kind": "a\nb"})),
    ("layers[0].zzz = 1: is no key that is known here; known are kind, units, cos2", stack(linear(1, zzz=1))),
    (f"layers[0].{'x' * 60} = 1: is no key that is known here; known are kind", stack(RELU | {"x" * 61: 1})),
    (
        "layers[0].retian = 0.5: is no key that is known here; did you mean retain?",
        stack({"kind": "dropout", "retian": 0.5}),
    ),
    ('layers[0].retain = "$p": stands for a key of a grid, which only a sweep has', stack(dropout("$p"))),
    ("layers[2].retain = 1.2: must lie in 0 < retain <= 1", stack(BN, BN, dropout(1.2))),
    ('layers[0].per = "map": must be one of element, channel', stack(dropout(1) | {"per": "map"})),
    (
        'layers[0].per = "chanel": must be one of element, channel; did you mean channel?',
        stack({"kind": "uout", "beta": 1, "per": "chanel"}),
    ),
    (
        "layers[0]: give exactly one of beta and variance, got beta and variance",
        stack({"kind": "uout", "beta": 0, "variance": 0}),
    ),
    ("layers[0]: give exactly one of sigma and variance, got none", stack({"kind": "gaussian-dropout"})),
    (
        "layers[0].variance = 0.5: must be <= 1/3 for Uout, which beta = 1 reaches",
        stack({"kind": "uout", "variance": 0.5}),
    ),
    ("layers[0].momentum = 0: must lie in 0 < momentum <= 1, or be left out", stack(BN | {"momentum": 0})),
    ("layers[0].momentum = 2: must lie in 0 < momentum <= 1, or be left out", stack(BN | {"momentum": 2})),
    ("layers[0].eps = -1: must be >= 0", stack(BN | {"eps": -1})),
    ("layers[0].cos2 = 1.5: must lie in 0 <= cos2 <= 1", stack(linear(3, cos2=1.5))),
    ("layers[1].cos2 = 0: must be 1 for d = 1", stack(linear(1), linear(3, cos2=0))),
    (
        "layers[2]: brings the weights to 4,194,308 numbers, and at most 4,194,304 are allowed",
        stack(linear(2**19), linear(4), linear(1)),
    ),
]
OF_MAPS: list[tuple[str, dict[str, Any]]] = [
    (
        'layers[0].kind = "average-pool": must stand on maps, and gets 4 units',
        stack({"kind": "average-pool", "kernel": 2}),
    ),
    ('layers[0].kind = "convolution": must stand on maps, and gets 4 units', stack(convolution(4))),
    (
        "layers[0].kernel = 9: must fit the map of 6 x 5, padding included",
        on_maps({"kind": "average-pool", "kernel": 9}),
    ),
    (
        "layers[0].kernel = [9, 1]: must fit the map of 8 x 7, padding included",
        on_maps(convolution(2, [9, 1], padding=1)),
    ),
    (f"layers[0].stride = 0: {ONE_OR_TWO}", on_maps(convolution(4, stride=0))),
    ("layers[0].padding = -1: must be a whole number >= 0, or two of them", on_maps(convolution(4, padding=-1))),
    ("layers[0].groups = 3: must divide the channels, 4 coming in and 6 going out", on_maps(convolution(6, groups=3))),
    ("layers[0].groups = 2: must divide the channels, 4 coming in and 3 going out", on_maps(convolution(3, groups=2))),
    (f"layers[0]: makes 30,000,000 {TOO_MANY_NUMBERS}", on_maps(linear(10**6))),
    (f"layers[0].padding: makes 117,440,680 {TOO_MANY_NUMBERS}", on_maps(convolution(1, padding=[2**21, 1]))),
]
OF_BLOCKS: list[tuple[str, dict[str, Any]]] = [
    ("layers[0].branch: is missing", stack({"kind": "residual"})),
    ("layers[0].branch[0].units = 0: must be a whole number >= 1", stack(residual(linear(0)))),
    ("layers[0].shortcut[1].units = 0: must be a whole number >= 1", stack(residual(RELU, shortcut=[RELU, linear(0)]))),
    (
        f"layers[0]: the branch gives 3 units, and its shortcut 5 units: {NO_SUM}",
        stack(residual(linear(3), shortcut=[linear(5)])),
    ),
    (
        f"layers[0]: the branch gives 3 units, and its shortcut 4 units: {NO_SUM}",
        stack(residual(linear(3), shortcut=[])),
    ),
    (
        f"layers[0]: the branch gives 2 maps of 3 x 2, and its shortcut 4 maps of 6 x 5: {NO_SUM}",
        on_maps(residual(convolution(2, 4))),
    ),
    ("layers[0].times = 0: must be a whole number >= 1", stack(repeated(0, BN))),
    ("layers[0].layers[0]: is layer number 10001, and at most 10000 are allowed", stack(repeated(10**9, BN))),
    ("layers[1]: is layer number 10001, and at most 10000 are allowed", stack(repeated(9999, RELU))),
    (f"layers{'[0].branch' * 20}: is nested more than 20 deep", stack(nested(20))),
    (f"layers[0]{'.layers[0]' * 5}...: is nested more than 100 deep", stack(ENDLESS)),
    (f"{'X' * 60}...: is nested more than 100 deep", {"X" * 70: [ENDLESS]}),
]
OF_MEASURING: list[tuple[str, dict[str, Any]]] = [
    ("measure.bach = 1: is no key that is known here; did you mean batch?", stack(bach=1)),
    (f"measure.zzz = 1: {OF_MEASURE}", stack(zzz=1)),
    (f"measure.My_key-2 = 1: {OF_MEASURE}", stack(**{"My_key-2": 1})),
    (f'measure."a b" = 1: {OF_MEASURE}', stack(**{"a b": 1})),
    (f'measure."" = 1: {OF_MEASURE}', stack(**{"": 1})),
    ("measure.replicas = 1: must be a whole number >= 2", stack(replicas=1)),
    ("measure.batches = 0: must be a whole number >= 1", stack(batches=0)),
    ("measure.batches = 1000.0: must be a whole number >= 1", stack(batches=1e3)),
    ("measure.batch = 1: must be a whole number >= 2", stack(batch=1)),
    (f"measure.batch = {CUT_SHORT}: must be <= 2^53", stack(batch=10**400)),
    ("measure.epochs = 0: must be a whole number >= 1", stack(epochs=0)),
    ("measure.seed = -1: must be a whole number >= 0", stack(seed=-1)),
    ("measure.seed = 9007199254740993: must be <= 2^53", stack(seed=2**53 + 1)),
]
REFUSED = [*OF_THE_WHOLE, *OF_INPUTS, *OF_ANY_LAYER, *OF_MAPS, *OF_BLOCKS, *OF_MEASURING]


def told(description: dict[str, Any]) -> str:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is what the tests compare
        described(description)
    return str(refused.value)


@pytest.mark.parametrize(("line", "description"), REFUSED)
def test_what_is_wrong_is_told_with_its_place_its_value_and_the_rule(line: str, description: dict[str, Any]):
    assert told(description) == line


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
    written = json.dumps(value) if isinstance(value, str | list) else repr(value)
    line = told(stack(inputs=inputs | bad))
    assert line.startswith(f"inputs.{key} = {written}: ")
    assert line.count("inputs.") == 1


def test_a_long_value_is_cut_in_the_line_and_one_that_just_fits_is_not():
    fitting, cut = "x" * 58, "x" * 59  # 60 characters and 61, with their quotes
    assert told(on_units(mean=fitting)) == f'inputs.mean = "{fitting}": must be a finite number'
    assert told(on_units(mean=cut)) == f'inputs.mean = "{cut[:56]}...: must be a finite number'


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
    "one input": on_units(d=1),
    "the most layers": stack(repeated(9998, RELU)),
    "the most inputs": on_units(d=2**24),
    "the most weights": stack(linear(2**19), linear(4)),
    "the deepest": stack(nested(19)),
}


@pytest.mark.parametrize("description", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_a_rule_just_allows_is_allowed(description: dict[str, Any]):
    assert described(description).plan.norms == 1
