"""Sweeps described by data: the settings of a [grid] or of random [draws], and the "$name" places that take them."""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from simulator.contracts import Array, refusal
from simulator.fields import LARGEST_COUNT, Table, count, entries, meant, named, number, shown, shown_key
from simulator.results import RESERVED

Scalar: TypeAlias = int | float | str
Setting: TypeAlias = tuple[Scalar, ...]

MOST_POINTS = 100_000
# Part of every hash: a version whose numbers mean something else must not go on with the files of this one.
FORMAT = 1


@dataclass(frozen=True)
class Grid:
    """Settings, and what they are set in.

    Attributes:
        keys: the names, in order.
        settings: one value for each key, for each point, in order.
        template: a description with "$name" in it, and without its grid.
        random: whether the settings are draws.
    """

    keys: tuple[str, ...]
    settings: tuple[Setting, ...]
    template: Mapping[str, object]
    random: bool

    def description(self, setting: Setting) -> dict[str, object]:
        """Put a setting in its places."""
        values = dict(zip(self.keys, setting, strict=True))
        return _substituted(self.template, values)

    def experiment(self) -> str:
        """Name what is the same at all points, in 12 hex digits: the description without its settings."""
        return digest("experiment", self.template)[:12]

    def told(self, setting: Setting) -> str:
        """Write a setting for a reader."""
        return ", ".join(f"{key} = {shown(value)}" for key, value in zip(self.keys, setting, strict=True))


def read_grid(description: Mapping[str, object]) -> Grid:
    """Read the settings of a sweep, from `grid` or `draws`.

    Raises:
        ValueError: if there is neither or both, something in it is not in order, there are over 100,000 points, a
            "$name" is no key, or a key stands in no place.
    """
    top = Table("", description)
    kinds = [key for key in ("grid", "draws") if key in top.values]
    if len(kinds) != 1:
        raise ValueError(f"grid: a sweep needs either [grid] or [draws], got {' and '.join(kinds) or 'none'}")
    template = {key: value for key, value in top.values.items() if key not in kinds}
    used = list(named("", template))
    points: Any = top.values[kinds[0]]
    table = Table(kinds[0], points)
    keys = [key for key in table.values if (table.place, key) != ("draws", "points")]
    _match(table, keys, used)
    random = table.place == "draws"
    values = _drawn(table, keys, _seed(template)) if random else _combinations(table)
    return Grid(tuple(keys), values, template, random)


def digest(*parts: object) -> str:
    """Hash numbers, texts, lists and tables: the same for 1 and 1.0, and for any order of a table's keys."""
    text = json.dumps([FORMAT, _canonical(parts)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _canonical(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _match(table: Table, keys: Sequence[str], used: Sequence[tuple[str, str]]) -> None:
    """Refuse keys that no place takes, places that take no key, and keys that would not make a column."""
    if not keys:
        raise ValueError(f"{table.place}: holds no key to vary")
    for key in keys:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise ValueError(f"{table.at(shown_key(key))}: a key must be letters, digits and _, from a letter or _ on")
        if key in RESERVED:
            raise ValueError(f"{table.at(key)}: is the name of a result; name the key otherwise")
    named = {name for _, name in used}
    for place, name in used:
        if name not in keys:
            raise refusal(place, shown(f"${name}"), f"names no key of {table.place}{meant(name, keys)}")
    for key in keys:
        if key not in named:
            raise ValueError(f'{table.at(key)}: stands nowhere in the description as "${key}"{meant(key, named)}')


def _combinations(table: Table) -> tuple[Setting, ...]:
    columns = [_column(table.at(key), value) for key, value in table.values.items()]
    _require_few(table.place, math.prod(map(len, columns)))
    return tuple(itertools.product(*columns))


def _column(place: str, value: object) -> list[Scalar]:
    """Read a list of different numbers, or of different texts."""
    column: list[Scalar] = []
    for at, entry in entries(place, value):
        scalar = entry if isinstance(entry, str) else _number_or_text(at, entry)
        if column and isinstance(scalar, str) != isinstance(column[0], str):
            rule = "a text" if isinstance(column[0], str) else "a number"
            raise refusal(at, shown(entry), f"must be {rule}, as what stands before it")
        if scalar in column:
            raise refusal(at, shown(entry), "stands there twice")
        column.append(scalar)
    return column


def _number_or_text(place: str, value: object) -> float:
    try:
        return number(place, value)
    except ValueError:
        raise refusal(place, shown(value), "must be a finite number or a text") from None


def _require_few(place: str, points: int) -> None:
    if points > MOST_POINTS:
        raise ValueError(f"{place}: makes {points:,} points, and at most {MOST_POINTS:,} are allowed")


def _drawn(table: Table, keys: Sequence[str], seed: int) -> tuple[Setting, ...]:
    """Draw points, the first of which stay the same when more are asked for; a point drawn twice is one point."""
    points = table.get("points", count(1))
    _require_few(table.place, points)
    columns = [_draw(table.at(key), table.values[key], _uniforms(seed, key, points)) for key in keys]
    return tuple(dict.fromkeys(zip(*columns, strict=True)))


def _uniforms(seed: int, key: str, points: int) -> Array:
    return np.random.default_rng(int(digest("draws", seed, key), 16)).random(points)


def _draw(place: str, value: Any, uniforms: Array) -> list[Any]:
    """Turn u ~ U(0, 1) into draws of a range or among choices."""
    table = Table(place, value)
    if "choices" in table.values:
        table.require_known("choices")
        choices = _column(table.at("choices"), table.values["choices"])
        return [choices[int(u * len(choices))] for u in uniforms]
    table.require_known("low", "high", "whole", "log")
    whole, log = table.get_or("whole", _flag, False), table.get_or("log", _flag, False)  # noqa: FBT003
    low, high = (table.get(key, _whole_number if whole else number) for key in ("low", "high"))
    if not low < high:
        raise refusal(table.at("high"), shown(high), f"must be > low, which is {shown(low)}")
    if log and low <= 0:
        raise refusal(table.at("low"), shown(low), "must be > 0 where log = true")
    end = high + 1 if whole else high  # each whole number from low to high has a unit interval to itself
    spread = low * (end / low) ** uniforms if log else low + (end - low) * uniforms
    return [min(math.floor(x), high) for x in spread] if whole else [min(float(x), high) for x in spread]


def _whole_number(place: str, value: object) -> int:
    try:
        return count(-LARGEST_COUNT)(place, value)
    except ValueError:
        raise refusal(place, shown(value), "must be a whole number where whole = true, within 2^53 of 0") from None


def _flag(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise refusal(place, shown(value), "must be true or false")
    return value


def _seed(template: Mapping[str, object]) -> int:
    """Take the points' seed from measure.seed, where that is a seed: it may vary itself, or be wrong."""
    measure = template.get("measure")
    seed = measure.get("seed") if isinstance(measure, Mapping) else None
    return seed if isinstance(seed, int) else 0


def _substituted(value: object, values: Mapping[str, Scalar]) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return values[value[1:]]
    if isinstance(value, Mapping):
        return {key: _substituted(entry, values) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_substituted(entry, values) for entry in value]
    return value
