"""The command `ensemble`: Fig. 6 of one run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fullscale import record
from fullscale.commands.of_run import OfRun, Opened, Results, Score, resumed
from fullscale.contracts import refusal, whole
from fullscale.ensemble import SHOWN, sample_group
from fullscale.ensemble import Ensemble as Sampled
from fullscale.files import write_json
from fullscale.terminal import Bar, complain, duration, show, table


class Group(record.Stamp):
    """Errors in percent of averages over k = 1, 2, ... nets, (samples,), which the seed drew."""

    seed: int
    errors: list[record.Percent]
    seconds: float


class Sampling(Results):
    """What stands in ensemble.json."""

    weight_scaling: Score
    groups: list[Group]


@dataclass(frozen=True)
class Ensemble(OfRun):
    """Average the probabilities of nets that Dropout samples, in test, against weight scaling (Fig. 6).

    Dropout stays in train mode, BN keeps its moving statistics. Writes ensemble.json and ensemble.svg. Groups that
    stand there already are not computed again: Ctrl-C loses one at most, and more can be added later.
    """

    samples: int = 80
    """sampled nets in a group: the largest k"""
    groups: int = 5
    """independent groups, for the spread"""

    def __call__(self) -> int:
        """Compute the groups that are missing, write, draw and show."""
        whole("samples", self.samples, at_least=1)
        whole("groups", self.groups, at_least=1)
        path = self.dir / "ensemble.json"
        with self.opened() as opened:
            if opened.run.recipe.placement == "none":
                raise refusal("dir", self.dir, "was trained without noise: there are no nets to sample")
            fresh = self.settings(opened, samples=self.samples) | {"weight_scaling": None, "groups": []}
            kept = resumed(path, fresh, Sampling)
            self.require_groups(path, kept["groups"])
            if kept["weight_scaling"] is None:
                kept["weight_scaling"] = opened.scored(opened.net) | opened.stamp("fullscale.ensemble")
            self.complete(opened, kept, path)
        errors = torch.tensor([group["errors"] for group in kept["groups"]], dtype=torch.float64)
        measured = Sampled(errors, kept["weight_scaling"]["error"])
        draw(measured, str(opened), self.dir / "ensemble.svg")
        report(measured, str(opened), path)
        return 0

    def complete(self, opened: Opened, kept: Mapping[str, Any], path: Path) -> None:
        """Compute the groups that are missing, and write each when it is done."""
        groups: list[Any] = kept["groups"]
        with Bar(self.groups * opened.seen(opened.source.test_count)) as bar:
            while len(groups) < self.groups:
                groups.append(self.group(opened, len(groups), bar))
                write_json(path, kept)
                if bar.disable:
                    complain(self.so_far(groups))

    def require_groups(self, path: Path, groups: Sequence[Group]) -> None:
        """Refuse groups that these flags would not have made.

        Raises:
            ValueError: if one has another seed than its number makes, or not an error for each k.
        """
        for number, group in enumerate(groups):
            if (group["seed"], len(group["errors"])) != (self.seed + number, self.samples):
                raise refusal("file", path, f"is altered: group {number} is not of its seed and of {self.samples} nets")

    def group(self, opened: Opened, number: int, bar: Bar) -> dict[str, Any]:
        """Compute one group, which its number seeds."""
        started, seed, before = time.perf_counter(), self.seed + number, number * opened.seen(opened.source.test_count)
        errors = sample_group(
            opened.net,
            opened.test(),
            samples=self.samples,
            seed=seed,
            progress=lambda images: bar.show(before + images),
        )
        return {"seed": seed, "errors": errors.tolist()} | opened.stamp("fullscale.ensemble", started)

    def so_far(self, done: Sequence[Group]) -> str:
        """Say in a line what the last group came to, and how long the others take at its pace."""
        error, left = done[-1]["errors"][-1], duration((self.groups - len(done)) * done[-1]["seconds"])
        return f"group {len(done)}/{self.groups}: an average of {self.samples}: {error:.2f}%, {left} left"


def draw(measured: Sampled, title: str, path: Path) -> None:
    """Draw Fig. 6 of this run."""
    from fullscale import pictures  # noqa: PLC0415 - matplotlib takes its time, which --help should not

    pictures.save(pictures.ensemble(measured, title), path)


def report(measured: Sampled, title: str, path: Path) -> None:
    """Print errors over k."""
    groups, samples = measured.errors.shape
    made = table(f"Test error (%), {groups} groups", str(path), ("sampled nets", "mean", "std over groups"))
    for k in sorted({*SHOWN, samples}):
        if k <= samples:
            spread = f"{measured.std[k - 1]:.3f}" if groups > 1 else "-"
            made.add_row(str(k), f"{measured.mean[k - 1]:.2f}", spread)
    made.add_row("weight scaling", f"{measured.weight_scaling:.2f}", "-", style="bold")
    show(title, made)
