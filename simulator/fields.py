"""Tables of a description, read key by key: each value is checked, and whoever is wrong is told the place."""

import contextlib
import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

from simulator.contracts import Refusal, refusal
from simulator.convolution import pair as one_or_two

Value = TypeVar("Value")
# Takes the place and the value, and gives the value or raises a refusal.
Reader = Callable[[str, object], Value]

LONGEST_SHOWN, DEEPEST, LARGEST_COUNT = 60, 100, 2**53
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def number(place: str, value: object) -> float:
    """Read a finite number, which stays the whole number or the float that it is."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # whole numbers beyond the range of doubles
            if math.isfinite(value):
                return int(value) if isinstance(value, Integral) else float(value)
    raise refusal(place, shown(value), "must be a finite number")


def count(at_least: int) -> Reader[int]:
    """Read a whole number, `at_least` or more, that doubles can hold."""

    def read(place: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < at_least:
            raise refusal(place, shown(value), f"must be a whole number >= {at_least}")
        return _held(place, value, int(value))

    return read


def choice(*allowed: str) -> Reader[Any]:
    """Read one of some words."""

    def read(place: str, value: object) -> str:
        if not (isinstance(value, str) and value in allowed):
            rule = f"must be one of {', '.join(allowed)}"
            raise refusal(place, shown(value), rule + meant(value, allowed))
        return value

    return read


def pair(at_least: int) -> Reader[tuple[int, int]]:
    """Read a whole number, which stands for two of it, or a list of two."""

    def read(place: str, value: Any) -> tuple[int, int]:
        try:
            first, second = one_or_two(place, value, at_least)
        except Refusal as refused:
            raise refusal(place, shown(value), refused.rule) from None
        return _held(place, value, first), _held(place, value, second)

    return read


def _held(place: str, value: object, count: int) -> int:
    if count > LARGEST_COUNT:
        raise refusal(place, shown(value), "must be <= 2^53")
    return count


def entries(place: str, value: object) -> list[tuple[str, object]]:
    """Read a list that is not empty: each entry with its place."""
    if not isinstance(value, list | tuple) or not value:
        raise refusal(place, shown(value), "must be a list of one or more")
    return [(f"{place}[{i}]", entry) for i, entry in enumerate(value)]


@dataclass(frozen=True)
class Table:
    """One table of a description.

    Attributes:
        place: where it stands, "" at the top.
        values: its keys and values.

    Raises:
        ValueError: if it is no table, or a key is no text.
    """

    place: str
    values: Mapping[str, object]

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping) or not all(isinstance(key, str) for key in self.values):
            raise refusal(self.place or "description", shown(self.values), "must be a table of keys and values")

    def at(self, key: str) -> str:
        """Name the place of a key."""
        return f"{self.place}.{key}" if self.place else key

    def require_known(self, *known: str) -> None:
        """Refuse keys that mean nothing here, and name the nearest one that does.

        Raises:
            ValueError: for the first such key.
        """
        for key in self.values:
            if key not in known:
                told = meant(key, known) or f"; known are {', '.join(known)}"
                raise refusal(self.at(shown_key(key)), shown(self.values[key]), f"is no key that is known here{told}")

    def get(self, key: str, reader: Reader[Value]) -> Value:
        """Read a key that must be there.

        Raises:
            ValueError: if it is missing, or the reader refuses it.
        """
        if key not in self.values:
            raise ValueError(f"{self.at(key)}: is missing")
        return reader(self.at(key), self.values[key])

    def get_or(self, key: str, reader: Reader[Value], default: Any) -> Any:
        """Read a key that may be absent, and is `default` then."""
        return self.get(key, reader) if key in self.values else default

    def one_of(self, *keys: str) -> str:
        """Tell which of some keys is there.

        Raises:
            ValueError: if none is, or several are.
        """
        given = [key for key in keys if key in self.values]
        if len(given) != 1:
            told = f"give exactly one of {' and '.join(keys)}, got {' and '.join(given) or 'none'}"
            raise ValueError(f"{self.place}: {told}")
        return given[0]

    @contextlib.contextmanager
    def placed(self) -> Iterator[None]:
        """Let the refusal of an argument that a key gave tell the key's place, and the value as it stands there."""
        try:
            yield
        except Refusal as refused:
            key = refused.name.partition(" ")[0]  # an argument may be named at more length, as in "correlation rho"
            if key not in self.values and refused.value is None:
                raise ValueError(f"{self.at(key)}: is missing; it {refused.rule}") from None
            value = shown(self.values[key]) if key in self.values else refused.value
            raise refusal(self.at(key), value, refused.rule) from None
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from None


def shown(value: object) -> str:
    """Write a value in one line, as TOML would for the most part, and cut it where it is long."""
    try:
        text = repr(value) if isinstance(value, float) else json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def shown_key(key: str) -> str:
    """Write a key as TOML would: in quotes only if it needs them."""
    return key[:LONGEST_SHOWN] if BARE_KEY.fullmatch(key) else shown(key)


def meant(value: object, allowed: Iterable[str]) -> str:
    """Suggest the nearest of what is allowed, if one is near."""
    near = difflib.get_close_matches(str(value)[:LONGEST_SHOWN], list(allowed))
    return f"; did you mean {near[0]}?" if near else ""


def named(place: str, value: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield each "$name" in a description with its place.

    Raises:
        ValueError: if tables and lists are nested over 100 deep.
    """
    if depth > DEEPEST:
        raise ValueError(f"{place[:LONGEST_SHOWN].rstrip('.')}...: is nested more than {DEEPEST} deep")
    if isinstance(value, str) and value.startswith("$"):
        yield place, value[1:]
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from named(f"{place}.{key}" if place else str(key), entry, depth + 1)
    elif isinstance(value, list | tuple):
        for i, entry in enumerate(value):
            yield from named(f"{place}[{i}]", entry, depth + 1)
