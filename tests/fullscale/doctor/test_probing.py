"""Who draws with whom, how often, and what is made of the readings, in numbers that one can check by hand."""

from collections.abc import Callable, Iterable
from statistics import mean, variance
from typing import Any

import pytest
import torch
from torch import Tensor

from fullscale.doctor import probing
from fullscale.doctor.exact import Input, Local
from fullscale.doctor.probe import Reading
from fullscale.doctor.probing import Added, Probed

LOST, KNOWN, COMMON = Local(None, None), Local(torch.ones(2), None), Local(None, None, common=True)


class Probe:
    """Reads what the patient says."""

    def __init__(self, stack: Any, active: frozenset[str]) -> None:
        assert stack is Patient.stack
        self.active = active
        self.inputs: dict[str, list[Reading | None]] = {}


class Patient:
    """Notes who draws, and has readings up its sleeve: by BN, for the sources that draw and the number of the pass."""

    stack = object()

    def __init__(self, *reached: Input, readings: Callable[[str, set[str], int], list[Reading | None]]) -> None:
        self.bns = [own.bn for own in reached]
        self.readings = readings
        self.passes: list[str] = []

    def run(self, batch: Any, probe: Probe) -> None:
        assert batch == "batch"
        self.passes.append("".join(sorted(probe.active)))
        for bn in self.bns:
            probe.inputs[bn] = self.readings(bn, set(probe.active), len(self.passes) - 1)


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "Probe", Probe)


def reached(bn: str, /, **sources: Local) -> Input:
    return Input(bn, torch.tensor([1.0, 2.0]), sources, 0)


def reading(mean: float, var: float) -> Reading:
    return Reading(torch.tensor([mean, 0.0]), torch.tensor([var, var]))


def probed(*inputs: Input, blind: Iterable[str] = (), readings: Any = None) -> tuple[Probed, Patient]:
    patient: Any = Patient(*inputs, readings=readings or (lambda *_: [reading(0, 1)]))
    return Probed(patient, "batch", inputs, blind=set(blind)), patient


def values(added: Added | None) -> list[float]:
    assert added is not None
    assert added.added.dtype == torch.float64
    return added.added.tolist()


def test_all_draw_at_once_as_often_as_asked_if_a_bn_needs_it():
    several, patient = probed(reached("one", a=LOST), reached("two", b=KNOWN, c=KNOWN))
    several.all_together(3)
    assert patient.passes == ["abc"] * 3


def test_nobody_draws_where_the_law_tells_all():
    several, patient = probed(reached("one", a=KNOWN), reached("two", b=KNOWN, c=KNOWN), reached("three"))
    several.all_together(3)
    several.one_by_one(3)
    assert patient.passes == []
    assert several.added(reached("one", a=KNOWN), 0, ["a"]) is None


def test_what_cannot_be_probed_does_not_draw_and_hides_what_it_meets():
    several, patient = probed(reached("one", a=LOST, z=LOST), reached("two", z=LOST), blind="z")
    several.all_together(3)
    assert patient.passes == []
    several, patient = probed(reached("one", a=LOST, z=LOST), reached("two", b=LOST), blind="z")
    several.all_together(3)
    assert patient.passes == ["ab"] * 3
    several.one_by_one(4)
    assert patient.passes[3:] == ["a"] * 4


def test_by_themselves_draw_those_that_are_lost_beside_others():
    several, patient = probed(reached("one", a=LOST, b=KNOWN), reached("two", c=LOST))
    several.one_by_one(5)
    assert patient.passes == ["a"] * 5


def test_those_that_meet_nowhere_draw_in_the_same_passes():
    one, two, three = reached("one", a=LOST, b=LOST), reached("two", c=LOST, d=LOST), reached("three", d=LOST, e=LOST)
    several, patient = probed(one, two, three)
    several.one_by_one(9)
    assert patient.passes == ["ace"] * 4 + ["bd"] * 4


def test_those_that_meet_anywhere_do_not_even_where_the_law_reaches():
    several, patient = probed(
        reached("one", a=LOST, x=KNOWN), reached("two", b=LOST, x=KNOWN), reached("3", a=KNOWN, b=KNOWN)
    )
    several.one_by_one(8)
    assert patient.passes == ["a"] * 4 + ["b"] * 4


@pytest.mark.parametrize("probes", [2, 3, 5])
def test_each_draws_twice_at_least(probes: int):
    several, patient = probed(reached("one", a=LOST, b=LOST, c=LOST))
    several.one_by_one(probes)
    assert patient.passes == ["a", "a", "b", "b", "c", "c"]


