"""Table 3: test errors with Dropout 0.5, as trained and with BN's statistics adjusted ("-A"), and without Dropout."""

from fullscale.adjust import READINGS, Reading
from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale, SetName
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.adjust import Adjust
from fullscale.placement import Where
from fullscale.sweep.run import Run

ADJUST = Adjust()
SETS: tuple[SetName, ...] = ("C10", "C100")
PLACEMENTS: tuple[Where, ...] = ("a", "b")
DROP = 0.5
OURS: Reading = "batch"
"""the reading of "-A" that the table shows, and the only one that converges in deep nets"""


def cell(scale: Scale, net: NetName, data: SetName, placement: Where) -> tuple[Run, ...]:
    """Return the runs behind a number; the baseline's are not adjusted."""
    if placement == "none":
        return scale.runs(net, data, "none")
    return scale.runs(net, data, placement, ADJUST, drop=DROP)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(
        run
        for data in scale.there(*SETS)
        for net in CIFAR_NETS
        for placement in (*PLACEMENTS, "none")
        for run in cell(scale, net, data, placement)
    )


def tables(results: Results) -> tuple[Table, ...]:
    """Make a block for each data set, and one with all readings of "-A"."""
    return tuple(make(results, data) for data in results.scale.there(*SETS) for make in (_as_printed, _readings))


def _as_printed(results: Results, data: SetName) -> Table:
    def row(net: NetName) -> tuple[Cell, ...]:
        cells = []
        for placement in PLACEMENTS:
            cells.append(Cell(before(results, net, data, placement), printed("TABLE3", data, net, placement)))
            adjusted = after(results, net, data, placement, OURS)
            cells.append(Cell(adjusted, printed("TABLE3", data, net, f"{placement}-A")))
        baseline = results.test_error(cell(results.scale, net, data, "none"))
        return (*cells, Cell(baseline, printed("TABLE3", data, net, "none")))

    title = f"Table 3, {results.scale.called(data)}: test error (%), drop {DROP}; -A: by batch"
    headings = ("(a)", "(a)-A", "(b)", "(b)-A", "w/o Dropout")
    return Table(title, headings, {net: row(net) for net in CIFAR_NETS}, digits=2)


def _readings(results: Results, data: SetName) -> Table:
    columns: list[tuple[Where, Reading]] = [(place, reading) for place in PLACEMENTS for reading in READINGS]

    def row(net: NetName) -> tuple[Cell, ...]:
        return tuple(Cell(after(results, net, data, *column)) for column in columns)

    headings = tuple(f"({placement}) {reading}" for placement, reading in columns)
    title = f"Table 3, {results.scale.called(data)}: test error (%) by each reading of -A"
    return Table(title, headings, {net: row(net) for net in CIFAR_NETS}, digits=2)


def before(results: Results, net: NetName, data: SetName, placement: Where) -> Spread | None:
    """Return the test error as trained."""
    return results.spread(cell(results.scale, net, data, placement), ADJUST, lambda found: found.before.error)


def after(results: Results, net: NetName, data: SetName, placement: Where, reading: Reading) -> Spread | None:
    """Return the test error once adjusted."""
    own = cell(results.scale, net, data, placement)
    return results.spread(own, ADJUST, lambda found: found.readings[reading].error)
