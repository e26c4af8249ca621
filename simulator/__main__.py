"""Command line of the simulator: `python -m simulator run|measure|sweep|plot`, each with `--help`."""

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.cases import LARGEST_D, Case, CaseResult, measure_case
from simulator.commands import Measure, Plot, SweepOver, few, generator, to_the_end
from simulator.contracts import Array, Inputs, Noise, refusal
from simulator.draws import Draw
from simulator.files import whole_file
from simulator.inputs import Equicorrelated, smallest_dtype, weights_with_cos2
from simulator.noise import Dropout, GaussianDropout, Uout
from simulator.terminal import BAD_INPUT, INTERRUPTED, Flag, complain, run, say, show, silence_stdout, table


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
    freedom: float | None = None
    """student-t draws: the degrees of freedom, above 4"""
    samples: float = 1e6
    """how many values of X, at least: a whole number, 1e6 will do"""
    seed: int = 0
    """same seed, same bits"""
    threads: int | None = None
    """how many; one a core by default. The bits do not depend on it"""
    json: Flag = False
    """print one JSON object and nothing else"""
    out: Path | None = None
    """file to write that JSON object to, whole or not at all"""

    def __call__(self) -> int:
        """Measure and show the result, or after Ctrl-C what there is of it; only a complete one goes to `out`."""
        started = time.perf_counter()
        with whole_file(self.out) as file:
            samples = self.whole_samples()
            result, complete = self.measured(samples)
            if file is not None and complete:
                file.write(self.as_json(result) + "\n")
        self.report(result, time.perf_counter() - started, complete=complete)
        return 0 if complete else complain(f"interrupted at n = {result.n} of {samples} samples", INTERRUPTED)

    def measured(self, samples: int) -> tuple[CaseResult, bool]:
        """Measure, and tell whether to the end."""
        rng = generator(self.seed)
        noise, threads = self.noise(), few(self.threads)
        inputs, weights = self.inputs_and_weights(rng)

        def measure(keep: Callable[[CaseResult], None]) -> CaseResult:
            with np.errstate(over="raise", invalid="raise"):
                case = self.case
                return measure_case(case, inputs, noise, weights, samples, rng, progress=keep, threads=threads)

        return to_the_end(measure, samples, lambda result: result.n, "batches")

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
            dtype = smallest_dtype(1, self.c, self.v, 0.0)
            return Equicorrelated(1, self.c, self.v, 0.0, self.draw, self.freedom, dtype), None
        if self.rho is None or self.d is None or self.cos2 is None:
            missing = ", ".join(f"--{name}" for name, value in of_case_b.items() if value is None)
            raise ValueError(f"case = b: needs --rho, --d and --cos2, missing {missing}")
        if self.d > LARGEST_D:
            raise refusal("d", self.d, f"must be <= {LARGEST_D}, which memory is bounded by")
        dtype = smallest_dtype(self.d, self.c, self.v, self.rho)
        inputs = Equicorrelated(self.d, self.c, self.v, self.rho, self.draw, self.freedom, dtype)
        return inputs, weights_with_cos2(self.d, self.cos2, rng)

    def whole_samples(self) -> int:
        """Read 1e6 as a million."""
        if not (self.samples > 0 and self.samples.is_integer()):
            raise refusal("samples", self.samples, "must be a positive whole number")
        return int(self.samples)

    def as_json(self, result: CaseResult) -> str:
        """Write the shift with its standard error, n, and both variances."""
        shift = {"shift": result.shift.value, "stderr": result.shift.stderr, "n": result.n}
        return json.dumps(shift | {"var_train": result.var_train.value, "var_test": result.var_test.value})

    def report(self, result: CaseResult, seconds: float, *, complete: bool) -> None:
        """Print the result on stdout, as JSON or as a table."""
        if self.json:
            say(self.as_json(result))
            return
        settings = ("retain", "beta", "sigma", "c", "v", "rho", "d", "cos2", "draw", "freedom", "seed")
        told = ", ".join(f"{name} {getattr(self, name)}" for name in settings if getattr(self, name) is not None)
        title = f"Case ({self.case}){'' if complete else ', INTERRUPTED'}"
        caption = f"n = {result.n:,} samples in {seconds:.2f} s"
        made = table(title, caption, ("variance of X", "estimate ± standard error"))
        made.add_row("Var_Train", str(result.var_train))
        made.add_row("Var_Test", str(result.var_test), end_section=True)
        made.add_row("shift = Var_Test / Var_Train", str(result.shift), style="bold")
        show(told, made)


COMMANDS = {"run": Run, "measure": Measure, "sweep": SweepOver, "plot": Plot}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    if sys.stdout is None:
        return complain("stdout is closed: there is nowhere to print to", BAD_INPUT)
    try:
        return run(COMMANDS, "simulator", arguments)
    except KeyboardInterrupt as stop:
        return complain(str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        silence_stdout()
        return 0
    except OSError as error:
        if error.filename is None:  # else it is not about stdout
            silence_stdout()
        message = f"{error.filename or 'stdout'}: {error.strerror}"
    except MemoryError:
        message = "too large for the memory of this machine"
    except ArithmeticError as error:
        message = f"the numbers leave the range of doubles: {error}"
    except ValueError as error:
        message = str(error)
    return complain(message, BAD_INPUT)


if __name__ == "__main__":
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the impatient press twice, and all has been said
    sys.exit(code)
