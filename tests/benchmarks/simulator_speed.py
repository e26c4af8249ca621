"""How fast the simulator is, against the programs that one would write first, side by side in one run.

    python tests/benchmarks/simulator_speed.py [--seconds 4]

1. Time until Delta of one setting of case (b) is known to +-0.1% at 99.9%: each program runs for some seconds, and its
   own standard error, which falls as one over the root of time, tells how long it would have to. Wanted: 25 times
   sooner than numpy in float64, 6 times sooner than PyTorch, each at its best of two ways to use two threads.
   Much of the gain is that many filters of one angle see each input, which have one Delta where all inputs have the
   same moments; a row with one filter tells how much.
2. Inputs drawn and processed a second, against numpy's own float32 normal generator alone. Wanted: 0.8.
3. How cost grows with n, d and depth: slopes in log-log. Wanted: 1, for linear.

The programs take turns, so that a noisy machine hurts all alike; the median round counts.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import torch
from torch.nn import functional

from simulator import BatchMeans, BatchNorm, Dropout, Equicorrelated, Estimate, Linear, Stack, weights_with_cos2

RETAIN, D, C, V, RHO, COS2 = 0.5, 576, 0.5, 1.0, 0.2, 0.02
THREADS = 2
ROWS = 1000  # a batch of the obvious programs
BATCH, FILTERS = 2048, 32
RELATIVE_ERROR, CONFIDENCE = 1e-3, 0.999
ROUNDS = 5

Program: TypeAlias = Callable[[int, int], Estimate]  # batches, seed


def obvious_numpy(batches: int, seed: int) -> Estimate:
    """Delta by a float64 program: draw x, mask it, sum with w, take both variances; one generator a thread."""
    w = weights_with_cos2(D, COS2, np.random.default_rng(0))

    def variances(rng: np.random.Generator) -> list[tuple[float, float]]:
        rows = []
        for _ in range(batches // THREADS):
            common, own = rng.standard_normal((ROWS, 1)), rng.standard_normal((ROWS, D))
            x = C + math.sqrt(V) * (math.sqrt(RHO) * common + math.sqrt(1 - RHO) * own)
            mask = rng.random(x.shape) < RETAIN
            rows.append((((x * mask / RETAIN) @ w).var(ddof=1), (x @ w).var(ddof=1)))
        return rows

    with ThreadPoolExecutor(THREADS) as pool:
        return shift_of(list(chain.from_iterable(pool.map(variances, np.random.default_rng(seed).spawn(THREADS)))))


def torch_variances(batches: int, generator: torch.Generator | None) -> list[tuple[float, float]]:
    """The same in PyTorch, float32; with a generator of its own dropout must be written out."""
    w = torch.from_numpy(weights_with_cos2(D, COS2, np.random.default_rng(0))).float()
    rows = []
    for _ in range(batches):
        common, own = torch.randn(ROWS, 1, generator=generator), torch.randn(ROWS, D, generator=generator)
        x = C + math.sqrt(V) * (math.sqrt(RHO) * common + math.sqrt(1 - RHO) * own)
        if generator is None:
            noisy = functional.dropout(x, 1 - RETAIN)
        else:
            noisy = x * (torch.rand(x.shape, generator=generator) < RETAIN) / RETAIN
        rows.append(((noisy @ w).var().item(), (x @ w).var().item()))
    return rows


def obvious_torch(batches: int, seed: int) -> Estimate:
    """PyTorch with its own threads inside of each operation."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    return shift_of(torch_variances(batches, None))


