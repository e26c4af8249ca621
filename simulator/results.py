"""The CSV of a sweep: one row for each point and Batch Normalization, floats by repr, so that nothing is lost."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from simulator.contracts import refusal
from simulator.fields import shown, shown_key
from simulator.notation import MEASURED
from simulator.stack import Reading

NUMBERS = tuple(name + suffix for name in MEASURED for suffix in ("", "_stderr"))
AFTER_KEYS = ("bn", "n", *NUMBERS)
RESERVED = {"experiment", *AFTER_KEYS}

# The texts of a row, by column.
Row: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Results:
    """What the file of a sweep holds, every cell as it is written.

    Attributes:
        keys: the columns of the settings, in the order of the file.
        rows: one for each BN of each point, in the order of the file: row i stands on line i + 2.
    """

    keys: tuple[str, ...]
    rows: tuple[Row, ...]


def columns(keys: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of a sweep over some keys."""
    return ("experiment", *keys, *AFTER_KEYS)


def cells(reading: Reading) -> list[str]:
    """Write what was measured at one BN, from the column `bn` on.

    Raises:
        ValueError: if the shift is exactly 0, which has no ratio.
    """
    estimates = [getattr(reading, name) for name in MEASURED]
    numbers = [repr(number) for estimate in estimates for number in (estimate.value, estimate.stderr)]
    return [str(reading.bn), str(reading.shift.n), *numbers]


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Write rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_results(path: Path) -> Results:
    """Read the file of a sweep, or what there is of an unfinished one.

    Raises:
        ValueError: naming the line, but not the path, if it is anything else: empty, not UTF-8, columns missing or
            there twice, a ragged or torn line, no number where there must be one, BNs out of order, two experiments.
        OSError: if there is no such file, or it cannot be read.
    """
    rows: list[Row] = []
    with path.open("rb") as file:
        with _on_line(1):
            header = _cells(file.readline())
            keys = _keys(header)
        for line, content in enumerate(file, start=2):
            with _on_line(line):
                rows.append(_row(header, _cells(content)))
                _require_order(rows[-2:], keys)
    return Results(keys, tuple(rows))


@contextmanager
def _on_line(line: int) -> Iterator[None]:
    """Name the line that a refusal is about."""
    try:
        yield
    except (ValueError, csv.Error) as error:
        raise ValueError(f"line {line}: not a sweep's CSV: {error}") from None


def _cells(line: bytes) -> list[str]:
    if not line.endswith(b"\n"):
        raise ValueError("torn, it has no end" if line else "empty")
    return next(csv.reader([line.decode()], strict=True))


def _keys(header: list[str]) -> tuple[str, ...]:
    wrong = sorted(RESERVED - {*header}) or sorted({name for name in header if header.count(name) > 1})
    if wrong:
        raise ValueError(f"column missing or there twice: {', '.join(map(shown_key, wrong))}")
    return tuple(name for name in header if name not in RESERVED)


def _row(header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells, while the header has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    if not (row["n"].isascii() and row["n"].isdigit()):
        raise refusal("n", shown(row["n"]), "must be a whole number")
    for name in NUMBERS:
        _require_number(name, row[name])
    return row


def _require_number(name: str, text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or repr(number) != text:
        raise refusal(name, shown(text), "must be a number as a sweep writes it")
    if number < 0 and name.endswith("_stderr"):
        raise refusal(name, shown(text), "must be >= 0")


def _require_order(rows: Sequence[Row], keys: Sequence[str]) -> None:
    """Check the last row against the one before it, if there is one."""
    *before, row = rows
    allowed = {"1"}
    for other in before:
        if row["experiment"] != other["experiment"]:
            raise ValueError("another experiment than in the line before")
        if all(row[key] == other[key] for key in keys):
            allowed.add(str(int(other["bn"]) + 1))
    if row["bn"] not in allowed:
        raise refusal("bn", shown(row["bn"]), "must count from 1 for each point, in order")
