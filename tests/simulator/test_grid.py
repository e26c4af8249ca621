import itertools
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.grid import digest, read_grid
from tests.simulator.descriptions import draws, dropout, grid

few = settings(deadline=None, max_examples=50)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in {"n", "bn"})
numbers = st.integers(-100, 100) | st.floats(allow_nan=False, allow_infinity=False)
columns = st.lists(numbers, min_size=1, max_size=4, unique=True) | st.lists(st.text(), min_size=1, unique=True)


def drawn(points: int, seed: object = 0, **keys: object) -> list[tuple[Any, ...]]:
    return list(read_grid(draws(points, **keys) | {"measure": {"seed": seed}}).settings)


@few
@given(st.dictionaries(names, columns, min_size=1, max_size=3))
def test_a_grid_is_every_combination_with_the_last_key_fastest(keys: dict[str, list[Any]]):
    read = read_grid(grid(**keys))
    assert read.keys == tuple(keys)
    assert list(read.settings) == list(itertools.product(*keys.values()))
    for setting in read.settings:
        assert read.description(setting) == {"layers": [dropout(value) for value in setting]}


def test_a_name_may_stand_for_any_value_and_in_many_places():
    description = {"inputs": {"d": "$d"}, "layers": [{"kind": "$kind"}, [["$d", "d$"]]], "grid": {}}
    read = read_grid(description | {"grid": {"kind": ["relu"], "d": [3]}})
    assert read.description(("relu", 3)) == {"inputs": {"d": 3}, "layers": [{"kind": "relu"}, [[3, "d$"]]]}
    assert read.told(("relu", 3)) == 'kind = "relu", d = 3'


def test_the_experiment_is_what_is_left_without_the_settings():
    def experiment(retain: list[float], **more: object) -> str:
        return read_grid(grid(p=retain) | more).experiment()

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
    silent = draws(p=between)
    assert read_grid(silent).settings == read_grid(silent | {"measure": {}}).settings == tuple(drawn(5, 0, p=between))
    seeds = {"choices": [1, 2, 3]}
    varying = draws(p=between, s=seeds) | {"measure": {"seed": "$s"}}
    assert [(p,) for p, _ in read_grid(varying).settings] == drawn(5, 0, p=between)
