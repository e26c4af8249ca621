"""How much is drawn unless told otherwise, how much of it at once, and by how many threads."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from simulator import BatchNorm, CaseResult, Dropout, Equicorrelated, Stack, measure_case
from simulator.contracts import Array

NORMAL = Equicorrelated(1, 0.0, 1.0, 0.0)


class Counting:
    """One standard normal input, or Dropout, that counts what it is asked for."""

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.noised: list[int] = []

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        self.drawn.append(n)
        return rng.standard_normal((n, 1))

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        self.noised.append(len(x))
        return Dropout(0.5).train(x, rng)

    def test(self, x: Array) -> Array:
        return x


def test_a_stack_is_trained_and_tested_on_16_batches_of_1024() -> None:
    counting = Counting()
    stack = Stack([counting, BatchNorm(1)])
    stack.train(counting, np.random.default_rng(0))
    assert (counting.drawn, counting.noised) == ([1024] * 16, [1024] * 16)
    counting.drawn.clear()
    stack.test(counting, np.random.default_rng(0))
    assert (counting.drawn, len(counting.noised)) == ([1024] * 16, 16)


def test_a_stack_is_measured_by_64_replicas_of_one_epoch() -> None:
    counting = Counting()
    (reading,) = Stack([counting, BatchNorm(1)]).measure(counting, np.random.default_rng(0), threads=1)
    assert reading.shift.n == 64 * 16 * 1024
    assert counting.noised == [1024] * 16 * 64


def test_a_batch_of_two_is_enough() -> None:
    stack = Stack([Dropout(0.9), BatchNorm(1)])
    (reading,) = stack.measure(NORMAL, np.random.default_rng(0), replicas=4, batches=8, batch=2)
    assert reading.shift.n == 4 * 8 * 2


def progress_of(samples: int, **given: Any) -> list[int]:
    """How many samples each result so far has seen."""
    seen: list[CaseResult] = []
    rng = np.random.default_rng(0)
    last = measure_case("a", NORMAL, Dropout(0.5), None, samples, rng, progress=seen.append, **given)
    assert seen[-1] == last
    return [result.n for result in seen]


def test_progress_begins_with_two_batches() -> None:
    assert progress_of(200) == [200]


def test_the_largest_batches_are_taken_two_at_a_time() -> None:
    most = 2**19
    assert progress_of(6 * most, batch=most, threads=1) == [2 * most, 4 * most, 6 * most]


@pytest.mark.parametrize(
    ("d", "batch", "threads"),
    [
        (1, 100, 9),  # 1310 batches a part, 4 doubles of each value, 6 of each of 2^17 drawn at once: 10.5 MB
        (1000, 1000, 15),  # 2 batches a part: 6.4 MB
        (2**19, 2, 3),  # 6 doubles of one sample: 25.2 MB
        (2**20, 2, 1),
    ],
)
def test_there_are_at_most_as_many_threads_as_100_mb_hold(
    d: int, batch: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def alone(task: Callable[[Any], Any], items: Any, threads: int) -> Any:
        asked.append(threads)
        yield from map(task, items)

    monkeypatch.setattr("simulator.cases.in_order", alone)
    weights = np.zeros(d)
    weights[0] = 1
    inputs = Equicorrelated(d, 0.0, 1.0, 0.0, dtype="float32")
    measure_case("b", inputs, Dropout(0.5), weights, 1, np.random.default_rng(0), batch, threads=64)
    assert asked == [threads]


def test_as_many_weights_as_are_allowed_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.cases.LARGEST_D", 2)
    inputs = Equicorrelated(2, 0.0, 1.0, 0.0)
    assert measure_case("b", inputs, Dropout(0.5), [1, 2], 1, np.random.default_rng(0)).n == 200
    with pytest.raises(ValueError, match=r"weights' d = 3: must be <= 2"):
        measure_case("b", inputs, Dropout(0.5), [1, 2, 3], 1, np.random.default_rng(0))


def test_weights_may_be_fractions() -> None:
    inputs = Equicorrelated(2, 0.0, 1.0, 0.0)
    weights: list[Any] = [[Fraction(1, 2), 1], [0.5, 1.0]]
    one, other = (measure_case("b", inputs, Dropout(0.5), w, 1000, np.random.default_rng(0)) for w in weights)
    assert one == other


def test_a_single_weight_scales_both_variances_by_its_square() -> None:
    alone = measure_case("a", NORMAL, Dropout(0.5), None, 1000, np.random.default_rng(0))
    scaled = measure_case("b", NORMAL, Dropout(0.5), [4.0], 1000, np.random.default_rng(0))
    assert scaled.var_test.value == pytest.approx(16 * alone.var_test.value, rel=1e-12)
    assert scaled.var_train.value == pytest.approx(16 * alone.var_train.value, rel=1e-12)
