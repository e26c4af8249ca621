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
    """What was probed for one batch.

    Args:
        patient: in training.
        batch: the same that gave the inputs.
        inputs: of the BNs, without noise.
        probes: passes with random noise.
        blind: names of sources that cannot be probed.
        common: names of sources that draw one number for a whole batch.
    """

    def __init__(
        self, patient: Patient, batch: Any, inputs: Sequence[Input], probes: int, blind: set[str], common: set[str]
    ) -> None:
        self._inputs = inputs
        self._common = common
        self._reached = _reached(inputs)
        self._read: dict[frozenset[str], list[dict[str, list[Reading | None]]]] = {}
        for active in experiments(inputs, blind):
            self._read[active] = [self._once(patient, batch, active) for _ in range(probes)]

    def added(self, bn: str, call: int, sources: Iterable[str], clean: Tensor) -> Added | None:
        """Return what sources add together to the call'th input of a BN, None if that was not probed.

        Args:
            bn: its path.
            call: from 0.
            sources: their names.
            clean: the UNBIASED variance without noise, (channels,).
        """
        wanted = frozenset(sources)
        for active, passes in self._read.items():
            if active & self._reached[bn] == wanted:
                readings = [_reading(each, bn, call) for each in passes]
                return _added([each for each in readings if each], clean, common=bool(wanted & self._common))
        return None

    def _once(self, patient: Patient, batch: Any, active: frozenset[str]) -> dict[str, list[Reading | None]]:
        probe = Probe(patient.stack, active)
        patient.run(batch, probe)
        return probe.inputs


def _reading(one: dict[str, list[Reading | None]], bn: str, call: int) -> Reading | None:
    calls = one.get(bn, [])
    return calls[call] if call < len(calls) else None


def experiments(inputs: Sequence[Input], blind: set[str]) -> list[frozenset[str]]:
    """Group the sources to be probed: those that meet at no BN draw together, and once all do.

    Args:
        inputs: of the BNs.
        blind: names of sources that cannot be probed.
    """
    reached = _reached(inputs)
    lost = {(each.bn, name) for each in inputs for name, own in each.sources.items() if own.added is None}
    groups: list[set[str]] = []
    for name in dict.fromkeys(name for _, name in sorted(lost) if name not in blind):
        rivals = set().union(*(names for names in reached.values() if name in names)) - {name}
        fitting = next((group for group in groups if not group & rivals), None)
        if fitting is None:
            groups.append({name})
        else:
            fitting.add(name)
    together = {name for names in reached.values() if len(names) > 1 for name in names} - blind
    if any(len(reached[bn]) > 1 and not reached[bn] & blind for bn, _ in lost):
        groups.append(together)
    return [frozenset(group) for group in groups]


def _reached(inputs: Iterable[Input]) -> dict[str, set[str]]:
    reached: dict[str, set[str]] = {}
    for each in inputs:
        reached.setdefault(each.bn, set()).update(each.sources)
    return reached


def _added(readings: Sequence[Reading], clean: Tensor, *, common: bool) -> Added | None:
    """Take what the noise adds, with what it does to a batch's mean where samples have their own numbers.

    BN never sees that a whole batch is shifted, but it does see in the end what its samples share by chance.
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
