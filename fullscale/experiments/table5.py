"""Table 5: one Dropout 0.2 behind the last BN, ImageNet."""

from collections.abc import Callable, Iterable

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results
from fullscale.experiments.scale import IMAGENET_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.errors import Errors, Numbers
from fullscale.sweep.run import Run

ERRORS = Errors()
DROPS = (0.0, 0.2)
READ: dict[str, Callable[[Numbers], float]] = {"top-1": lambda found: found.top1, "top-5": lambda found: found.top5}


def cell(scale: Scale, net: NetName, drop: float) -> tuple[Run, ...]:
    """Return the runs behind two numbers. On ImageNet one: the paper averages 5 in Tables 3 and 4 only."""
    own = scale.runs(net, "ImageNet", "last", ERRORS, drop=drop)
    return own[:1] if scale.there("ImageNet") == ("ImageNet",) else own


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in IMAGENET_NETS for drop in DROPS for run in cell(scale, net, drop))


def tables(results: Results) -> tuple[Table, ...]:
    """Make the table."""
    return (_table(results, READ),)


def apart(results: Results) -> tuple[Table, ...]:
    """Make a table of each measure, for a picture: on one axis, what separates them would hide what Dropout does."""
    return tuple(_table(results, (measure,), f", {measure}") for measure in READ)


def _table(results: Results, measures: Iterable[str], named: str = "") -> Table:
    columns = [(measure, drop) for measure in measures for drop in DROPS]

    def row(net: NetName) -> tuple[Cell, ...]:
        return tuple(
            Cell(
                results.spread(cell(results.scale, net, drop), ERRORS, READ[measure]),
                printed("TABLE5", net, measure, str(drop)),
            )
            for measure, drop in columns
        )

    headings = tuple(f"{measure}, drop {drop}" for measure, drop in columns)
    title = f"Table 5, {results.scale.called('ImageNet')}{named}: error (%), Dropout behind the last BN"
    return Table(title, headings, {net: row(net) for net in IMAGENET_NETS}, digits=2)
