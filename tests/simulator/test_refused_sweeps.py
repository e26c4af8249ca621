"""What a sweep is refused for, in full: a person reads the whole line, and goes by it."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from simulator.grid import read_grid
from tests.simulator.descriptions import draws, grid, template


def boxed(deep: int, box: Callable[[object], object]) -> dict[str, Any]:
    value: object = "$p"
    for _ in range(deep):
        value = box(value)
    return {"inputs": value, "grid": {"p": [1]}}


def in_list(value: object) -> object:
    return [value]


def in_table(value: object) -> object:
    return {"a": value}


def ranged(**keys: object) -> dict[str, Any]:
    return draws(p={"low": 0, "high": 1} | keys)


NO_TABLE: Any = []
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
TABLE = "must be a table of keys and values"
NUMBER = "must be a number, as what stands before it"
SINGLE = "must be a finite number or a text"
WHOLE = "must be a whole number where whole = true, within 2^53 of 0"
WORD = "a key must be letters, digits and _, from a letter or _ on"
MANY = "and at most 100,000 are allowed"
OF_THE_WHOLE: list[tuple[str, dict[str, Any]]] = [
    (f"description = []: {TABLE}", NO_TABLE),
    ("grid: a sweep needs either [grid] or [draws], got none", template()),
    ("grid: a sweep needs either [grid] or [draws], got grid and draws", grid(p=[1]) | draws(p={})),
    (f"grid = [0.5]: {TABLE}", template("p") | {"grid": [0.5]}),
    ("grid: holds no key to vary", grid()),
    ("draws: holds no key to vary", draws()),
    (
        'inputs.d = "$retian": names no key of grid; did you mean retain?',
        grid(retain=[1]) | {"inputs": {"d": "$retian"}},
    ),
    (
        'layers[0].retain = "$retain": names no key of grid; did you mean retian?',  # and not: "$retian" stands nowhere
        template("retain") | {"grid": {"retian": [0.5]}},
    ),
    ('inputs[0] = "$foo": names no key of draws', draws(p={}) | {"inputs": ["$foo"]}),
    ('grid.q: stands nowhere in the description as "$q"', template("p") | {"grid": {"p": [0.5], "q": [1]}}),
    (
        'grid.retian: stands nowhere in the description as "$retian"; did you mean retain?',
        template("retain") | {"grid": {"retain": [1], "retian": [2]}},
    ),
    (f"inputs{'[0]' * 18}...: is nested more than 100 deep", boxed(100, in_list)),
    (f"inputs{'.a' * 27}...: is nested more than 100 deep", boxed(100, in_table)),
    (f"layers{'[0]' * 18}...: is nested more than 100 deep", grid(p=[1]) | {"layers": ENDLESS}),
]
OF_A_GRID: list[tuple[str, dict[str, Any]]] = [
    (f'grid."a b": {WORD}', grid(**{"a b": [1]})),
    (f'grid."a\\nb": {WORD}', grid(**{"a\nb": [1]})),
    ("grid.shift: is the name of a result; name the key otherwise", grid(shift=[1])),
    ("grid.bn: is the name of a result; name the key otherwise", grid(bn=[1])),
    ("grid.p = []: must be a list of one or more", grid(p=[])),
    ("grid.p = 0.5: must be a list of one or more", grid(p=0.5)),
    (f'grid.p[1] = "a": {NUMBER}', grid(p=[1, "a"])),
    ("grid.p[1] = 1: must be a text, as what stands before it", grid(p=["a", 1])),
    (f"grid.p[1] = true: {SINGLE}", grid(p=[1, True])),
    (f"grid.p[0] = nan: {SINGLE}", grid(p=[math.nan])),
    (f"grid.p[0] = [1, 2]: {SINGLE}", grid(p=[[1, 2]])),
    ('grid.p[2] = "a": stands there twice', grid(p=["a", "b", "a"])),
    ("grid.p[2] = 1.0: stands there twice", grid(p=[1, 0.5, 1.0])),
    (f"grid: makes 100,172 points, {MANY}", grid(p=[*range(317)], q=[*range(316)])),
]
OF_DRAWS: list[tuple[str, dict[str, Any]]] = [
    ("draws.points: is missing", template("p") | {"draws": {"p": {}}}),
    ("draws.points = 0: must be a whole number >= 1", draws(0, p={"low": 0, "high": 1})),
    (f"draws: makes 100,001 points, {MANY}", draws(100_001, p={"low": 0, "high": 1})),
    (f"draws.p = [1]: {TABLE}", draws(p=[1])),
    (f'draws.p.choices[1] = "a": {NUMBER}', draws(p={"choices": [1, "a"]})),
    ("draws.p.low = 1: is no key that is known here; known are choices", draws(p={"choices": [1], "low": 1})),
    ("draws.p.low: is missing", draws(p={})),
    ("draws.p.high: is missing", draws(p={"low": 0})),
    ("draws.p.lo = 0: is no key that is known here; did you mean low?", draws(p={"lo": 0, "high": 1})),
    ("draws.p.zzz = 1: is no key that is known here; known are low, high, whole, log", ranged(zzz=1)),
    ("draws.p.high = 0: must be > low, which is 1", ranged(low=1, high=0)),
    ("draws.p.high = 1.0: must be > low, which is 1", ranged(low=1, high=1.0)),
    ("draws.p.log = 0: must be true or false", ranged(log=0)),
    ("draws.p.low = 0: must be > 0 where log = true", ranged(log=True)),
    (f"draws.p.low = 0.5: {WHOLE}", ranged(low=0.5, whole=True)),
    (f"draws.p.high = 1.5: {WHOLE}", ranged(high=1.5, whole=True)),
    (f"draws.p.low = -9007199254740993: {WHOLE}", ranged(low=-(2**53) - 1, whole=True)),
    (f"draws.p.high = 9007199254740993: {WHOLE}", ranged(high=2**53 + 1, whole=True)),
]
REFUSED = [*OF_THE_WHOLE, *OF_A_GRID, *OF_DRAWS]


@pytest.mark.parametrize(("line", "description"), REFUSED)
def test_what_is_wrong_is_told_with_its_place_its_value_and_the_rule(line: str, description: dict[str, Any]):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        read_grid(description)
    assert str(refused.value) == line


def test_what_a_rule_just_allows_is_allowed():
    assert len(read_grid(grid(p=[*range(250)], q=[*range(400)])).settings) == 100_000
    assert read_grid(boxed(99, in_list)).keys == read_grid(boxed(99, in_table)).keys == ("p",)
    assert read_grid(grid(Rho_1=[1], _d=[2])).keys == ("Rho_1", "_d")
    beside_0 = ranged(low=-(2**53), high=2**53, whole=True)
    values = [value for (value,) in read_grid(beside_0).settings if isinstance(value, int)]
    assert len(values) > 1
    assert all(abs(value) <= 2**53 for value in values)
