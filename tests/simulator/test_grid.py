import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.grid import digest, read_grid

few = settings(deadline=None, max_examples=50)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in {"n", "bn"})
numbers = st.integers(-100, 100) | st.floats(allow_nan=False, allow_infinity=False)
columns = st.lists(numbers, min_size=1, max_size=4, unique=True) | st.lists(st.text(), min_size=1, unique=True)


def template(*keys: str) -> dict[str, Any]:
    return {"layers": [{"kind": "dropout", "retain": f"${key}"} for key in keys]}


def drawn(points: int, seed: object = 0, **keys: object) -> list[tuple[Any, ...]]:
    description = template(*keys) | {"draws": {"points": points} | keys, "measure": {"seed": seed}}
    return list(read_grid(description).settings)


@few
@given(st.dictionaries(names, columns, min_size=1, max_size=3))
def test_a_grid_is_every_combination_with_the_last_key_fastest(grid: dict[str, list[Any]]):
    read = read_grid(template(*grid) | {"grid": grid})
    assert read.keys == tuple(grid)
    assert list(read.settings) == list(itertools.product(*grid.values()))
    for setting in read.settings:
        filled = read.description(setting)
        assert filled == {"layers": [{"kind": "dropout", "retain": value} for value in setting]}


def test_a_name_may_stand_for_any_value_and_in_many_places():
    description = {"inputs": {"d": "$d"}, "layers": [{"kind": "$kind"}, [["$d", "d$"]]], "grid": {}}
    grid = read_grid(description | {"grid": {"kind": ["relu"], "d": [3]}})
    assert grid.description(("relu", 3)) == {"inputs": {"d": 3}, "layers": [{"kind": "relu"}, [[3, "d$"]]]}
    assert grid.told(("relu", 3)) == 'kind = "relu", d = 3'


def test_the_experiment_is_what_is_left_without_the_settings():
    def experiment(retain: list[float], **more: object) -> str:
        return read_grid(template("p") | {"grid": {"p": retain}} | more).experiment()

    assert experiment([0.5]) == experiment([0.5, 0.7])
    assert len(experiment([0.5])) == 12
    assert experiment([0.5], measure={"batch": 10}) == experiment([0.5], measure={"batch": 10.0})
    assert experiment([0.5], measure={"batch": 10}) != experiment([0.5], measure={"batch": 11})
    assert int(experiment([0.5]), 16) > 0


@given(st.dictionaries(st.text(), numbers | st.text(), min_size=2))
def test_a_digest_sees_values_and_not_their_order(table: dict[str, Any]):
    backwards = dict(reversed(table.items()))
    assert digest(table) == digest(backwards)
    key = next(iter(table))
    assert digest(table) != digest(table | {key: [table[key]]})


@few
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**63))
def test_more_draws_begin_with_the_fewer(one: int, other: int, seed: int):
    keys = {"p": {"low": 0.2, "high": 0.9}, "d": {"low": 2, "high": 500, "whole": True, "log": True}}
    fewer, more = (drawn(points, seed, **keys) for points in sorted((one, other)))
    assert more[: len(fewer)] == fewer
    assert len(more) == max(one, other)


@few
@given(low=st.integers(-50, 50), width=st.integers(1, 50), whole=st.booleans(), log=st.booleans())
def test_draws_stay_in_their_range(*, low: int, width: int, whole: bool, log: bool):
    low = abs(low) + 1 if log else low
    values = [value for (value,) in drawn(200, p={"low": low, "high": low + width, "whole": whole, "log": log})]
    assert all(low <= value <= low + width for value in values)
    assert all(isinstance(value, int if whole else float) for value in values)
    assert len(values) > 150 or whole


def test_draws_are_uniform_or_log_uniform_over_their_range():
    means = dict.fromkeys((False, True), 0.0)
    for log in means:
        values = [value for (value,) in drawn(40_000, p={"low": 1, "high": 100, "log": log})]
        means[log] = sum(math.log(value) if log else value for value in values) / len(values)
    assert abs(means[False] - 50.5) < 6 * 99 / math.sqrt(12 * 40_000)
    assert abs(means[True] - math.log(10)) < 6 * math.log(100) / math.sqrt(12 * 40_000)


def test_every_whole_number_of_a_range_is_as_likely():
    values = drawn(30_000, p={"low": 1, "high": 3, "whole": True}, q={"low": 0, "high": 1})
    counts = [sum(p == k for p, _ in values) for k in (1, 2, 3)]
    assert all(abs(count - 10_000) < 6 * math.sqrt(30_000 * 2 / 9) for count in counts)
    assert sum(counts) == 30_000


def test_choices_are_drawn_and_a_point_drawn_twice_is_one_point():
    values = drawn(100, noise={"choices": ["dropout", "uout"]})
    assert sorted(values) == [("dropout",), ("uout",)]


def test_the_seed_of_the_measuring_is_that_of_the_draws():
    keys = {"p": {"low": 0, "high": 1}, "q": {"low": 0, "high": 1}}
    assert drawn(5, 1, **keys) != drawn(5, 2, **keys)
    assert all(p != q for p, q in drawn(5, 1, **keys))


