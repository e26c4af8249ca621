"""The law and Eq. 10 against a trained net: what they say of each BN that noise reaches, and what is measured there.

The law needs one noise-free pass, BN normalising by its batch (`fullscale.doctor`). What it is held against is
measured with the noise on, in two regimes: with every BN giving what it gave in that pass, so that the shift is local;
and in train mode.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fullscale.adjust import Pass
from fullscale.batchnorms import BatchNorm, batchnorms
from fullscale.behind_noise import Behind, Layer, layers_behind
from fullscale.contracts import refusal
from fullscale.doctor.examination import examine
from fullscale.doctor.report import Row as Found
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch
from fullscale.statistics import Statistics
from fullscale.taps import InputTap


@dataclass(frozen=True)
class Row:
    """One BN that noise reaches past no other BN. Variances are POOLED, unbiased, means over channels.

    Attributes:
        bn: its path in the net.
        sources: of that noise.
        predicted: local Var_Test / Var_Train by the law; None where it says nothing.
        stderr: of `predicted`; 0 where the law gives it exactly.
        eq10: the same by Eq. 10 (Eq. 6 in case (a)), of what it sees; None of several sources, or where it does not
            apply.
        clean_var: without noise, BN normalising by its batch: the law's regime.
        own_var: with the noise on and all BNs giving what they gave there.
        test_var: in test mode.
        train_var: in train mode.
        quiet_var: in train mode with its own sources off.
    """

    bn: str
    sources: tuple[str, ...]
    predicted: float | None
    stderr: float | None
    eq10: float | None
    clean_var: float
    own_var: float
    test_var: float
    train_var: float
    quiet_var: float

    @property
    def local(self) -> float:
        """The measured local Var_Test / Var_Train."""
        return self.clean_var / self.own_var

    @property
    def inherited(self) -> float:
        """Var_Test / Var_Train with its own sources off: what earlier BNs hand on."""
        return self.test_var / self.quiet_var

    @property
    def total(self) -> float:
        """The measured Var_Test / Var_Train, of the same weights and images."""
        return self.test_var / self.train_var


@dataclass(frozen=True)
class Seen:
    """One linear layer right behind noise, as Eq. 10 sees it (see `fullscale.doctor.report.Linear`), and by the law.

    Attributes:
        name: its path in the net.
        d: weights of an output unit.
        d_cos2: mean over its filters.
        c: mean of what the noise multiplies.
        v: its variance, mean over channels.
        rho: the common correlation.
        eq10: Var_Test / Var_Train of what comes out, by Eq. 10.
        law: the same by the law, which needs neither a common mean nor variance nor correlation.
    """

    name: str
    d: int
    d_cos2: float
    c: float
    v: float
    rho: float
    eq10: float
    law: float


@dataclass(frozen=True)
class Comparison:
    """A net's BNs that noise reaches, in order of execution, and the convolutions right behind noise."""

    rows: tuple[Row, ...]
    seen: tuple[Seen, ...]
    images: int


def compare(net: nn.Module, batches: Pass, *, seed: int, progress: Progress = unheard) -> Comparison:
    """Hold the law and Eq. 10 against a net.

    Args:
        net: comes back as it was.
        batches: of training images, as in training, on the net's device.
        seed: of the noise.
        progress: is told after each batch how many images are done, over all passes.

    Raises:
        ValueError: if there are no batches, a BN cannot be measured (see `fullscale.measure`), or a module draws noise
            more than once in a pass.
    """
    counted = Counted(progress)
    report = examine(net, counted.over(batches()), seed=seed)
    reached = [row for row in report.rows if row.ways]
    subject = specimen(net)
    _require_apart(row.sources for row in reached)
    layers = layers_behind(report, subject)
    behind = Behind(layers, {"own": lambda weights: weights})
    measured = _Measured(subject, {row.bn: row.sources for row in reached}, behind)
    with faithful(subject, seed):
        for images, _ in counted.over(batches()):
            measured.update(images)
    seen = [_seen(name, layer, behind.law(name, "own")) for name, layer in layers.items()]
    return Comparison(tuple(measured.row(row) for row in reached), tuple(seen), report.images)


def _require_apart(sources: Iterable[tuple[str, ...]]) -> None:
    for name in (name for group in sources for name in group):
        module, _, again = name.partition(":")
        if again:
            raise refusal("noise called twice", module, "its draws cannot be switched off apart")


class _Measured:
    """The variances of BNs' inputs in all regimes.

    Args:
        subject: a specimen.
        sources: of each BN that noise reaches.
        behind: listens to layers in the law's regime.
    """

    def __init__(self, subject: nn.Module, sources: Mapping[str, tuple[str, ...]], behind: Behind) -> None:
        self._subject, self._sources, self._behind = subject, sources, behind
        self._bns = batchnorms(subject)
        self._clean, self._own, self._test, self._train = (Statistics(self._bns.values()) for _ in range(4))
        self._quiet = {group: Statistics(self._bns.values()) for group in dict.fromkeys(sources.values())}

    def update(self, images: Tensor) -> None:
        """Let a batch in."""
        with InputTap(self._bns) as tap:
            switch(self._subject, noise=False, by_batch=True)
            with self._behind, _kept_outputs(self._bns.values()) as outputs:
                tap.run(self._subject, images, self._clean)
            switch(self._subject, noise=True, by_batch=True)
            with _pinned(outputs):
                tap.run(self._subject, images, self._own)
            switch(self._subject, noise=False, by_batch=False)
            tap.run(self._subject, images, self._test)
            switch(self._subject, noise=True, by_batch=True)
            tap.run(self._subject, images, self._train)
            for group, statistics in self._quiet.items():
                switch(self._subject, noise=True, by_batch=True)
                for source in group:
                    self._subject.get_submodule(source).training = False
                tap.run(self._subject, images, statistics)

    def row(self, found: Found) -> Row:
        """Join what was found of a BN with what was measured."""
        place = list(self._bns).index(found.bn)
        regimes = (self._clean, self._own, self._test, self._train, self._quiet[self._sources[found.bn]])
        variances = [statistics.read()[place].pooled_var.mean().item() for statistics in regimes]
        eq10 = found.ways[0].eq10 if len(found.ways) == 1 else None
        return Row(found.bn, found.sources, found.predicted, found.stderr, eq10, *variances)


def _seen(name: str, layer: Layer, law: float) -> Seen:
    linear = layer.linear
    return Seen(name, linear.d, linear.d_cos2, linear.c, linear.v, linear.rho, layer.eq10, law)


@contextmanager
def _kept_outputs(bns: Iterable[BatchNorm]) -> Iterator[dict[nn.Module, Tensor]]:
    """Keep what each BN gives."""
    outputs: dict[nn.Module, Tensor] = {}

    def keep(bn: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        del args
        outputs[bn] = out.clone()  # a ReLU behind it may write on it

    handles = [bn.register_forward_hook(keep) for bn in bns]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _pinned(outputs: Mapping[nn.Module, Tensor]) -> Iterator[None]:
    """Have each BN give what was kept, whatever it gets."""

    def give(bn: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        del args, out
        return outputs[bn].clone()

    handles = [bn.register_forward_hook(give) for bn in outputs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
