"""Stacks of layers: a training phase, a test phase, and what the variance of every BN's input did in between."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from simulator.contracts import Array, Inputs, refusal, whole
from simulator.estimate import BatchMeans, Estimate
from simulator.parallel import MEMORY, cores, in_order
from simulator.phases import DryRun, Layer, Testing, Training, norms, with_own_norms

# Bytes of inputs that all threads together keep for the next pass.
KEPT = 16e6
# Numbers alive at once: below, numpy's calls are so short that threads wait for one another more than they work.
ALONE = 2**19


@dataclass(frozen=True)
class Reading:
    """What one BN received in the training phase and in the test phase (the three steps of Section 4).

    Each number is a mean over the BN's units first, and then over replicas.

    Attributes:
        bn: the BN's number in the stack, in order of execution, from 1.
        moving_mean: the moving average of the batch means at the end of training.
        moving_var: the moving average of the UNBIASED batch variances at the end of training.
        real_mean: the mean of the batch means in the test phase.
        real_var: the mean of the UNBIASED batch variances in the test phase, in batches of the same size.
        shift: real_var / moving_var, the one mean over the other.
    """

    bn: int
    moving_mean: Estimate
    moving_var: Estimate
    real_mean: Estimate
    real_var: Estimate
    shift: Estimate

    @property
    def shift_ratio(self) -> Estimate:
        """max(r, 1/r) of the shift r (Section 4). Where the shift is 1 within its error, the max lifts it above 1.

        Raises:
            ValueError: if the shift is exactly 0.
        """
        r = self.shift
        if r.value == 0:
            raise refusal(f"real_var of bn {self.bn}", 0, "must not be 0 for a shift_ratio")
        return r if r.value >= 1 else Estimate(1 / r.value, r.stderr / r.value**2, r.n)


Progress: TypeAlias = Callable[[tuple[Reading, ...]], None]


class Stack:
    """Layers in a row, at least one of them a BatchNorm.

    A layer is a BatchNorm, a noise (anything with `train` and `test`), a Residual, or a function of x, the same in
    both phases. Only BatchNorms may keep anything from batch to batch, since the threads share the rest; and none may
    change x in place.

    Attributes:
        layers: in order, the first one sees the inputs.

    Raises:
        ValueError: if there is no BatchNorm, or the same BatchNorm stands in two places.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._norms = list(norms(self.layers))
        if not self._norms:
            raise ValueError("layers: must hold at least one BatchNorm")
        if len({id(norm) for norm in self._norms}) < len(self._norms):
            raise ValueError("layers: each BatchNorm must be an object of its own, since it keeps statistics")

    def train(
        self, inputs: Inputs, rng: np.random.Generator, batches: int = 16, batch: int = 1024, epochs: int = 1
    ) -> None:
        """Run the training phase from empty statistics: noise on, each BN normalising by its batch (Eqs. 2 and 3).

        Every epoch sees the same inputs under fresh noise. Generators of the same seed give the same moving
        statistics, bit for bit.

        Raises:
            ValueError: if a count is no whole number >= 1, or the inputs do not fit the layers.
        """
        data, noise = rng.spawn(2)
        self._train(_Batches(inputs, data, batches, batch), noise, whole("epochs", epochs, at_least=1))

    def test(
        self, inputs: Inputs, rng: np.random.Generator, batches: int = 16, batch: int = 1024
    ) -> list[tuple[Array, Array]]:
        """Run the test phase: noise off, each BN frozen (Eq. 4). Training must have come before.

        A generator of the training phase's seed brings back the training phase's inputs, as in Section 4.

        Returns:
            For each BN the mean and the UNBIASED variance of what it received, (units,) each, averaged over batches.

        Raises:
            ValueError: if `batches` or `batch` is no whole number >= 1, or there has been no training.
        """
        data, _ = rng.spawn(2)
        return self._test(_Batches(inputs, data, batches, batch))

    def measure(  # noqa: PLR0913 (each argument is a part of the experiment)
        self,
        inputs: Inputs,
        rng: np.random.Generator,
        *,
        replicas: int = 64,
        batches: int = 16,
        batch: int = 1024,
        epochs: int = 1,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[Reading, ...]:
        """Repeat training and test phase, each pair on the same fresh inputs, and read every BN.

        A deep BN's input depends on the moving statistics of all BNs before it, which err as well; batches of one
        test phase share that error. So the standard errors come from whole replicas, which are independent: nothing
        is assumed of units, layers, batches or positions. They are those of `BatchMeans` over `replicas` rows, for
        the given weights. n = replicas x batches x batch counts samples of the inputs.

        Four effects are real, and belong to BN's finite batches of m rather than to the noise; they are why `batch`
        is large by default. In training a BN's output has batch variance exactly 1 (biased), so a BN behind it reads
        m/(m-1): without any noise, each BN after the first has a shift of 1 - 1/m or thereabouts. Dropout's zeros
        leave a BN at minus its batch mean, right at the kink of a ReLU behind it, which adds O(1/sqrt(m)) to the
        moving mean of the next BN. And 1 / moving_var has a mean above 1 / E[moving_var], by O(1/(m batches)) with
        the cumulative average, by O(momentum/m) with the exponential one. And m/(m-1) leaves a batch variance unbiased
        only where its m values are independent: positions of a map that are correlated, or share their noise, make it
        too small by the variance of a sample's mean over positions, divided by `batch`.

        Args:
            inputs: samples x: (n, d) or (n, channels, h, w).
            rng: seeds the replicas. The same seed gives the same bits on any number of threads.
            replicas: how often the whole is repeated. Memory does not depend on it.
            batches: training batches a replica and epoch, and test batches.
            batch: samples a batch.
            epochs: how often training sees the same inputs, each time under fresh noise.
            threads: how many replicas run side by side; None for what `workers` finds. This object's own statistics
                stay empty.
            progress: called after every replica from the second on, with the readings so far, once they have a shift.

        Raises:
            ValueError: if a count is no whole number >= 1 (2 for `replicas` and `batch`), if the inputs do not fit the
                layers, or if the activations of such a batch would not fit the 100 MB that all threads share.
        """
        whole("batch", batch, at_least=2)
        samples = whole("batches", batches, at_least=1) * batch
        whole("epochs", epochs, at_least=1)
        workers = self.workers(inputs, batch, threads)

        def replica(seed: int) -> Array:
            drawn, noise = np.random.default_rng(seed).spawn(2)
            data = _Batches(inputs, drawn, batches, batch, KEPT / workers)
            return Stack(with_own_norms(self.layers))._replica(data, noise, epochs)

        stats = [BatchMeans(*_NAMES, samples_per_batch=samples) for _ in self._norms]
        seeds = (int(rng.integers(2**63)) for _ in range(whole("replicas", replicas, at_least=2)))
        with closing(in_order(replica, seeds, workers)) as results:
            for rows in results:
                for stat, row in zip(stats, rows, strict=True):
                    stat.add([row])
                if (
                    progress is not None
                    and stats[0].batches >= 2
                    and all(stat.mean("moving_var").value for stat in stats)
                ):
                    progress(_readings(stats))
        return _readings(stats)

    def _replica(self, data: "_Batches", noise: np.random.Generator, epochs: int) -> Array:
        """Train and test once; (BNs, names) means over each BN's units."""
        self._train(data, noise, epochs)
        real = self._test(data)
        return np.array(
            [
                [norm.moving_mean.mean(), norm.moving_var.mean(), mean.mean(), variance.mean()]
                for norm, (mean, variance) in zip(self._norms, real, strict=True)
            ]
        )

    def _train(self, data: "_Batches", noise: np.random.Generator, epochs: int) -> None:
        for norm in self._norms:
            norm.reset()
        phase = Training(noise)
        for _ in range(epochs):
            for x in data:
                phase.run(self.layers, x)

    def _test(self, data: "_Batches") -> list[tuple[Array, Array]]:
        phase = Testing()
        totals = [np.zeros((2, norm.units)) for norm in self._norms]
        for x in data:
            received = phase.run_batch(self.layers, x)
            totals = [total + added for total, added in zip(totals, received, strict=True)]
        return [(mean / len(data), variance / len(data)) for mean, variance in totals]

    def workers(self, inputs: Inputs, batch: int, threads: int | None) -> int:
        """Count the threads that `measure` takes: `threads`, or for None one a core.

        For None there are no more than have the memory, and one alone where batches are small: nothing is gained there.
        A thread needs what is alive at once for a batch, as a dry run tells for one sample; a draw takes six times it.

        Raises:
            ValueError: if `batch` does not fit the 100 MB that all threads share, or the inputs do not fit the layers.
        """
        x = inputs.sample(1, np.random.default_rng(0))
        dry = DryRun()
        dry.run(self.layers, x)
        bytes_a_sample = max(dry.most, 6 * x.size) * x.itemsize
        bytes_a_thread = batch * bytes_a_sample + dry.heaviest * x.itemsize
        most = int(MEMORY / bytes_a_thread)
        asked = cores(threads)
        least = 1 if threads is None else asked
        if most < least:
            fits = max(0, int((MEMORY / least - dry.heaviest * x.itemsize) / bytes_a_sample))
            rule = f"must be <= {fits} for this stack with threads = {least}; it would take"
            raise refusal("batch", batch, f"{rule} {least * bytes_a_thread / 1e6:.0f} MB of {MEMORY / 1e6:.0f}")
        small = threads is None and batch * dry.most < ALONE
        return 1 if small else min(asked, most)


class _Batches:
    """The same batches of inputs on every pass: kept where they take no more than `keep` bytes, else drawn again."""

    def __init__(self, inputs: Inputs, rng: np.random.Generator, batches: int, batch: int, keep: float = KEPT) -> None:
        self._inputs, self._keep = inputs, keep
        self._seeds = cast("np.random.SeedSequence", rng.bit_generator.seed_seq)
        self._sizes = [whole("batch", batch, at_least=1)] * whole("batches", batches, at_least=1)
        self._kept: list[Array] = []

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Array]:
        if self._kept:
            yield from self._kept
            return
        rng, drawn = np.random.default_rng(self._seeds), []
        for size in self._sizes:
            x = self._inputs.sample(size, rng)
            x.setflags(write=False)  # every pass must see the same, whatever the layers do
            if x.nbytes * len(self._sizes) <= self._keep:
                drawn.append(x)
            yield x
        self._kept = drawn


_NAMES = ("moving_mean", "moving_var", "real_mean", "real_var")


def _readings(stats: Sequence[BatchMeans]) -> tuple[Reading, ...]:
    return tuple(_reading(bn, stat) for bn, stat in enumerate(stats, start=1))


def _reading(bn: int, stat: BatchMeans) -> Reading:
    try:
        return Reading(bn, *(stat.mean(name) for name in _NAMES), shift=stat.ratio("real_var", "moving_var"))
    except ValueError as error:
        raise ValueError(f"bn {bn}: {error}") from None