def test_the_draws_are_those_of_seed_0_where_no_seed_is_told_or_it_varies_itself():
    between = {"low": 0, "high": 1}
    silent = template("p") | {"draws": {"points": 5, "p": between}}
    assert read_grid(silent).settings == read_grid(silent | {"measure": {}}).settings == tuple(drawn(5, 0, p=between))
    seeds = {"choices": [1, 2, 3]}
    varying = template("p") | {"measure": {"seed": "$s"}, "draws": {"points": 5, "p": between, "s": seeds}}
    assert [(p,) for p, _ in read_grid(varying).settings] == drawn(5, 0, p=between)


def grid(**keys: object) -> dict[str, Any]:
    return template(*keys) | {"grid": keys}


def draws(points: object = 5, **keys: object) -> dict[str, Any]:
    return template(*keys) | {"draws": {"points": points} | keys}


NESTED: list[Any] = []
NESTED.append(NESTED)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no grid": (template(), "grid: a sweep needs either [grid] or [draws], got none"),
    "two grids": (grid(p=[1]) | draws(p=3), "got grid and draws"),
    "no table": (template("p") | {"grid": [0.5]}, "grid = [0.5]: must be a table"),
    "empty": (template() | {"grid": {}}, "grid: holds no key to vary"),
    "draws of nothing": (template() | {"draws": {"points": 5}}, "draws: holds no key to vary"),
    "empty list": (grid(p=[]), "grid.p = []: must be a list of one or more"),
    "no list": (grid(p=0.5), "grid.p = 0.5: must be a list of one or more"),
    "typo": (
        template("retain") | {"grid": {"retian": [0.5]}},
        'layers[0].retain = "$retain": names no key of grid; did you mean retian?',
    ),
    "unused": (template("p") | {"grid": {"p": [0.5], "q": [1]}}, 'grid.q: stands nowhere in the description as "$q"'),
    "a key that is a column": (grid(bn=[1]), "grid.bn: is the name of a result"),
    "a key of two words": (grid(**{"a b": [1]}), 'grid."a b": a key must be letters, digits and _'),
    "a key of two lines": (grid(**{"a\nb": [1]}), 'grid."a\\nb": a key must be letters, digits and _'),
    "mixed": (grid(p=[0.5, "a"]), 'grid.p[1] = "a": must be a number, as what stands before it'),
    "mixed texts": (grid(p=["a", 0.5]), "grid.p[1] = 0.5: must be a text, as what stands before it"),
    "twice": (grid(p=[1, 0.5, 1.0]), "grid.p[2] = 1.0: stands there twice"),
    "truth": (grid(p=[True]), "grid.p[0] = true: must be a finite number or a text"),
    "nan": (grid(p=[math.nan]), "grid.p[0] = nan: must be a finite number or a text"),
    "a list": (grid(p=[[1, 2]]), "grid.p[0] = [1, 2]: must be a finite number or a text"),
    "100,001 points": (
        grid(p=list(range(9)), q=list(range(11_112))),
        "grid: makes 100,008 points, and at most 100,000",
    ),
    "nested": (grid(p=[1]) | {"inputs": NESTED}, "is nested more than 100 deep"),
    "no points": (template("p") | {"draws": {"p": {}}}, "draws.points: is missing"),
    "points 0": (draws(0, p={"low": 0, "high": 1}), "draws.points = 0: must be a whole number >= 1"),
    "too many draws": (draws(10**6, p={"low": 0, "high": 1}), "draws: makes 1,000,000 points"),
    "no range": (draws(p={}), "draws.p.low: is missing"),
    "half a range": (draws(p={"low": 0}), "draws.p.high: is missing"),
    "backwards": (draws(p={"low": 1, "high": 0}), "draws.p.high = 0: must be > low, which is 1"),
    "log from 0": (draws(p={"low": 0, "high": 1, "log": True}), "draws.p.low = 0: must be > 0 where log = true"),
    "log 1": (draws(p={"low": 1, "high": 2, "log": 1}), "draws.p.log = 1: must be true or false"),
    "whole from 0.5": (
        draws(p={"low": 0.5, "high": 1, "whole": True}),
        "draws.p.low = 0.5: must be a whole number where whole = true",
    ),
    "whole to 5.5": (
        draws(p={"low": 1, "high": 5.5, "whole": True}),
        "draws.p.high = 5.5: must be a whole number where whole = true",
    ),
    "whole beyond doubles": (draws(p={"low": 1, "high": 2**60, "whole": True}), "draws.p.high = 1152921504606846976: "),
    "a list of draws": (draws(p=[1]), "draws.p = [1]: must be a table"),
    "both": (draws(p={"choices": [1], "low": 1}), "draws.p.low = 1: is no key that is known here"),
    "a typo of a range": (draws(p={"lo": 0, "high": 1}), "draws.p.lo = 0: is no key that is known here; did you mean"),
}


@pytest.mark.parametrize(("description", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_not_in_order_is_told_in_one_line_with_its_place(description: dict[str, Any], told: str):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        read_grid(description)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
