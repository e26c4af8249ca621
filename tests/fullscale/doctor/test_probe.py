"""A pass in which some sources draw, held against the same numbers drawn by hand; and a pass that is repeated."""

from collections.abc import Callable, Collection
from itertools import count
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.doctor.exact import Input
from fullscale.doctor.probe import Probe, Reading, Twins
from fullscale.doctor.repeated import Repeated
from fullscale.doctor.stack import Stack
from tests.fullscale.doctor.following import CHANNELS, SAMPLES, convolved, signal

KEEP = 0.25
Draw: TypeAlias = Callable[[Tensor], Tensor]
Way: TypeAlias = Callable[[Tensor, Draw], Tensor]
"""What is made of a signal, and of numbers that are drawn like a tensor."""


def drawn(like: Tensor) -> Tensor:
    return torch.empty_like(like).bernoulli_(KEEP).div_(KEEP)


class Drop(nn.Module):
    def forward(self, like: Tensor) -> Tensor:
        return drawn(like)


class Model(nn.Module):
    """BN, a way that draws, and two BNs more."""

    def __init__(self, way: Way, channels: int) -> None:
        super().__init__()
        self.way, self.drop = way, Drop()
        self.before, self.bn, self.after = (
            nn.BatchNorm2d(n, dtype=torch.float64) for n in (CHANNELS, channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        self.before(x)
        return self.after(functional.silu(self.bn(self.way(x, self.drop))))


def by_hand(way: Way, active: Collection[str]) -> Tensor:
    """What arrives: who is active draws a second time, after the first numbers were replaced by their mean."""
    names = count(1)

    def draw(like: Tensor) -> Tensor:
        drawn(like)
        number = next(names)
        return drawn(like) if ("drop" if number == 1 else f"drop:{number}") in active else torch.ones_like(like)

    torch.manual_seed(7)
    return way(signal(), draw)


def read(way: Way, active: Collection[str]) -> dict[str, list[Reading | None]]:
    model = Model(way, by_hand(way, ()).shape[1])
    stack = Stack(model)
    stack.restart(SAMPLES)
    torch.manual_seed(7)
    with torch.no_grad(), Probe(stack, set(active)) as probe:
        model(signal())
    return probe.inputs


def written_in_part(x: Tensor, draw: Draw) -> Tensor:
    noisy = x * draw(x)
    noisy[:, 1:3].mul_(2)
    noisy[:, :, 1] += 1
    return noisy


def written_over_a_view(x: Tensor, draw: Draw) -> Tensor:
    noisy = x * draw(x)
    flat = noisy.view(SAMPLES, -1)
    noisy.exp_()
    return (flat * 2).view(x.shape)


def copied_into(x: Tensor, draw: Draw) -> Tensor:
    room = torch.zeros_like(x)
    room[:, ::2].copy_((x * draw(x))[:, ::2])
    return room


def twice(x: Tensor, draw: Draw) -> Tensor:
    bent = functional.silu(x * draw(x))
    return bent * draw(bent)


def twice_and_beside(x: Tensor, draw: Draw) -> Tensor:
    one, other = x * draw(x), signal(2) * draw(x)
    return torch.cat([functional.silu(one), one * other, other.exp()], 1)


def drawn_like_the_noisy(x: Tensor, draw: Draw) -> Tensor:
    bent = functional.silu(x * draw(x))
    return signal(2) * draw(bent) + bent


WAYS: dict[str, Way] = {
    "bent": lambda x, draw: functional.silu(x * draw(x)),
    "in place": lambda x, draw: (x * draw(x)).exp_().add_(1),
    "convolved twice": lambda x, draw: convolved(convolved(x * draw(x), padding=1)[:, :CHANNELS]),
    "in single precision": lambda x, draw: functional.silu((x * draw(x)).float()).double(),
    "by a mask": lambda x, draw: torch.where(x * draw(x) > 0.5, x, -x),
    "counted": lambda x, draw: x * (x * draw(x)).long(),
    "in parts": lambda x, draw: torch.cat((x * draw(x)).exp().chunk(2, 1)[::-1], 1),
    "sorted": lambda x, draw: (x * draw(x)).sort(1)[0],
    "channels last": lambda x, draw: (x * draw(x)).contiguous(memory_format=torch.channels_last).exp(),
    "numbers that were changed": lambda x, draw: functional.silu(x * (2 - draw(x))),
    "numbers that meet the signal otherwise": lambda x, draw: torch.maximum(x, draw(x)),
    "written in part": written_in_part,
    "written over a view": written_over_a_view,
    "copied into": copied_into,
    "twice": twice,
    "twice and beside": twice_and_beside,
    "drawn like the noisy": drawn_like_the_noisy,
}


@pytest.mark.parametrize("active", [("drop",), ("drop:2",), ("drop", "drop:2"), ()], ids=str)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_arrives_is_what_these_numbers_make_of_the_signal(way: Way, active: tuple[str, ...]) -> None:
    (reading,) = read(way, active)["bn"]
    arrives = by_hand(way, active).transpose(0, 1).flatten(1)
    quiet = by_hand(way, ()).transpose(0, 1).flatten(1)
    if reading is None:
        assert torch.equal(arrives, quiet)
    else:
        torch.testing.assert_close(reading, Reading(arrives.mean(1), arrives.var(1)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_other_numbers_would_be_noticed(way: Way) -> None:
    (reading,) = read(way, ["drop"])["bn"]
    assert reading is not None
    quiet = by_hand(way, ()).transpose(0, 1).flatten(1)
    assert not torch.allclose(reading.var, quiet.var(1), rtol=1e-6)


def test_before_the_noise_and_behind_a_bn_none_arrives() -> None:
    inputs = read(WAYS["bent"], ["drop"])
    assert list(inputs) == ["before", "bn", "after"]
    assert (inputs["before"], inputs["after"]) == ([None], [None])


def test_a_bn_that_is_called_twice_has_two_readings() -> None:
    model: Any = Model(WAYS["bent"], CHANNELS)
    model.after = model.bn
    stack = Stack(model)
    stack.restart(SAMPLES)
    with torch.no_grad(), Probe(stack, {"drop"}) as probe:
        model(signal())
    first, second = probe.inputs["bn"]
    assert isinstance(first, Reading)
    assert second is None


def test_a_twin_lies_where_its_tensor_does_whatever_the_default() -> None:
    twins, x = Twins(), torch.arange(6.0)
    twins.own(x)
    with torch.device("meta"):
        twin = twins.of(x[2:])
    assert torch.equal(twin, x[2:])
    assert twin.data_ptr() != x[2:].data_ptr()


def test_what_has_no_twin_is_its_own() -> None:
    twins, x = Twins(), torch.arange(6.0)
    assert not twins.has(x)
    assert twins.of(x) is x


def own(bn: str, *var: float) -> Input:
    return Input(bn, torch.tensor(var, dtype=torch.float32), {}, 0)


def repeated(*inputs: tuple[str, float]) -> Repeated:
    again = Repeated(Stack(nn.Identity()))
    again.inputs = [(bn, torch.tensor([var, 2.0])) for bn, var in inputs]
    return again


def test_inputs_are_alike_up_to_a_thousandth_of_their_variance() -> None:
    again = repeated(("one", 1.0), ("two", 1e-9), ("three", 1.0))
    assert again.unlike([own("one", 1.0009, 2), own("two", 1e-9, 2), own("three", 0.9991, 2)]) == set()
    assert again.unlike([own("one", 1.0011, 2), own("two", 2e-9, 2), own("three", 1, 2.003)]) == {"one", "two", "three"}
    assert again.unlike([own("one", 1, 2), own("two", 0, 2), own("three", 1, 2)]) == {"two"}


def test_where_other_bns_are_called_no_input_is_alike() -> None:
    first = [own("one", 1, 2), own("two", 1, 2)]
    for again in (repeated(("two", 1.0), ("one", 1.0)), repeated(("one", 1.0)), repeated()):
        assert again.unlike(first) == {"one", "two"}
