"""Which sources to let draw together, and what is then read of each BN."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fullscale.doctor.exact import Input
from fullscale.doctor.patient import Patient
from fullscale.doctor.probe import Probe, Reading


class Added(NamedTuple):
    """What noise adds to the variance of a BN's input.

    Attributes:
        added: per channel, (channels,).
        variance: of its mean over channels, over the noise; 0 where it is exact.
    """

    added: Tensor
    variance: float


class Probed:
    """What was probed for one batch, in passes that let several sources draw at once.

    Args:
        patient: in training.
        batch: the same that gave the inputs.
        inputs: of the BNs, without noise.
        blind: names of sources that cannot be probed.
    """

    def __init__(self, patient: Patient, batch: Any, inputs: Sequence[Input], *, blind: set[str]) -> None:
        self._patient, self._batch, self._inputs = patient, batch, inputs
        self._blind = blind
        self._reached: dict[str, set[str]] = {}
        for each in inputs:
            self._reached.setdefault(each.bn, set()).update(each.sources)
        self._lost = [(each.bn, name) for each in inputs for name, own in each.sources.items() if own.added is None]
        self._passes: dict[frozenset[str], list[dict[str, list[Reading | None]]]] = {}

    def all_together(self, probes: int) -> None:
        """Let all sources draw, if a BN needs it."""
        if any(not self._reached[bn] & self._blind for bn, _ in self._lost):
            self._let(set().union(*self._reached.values()) - self._blind, probes)

    def one_by_one(self, probes: int) -> None:
        """Let every source draw by itself that shares a BN with others, those at once that meet nowhere."""
        groups: list[set[str]] = []
        for name in dict.fromkeys(name for bn, name in self._lost if len(self._reached[bn]) > 1):
            if name in self._blind:
                continue
            rivals = set().union(*(names for names in self._reached.values() if name in names))
            fitting = next((group for group in groups if not group & rivals), None)
            if fitting is None:
                groups.append({name})
            else:
                fitting.add(name)
        for group in groups:
            self._let(group, max(2, probes // len(groups)))

    def added(self, own: Input, call: int, sources: Iterable[str]) -> Added | None:
        """Return what sources add together to a BN's input, None if that was not probed.

        Args:
            own: the input, without noise.
            call: which of the BN's in this batch, from 0.
            sources: their names.
        """
        wanted = frozenset(sources)
        for active, passes in self._passes.items():
            if active & self._reached[own.bn] == wanted:
                readings = [each.get(own.bn, [])[call : call + 1] for each in passes]
                common = any(own.sources[name].common for name in wanted)
                return _added([each for reading in readings for each in reading if each], own.var, common=common)
        return None

    def _let(self, active: set[str], probes: int) -> None:
        self._passes[frozenset(active)] = [self._once(frozenset(active)) for _ in range(probes)]

    def _once(self, active: frozenset[str]) -> dict[str, list[Reading | None]]:
        probe = Probe(self._patient.stack, active)
        self._patient.run(self._batch, probe)
        return probe.inputs


def _added(readings: Sequence[Reading], clean: Tensor, *, common: bool) -> Added | None:
    """Take what the noise adds: to the variances of batches, and to the variance of their means.

    The latter is what small batches lack, and large ones have, where samples have their own numbers. Where all share
    one, batches of any size lack it.
    """
    if len(readings) < 2:
        return None
    means, variances = (torch.stack(each).double() for each in zip(*readings, strict=True))
    if common:
        means = torch.zeros_like(means)
    total = variances.mean(0) + means.var(0)
    left_out = [_total(means, variances, k) for k in range(len(means))]
    spread = torch.stack(left_out).var().item() * (len(means) - 1) ** 2 / len(means)
    return Added(total - clean.double(), spread)


def _total(means: Tensor, variances: Tensor, without: int) -> Tensor:
    rest = [k for k in range(len(means)) if k != without]
    own = variances[rest].mean(0)
    return (own + means[rest].var(0)).mean() if len(rest) > 1 else own.mean()
