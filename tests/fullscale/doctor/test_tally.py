"""What calls and batches add up to, in numbers that one can check by hand."""

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor

from fullscale.doctor.exact import Input, Local
from fullscale.doctor.probing import Added
from fullscale.doctor.report import Linear, Source
from fullscale.doctor.tally import Share, Tally

LAYER = Linear("conv", 9, 2.0, 1.0, 3.0, 0.25)


class Probed:
    """What was probed, by the sources that drew, in which call."""

    def __init__(self, **found: Added) -> None:
        self.found = found

    def added(self, own: Input, call: int, sources: Iterable[str]) -> Added | None:
        del own
        return self.found.get("_".join([*sources, str(call)]))


def by_channel(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def shared(*calls: tuple[Tensor, Local, Added | None]) -> Share:
    share = Share()
    for call in calls:
        share.update(*call)
    return share


def test_variances_are_added_before_they_are_divided():
    one = by_channel(1, 2), Local(by_channel(1, 1), None), None
    two = by_channel(3, 0), Local(by_channel(0, 4), None), None
    share = shared(one, two)
    assert share.exact
    assert share.shift == (pytest.approx(6 / 12), 0)
    assert share.worst == (1, pytest.approx(2 / 7))
    assert share.var is not None
    assert share.var.dtype == torch.float64


def test_the_law_comes_before_what_was_probed():
    share = shared((by_channel(1, 1), Local(by_channel(1, 3), None), Added(by_channel(9, 9), 7.0)))
    assert (share.exact, share.shift) == (True, (pytest.approx(1 / 3), 0))


def test_what_was_probed_has_a_standard_error():
    probed = Local(None, None)
    share = shared((by_channel(1, 1), probed, Added(by_channel(1, 3), 0.04)), (by_channel(1, 1), probed, None))
    assert not share.exact
    assert share.shift == (pytest.approx(1 / 3), pytest.approx(1 / 9 * 0.2))
    share.update(by_channel(2, 4), probed, Added(by_channel(0, 0), 0.05))
    assert share.shift == (pytest.approx(4 / 6), pytest.approx(4 / 36 * 0.3))


def test_where_nothing_is_known_nothing_is_said():
    share = shared((by_channel(1, 1), Local(None, None), None))
    assert (share.exact, share.shift, share.worst) == (False, (None, None), (None, None))


def test_constants_do_not_shift():
    share = shared((by_channel(0, 0), Local(by_channel(0, 0), None), None))
    assert (share.shift, share.worst) == ((1, 0), (0, 1))


@pytest.mark.parametrize(
    ("var", "added", "worst"),
    [
        ((1, 1, 1), (0, 1, 0), (1, 1 / 2)),
        ((1, 1, 1), (0, 1, -0.6), (2, 5 / 2)),  # by chance, as probing leaves it
        ((1, 1, 1), (0, 1, -0.4), (1, 1 / 2)),
        ((1, 0, 1), (0, 1, 0.1), (2, 1 / 1.1)),  # a channel that never varies without noise
        ((1, 1, 1), (0.5, -1, -2), (0, 1 / 1.5)),  # nor with it
        ((0, 0.5), (0, 0.5), (1, 1 / 2)),
    ],
)
def test_the_worst_channel_is_furthest_from_1_either_way(var, added, worst):
    share = shared((by_channel(*var), Local(by_channel(*added), None), None))
    assert share.worst == (worst[0], pytest.approx(worst[1]))


def given(*sources: tuple[str, Local]) -> Input:
    return Input("bn", by_channel(1, 3), dict(sources), 0)


def tallied(*inputs: Input, **probed: Added) -> Tally:
    tally, found = Tally(), Probed(**probed)
    for call, own in enumerate(inputs):
        stands_in: Any = found
        tally.update(own, call, stands_in)
    return tally


def source(name: str, **changes: Any) -> Source:
    given = {"kind": "Dropout", "noise": "bernoulli", "s2": 0.5, "sharing": "element", "safe": False, **changes}
    return Source(name, **given)


def test_sources_are_told_apart_and_together():
    one, two = ("a", Local(by_channel(1, 1), LAYER)), ("b", Local(by_channel(0, 2), None))
    tally = tallied(given(one, two), given(one))
    assert tally.together.shift == (pytest.approx(8 / 14), 0)
    first, second = tally.ways({"a": source("a"), "b": source("b")})
    assert (first.source, first.exact, first.shift, first.stderr) == ("a", True, pytest.approx(8 / 12), 0)
    assert (second.source, second.shift) == ("b", pytest.approx(4 / 6))
    assert (first.linear, first.eq10) == (LAYER, pytest.approx(LAYER.eq10(0.5)))
    assert (second.linear, second.eq10) == (None, None)


def test_without_noise_nothing_is_added():
    assert tallied(given()).together.shift == (1, 0)


def test_what_is_probed_is_asked_for_by_call_and_by_who_draws():
    lost = Local(None, None)
    alone, both = Added(by_channel(1, 1), 0.0), Added(by_channel(2, 2), 0.0)
    later = Added(by_channel(5, 5), 0.0)
    tally = tallied(given(("a", lost), ("b", lost)), given(("a", lost)), a_0=alone, a_b_0=both, a_1=later)
    assert tally.single["a"].shift[0] == pytest.approx(8 / (8 + 2 + 10))
    assert tally.single["b"].shift[0] is None
    assert tally.together.shift[0] == pytest.approx(8 / (8 + 4 + 10))


@pytest.mark.parametrize(
    "changes", [{"sharing": "sample"}, {"s2": None, "noise": None}], ids=["shared", "of no known strength"]
)
def test_eq_10_is_about_element_wise_noise_of_a_known_strength(changes):
    tally = tallied(given(("a", Local(by_channel(1, 1), LAYER))))
    (way,) = tally.ways({"a": source("a", **changes)})
    assert (way.linear, way.eq10) == (LAYER, None)


def test_a_layer_is_averaged_over_batches_unless_it_is_another_at_times():
    other = Linear("conv", 9, 2.0, 3.0, 5.0, 0.75)
    cases = {
        (LAYER, other): Linear("conv", 9, 2.0, 2.0, 4.0, 0.5),
        (LAYER, None): None,
        (None, None): None,
        (LAYER, Linear("fc", 9, 2.0, 3.0, 5.0, 0.75)): None,
        (LAYER, Linear("conv", 8, 2.0, 3.0, 5.0, 0.75)): None,
    }
    for linears, expected in cases.items():
        tally = tallied(*(given(("a", Local(by_channel(1, 1), linear))) for linear in linears))
        (way,) = tally.ways({"a": source("a")})
        assert way.linear == expected


def test_the_same_noise_from_two_ways_adds_up_under_the_first_layer_and_is_common_if_either_is():
    for one, other in ((True, False), (False, True), (True, True), (False, False)):
        total = Local(by_channel(1, 2), LAYER, common=one) + Local(by_channel(3, 5), None, common=other)
        assert total.added is not None
        assert (total.added.tolist(), total.linear, total.common) == ([4, 7], LAYER, one or other)
    assert (Local(None, LAYER) + Local(by_channel(1), None)).added is None
    assert (Local(by_channel(1), LAYER) + Local(None, None)).added is None
