"""Tables as text: every cell says what is ours, how sure it is, and what the paper prints."""

from collections.abc import Sequence

from fullscale.experiments.experiment import Experiment
from fullscale.experiments.results import Results
from fullscale.experiments.scale import Scale
from fullscale.experiments.table import Cell, Table
from fullscale.sweep.run import merged

NOT_RUN = "NOT RUN"


def legend(results: Results) -> str:
    """Say how cells are to be read."""
    return f"ours ± one standard deviation over {len(results.scale.seeds)} seeds where no other n is told [paper]"


def status(experiment: Experiment, results: Results) -> str:
    """Say how many of the runs are there, with all their measurements, and how reduced they are."""
    runs, scale = merged(experiment.runs(results.scale)), results.scale
    there = f"{experiment.name} at scale {scale.name}: {results.done(runs)} of {len(runs)} runs"
    other = [f"{name} {value}" for name, value in arithmetic(scale).items()]
    return "; ".join([there, *other, *filter(None, [scale.told])])


def arithmetic(scale: Scale) -> dict[str, str]:
    """Return what differs from float32 that is not compiled."""
    plain = {"precision": "float32", "compile": "off"}
    return {name: own for name, usual in plain.items() if (own := scale.settings.get(name, usual)) != usual}


def stem(experiment: Experiment, scale: Scale) -> str:
    """Name the files of an experiment's results."""
    return "-".join([experiment.name, scale.name, *arithmetic(scale).values()])


def text(cell: Cell, digits: int, seeds: int) -> str:
    """Write a cell: `48.19 ± 0.32 [5.02]`."""
    paper = f" [{cell.paper}]" if cell.paper else ""
    if cell.ours is None:
        return NOT_RUN + paper
    spread = "" if cell.ours.std is None else f" ± {cell.ours.std:.{digits}f}"
    note = f" {cell.note}" if cell.note else ""
    fewer = f" (n = {cell.ours.n})" if cell.ours.n != seeds else ""
    return f"{cell.ours.mean:.{digits}f}{spread}{note}{fewer}{paper}"


def rows(table: Table, seeds: int) -> list[tuple[str, ...]]:
    """Write the rows of a table."""
    return [(name, *(text(cell, table.digits, seeds) for cell in cells)) for name, cells in table.rows.items()]


def markdown(experiment: Experiment, results: Results) -> str:
    """Write an experiment as Markdown."""
    parts = [f"# {status(experiment, results)}", legend(results)]
    parts += [_markdown(table, len(results.scale.seeds)) for table in experiment.tables(results)]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table, seeds: int) -> str:
    rule = ["---", *("---:" for _ in table.columns)]
    lines = [("", *table.columns), rule, *rows(table, seeds)]
    return "\n".join([f"**{table.title}**", "", *map(_line, lines)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
