"""The CSV of a sweep: one row for each point and Batch Normalization, floats by repr, so that nothing is lost."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from simulator.fields import shown
from simulator.stack import Reading

MEASURED = ("moving_mean", "moving_var", "real_mean", "real_var", "shift", "shift_ratio")
AFTER_KEYS = ("bn", "n", *(name + suffix for name in MEASURED for suffix in ("", "_stderr")))
RESERVED = {"experiment", *AFTER_KEYS}


def columns(keys: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of a sweep over some keys."""
    return ("experiment", *keys, *AFTER_KEYS)


def cells(reading: Reading) -> list[str]:
    """Write what was measured at one BN, from the column `bn` on.

    Raises:
        ValueError: if the shift is exactly 0, which has no ratio.
    """
    if reading.shift.value == 0:
        raise ValueError(f"bn {reading.bn}: its real variance is 0, which has no shift_ratio")
    estimates = [getattr(reading, name) for name in MEASURED]
    numbers = [repr(number) for estimate in estimates for number in (estimate.value, estimate.stderr)]
    return [str(reading.bn), str(reading.shift.n), *numbers]


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Write rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_rows(path: Path, keys: Sequence[str], experiment: str) -> list[tuple[list[str], list[str]]]:
    """Read a file of a sweep: for each row the texts of its settings, and what was measured as `cells` writes it.

    Returns:
        Nothing for a file that is empty or not there.

    Raises:
        ValueError: if it has other columns, is of another experiment, or a line is not in order; without the path.
        OSError: if it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise ValueError("is no sweep's CSV: not UTF-8") from None
    if not text:
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        _require_columns(next(reader), columns(keys))
        if not text.endswith("\n"):
            raise ValueError("is torn: its last line has no end")
        return [_row(row, len(keys), experiment, reader.line_num) for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: is no CSV: {error}") from None


def _require_columns(found: list[str], expected: tuple[str, ...]) -> None:
    if tuple(found) != expected:
        there = [f"has {shown(name)}" for name in found if name not in expected]
        missing = [f"lacks {shown(name)}" for name in expected if name not in found]
        told = " and ".join([*there[:1], *missing[:1]]) or "has them in another order"
        raise ValueError(f"has other columns than this sweep: it {told}")


def _row(row: list[str], keys: int, experiment: str, line: int) -> tuple[list[str], list[str]]:
    width = len(columns(())) + keys
    if len(row) != width:
        raise ValueError(f"line {line}: has {len(row)} values for {width} columns")
    if row[0] != experiment:
        raise ValueError(f"line {line}: is of another experiment, {shown(row[0])}; this one is {experiment}")
    return row[1 : keys + 1], _measured(row[keys + 1 :], line)


def _measured(texts: list[str], line: int) -> list[str]:
    for name, text in zip(AFTER_KEYS[:2], texts, strict=False):
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"line {line}: {name} = {shown(text)}: must be a whole number")
    for name, text in zip(AFTER_KEYS[2:], texts[2:], strict=True):
        try:
            as_written = repr(float(text)) == text and math.isfinite(float(text))
        except ValueError:
            as_written = False
        if not as_written:
            raise ValueError(f"line {line}: {name} = {shown(text)}: must be a number as a sweep writes it")
    return texts
