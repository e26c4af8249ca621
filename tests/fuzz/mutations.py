"""What people mistype, and what damage and strangers make of files, as Hypothesis strategies."""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Group: TypeAlias = tuple[str, ...]
"""words that belong together: a flag and its values, or a lone word"""

Place: TypeAlias = tuple[str | int, ...]
"""the keys and indices that lead to an entry of a nest of tables and lists"""

ODD_NUMBERS = (
    *("nan", "-nan", "inf", "-inf", "infinity", "1e400", "-1e400", "1e-400", "1e308", "-1e308", "1e-320"),
    *("0", "-0.0", "-1", "1", "2", "0.5", "1.0000000000000002", "0.1", "7", "2.5", "100", "1e2", "-5"),
    *("0x10", "1_0", "٣", "½", "+1", "1e", ".5", "1/3", "1/0", "2**63", "9" * 20, "9" * 30, "9" * 400, "9" * 5000),
)
ODD_WORDS = (
    *("", " ", "\n", "a\nb", "\t", "\x1b[31m", "\u2028", "é", "🦊", "\udcff", "true", "None", "null", "[]", "{}"),
    *("'", '"', "-", "--", "---", "=", "a=", "=b", "a=b=c", "[/red]", "%s", "{0}", "$HOME", "*", "~", "@file", "\\"),
)
ODD_PATHS = (".", "..", "/", "/no/such/place", "x" * 300, "a-file", "a-folder", "a-loop")
"""no device, which a program at fault might replace; the last three stand on a `desk`"""

# No path out of the folder of a test, which is all that a command may write to.
printable = st.text(st.characters(exclude_characters="\0/", exclude_categories=("Cs",)), max_size=8)
numbers = (
    st.sampled_from(ODD_NUMBERS)
    | st.floats().map(repr)
    | st.floats(0, 1).map(repr)
    | st.integers(-(10**6), 10**6).map(str)
)
words: SearchStrategy[str] = st.one_of(numbers, st.sampled_from(ODD_WORDS), st.sampled_from(ODD_PATHS), printable)


@st.composite
def mistyped(draw: DrawFn, valid: Sequence[Group], *others: Group, odd: SearchStrategy[str] = words) -> list[str]:
    """A command line, one to four mistakes away from a valid one; a few of the mistakes are none.

    Args:
        draw: of Hypothesis.
        valid: its groups; the first one names the command.
        others: groups that might stand there, too.
        odd: what comes in the place of a word.
    """
    line = [list(group) for group in valid]
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4]))):
        _mistake(draw, line, [*others, *valid[1:]], odd)
    return [word for group in line for word in group]


MISTAKES = ("value", "value", "value", "no value", "no group", "group", "word", "spelling", "joined", "swapped")


def _mistake(draw: DrawFn, line: list[list[str]], others: Sequence[Group], odd: SearchStrategy[str]) -> None:
    """Make one mistake in a line."""
    place = draw(st.integers(0, max(0, len(line) - 1)))
    group = line[place] if line and line[place] else [""]
    match draw(st.sampled_from(MISTAKES)):
        case "value":
            group[-1] = draw(numbers if math.isfinite(_number(group[-1])) and draw(st.booleans()) else odd)
        case "no value":
            group.pop()
        case "no group":
            del line[place : place + 1]
        case "group" if others:
            line.insert(place, [*draw(st.sampled_from(others))])
        case "word":
            line.insert(place, [draw(odd)])
        case "spelling":
            word = group[0]
            group[0] = draw(st.sampled_from([word[:-1], word + "s", word.replace("-", "_"), word.upper(), f"-{word}"]))
        case "joined":  # which means the same
            group[:] = ["=".join(group)]
        case "swapped":
            line.append(line.pop(place) if line else group)


def affordable(arguments: Sequence[str], **most: float) -> bool:
    """Whether no amount is so large that the command would, as it is asked to, work for hours.

    Args:
        arguments: the words of a command line.
        most: by the name of a flag, with _ for -.
    """
    split = [word for argument in arguments for word in argument.split("=", 1)]
    for flag, value in pairwise(split):
        limit = most.get(flag.removeprefix("-").removeprefix("-").replace("-", "_"))
        if limit is not None and limit < _number(value) < math.inf:
            return False
    return True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@st.composite
