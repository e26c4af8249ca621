"""Noises that meet: each is followed as if it were alone, as long as it can be; what is kept of many is bounded."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from fullscale.doctor.exact import Local
from tests.fullscale.doctor.following import (
    CHANNELS,
    ELEMENT,
    SHARED,
    agrees,
    arrived,
    convolved,
    followed,
    per_channel,
    signal,
    weight,
)

MANY = [("dropout", ELEMENT), ("gaussian", ELEMENT), ("uout", ELEMENT), ("dropout", SHARED["sample"])]
MANY += [("gaussian", SHARED["channel"]), ("dropout", ELEMENT)]
KEPT = 4
FACTORS = (1.0, -2.0, 3.0, 0.5, -1.0, 2.0)


def trunk(x: Tensor, *noises: Tensor) -> Tensor:
    """A sum to which one product after the other is added, as blocks add to a trunk."""
    total = x
    for place, (noise, factor) in enumerate(zip(noises, FACTORS, strict=True)):
        total = total + factor * signal(place) * noise
    return total


def alone(number: int, then=lambda x: x):
    """The trunk with one noise; the others, at their means, do not matter to its derivative."""

    def way(x: Tensor, noise: Tensor) -> Tensor:
        del x
        return then(FACTORS[number] * signal(number) * noise)

    return way


def test_at_a_bn_every_noise_on_a_trunk_is_exact():
    for number, local in enumerate(arrived(trunk, *MANY)):
        assert agrees(local, alone(number), *MANY[number])
        assert local.linear is not None


def test_behind_a_layer_the_last_few_are_exact_and_the_others_lost():
    locals_ = arrived(lambda x, *noises: convolved(trunk(x, *noises)), *MANY)
    assert [local.added is None for local in locals_] == [True] * (len(MANY) - KEPT) + [False] * KEPT
    for number, local in list(enumerate(locals_))[-KEPT:]:
        assert agrees(local, alone(number, lambda x: functional.conv2d(x, weight(8, CHANNELS, 3, 3))), *MANY[number])


def test_what_all_samples_share_is_no_number_of_their_own_however_long_the_trunk():
    shared = "dropout", SHARED["batch"]
    first, *others = arrived(trunk, shared, *MANY[1:])
    assert first == Local(None, None, common=True)
    assert all(local.added is not None for local in others)


def test_scaled_by_channel_even_those_stay_exact():
    locals_ = arrived(lambda x, *noises: trunk(x, *noises) * per_channel(), *MANY)
    for number, local in enumerate(locals_):
        assert agrees(local, alone(number, lambda x: x * per_channel()), *MANY[number])


def test_of_vectors_a_trunk_keeps_as_much():
    def flat(x: Tensor, *noises: Tensor) -> Tensor:
        total = x.flatten(1)
        for place, noise in enumerate(noises):
            total = total + signal(place).flatten(1) * noise
        return total

    noise = "dropout", (3, CHANNELS * 5 * 6)
    for number, local in enumerate(arrived(flat, *[noise] * len(MANY))):
        assert agrees(local, lambda _, n, place=number: signal(place).flatten(1) * n, *noise)


def test_a_noise_in_later_channels_keeps_its_place_on_a_trunk():
    def beside(x: Tensor, first: Tensor, *noises: Tensor) -> Tensor:
        total = torch.cat([signal(7), x * first], 1)
        for noise in noises:
            total = total + torch.cat([signal(8), signal(9)], 1) * noise
        return total

    wide = ("dropout", (3, 2 * CHANNELS, 5, 6))
    first, *_ = arrived(beside, MANY[0], *[wide] * 5)
    assert agrees(first, lambda x, n: torch.cat([0 * x, x * n], 1), *MANY[0])


def test_on_a_trunk_noise_whose_signal_was_written_since_is_lost():
    def spoilt(x: Tensor, first: Tensor, *noises: Tensor) -> Tensor:
        product = x * first
        total = product + signal(7)
        product.zero_()
        for noise in noises:
            total = total + signal(8) * noise
        return total

    first, *others = arrived(spoilt, *[MANY[0]] * len(MANY))
    assert first == Local(None, None)
    assert all(local.added is not None for local in others)


BEHIND = {
    "bn": lambda x: x,
    "layer": convolved,
    "view": lambda x: x[:, 1:],
    "scaled": lambda x: x * 3,
    "scaled by channel": lambda x: x * per_channel(),
    "sum": lambda x: x + signal(8),
    "concatenation": lambda x: torch.cat([signal(8), x], 1),
    "padding": lambda x: functional.pad(x, (1, 2)),
}


@pytest.mark.parametrize("then", BEHIND.values(), ids=BEHIND)
def test_of_a_signal_that_was_written_since_nothing_is_said(then):
    def spoilt(x: Tensor, noise: Tensor) -> Tensor:
        product = x * noise
        total = product + signal(7)
        product.zero_()
        return then(total)

    assert followed(spoilt, *MANY[0]) == Local(None, None)


def test_the_sign_of_lopsided_noise_is_kept():
    steep = ("centred", ELEMENT)  # -1/4 or 3/4
    assert followed(lambda x, n: (x - x * n * 2).relu(), *steep).added is None  # 1 - 2 n may be -1/2
    assert followed(lambda x, n: (x + x * n * 2).relu(), *steep).added is not None
    assert followed(lambda x, n: (x + -(x * n * 2)).relu(), *steep).added is None
    assert followed(lambda x, n: (x - -(x * n * 2)).relu(), *steep).added is not None


@pytest.mark.parametrize("then", [lambda x: x, convolved], ids=["bn", "layer"])
def test_two_noises_that_multiply_are_both_lost(then):
    both = arrived(lambda x, one, two: then(x * one * two), MANY[0], MANY[1])
    assert both == [Local(None, None), Local(None, None)]


def test_two_noises_on_one_signal_meet_behind_layers_of_their_own():
    one, two = arrived(lambda x, one, two: convolved(x * one) + convolved(x * two), MANY[0], MANY[1])
    assert agrees(one, lambda x, n: convolved(x * n), *MANY[0])
    assert agrees(two, lambda x, n: convolved(x * n), *MANY[1])


def test_noise_that_came_over_a_signal_unseen_by_autograd_is_not_forgotten_where_uout_is_completed():
    def way(x: Tensor, uout: Tensor, dropout: Tensor) -> Tensor:
        product = x * uout
        x.data.mul_(dropout)
        return x + product

    uout, dropout = arrived(way, ("uout", ELEMENT), MANY[0])
    assert agrees(uout, lambda x, n: x + x * n, "uout", ELEMENT)
    assert agrees(dropout, lambda x, n: x * n, *MANY[0])
