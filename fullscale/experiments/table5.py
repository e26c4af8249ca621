"""Table 5: one Dropout 0.2 behind the last BN, ImageNet."""

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results
from fullscale.experiments.scale import IMAGENET_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.errors import Errors
from fullscale.sweep.run import Run

ERRORS = Errors()
DROPS = (0.0, 0.2)


def cell(scale: Scale, net: NetName, drop: float) -> tuple[Run, ...]:
    """Return the runs behind two numbers. On ImageNet one: the paper averages 5 in Tables 3 and 4 only."""
    own = scale.runs(net, "ImageNet", "last", ERRORS, drop=drop)
    return own[:1] if scale.there("ImageNet") == ("ImageNet",) else own


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in IMAGENET_NETS for drop in DROPS for run in cell(scale, net, drop))


def tables(results: Results) -> tuple[Table, ...]:
    """Make the table."""

    def row(net: NetName) -> tuple[Cell, ...]:
        cells = []
        for measure, read in (("top-1", lambda found: found.top1), ("top-5", lambda found: found.top5)):
            for drop in DROPS:
                ours = results.spread(cell(results.scale, net, drop), ERRORS, read)
                cells.append(Cell(ours, printed("TABLE5", net, measure, str(drop))))
        return tuple(cells)

    headings = tuple(f"{measure}, drop {drop}" for measure in ("top-1", "top-5") for drop in DROPS)
    title = f"Table 5, {results.scale.called('ImageNet')}: error (%), Dropout behind the last BN"
    return (Table(title, headings, {net: row(net) for net in IMAGENET_NETS}, digits=2),)
