"""Finding what shifts the variance of each BN in anybody's model, by how much, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import nn

from fullscale.batchnorms import BatchNorm, keeps_statistics
from fullscale.contracts import seeding, whole
from fullscale.doctor.exact import Exact
from fullscale.doctor.laws import Law
from fullscale.doctor.patient import Patient, samples, started
from fullscale.doctor.probing import Probed
from fullscale.doctor.repeated import Repeated
from fullscale.doctor.report import Report, Row, Sharing, Source
from fullscale.doctor.tally import Tally
from fullscale.doctor.tested import Tested, trained
from fullscale.progress import Progress, unheard
from fullscale.specimen import faithful

PROBES = 8
RESTLESS = "gets another input in every pass though torch draws nothing: something else does, and nothing is predicted"


def examine(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    probes: int = PROBES,
    seed: int = 0,
    progress: Progress = unheard,
) -> Report:
    """Find every source of multiplicative noise in a model, and predict and measure the shift of every BN.

    Of each batch, one pass as in training with every random number replaced by its mean gives the local shift of each
    BN, by the law Var_Train = Var_Test + s^2 sum w^2 E[x^2] wherever at most one linear layer lies between. Elsewhere
    random noise is let in, BNs giving what they give without. A pass in test mode gives real_var (Section 4).

    Args:
        model: any; it comes back as it was, buffers, modes, hooks and random state included. What is in evaluation mode
            while the whole is in train mode counts as frozen. Its forward hooks run, on a copy.
        batches: inputs, or pairs of an input and a target, gone through once. An input is what the model takes; a
            mapping is spread over its arguments if it names them, and so is a sequence if it does not take one.
        probes: passes with random noise where the law does not reach, at least 2: so many a batch with all sources
            drawing, and about so many for the first with each by itself, though at least 2 for each.
        seed: of what is drawn.
        progress: is told after each batch how many samples are done.

    Raises:
        ValueError: if there are no batches, an argument lies outside its domain, or the model cannot be copied or run.
    """
    whole("probes", probes, at_least=2)
    seeding("seed", seed)
    first, given = started(batches)
    with torch.inference_mode(mode=False), faithful(model, seed):
        findings = _Findings(Patient(model, first), probes)
        for batch in given:
            findings.update(batch)
            progress(findings.images)
    return findings.report()


@dataclass
class _Findings:
    patient: Patient
    probes: int
    images: int = 0
    largest: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    products: dict[str, tuple[str, Law | None, Sharing]] = field(default_factory=dict)
    called: Counter[str] = field(default_factory=Counter)
    blind: set[str] = field(default_factory=set)
    unexamined: set[str] = field(default_factory=set)
    restless: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tested = Tested(self.patient)

    def update(self, batch: Any) -> None:
        """Examine one batch."""
        self.patient.train()
        exact = Exact(self.patient.stack)
        self.patient.run(batch, exact)
        exact.close(self.patient.others)
        self._learn(exact)
        if self.images == 0:
            again = Repeated(self.patient.stack)
            self.patient.run(batch, again)
            self.restless = again.unlike(exact.inputs)
        self.patient.test()
        self.patient.run(batch, self.tested)
        self.patient.train()
        for own, name in product(exact.inputs, self.tested.drawing):
            own.sources.pop(name, None)
        calls = Counter[str]()
        probed = self._probed(batch, exact)
        for own in exact.inputs:
            self.tallies.setdefault(own.bn, Tally()).update(own, calls[own.bn], probed)
            calls[own.bn] += 1
        self.called |= calls
        self.images += samples(batch)
        self.largest = max(self.largest, samples(batch))

    def _learn(self, exact: Exact) -> None:
        """Note the sources of a batch; one whose strength is another than before has none."""
        for name, (kind, law, sharing) in exact.products.items():
            if law is None:
                self.blind.add(name)
            _, before, shared = self.products.get(name, (kind, law, sharing))
            self.products[name] = kind, law if law == before else None, sharing if sharing == shared else "other"
        self.unexamined |= exact.bare | (self.patient.stack.bns - {own.bn for own in exact.inputs})

    def _probed(self, batch: Any, exact: Exact) -> Probed:
        """Probe all sources together on every batch, one by one on the first."""
        probed = Probed(self.patient, batch, exact.inputs, blind=self.blind)
        probed.all_together(self.probes)
        if self.images == 0:
            probed.one_by_one(self.probes)
        return probed

    def report(self) -> Report:
        """Put it together."""
        reaching = {name for tally in self.tallies.values() for name in tally.single}
        sources = {name: self._source(name, reaching=name in reaching) for name in self.products}
        rows = tuple(
            self._row(index, bn, tally, sources) for index, (bn, tally) in enumerate(self.tallies.items(), start=1)
        )
        found, notes, unexamined = tuple(sources.values()), tuple(self._notes(reaching)), tuple(sorted(self.unexamined))
        return Report(rows, found, notes, self.images, self.largest, unexamined)

    def _source(self, name: str, *, reaching: bool) -> Source:
        kind, law, sharing = self.products[name]
        in_test = name in self.tested.drawing
        safe = not (reaching or in_test or self.unexamined)
        return Source(name, kind, law and law.family, law and law.s2, sharing, safe, in_test)

    def _row(self, index: int, path: str, tally: Tally, sources: dict[str, Source]) -> Row:
        bn, real_var = self.patient.bns[path], self.tested.real_var(path)
        moving_var = bn.get_buffer("running_var").mean().item() if keeps_statistics(bn) else None
        predicted, stderr = (None, None) if path in self.restless else tally.together.shift
        channel, shift = tally.together.worst if tally.single else (None, None)
        return Row(
            index=index,
            bn=path,
            kind=type(bn).__name__,
            channels=bn.num_features,
            ways=tally.ways(sources),
            predicted=predicted,
            stderr=stderr,
            exact=tally.together.exact and path not in self.restless,
            worst_channel=channel,
            worst_shift=shift,
            moving_var=moving_var,
            trained=keeps_statistics(bn) and trained(bn),
            real_var=real_var,
            notes=tuple(self._notes_on(path, bn)),
        )

    def _notes_on(self, path: str, bn: BatchNorm) -> Iterator[str]:
        if not keeps_statistics(bn):
            yield "keeps no moving statistics: in test, too, it normalises by its batch, and nothing shifts"
        elif not trained(bn):
            yield "its moving statistics are those it began with: there is nothing yet to measure the shift against"
        if keeps_statistics(bn) and self.patient.frozen(bn):
            yield "is frozen: in training, too, it normalises by its moving statistics, and does not learn the noise"
        if path in self.restless:
            yield RESTLESS
        if self.called[path] > 1:
            yield f"is called {self.called[path]} times a pass: its statistics mix them, and so do these numbers"
        if keeps_statistics(bn) and path not in self.tested.shadows:
            yield "is called in training only"

    def _notes(self, reaching: set[str]) -> Iterator[str]:
        if self.patient.lazy:
            yield "the model has lazy modules: their weights were drawn here, and are not those that it will get"
        for name in self.products:
            if name in self.tested.drawing:
                yield f"{name} draws in test mode, too: its noise is in Var_Test as well, and in no prediction"
            elif name in self.blind and name in reaching:
                yield f"{name} draws numbers that do not simply multiply the signal: they are not examined"
        for path in sorted(self.unexamined):
            yield f"{path} normalises by batch, but not as PyTorch's BN modules do: it is not examined"
        for path in (path for path in self.patient.bns if path not in self.tallies.keys() | self.unexamined):
            if path in self.tested.shadows:
                yield f"{path} is called in test mode only: it is not examined"
            else:
                yield f"{path} is never called: it is not examined"
