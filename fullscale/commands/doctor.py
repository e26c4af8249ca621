"""The command `doctor`: what shifts the variances of anybody's own model, how much, and what would help."""

import contextlib
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fullscale import record
from fullscale.contracts import finite, refusal, seeding, whole
from fullscale.doctor import examine, factory, repaired, with_uout, wording
from fullscale.doctor.advice import THRESHOLD, advise, foremost
from fullscale.doctor.data import Batches, file_batches, folder_batches, random_batches, shape
from fullscale.doctor.examination import PROBES
from fullscale.doctor.repair import require_weights
from fullscale.doctor.report import Report, Row
from fullscale.files import read_tensors, replace, require_writable, write_json, write_tensors
from fullscale.launch import Team, device_named
from fullscale.placement import NOISES
from fullscale.terminal import FAILED, Bar, Positional, add, complain, say, show, table

ENOUGH = 1_000
"""samples for BN's statistics"""
DERIVED = ("sources", "shift", "shift_ratio", "measured", "inherited", "harm")
"""what a row says beside what it holds"""
RANDOM = (
    "RANDOM INPUTS: the prediction holds for them alone, and what BN keeps from training says nothing against them, so"
    " nothing is measured. Show the model its own data by --data or --batches."
)


@dataclass(frozen=True)
class Doctor:
    """Examine any PyTorch model: which noise shifts which BN's variance, how much, and what would help.

    The model is built, and left as it is. Exit code 1 if --fail-above is given and a BN is above it.
    """

    model: Positional[str]
    """MODULE:FACTORY, such as "torchvision.models:densenet121(drop_rate=0.2)" or "fullscale.runs:trained('runs/a')\""""
    input: str | None = None
    """an input's sizes without the batch, such as 3x224x224; --batches needs none"""
    data: Path | None = None
    """a folder with CIFAR, or with images anywhere below it; without --data and --batches: random numbers"""
    batches: Path | None = None
    """a file of torch.save: a list of inputs, of (input, target) pairs, or one of them alone"""
    weights: Path | None = None
    """a state dict to load first, .safetensors or of torch.save"""
    batch: int = 16
    """inputs in a batch, for --data and random numbers"""
    count: int = 4
    """batches, for --data and random numbers"""
    probes: int = PROBES
    """draws of noise where the law cannot say"""
    seed: int = 0
    """of weights that the model draws, random inputs, order and noise"""
    device: str | None = None
    """cpu, cuda or cuda:N; by default a GPU where there is one"""
    json: Path | None = None
    """write the report as JSON"""
    html: Path | None = None
    """write it as one page"""
    svg: Path | None = None
    """draw the ratios over the BNs"""
    fail_above: float | None = None
    """end with exit code 1 if a BN's ratio, predicted or measured, is above"""
    repair: Path | None = None
    """re-estimate BN's statistics with the noise off, or with --uout, and write the state dict as .safetensors"""
    uout: float | None = None
    """put Uout of this beta in place of every Dropout layer of a copy, and examine that, too"""
    top: int = 20
    """rows of the table, the most harmed first"""

    def __call__(self) -> int:
        """Examine, write and show."""
        self.check()
        device = device_named(self.device)
        batches = self.opened(device)
        torch.manual_seed(self.seed)
        model = factory.model(self.model)
        if self.weights is not None:
            factory.load_weights(model, self.weights)
        model.to(device)
        if self.repair is not None:
            require_weights(model)
        lighter = None if self.uout is None else with_uout(model, self.uout)
        report = self.examined(model, batches)
        self.write(report, Team(device))
        self.tell(report, batches)
        if lighter is not None:
            told = f"{self.model} with Uout, beta = {self.uout:g}, in place of Dropout"
            compare(told, "predicted", report, self.examined(lighter, batches), wording.predicted)
        if self.repair is not None:
            self.write_repaired(self.repair, model, batches)
            model.load_state_dict(read_tensors(self.repair))
            how = "without noise" if lighter is None else "with Uout"
            told = f"State dict written to {self.repair}: BN's statistics, estimated {how}"
            compare(told, "shift_ratio", report, self.examined(model, batches), wording.shift_ratio)
        return 0 if self.fail_above is None else judged(report, self.fail_above)

    @property
    def threshold(self) -> float:
        """The ratio that is still taken to be harmless."""
        return THRESHOLD if self.fail_above is None else self.fail_above

    def check(self) -> None:
        """Refuse before any work what would fail after it."""
        whole("probes", self.probes, at_least=2)
        whole("top", self.top, at_least=1)
        seeding("seed", self.seed)
        finite("fail_above", self.threshold, above=1)
        if self.uout is not None:
            NOISES["uout"](self.uout)
        if self.repair is not None and self.data is None and self.batches is None:
            raise refusal("repair", self.repair, "needs --data or --batches: random inputs would ruin BN's statistics")
        taken = {resolved(path): "read" for path in (self.weights, self.batches) if path is not None}
        for path in (self.json, self.html, self.svg, self.repair):
            if path is not None:
                if use := taken.get(resolved(path)):
                    raise refusal("out", path, f"is {use} by another flag")
                require_writable(path)
                taken[resolved(path)] = "written"

    def opened(self, device: torch.device) -> Batches:
        """Open what the model is shown."""
        if self.batches is not None:
            for name in ("data", "input", "batch", "count"):
                if getattr(self, name) != getattr(Doctor, name):
                    raise refusal(name, getattr(self, name), "must not be given with --batches")
            return file_batches(self.batches)
        if self.input is None:
            raise refusal("input", "nothing", "must be given, such as 3x224x224; only --batches needs none")
        sizes = shape(self.input)
        if self.data is None:
            return random_batches(sizes, self.batch, self.count, self.seed)
        return folder_batches(self.data, sizes, self.batch, self.count, device, seed=self.seed)

    def examined(self, model: nn.Module, batches: Batches) -> Report:
        """Examine one model; against random inputs nothing is measured."""
        with Bar(batches.samples) as bar:
            report = examine(model, batches, probes=self.probes, seed=self.seed, progress=bar.show)
        if batches.real:
            return report
        unmeasured = (dataclasses.replace(row, real_var=None) for row in report.rows)
        return dataclasses.replace(report, rows=tuple(unmeasured))

    def write_repaired(self, path: Path, model: nn.Module, batches: Batches) -> None:
        """Write the state dict with BN's statistics estimated anew."""
        if batches.samples < ENOUGH:
            seen = f"FEW SAMPLES: BN's statistics are estimated from {batches.samples} only"
            say(f"{seen}; let --batch times --count, or what --batches holds, be {ENOUGH:,} or more.")
        with Bar(batches.samples) as bar:
            state = repaired(model, batches, uout=self.uout, seed=self.seed, progress=bar.show)
        write_tensors(path, state)

    def write(self, report: Report, team: Team) -> None:
        """Write the files that were asked for."""
        if self.svg is not None:
            from fullscale import pictures  # noqa: PLC0415 - matplotlib takes its time, which --help should not

            pictures.save(pictures.doctor(report, self.model), self.svg)
        if self.html is not None:
            from fullscale.doctor.page import page  # noqa: PLC0415 - likewise

            replace(self.html, page(report, self.model, self.threshold).encode())
        if self.json is not None:
            settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}
            numbers = {"threshold": self.threshold} | written(report, self.threshold)
            stamp = record.stamp("fullscale.doctor.examination", team)
            write_json(self.json, {"schema": record.SCHEMA, "settings": settings} | numbers | stamp)

    def tell(self, report: Report, batches: Batches) -> None:
        """Print the report."""
        say(f"{self.model}, shown {batches.told}: {wording.examined(report)}.")
        if not batches.real:
            say(RANDOM)
        for sentence in (wording.verdict(report, self.threshold), wording.safe(report)):
            if sentence:
                say(sentence)
        if report.rows and not report.nothing_to_find:
            tabulate(report, self.top)
            for row in foremost(report):
                for remedy in advise(row, report, self.threshold):
                    say(f"{row.bn}: {remedy}")
        for note in wording.notes(report):
            say(f"Note: {note}")