def damaged(draw: DrawFn, content: bytes) -> bytes:
    """The content of a file after up to three accidents; the same content where they cancel out."""
    for _ in range(draw(st.integers(1, 3))):
        accident = draw(st.sampled_from(_ACCIDENTS))
        content = accident(draw, content)
    return content


def _at(draw: DrawFn, content: bytes) -> int:
    """Draw a place: as a part of the whole, since Hypothesis likes small numbers, and few more bytes."""
    return min(len(content), len(content) * draw(st.integers(0, 100)) // 100 + draw(st.integers(0, 20)))


def _truncated(draw: DrawFn, content: bytes) -> bytes:
    return content[: _at(draw, content)]


def _flipped(draw: DrawFn, content: bytes) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[min(_at(draw, content), len(content) - 1)] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _spliced(draw: DrawFn, content: bytes) -> bytes:
    """A stretch of it stands at another place, or is gone."""
    start, end = sorted((_at(draw, content), _at(draw, content)))
    rest = content[:start] + content[end:]
    place = _at(draw, rest)
    return rest[:place] + content[start:end] * draw(st.integers(0, 2)) + rest[place:]


def _overwritten(draw: DrawFn, content: bytes) -> bytes:
    strange = draw(st.sampled_from([b"", b"\xff\xfe", b"\0\0\0\0", b"\n", b"NaN", b"1e999", b"-", b'"', b"]", b"\x80"]))
    place = _at(draw, content)
    return content[:place] + strange + content[place + draw(st.integers(0, 8)) :]


_ACCIDENTS = (_truncated, _flipped, _flipped, _spliced, _overwritten)

scalars: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**400]),
    st.floats(allow_nan=True),
    st.sampled_from(["", "a", "0", "1.5", "\ud800", "\u2028", "x" * 1000, "../../etc/passwd", "nan"]),
)
strange_values: SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable, inner, max_size=3), max_leaves=6
)


def places(value: object, place: Place = ()) -> list[Place]:
    """Every place in a nest of tables and lists, its own first."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, Mapping):
        inner = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [place, *(deeper for key, entry in inner for deeper in places(entry, (*place, key)))]


@st.composite
def altered(draw: DrawFn, value: Any, strange: SearchStrategy[Any] = strange_values) -> Any:
    """A nest of tables and lists in which up to two entries are others, gone, or at home elsewhere."""
    changed = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        if ways := places(changed)[1:]:
            _alter(draw, changed, draw(st.sampled_from(ways)), strange)
        else:
            changed = draw(strange)
    return changed


CHANGES = ("replace", "replace", "replace", "delete", "copy", "add", "scale")


def _alter(draw: DrawFn, value: Any, way: Place, strange: SearchStrategy[Any]) -> None:
    *before, last = way
    within = _at_place(value, before)
    match draw(st.sampled_from(CHANGES)):
        case "replace":
            within[last] = draw(strange)
        case "delete":
            del within[last]
        case "copy":
            within[last] = copy.deepcopy(_at_place(value, draw(st.sampled_from(places(value)))))
        case "add" if isinstance(within, dict):
            within[draw(printable)] = draw(strange)
        case "add":
            within.append(draw(strange))
        case "scale" if isinstance(within[last], float):
            within[last] *= draw(st.sampled_from([-1, 0, 2, 1e-9, 1e9, 1e300]))


def _at_place(value: Any, place: Sequence[str | int]) -> Any:
    for key in place:
        value = value[key]
    return value


def doubled(value: Mapping[str, Any]) -> SearchStrategy[str]:
    """The JSON of a table in which a key stands twice, once with a strange value."""
    text = json.dumps(value)[1:-1]
    pairs = st.tuples(st.sampled_from(sorted(value)), strange_values)
    twice = pairs.map(lambda pair: f"{json.dumps(pair[0])}: {json.dumps(pair[1])}")
    return twice.flatmap(lambda pair: st.sampled_from([f"{{{pair}, {text}}}", f"{{{text}, {pair}}}"]))


def as_toml(value: Any) -> str:
    """Write a table as TOML, as far as there is a way: TOML has no null, and no halves of surrogate pairs."""
    return "\n".join(f"{json.dumps(key)} = {_inline(entry)}" for key, entry in value.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_inline(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
