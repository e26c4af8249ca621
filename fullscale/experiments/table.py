"""A table in the paper's own form: every cell ours, with its spread, beside the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fullscale.experiments.results import Spread


class Cell(NamedTuple):
    """One number.

    Attributes:
        ours: None where it was not run.
        paper: as it is printed; None where it is not.
        note: behind ours.
    """

    ours: Spread | None
    paper: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A block of the paper's table.

    Attributes:
        title: above it; says what the numbers are, and on which data.
        columns: headings.
        rows: by what is said before them; a cell for each column.
        digits: behind the point, of ours.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[Any, tuple[Cell, ...]]
    digits: int
