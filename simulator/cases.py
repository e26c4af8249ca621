"""Cases (a) and (b) of Section 3: the variance that a Batch Normalization would see, in training and in test."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from simulator.contracts import Array, Inputs, Noise, refusal, whole
from simulator.estimate import BatchMeans, Estimate
from simulator.parallel import MEMORY, cores, in_order

Case: TypeAlias = Literal["a", "b"]

# How many numbers of x are held at a time: 1 MB of doubles, which a core keeps in its cache (2^20 takes twice as long).
CHUNK = 2**17
# A part has two batches at least, and holds both values of each X, and their deviations for the variance.
LARGEST_BATCH = 2**19
# Of one sample, which is drawn whole.
LARGEST_D = 2**20


@dataclass(frozen=True)
class CaseResult:
    """What a run has measured.

    Attributes:
        var_train: Var_Train(X), mean of unbiased batch variances with the noise on (the moving variance of Eq. 3).
        var_test: Var_Test(X), the same with the noise off, on the same x.
        shift: var_test / var_train (Eqs. 6 and 10).
        n: how many samples of X stand behind each.
    """

    var_train: Estimate
    var_test: Estimate
    shift: Estimate
    n: int


def measure_case(  # noqa: PLR0913, PLR0917 (each argument is a part of the experiment)
    case: Case,
    inputs: Inputs,
    noise: Noise,
    weights: ArrayLike | None,
    samples: int,
    rng: np.random.Generator,
    batch: int = 100,
    progress: Callable[[CaseResult], None] | None = None,
    threads: int | None = None,
) -> CaseResult:
    """Measure X = noise(x) (case a) or X = sum_i w_i noise(x)_i (case b) as the BN after it would.

    Each batch of `batch` values gives one unbiased variance in training and one in test, on the same x, so that what
    x contributes to both cancels in the shift. Batches are independent, and the standard errors are those of their
    means. Memory is bounded, whatever `samples` is.

    Args:
        case: "a" or "b".
        inputs: samples x: (n, 1) in case a, (n, d) in case b.
        noise: anything with `train` and `test`.
        weights: None in case a, w: (d,) in case b.
        samples: how many values of X at least; rounded up to whole batches, 2 or more.
        rng: seeds what draws x and the noise. The same seed gives the same bits on any number of threads.
        batch: values of X a batch, the m of Eq. 3; at most 2^19, so that memory is bounded.
        progress: called now and then with the result so far.
        threads: how many to use at most, as far as 100 MB go; None for one a core.

    Raises:
        ValueError: if an argument lies outside of what is described above, or Var_Train comes out as 0.
    """
    w = _weights(case, weights)
    m = whole("batch", batch, at_least=2)
    if m > LARGEST_BATCH:
        raise refusal("batch", m, f"must be <= {LARGEST_BATCH}, which memory is bounded by")
    missing = max(2, -(-whole("samples", samples, at_least=1) // m))
    share = max(2, CHUNK // (m * len(w)))

    def variances(part: tuple[int, int]) -> Array:
        seed, batches = part
        values = _values(inputs, noise, w, batches * m, np.random.default_rng(seed))
        return values.reshape(2, batches, m).var(axis=2, ddof=1).T

    stats = BatchMeans("var_train", "var_test", samples_per_batch=m)
    parts = ((int(rng.integers(2**63)), min(share, missing - done)) for done in range(0, missing, share))
    fitting = int(MEMORY / (8 * (4 * share * m + 6 * max(CHUNK, len(w)))))
    with closing(in_order(variances, parts, min(cores(threads), fitting))) as results:
        for rows in results:
            stats.add(rows)
            if progress is not None and stats.batches >= 2 and stats.mean("var_train").value:
                progress(_result(stats))
    return _result(stats)


def _weights(case: Case, weights: ArrayLike | None) -> Array:
    if case not in get_args(Case):
        raise refusal("case", case, "must be a or b")
    if case == "a":
        if weights is not None:
            raise ValueError("weights: must be None in case a, which has one unit")
        return np.ones(1)
    w = np.array(weights, dtype=np.float64)  # None becomes NaN
    if w.ndim != 1 or not np.isfinite(w).all() or not w.any():
        raise ValueError("weights: must be finite numbers w: (d,), not all 0, in case b")
    if len(w) > LARGEST_D:
        raise refusal("weights' d", len(w), f"must be <= {LARGEST_D}, which memory is bounded by")
    return w


def _values(inputs: Inputs, noise: Noise, w: Array, n: int, rng: np.random.Generator) -> Array:
    """Draw X: (2, n), in training and in test on the same x, holding about CHUNK numbers of x at a time."""
    values = np.empty((2, n))
    rows = max(1, CHUNK // len(w))
    for start in range(0, n, rows):
        x = inputs.sample(min(rows, n - start), rng)
        if x.shape[1:] != w.shape:
            raise refusal("inputs' d", x.shape[1:], f"must be {len(w)}, one for each weight (1 in case a)")
        weight = w.astype(x.dtype)
        values[0, start : start + rows] = _weighted(noise.train(x, rng), weight)
        values[1, start : start + rows] = _weighted(noise.test(x), weight)
    return values


def _weighted(x: Array, weight: Array) -> Array:
    """Sum x: (n, d) with weights (d,); of a single unit BLAS makes ten times the work."""
    return x[:, 0] * weight if len(weight) == 1 else x @ weight


def _result(stats: BatchMeans) -> CaseResult:
    return CaseResult(
        var_train=stats.mean("var_train"),
        var_test=stats.mean("var_test"),
        shift=stats.ratio("var_test", "var_train"),
        n=stats.n,
    )