def resolved(path: Path) -> Path:
    """Find the file that a path means.

    Raises:
        ValueError: if it leads in a circle.
    """
    with contextlib.suppress(RuntimeError):  # of a circle, which since Python 3.13 stays a link
        if not (found := path.resolve()).is_symlink():
            return found
    raise refusal("file", path, "is a link that leads to itself")


def judged(report: Report, threshold: float) -> int:
    """Return the exit code, and say on stderr what is above the threshold, or could not be examined."""
    if report.above(threshold):
        return complain(wording.verdict(report, threshold), FAILED)
    if unknown := wording.unexamined(report):
        complain(f"{unknown[:-1]}; whether they are above {threshold:g} is not known")
    return 0


def tabulate(report: Report, top: int) -> None:
    """Print the most harmed BNs."""
    left = len(report.rows) - top
    caption = f"and {left:,} more, less harmed: --top, --html and --json show them" if left > 0 else ""
    made = table("Each BN, the most harmed first", caption, ("BN", *wording.NUMBERS), fold=True)
    for row in report.by_harm[:top]:
        line = wording.line(row, report)
        add(made, f"{line.bn}\n  after {line.noise}" if line.noise else line.bn, *line.numbers)
    show("", made)


def compare(title: str, what: str, before: Report, after: Report, told: Callable[[Row], str]) -> None:
    """Print what each BN was and is."""
    now = {row.bn: told(row) for row in after.rows}
    made = table("Each BN", "", ("BN", f"{what} before", "after"), fold=True)
    for row in before.rows:
        add(made, f"{row.index} {row.bn}", told(row), now.get(row.bn, "-"))
    show(title, made)


def written(report: Report, threshold: float) -> dict[str, Any]:
    """Write a report as JSON has it, with what follows from it; what is not finite becomes null."""
    rows = [
        dataclasses.asdict(row)
        | {name: getattr(row, name) for name in DERIVED}
        | {"advice": advise(row, report, threshold)}
        for row in report.rows
    ]
    sources = [dataclasses.asdict(source) | {"strength": source.strength} for source in report.sources]
    told = {"rows": rows, "sources": sources, "nothing_to_find": report.nothing_to_find}
    return finite_only(dataclasses.asdict(report) | told)


def finite_only(value: Any) -> Any:
    """The same with None for numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: finite_only(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite_only(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
