"""The command `show`: an experiment of the paper from the records that there are, beside the paper."""

from dataclasses import dataclass
from pathlib import Path

from fullscale.contracts import refusal
from fullscale.experiments import text
from fullscale.experiments.catalogue import chosen, runs_of
from fullscale.experiments.experiment import Experiment
from fullscale.experiments.results import Results, gather
from fullscale.experiments.scale import SCALES, Scale, ScaleName, in_precision
from fullscale.files import folder, replace
from fullscale.recipes import Compile, Precision
from fullscale.terminal import BAD_INPUT, Positional, add, complain, say, show, table
from fullscale.train import RECORD

RESULTS = "results"


@dataclass(frozen=True)
class Show:
    """Show an experiment from the records of its runs: tables and figure in the paper's form, the paper beside.

    Writes NAME-SCALE.md, .svg and .png into the folder results of the sweep; another precision is in their names. What
    was not run reads NOT RUN; a record that cannot be used is named, and not averaged in.
    """

    name: Positional[str]
    """fig1, table1 (Fig. 3, too), fig4, table2, fig5, table3, fig6, table4, table5; beyond the paper law,
    reordered, width, chain, inference; or all"""
    scale: ScaleName = "smoke"
    """smoke, reduced or paper, as it was swept"""
    out: Path = Path("runs")
    """the folder of the sweep"""
    root: Path = Path("data")
    """where the data are, for the images of Fig. 5"""
    precision: Precision = "float32"
    """as it was swept"""
    compile: Compile = "off"
    """as it was swept"""

    def __call__(self) -> int:
        """Show, if there is anything to show."""
        experiments = chosen(self.name)
        scales = {name: in_precision(scale, self.precision, self.compile) for name, scale in SCALES.items()}
        if not begun(experiments, scales[self.scale], self.out):
            others = [name for name, scale in scales.items() if begun(experiments, scale, self.out)]
            rule = f"there is no record of {self.name} at this scale in {self.out}"
            raise refusal("scale", self.scale, f"{rule}, but at {' and '.join(others)}" if others else rule)
        return shown(experiments, scales[self.scale], self.out, self.root)


def begun(experiments: tuple[Experiment, ...], scale: Scale, out: Path) -> bool:
    """Whether there is a record of any run."""
    return any((out / run.name / RECORD).exists() for run in runs_of(experiments, scale))


def shown(experiments: tuple[Experiment, ...], scale: Scale, out: Path, root: Path) -> int:
    """Print and draw experiments, and return the exit code: there may be records that cannot be used."""
    results = gather(scale, runs_of(experiments, scale), out)
    for experiment in experiments:
        printed(experiment, results)
        say(f"written: {', '.join(map(str, written(experiment, results, root)))}")
    for told in results.refused:
        complain(told)
    return BAD_INPUT if results.refused else 0


def printed(experiment: Experiment, results: Results) -> None:
    """Print the tables."""
    above = text.status(experiment, results)
    for own in experiment.tables(results):
        made = table(own.title, text.legend(results), ("", *own.columns))
        for row in text.rows(own, len(results.scale.seeds)):
            add(made, *row)
        show(above, made)
        above = ""


def written(experiment: Experiment, results: Results, root: Path) -> list[Path]:
    """Write the tables as Markdown, and the picture."""
    from fullscale import pictures  # noqa: PLC0415 - matplotlib takes its time, which --help should not
    from fullscale.experiments.pictures import drawn, png  # noqa: PLC0415 - likewise

    figure = drawn(experiment.name, results, root)
    contents = {
        "md": text.markdown(experiment, results).encode(),
        "svg": pictures.svg(figure).encode(),
        "png": png(figure),
    }
    stem = folder(results.out / RESULTS) / text.stem(experiment, results.scale)
    for ending, content in contents.items():
        replace(stem.with_suffix(f".{ending}"), content)
    return [stem.with_suffix(f".{ending}") for ending in contents]
