"""Table 4: Uout in place of Dropout, in (b)."""

from fullscale.experiments.printed import printed
from fullscale.experiments.results import Results, Spread
from fullscale.experiments.scale import CIFAR_NETS, NetName, Scale, SetName
from fullscale.experiments.table import Cell, Table
from fullscale.sweep.run import Run

SETS: tuple[SetName, ...] = ("C10", "C100")


def cell(scale: Scale, net: NetName, data: SetName, beta: float) -> tuple[Run, ...]:
    """Return the runs behind a number."""
    return scale.runs(net, data, "b", uout=beta)


def runs(scale: Scale) -> tuple[Run, ...]:
    """Return all."""
    return tuple(
        run
        for data in scale.there(*SETS)
        for net in CIFAR_NETS
        for beta in (0.0, *scale.betas)
        for run in cell(scale, net, data, beta)
    )


def tables(results: Results) -> tuple[Table, ...]:
    """Make a block for each data set; the best beta is chosen by the test set, as in the paper."""
    return tuple(_table(results, data) for data in results.scale.there(*SETS))


def _table(results: Results, data: SetName) -> Table:
    betas = (0.0, *results.scale.betas)

    def row(net: NetName) -> tuple[Cell, ...]:
        errors = {beta: results.test_error(cell(results.scale, net, data, beta)) for beta in betas}
        without, *others = (Cell(own, printed("TABLE4", data, net, str(beta))) for beta, own in errors.items())
        return (without, *others, _best(net, data, {beta: own for beta, own in errors.items() if beta}))

    title = f"Table 4, {results.scale.called(data)}: test error (%), Uout in (b); the best by the test set, as printed"
    return Table(title, (*(f"β {beta}" for beta in betas), "best (β)"), {net: row(net) for net in CIFAR_NETS}, digits=2)


def _best(net: NetName, data: SetName, errors: dict[float, Spread | None]) -> Cell:
    """Choose among all betas; where one is missing, there is no best."""
    best, beta = (printed("TABLE4", data, net, name) for name in ("best", "beta"))
    paper = f"{best} ({beta})" if best else None
    found = {beta: own for beta, own in errors.items() if own}
    if len(found) < len(errors):
        return Cell(None, paper)
    lowest = min(found, key=lambda beta: found[beta].mean)
    return Cell(found[lowest], paper, f"({lowest})")
