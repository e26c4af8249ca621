"""Command line of the simulator: `python -m simulator run --case a --retain 0.5 --c 0 --v 1 --samples 1e6`."""

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.table import Table
from rich.text import Text

from simulator.cases import Case, CaseResult, measure_case
from simulator.contracts import Array, Inputs, Noise, refusal
from simulator.inputs import Draw, Equicorrelated, weights_with_cos2
from simulator.noise import Dropout, GaussianDropout, Uout

BAD_INPUT, INTERRUPTED = 2, 130


@dataclass(frozen=True)
class Run:
    """Measure the variance shift of one case of Section 3, X = noise(x) or X = sum_i w_i noise(x)_i.

    Give exactly one noise: --retain, --beta or --sigma. Case b also needs --rho, --d and --cos2. Ctrl-C stops early
    and prints what was measured so far.
    """

    case: Case
    """a: the noise right before BN; b: the noise, a weighted sum of d inputs, then BN"""
    c: float
    """mean of every input"""
    v: float
    """variance of every input"""
    retain: float | None = None
    """Dropout: the probability p of keeping an input"""
    beta: float | None = None
    """Uout: x + x r, r ~ U(-beta, beta)"""
    sigma: float | None = None
    """Gaussian Dropout: x + x r, r ~ N(0, sigma^2)"""
    rho: float | None = None
    """case b: correlation of every pair of inputs"""
    d: int | None = None
    """case b: how many inputs"""
    cos2: float | None = None
    """case b: squared cosine of the angle between the weights and (1, ..., 1)"""
    draw: Draw = "gaussian"
    """shape of the draws that x is mixed from"""
    samples: float = 1e6
    """how many values of X, at least: a whole number, 1e6 will do"""
    seed: int = 0
    """same seed, same bits"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""
    out: Path | None = None
    """file to write that JSON object to, whole or not at all"""

    def noise(self) -> Noise:
        """Build the one noise that was asked for."""
        kinds = {"retain": Dropout, "beta": Uout, "sigma": GaussianDropout}
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) != 1:
            flags = " and ".join(f"--{name}" for name in given) or "none"
            raise ValueError(f"noise: give exactly one of --retain, --beta and --sigma, got {flags}")
        return kinds[given[0]](getattr(self, given[0]))

    def inputs_and_weights(self, rng: np.random.Generator) -> tuple[Inputs, Array | None]:
        """Build x, and w: (d,) in case b."""
        of_case_b = {"rho": self.rho, "d": self.d, "cos2": self.cos2}
        if self.case == "a":
            for name, value in of_case_b.items():
                if value is not None:
                    raise refusal(name, value, "means nothing in case a, which has one input; leave it out")
            return Equicorrelated(1, self.c, self.v, 0.0, self.draw), None
        if self.rho is None or self.d is None or self.cos2 is None:
            missing = ", ".join(f"--{name}" for name, value in of_case_b.items() if value is None)
            raise ValueError(f"case = b: needs --rho, --d and --cos2, missing {missing}")
        inputs = Equicorrelated(self.d, self.c, self.v, self.rho, self.draw)
        return inputs, weights_with_cos2(self.d, self.cos2, rng)

    def whole_samples(self) -> int:
        """Read 1e6 as a million."""
        if not (self.samples > 0 and self.samples.is_integer()):
            raise refusal("samples", self.samples, "must be a positive whole number")
        return int(self.samples)

    def generator(self) -> np.random.Generator:
        """Start the one source of randomness."""
        if self.seed < 0:
            raise refusal("seed", self.seed, "must be a whole number >= 0")
        return np.random.default_rng(self.seed)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    try:
        run = parse(arguments)
        with whole_file(run.out) as file:
            return simulate(run, file)
    except KeyboardInterrupt:
        return complain("interrupted before there were 2 batches to estimate from", INTERRUPTED)
    except MemoryError:
        return complain("d: too large for the memory of this machine", BAD_INPUT)
    except ArithmeticError as error:
        return complain(f"the numbers leave the range of doubles: {error}", BAD_INPUT)
    except (OSError, ValueError) as error:
        return complain(str(error), BAD_INPUT)


def complain(message: str, code: int) -> int:
    """Print one line on stderr."""
    print("simulator:", " ".join(message.split()), file=sys.stderr)
    return code


def parse(arguments: list[str] | None) -> Run:
    """Read the command line; tyro's box of complaints becomes a one-line ValueError."""
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.extras.subcommand_cli_from_dict(
                {"run": Run}, prog="python -m simulator", args=arguments, config=(tyro.conf.DisallowNone,)
            )
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise ValueError(one_line(captured.getvalue())) from None