def threaded_torch(batches: int, seed: int) -> Estimate:
    """PyTorch with a generator a thread, as the numpy program has."""
    torch.set_num_threads(1)
    generators = [torch.Generator().manual_seed(THREADS * seed + thread) for thread in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        shares = pool.map(partial(torch_variances, batches // THREADS), generators)
        return shift_of(list(chain.from_iterable(shares)))


def simulator(batches: int, seed: int, filters: int = FILTERS) -> Estimate:
    """The simulator: many filters of the same angle see each input."""
    rng = np.random.default_rng(0)
    weight = np.stack([weights_with_cos2(D, COS2, rng) for _ in range(filters)])
    stack = Stack([Dropout(RETAIN), Linear(weight), BatchNorm(filters)])
    inputs = Equicorrelated(D, C, V, RHO, dtype="float32")
    rng = np.random.default_rng(seed)
    return stack.measure(inputs, rng, replicas=batches, batches=1, batch=BATCH, threads=THREADS)[0].shift


def shift_of(rows: Sequence[tuple[float, float]]) -> Estimate:
    """Turn (Var_Train, Var_Test) of independent batches into Delta."""
    means = BatchMeans("train", "test", samples_per_batch=ROWS)
    means.add(rows)
    return means.ratio("test", "train")


def normals(seconds: float) -> float:
    """Float32 normals a second from numpy's own generator, into one array over and over, on the same threads."""

    def fill(rng: np.random.Generator) -> int:
        out, drawn, end = np.empty(2**18, np.float32), 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            rng.standard_normal(len(out), np.float32, out)
            drawn += len(out)
        return drawn

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(fill, np.random.default_rng(0).spawn(THREADS))) / (time.perf_counter() - started)


@dataclass(frozen=True)
class Run:
    """One timed run.

    Attributes:
        rate: inputs drawn and processed a second.
        variance: the squared relative error of Delta, times the number of inputs.
    """

    rate: float
    variance: float


def timed(program: Program, seconds: float, seed: int) -> Run:
    """Run for about so many seconds."""
    batches = 2 * THREADS
    while True:
        started = time.perf_counter()
        shift = program(batches, seed)
        taken = time.perf_counter() - started
        if taken > seconds / 2:
            inputs = shift.n * D
            return Run(inputs / taken, (shift.stderr / shift.value) ** 2 * inputs)
        batches = math.ceil(batches * min(10, 0.8 * seconds / taken))


def seconds_needed(runs: Sequence[Run]) -> list[float]:
    """For each round's rate, the seconds until the error is as wanted; the variance is that of all rounds together."""
    variance = statistics.mean(run.variance for run in runs)
    wanted = RELATIVE_ERROR / NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    return [variance / wanted**2 / run.rate for run in runs]


PROGRAMS: dict[str, Program] = {
    "numpy, float64": obvious_numpy,
    "PyTorch, its threads": obvious_torch,
    "PyTorch, 2 generators": threaded_torch,
    "simulator, 1 filter": partial(simulator, filters=1),
    "simulator": simulator,
}


def race(seconds: float) -> None:
    """Print parts 1 and 2."""
    runs: dict[str, list[Run]] = {name: [] for name in PROGRAMS}
    rates = []
    for seed in range(ROUNDS):
        for name, program in PROGRAMS.items():
            runs[name].append(timed(program, seconds, seed))
        rates.append(normals(seconds / 2))
        print(f"round {seed + 1} of {ROUNDS} done", file=sys.stderr)
    print(f"1. Delta at retain {RETAIN}, d {D}, c {C}, v {V}, rho {RHO}, cos2 {COS2} to +-0.1% at 99.9%, in seconds")
    print(
        f"   (extrapolated from rounds of {seconds:g}), and over the simulator's; wanted: 25 for numpy, 6 for PyTorch"
    )
    own = seconds_needed(runs["simulator"])
    for name, rounds in runs.items():
        needed = seconds_needed(rounds)
        slower = [theirs / ours for theirs, ours in zip(needed, own, strict=True)]
        print(f"   {name:22} {statistics.median(needed):7.2f}   {median_of(slower)}")
    shares = [run.rate / rate for run, rate in zip(runs["simulator"], rates, strict=True)]
    print(f"2. inputs a second, over numpy's own float32 normals; wanted: 0.8\n   {median_of(shares)}")


def median_of(ratios: Sequence[float]) -> str:
    """Show the median, and the least and the most."""
    return f"{statistics.median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g} in {len(ratios)} rounds)"


@dataclass(frozen=True)
class Size:
    """A stack of `depth` blocks of `units` units, the first of them d inputs wide, and how many samples pass it."""

    samples: int
    d: int
    units: int
    depth: int
    batch: int

    def seconds(self) -> float:
        """Time it; the best of some runs."""
        rng = np.random.default_rng(0)
        weights = [
            rng.standard_normal((self.units, d)) / math.sqrt(d) for d in (self.d, *[self.units] * (self.depth - 1))
        ]
        stack = Stack([layer for w in weights for layer in (Dropout(RETAIN), Linear(w), BatchNorm(self.units))])
        return min(self._once(stack) for _ in range(ROUNDS))

    def _once(self, stack: Stack) -> float:
        inputs, replicas = Equicorrelated(self.d, C, V, RHO, dtype="float32"), self.samples // self.batch
        rng, started = np.random.default_rng(0), time.perf_counter()
        stack.measure(inputs, rng, replicas=replicas, batches=1, batch=self.batch, threads=THREADS)
        return time.perf_counter() - started


def slopes() -> None:
    """Print part 3."""
    print("3. slopes of log cost, and of its steps between doublings, without what a replica costs anyway; wanted: 1")
    for name, values, base in (
        ("samples", (2**13, 2**14, 2**15, 2**16), Size(0, 256, 32, 2, 512)),
        ("d", (512, 1024, 2048, 4096), Size(2**13, 0, 16, 1, 256)),
        ("depth", (4, 8, 16, 32), Size(2**15, 64, 64, 0, 1024)),
    ):
        seconds = [replace(base, **{name: value}).seconds() for value in values]
        whole, steps = log_slope(values, seconds), log_slope(values[1:], np.diff(seconds).tolist())
        print(f"   in {name:8} {whole:.2f}, steps {steps:.2f}; from {values[0]:,} to {values[-1]:,}")


def log_slope(x: Sequence[int], y: Sequence[float]) -> float:
    """Fit a line to log y over log x; NaN where noise has made a y negative."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if min(y) > 0 else math.nan


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="about how long each program runs a round")
    seconds = parser.parse_args().seconds
    race(seconds)
    slopes()


if __name__ == "__main__":
    main()
