"""Section 2: in test, statistics of the batch against moving ones, nets without Dropout."""

from fullscale.experiments.results import Results
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale
from fullscale.experiments.table import Cell, Table
from fullscale.measurements.inference import Inference
from fullscale.sweep.run import Run

INFERENCE = Inference()


def cell(scale: Scale, net: NetName) -> tuple[Run, ...]:
    """Return the runs of one net."""
    return scale.runs(net, "C10", "none", INFERENCE)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(run for net in CIFAR_NETS for run in cell(scale, net))


def tables(results: Results) -> tuple[Table, ...]:
    """Tabulate the test errors."""

    def row(net: NetName) -> tuple[Cell, ...]:
        own = cell(results.scale, net)
        moving = Cell(results.spread(own, INFERENCE, lambda found: found.moving))
        sizes = range(len(INFERENCE.sizes))
        return (moving, *(Cell(results.spread(own, INFERENCE, lambda found, i=i: found.by_batch[i])) for i in sizes))

    title = f"Inference, {results.scale.called('C10')}: test error (%), no Dropout, BN by what is named"
    headings = ("moving statistics", *(f"batches of {size}" for size in INFERENCE.sizes))
    return (Table(title, headings, {net: row(net) for net in CIFAR_NETS}, digits=2),)