def one_line(box: str) -> str:
    """Condense a box to its title and what stands above its inner rule."""
    title, *body = (line.strip("╭╮╰╯│─ ") for line in box.strip().splitlines())
    told = body[: body.index("")] if "" in body else body
    text = " ".join(told)
    return text if text.startswith(title) else f"{title}: {text}"


@contextlib.contextmanager
def whole_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file beside `path`, which takes its place if all goes well and something was written; else it goes."""
    if path is None:
        yield None
        return
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise refusal("out", path, "exists, and is not a file")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        opened = unfinished.open("w")
    except OSError as error:
        raise refusal("out", path, f"cannot be written: {error.strerror}") from error
    try:
        with opened as file:
            yield file
            written = file.tell() > 0
        if written:
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def simulate(run: Run, file: TextIO | None) -> int:
    """Measure, and show the result, or after Ctrl-C what there is of it; only a complete one goes to `file`."""
    rng = run.generator()
    noise, samples = run.noise(), run.whole_samples()
    inputs, weights = run.inputs_and_weights(rng)
    so_far: CaseResult | None = None
    started = time.perf_counter()
    try:
        with progress_bar(samples) as bar, np.errstate(over="raise", invalid="raise"):

            def show(result: CaseResult) -> None:
                nonlocal so_far
                so_far = result
                bar.update(bar.task_ids[0], completed=result.n)

            result = measure_case(run.case, inputs, noise, weights, samples, rng, progress=show)
    except KeyboardInterrupt:
        if so_far is None:
            raise
        report(run, so_far, time.perf_counter() - started, interrupted=True)
        return complain(f"interrupted at n = {so_far.n} of {samples} samples", INTERRUPTED)
    report(run, result, time.perf_counter() - started)
    if file is not None:
        file.write(as_json(result) + "\n")
    return 0


class Rate(ProgressColumn):
    """Samples a second."""

    def render(self, task: ProgressTask) -> Text:
        """Show a dash until there is a rate."""
        return Text(f"{task.speed:,.0f} samples/s" if task.speed else "-", style="cyan")


def progress_bar(samples: int) -> Progress:
    """Draw on stderr, and only if that is a terminal."""
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    bar.add_task("sampling", total=samples)
    return bar


def as_json(result: CaseResult) -> str:
    """Write the shift with its standard error, n, and both variances."""
    return json.dumps(
        {
            "shift": result.shift.value,
            "stderr": result.shift.stderr,
            "n": result.n,
            "var_train": result.var_train.value,
            "var_test": result.var_test.value,
        }
    )


def report(run: Run, result: CaseResult, seconds: float, *, interrupted: bool = False) -> None:
    """Print the result on stdout, as JSON or as a table."""
    if run.json:
        print(as_json(result), flush=True)
        return
    settings = ("retain", "beta", "sigma", "c", "v", "rho", "d", "cos2", "draw", "seed")
    shown = ", ".join(f"{name} {getattr(run, name)}" for name in settings if getattr(run, name) is not None)
    table = Table(
        title=f"Case ({run.case}){', INTERRUPTED' if interrupted else ''}",
        caption=f"n = {result.n:,} samples in {seconds:.2f} s",
    )
    table.add_column("variance of X")
    table.add_column("estimate ± standard error", justify="right")
    table.add_row("Var_Train", str(result.var_train))
    table.add_row("Var_Test", str(result.var_test), end_section=True)
    table.add_row("shift = Var_Test / Var_Train", str(result.shift), style="bold")
    console = Console()
    console.print(shown, style="dim", highlight=False)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
