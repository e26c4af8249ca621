"""Random numbers in parts of a storage, and whose generator draws."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fullscale.doctor.calls import generator_state
from fullscale.doctor.laws import bernoulli
from fullscale.doctor.products import Random, merged

HALF, RARE = Random(frozenset("a"), bernoulli(0.5)), Random(frozenset("b"), bernoulli(0.1))


def test_parts_of_random_numbers_have_one_law_or_none() -> None:
    assert merged([]) is None
    assert merged([None]) is None
    assert merged([HALF]) == merged([HALF, HALF]) == HALF
    assert merged([HALF, RARE]) == Random(frozenset("ab"), None)
    assert merged([HALF, Random(frozenset("b"), None)]) == Random(frozenset("ab"), None)
    assert merged([None, HALF]) == merged([HALF, None]) == Random(frozenset("a"), None)


def test_what_draws_on_a_gpu_has_its_generator_there(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"cuda:0": torch.tensor([0]), "cuda:1": torch.tensor([1])}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device="cuda:0": states[device])
    host, board = SimpleNamespace(is_cuda=False, device="cpu"), SimpleNamespace(is_cuda=True, device="cuda:1")
    call: Any = SimpleNamespace(tensors=[host, board])
    assert generator_state(call) is states["cuda:1"]
    call = SimpleNamespace(tensors=[host])
    assert torch.equal(generator_state(call), torch.get_rng_state())
