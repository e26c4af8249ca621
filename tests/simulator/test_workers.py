"""How many threads a measurement takes, as many as help and have the memory; and what they keep meanwhile."""

import os
from typing import Any

import numpy as np
import pytest

from simulator import Array, BatchNorm, Equicorrelated, Layer, Linear, ReLU, Residual, Stack

# Alive at once, for a sample: 64 inputs that are held, a BN's 96 inputs and outputs, each twice: 512 doubles.
WIDENS = Stack([Linear(np.ones((96, 64))), BatchNorm(96)])
NARROWS = Stack([Linear(np.ones((1, 64))), BatchNorm(1)])
# In a branch, what it was given is held besides; what a branch within it held is free behind that: 704 doubles.
BRANCH: list[Layer] = [Residual([ReLU()]), Linear(np.ones((160, 64))), Linear(np.ones((64, 160)))]
BRANCHES = Stack([Residual(BRANCH), BatchNorm(64)])
INPUTS = Equicorrelated(64, 0.0, 1.0, 0.0)


@pytest.fixture
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(
    ("batch", "threads", "workers"),
    [
        (1023, None, 1),  # fewer than 2^19 numbers are alive at once
        (1024, None, 23),  # 4.2 MB each, of 100
        (4096, None, 5),
        (1024, 23, 23),
        (1024, 3, 3),
        (8, 3, 3),  # whoever asks for threads gets them
    ],
)
def test_a_measurement_takes_the_threads_it_is_told_or_as_many_as_help(batch: int, threads: int | None, workers: int):
    assert WIDENS.workers(INPUTS, batch, threads) == workers


@pytest.mark.parametrize(
    ("stack", "batch", "threads", "told"),
    [
        (WIDENS, 1024, 24, "must be <= 1005 for this stack with threads = 24; it would take 102 MB of 100"),
        (WIDENS, 10**7, 24, "must be <= 1005 for this stack with threads = 24; it would take 983041 MB of 100"),
        (WIDENS, 8, 5000, "must be <= 0 for this stack with threads = 5000; it would take 410 MB of 100"),
        (BRANCHES, 10**6, None, "must be <= 17741 for this stack with threads = 1; it would take 5632 MB of 100"),
        # Six times the inputs, which a draw takes, is more than this stack holds.
        (NARROWS, 10**6, None, "must be <= 32551 for this stack with threads = 1; it would take 3072 MB of 100"),
    ],
)
def test_a_batch_without_the_memory_is_refused_and_told_what_has_it(
    stack: Stack, batch: int, threads: int | None, told: str
):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        stack.workers(INPUTS, batch, threads)
    assert str(refused.value) == f"batch = {batch}: {told}"


class Counted:
    """Inputs that are counted as they are drawn."""

    def __init__(self) -> None:
        self.drawn = list[int]()

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        self.drawn.append(n)
        return rng.standard_normal((n, 4))


@pytest.mark.parametrize(("batches", "threads", "passes"), [(16, 1, 1), (17, 1, 3), (8, 2, 1), (9, 2, 3)])
def test_inputs_are_drawn_once_where_all_threads_together_keep_up_to_16_mb_of_them(
    batches: int, threads: int, passes: int
):
    inputs, batch = Counted(), 31_250  # 1 MB
    options: dict[str, Any] = {"replicas": 2, "batches": batches, "batch": batch, "epochs": 2, "threads": threads}
    Stack([BatchNorm(4)]).measure(inputs, np.random.default_rng(0), **options)
    assert sum(inputs.drawn) == 1 + 2 * passes * batches * batch  # one to see how large a sample is
