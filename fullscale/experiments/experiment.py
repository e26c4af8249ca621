"""What an experiment of the paper is: its runs, and what is made of their records."""

from collections.abc import Callable
from dataclasses import dataclass

from fullscale.experiments.results import Results
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Table
from fullscale.sweep.run import Run


@dataclass(frozen=True)
class Experiment:
    """One figure or table. `fullscale.experiments.pictures` draws it.

    Attributes:
        name: as on the command line.
        runs: all that it needs at a scale.
        tables: in the paper's own form, with its numbers beside ours.
    """

    name: str
    runs: Callable[[Scale], tuple[Run, ...]]
    tables: Callable[[Results], tuple[Table, ...]]
