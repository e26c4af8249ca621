"""What the committed records come to: the experiments, in the paper's own form, for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from fullscale.experiments.catalogue import EXPERIMENTS
from fullscale.experiments.law import LAW
from fullscale.experiments.pictures import drawn
from fullscale.experiments.results import Results
from fullscale.experiments.table import Table
from fullscale.experiments.text import rows
from fullscale.sweep.run import merged
from paper_checks.svg import Picture, picture_of

NO_BREAK = "\N{NO-BREAK SPACE}"
SHOWS: Mapping[str, str] = {
    "fig1": "DenseNet's shift ratio at each BN, with Dropout-(a) 0.5 and without.",
    "table1": "cos² at each convolution, and d cos² over the width d, a colour a net.",
    "fig4": "Shift ratio at each BN, a panel for each net and placement, a curve for each drop ratio; errors below.",
    "table2": "Mean shift ratios for each net and drop ratio, the paper's to the right of ours.",
    "fig5": "Logits of training images that are right in train mode and wrong in test mode.",
    "table3": "Test errors with Dropout 0.5, adjusted, and without, the paper's to the right of ours.",
    "fig6": "Test error over the number of sampled networks, with two levels: weight scaling, and no Dropout.",
    "table4": "Test errors with Uout in place of Dropout, by beta, the paper's best to the right of ours.",
    "table5": "Test errors with one Dropout behind the last BN, and without, the paper's to the right of ours.",
    "law": f"Predicted over measured shifts, {LAW.batches} batches a run; where they agree, marks lie on the diagonal.",
    "reordered": "The law's 1 - Δ over that of Eq. 10, the weights of each filter as trained and in random orders.",
    "width": "The shift over d cos² of three nets that differ by their width, with Dropout-(b) and without.",
    "chain": "How far the mean of each BN is off, and the test error as the first BNs are mended.",
    "inference": "Test errors with statistics of batches of several sizes, and with moving ones.",
}
SEEN_IN: Mapping[str, str] = {
    "S2-INFERENCE": "inference",
    "S3-MOMENTS": "law",
    "S4-STEPS": "fig4",
    "F1b-RUN": "fig1",
    "S1-DEPTH-RUN": "fig4",
    "S3-CONST": "fig4",
    "S3-CHAIN-RUN": "chain",
    "T1-RUN": "table1",
    "F4-DROP-RUN": "fig4",
    "F4-CLOSE-RUN": "fig4",
    "F4-AB-RUN": "fig4",
    "F4-WRN-RUN": "fig4",
    "X-WIDTH-RUN": "width",
    "F5-RUN": "fig5",
    "S4-CAUSE-RUN": "table3",
    "T3-RUN": "table3",
    "F6-SHIFT-RUN": "fig6",
    "F6-RUN": "fig6",
    "F6-BASE-RUN": "fig6",
    "X-LOCAL-RUN": "law",
    "X-TOTAL-RUN": "law",
}
"""by claim, the experiment that shows what its criterion looks at"""


@dataclass(frozen=True)
class Block:
    """One table, every cell in words."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Shown:
    """One experiment: its picture, and its tables with the paper's numbers beside ours."""

    name: str
    done: str
    picture: Picture
    blocks: tuple[Block, ...]


def shown(results: Results) -> list[Shown]:
    """Draw and tabulate each experiment that there are records of."""
    return [
        _shown(name, tables, results)
        for name, experiment in EXPERIMENTS.items()
        if _any(tables := experiment.tables(results))
    ]


def _any(tables: tuple[Table, ...]) -> bool:
    return any(cell.ours is not None for table in tables for row in table.rows.values() for cell in row)


def _shown(name: str, tables: tuple[Table, ...], results: Results) -> Shown:
    figure = drawn(name, results, results.out)
    runs = merged(EXPERIMENTS[name].runs(results.scale))
    done = f"{results.done(runs)} of {len(runs)} runs"
    title = figure.get_suptitle().partition("\n")[0]
    figure.suptitle("")  # the page has it as a heading
    seeds = len(results.scale.seeds)
    blocks = tuple(_block(table, seeds) for table in tables)
    return Shown(name, done, picture_of(figure, f"trained-{name}", title, SHOWS[name], done), blocks)


def _block(table: Table, seeds: int) -> Block:
    """Write a table whose cells may be broken before the paper's number, and nowhere else."""
    found = [
        tuple(cell.replace(" ", NO_BREAK).replace(f"{NO_BREAK}[", " [") for cell in row) for row in rows(table, seeds)
    ]
    return Block(table.title, table.columns, found)