def test_a_bn_reads_the_passes_in_which_just_those_drew_of_the_sources_that_reach_it():
    def readings(bn: str, active: set[str], number: int) -> list[Reading | None]:
        del number
        return [reading(0, sum(10 ** "abc".index(name) for name in active)), reading(0, 5 if bn == "one" else 7)]

    one, two = reached("one", a=LOST, b=LOST), reached("two", c=LOST)
    several, _ = probed(one, two, readings=readings)
    several.all_together(2)
    several.one_by_one(4)
    assert values(several.added(one, 0, "ab")) == [110, 109]
    assert values(several.added(one, 0, "a")) == [0, -1]
    assert values(several.added(one, 0, "b")) == [9, 8]
    assert values(several.added(two, 0, "c")) == [110, 109]
    assert [values(several.added(own, 1, name)) for own, name in ((one, "a"), (two, "c"))] == [[4, 3], [6, 5]]
    assert several.added(two, 0, "ac") is None
    assert several.added(two, 2, "c") is None


def test_noise_that_arrives_in_one_pass_is_not_measured_in_two_it_is():
    for arrives in (1, 2):
        several, _ = probed(
            reached("one", a=LOST), readings=lambda _, __, k, n=arrives: [reading(0, 4) if k < n else None]
        )
        several.all_together(3)
        added = several.added(reached("one", a=LOST), 0, "a")
        assert (added is None) == (arrives == 1)


MEANS, VARIANCES = (0.0, 3.0, 1.0, 0.5), (2.0, 5.0, 4.0, 8.0)


def scripted(passes: int, **sources: Local) -> Added:
    own = reached("one", **sources)
    several, _ = probed(own, readings=lambda _, __, k: [reading(MEANS[k], VARIANCES[k])])
    several.all_together(passes)
    added = several.added(own, 0, sources)
    assert added is not None
    return added


def jackknifed(total: Callable[[list[int]], float], passes: int) -> float:
    """Of Quenouille and Tukey: (n - 1) / n times the sum of squared differences of what is left without one."""
    left_out = [total([k for k in range(passes) if k != without]) for without in range(passes)]
    return (passes - 1) / passes * sum((each - mean(left_out)) ** 2 for each in left_out)


@pytest.mark.parametrize("passes", [3, 4])
def test_noise_adds_to_the_variance_within_batches_and_to_that_of_their_means(passes: int):
    def total(of: list[int]) -> float:
        """Mean over the two channels; the second one's mean does not vary."""
        return mean(VARIANCES[k] for k in of) + variance([MEANS[k] for k in of]) / 2

    added = scripted(passes, a=LOST)
    within = mean(VARIANCES[:passes])
    assert values(added) == pytest.approx([within + variance(MEANS[:passes]) - 1, within - 2])
    assert added.variance == pytest.approx(jackknifed(total, passes))


def test_of_two_passes_the_variance_of_means_has_no_error_that_could_be_told():
    added = scripted(2, a=LOST)
    assert values(added) == pytest.approx([3.5 + 4.5 - 1, 3.5 - 2])
    assert added.variance == pytest.approx(variance(VARIANCES[:2]) / 2)


@pytest.mark.parametrize("passes", [2, 3, 4])
def test_numbers_that_all_samples_share_do_not_vary_the_mean_of_large_batches_either(passes: int):
    added = scripted(passes, a=COMMON)
    within = mean(VARIANCES[:passes])
    assert values(added) == pytest.approx([within - 1, within - 2])
    assert added.variance == pytest.approx(variance(VARIANCES[:passes]) / passes)


def test_of_several_sources_one_that_is_common_is_enough():
    assert values(scripted(4, a=LOST, b=COMMON)) == pytest.approx([mean(VARIANCES) - 1, mean(VARIANCES) - 2])


def test_single_precision_is_enough_to_hold_a_reading_not_to_add_them():
    def readings(*at: Any) -> list[Reading | None]:
        value: Tensor = torch.tensor([16_777_216.0 if at[2] == 0 else 1.0])
        return [Reading(torch.zeros(1), value)]

    own = Input("one", torch.zeros(1), {"a": LOST}, 0)
    several, _ = probed(own, readings=readings)
    several.all_together(4)
    assert values(several.added(own, 0, "a")) == [(16_777_216 + 3) / 4]
