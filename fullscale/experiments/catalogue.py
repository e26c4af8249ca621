"""The experiments by name: the paper's, in its order, and then those beyond it."""

from collections.abc import Iterable
from difflib import get_close_matches

from fullscale.contracts import refusal
from fullscale.experiments import (
    chain,
    figure1,
    figure4,
    figure5,
    figure6,
    inference,
    law,
    reordered,
    table1,
    table2,
    table3,
    table4,
    table5,
    width,
)
from fullscale.experiments.experiment import Experiment
from fullscale.experiments.scale import Scale
from fullscale.sweep.run import Run, merged

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment("fig1", figure1.runs, figure1.tables),
        Experiment("table1", table1.runs, table1.tables),
        Experiment("fig4", figure4.runs, figure4.tables),
        Experiment("table2", table2.runs, table2.tables),
        Experiment("fig5", figure5.runs, figure5.tables),
        Experiment("table3", table3.runs, table3.tables),
        Experiment("fig6", figure6.runs, figure6.tables),
        Experiment("table4", table4.runs, table4.tables),
        Experiment("table5", table5.runs, table5.tables),
        Experiment("law", law.runs, law.tables),
        Experiment("reordered", reordered.runs, reordered.tables),
        Experiment("width", width.runs, width.tables),
        Experiment("chain", chain.runs, chain.tables),
        Experiment("inference", inference.runs, inference.tables),
    )
}
ALL, ALSO = "all", {"fig3": "table1"}


def runs_of(experiments: Iterable[Experiment], scale: Scale) -> tuple[Run, ...]:
    """Return the runs of experiments; those that they share are one."""
    return merged(run for experiment in experiments for run in experiment.runs(scale))


def chosen(name: str) -> tuple[Experiment, ...]:
    """Return an experiment, or all.

    Raises:
        ValueError: if there is none of that name.
    """
    if name == ALL:
        return tuple(EXPERIMENTS.values())
    known = ALSO.get(name, name)
    if known not in EXPERIMENTS:
        names = [*EXPERIMENTS, *ALSO, ALL]
        (nearest,) = get_close_matches(name, names, n=1, cutoff=0)
        raise refusal("name", name, f"must be one of {', '.join(names)}; the nearest is {nearest}")
    return (EXPERIMENTS[known],)
