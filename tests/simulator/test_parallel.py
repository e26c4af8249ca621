import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from simulator import (
    Array,
    BatchNorm,
    Convolution,
    Dropout,
    Equicorrelated,
    FeatureMaps,
    GaussianDropout,
    Linear,
    Reading,
    ReLU,
    Residual,
    Stack,
    Uout,
    measure_case,
)
from simulator.parallel import cores, in_order

THREADS = pytest.mark.parametrize("threads", [1, 2, 3, 7])
RNG = np.random.default_rng(0)
WIDE = RNG.normal(size=(700, 700)) / 26  # a product that a BLAS would split over its threads
FILTERS = RNG.normal(size=(8, 4, 3, 3))


class BoomError(Exception):
    """What only these tests raise."""


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@THREADS
def test_results_come_in_the_order_of_the_items(threads: int):
    def slow_at_first(item: int) -> int:
        time.sleep(0.002 * (item % 3 == 0))
        return item**2

    assert list(in_order(slow_at_first, range(40), threads)) == [item**2 for item in range(40)]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers()), st.integers(1, 9))
def test_each_item_is_done_once(items: list[int], threads: int):
    done: list[int] = []
    assert list(in_order(lambda item: done.append(item) or item, items, threads)) == items
    assert sorted(done) == sorted(items)


def test_tasks_run_side_by_side():
    together = threading.Barrier(3, timeout=20)  # nobody passes before all three are here
    assert len(set(in_order(lambda _: together.wait(), range(3), 3))) == 3


def test_one_thread_does_one_task_after_the_other():
    def slow(_: int) -> int:
        time.sleep(0.001)
        return threading.get_ident()

    assert len(set(in_order(slow, range(20), 1))) == 1


def test_meanwhile_blas_keeps_to_one_thread():
    def threads_of_blas(_: int) -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        assert threads_of_blas(0) == {2}
        assert list(in_order(threads_of_blas, range(2), 2)) == [{1}, {1}]


@THREADS
def test_items_are_taken_only_a_few_ahead(threads: int):
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    ahead = []
    with closing(in_order(lambda item: item, endless(), threads)) as results:
        assert not taken
        for expected in range(50):
            assert next(results) == expected
            ahead.append(len(taken) - expected)
    assert 2 <= max(ahead) <= 2 * threads + 2


@THREADS
@pytest.mark.parametrize("failing", [0, 5, 29])
def test_an_exception_in_a_task_is_what_the_caller_sees(threads: int, failing: int):
    done = []

    def task(item: int) -> int:
        if item == failing:
            raise BoomError(item)
        done.append(item)
        return item

    seen: list[int] = []
    with pytest.raises(BoomError, match=f"^{failing}$"):
        seen.extend(in_order(task, range(30), threads))
    assert max(done, default=0) <= failing + 2 * threads + 1  # no more was begun


@THREADS
def test_an_exception_where_the_items_come_from_is_what_the_caller_sees(threads: int):
    def failing() -> Iterator[int]:
        yield 1
        raise BoomError

    with pytest.raises(BoomError):
        list(in_order(lambda item: item, failing(), threads))


def test_a_caller_that_stops_early_starts_no_further_task():
    done: list[int] = []
    release = threading.Event()

    def task(item: int) -> None:
        done.append(item)
        if item:
            release.wait(20)

    timer = threading.Timer(0.3, release.set)  # while closing waits for the task that runs
    with closing(in_order(task, range(1000), 1)) as results:
        next(results)
        timer.start()
    timer.join()
    assert done in ([0], [0, 1])


@THREADS
def test_the_caller_s_error_settings_hold_in_the_threads(threads: int):
    def divide(item: int) -> float:
        return float((np.ones(3) / np.full(3, item))[0])

    with np.errstate(divide="ignore"):
        assert list(in_order(divide, [0, 1, 2], threads)) == [np.inf, 1, 0.5]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(in_order(divide, [1, 0, 2], threads))


@pytest.mark.parametrize(("counted", "expected"), [(7, 7), (None, 1)])
def test_where_no_process_is_bound_to_cores_all_count(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, expected: int
):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cores(None) == expected


def test_there_is_a_core_and_no_less():
    assert cores(None) >= 1
    assert cores(5) == 5
    for threads in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"^threads = {threads}: must be a whole number >= 1$"):
            cores(threads)  # pyright: ignore[reportArgumentType]


def wide(seed: int, threads: int | None, **options: Any) -> tuple[Reading, ...]:
    stack = Stack([Dropout(0.5), Linear(WIDE), BatchNorm(700), ReLU(), Uout(0.7), Linear(WIDE), BatchNorm(700, 0.2)])
    inputs = Equicorrelated(700, 0.5, 1.0, 0.1, dtype="float32")
    return stack.measure(inputs, np.random.default_rng(seed), threads=threads, **_little(256) | options)


def maps(seed: int, threads: int | None, **options: Any) -> tuple[Reading, ...]:
    block = Residual([Convolution(FILTERS, padding=1), GaussianDropout(0.5, "channel"), BatchNorm(8)], [doubled])
    stack = Stack([Dropout(0.7), block, ReLU(), BatchNorm(8)])
    inputs = FeatureMaps(4, 8, 0.5, 1.0, -0.1, 0.4, "exponential")
    return stack.measure(inputs, np.random.default_rng(seed), threads=threads, **_little(32) | options)


def doubled(x: Array) -> Array:
    return np.concatenate([x, x], axis=1)


def _little(batch: int) -> dict[str, Any]:
    return {"replicas": 8, "batches": 2, "batch": batch}


@pytest.mark.parametrize("measure", [wide, maps])
def test_a_stack_reads_the_same_bits_on_any_number_of_threads(measure: Callable[..., tuple[Reading, ...]]):
    first = measure(0, 1)
    assert all(measure(0, threads) == first for threads in (2, 3, 7, None))
    assert measure(1, 2)[0].real_mean != first[0].real_mean
    twice = measure(0, 1, epochs=2)
    assert twice == measure(0, 3, epochs=2) != first


@pytest.mark.parametrize("d", [1, 10, 3000])
def test_a_case_reads_the_same_bits_on_any_number_of_threads(d: int):
    def run(seed: int, threads: int | None) -> Any:
        inputs = Equicorrelated(d, 0.5, 1.0, 0.1, "uniform", dtype="float32")
        samples = 2_000_000 // (d + 10)
        return measure_case(
            "b", inputs, Dropout(0.5), np.ones(d), samples, np.random.default_rng(seed), threads=threads
        )

    first = run(0, 1)
    assert all(run(0, threads) == first for threads in (2, 3, 7, None))
    assert run(1, 2).shift != first.shift


@THREADS
def test_progress_sees_the_same_on_any_number_of_threads(threads: int):
    def seen(threads: int) -> list[tuple[Reading, ...]]:
        partial: list[tuple[Reading, ...]] = []
        assert maps(0, threads, progress=partial.append) == partial[-1]
        return partial

    assert seen(threads) == seen(1)
    assert [readings[0].shift.n for readings in seen(threads)] == [64 * replicas for replicas in range(2, 9)]


@dataclass
class Failing:
    """A noise that raises in its third training batch."""

    error: type[BaseException]
    calls: list[int] = field(default_factory=list)

    def __deepcopy__(self, _memory: object) -> "Failing":
        return self

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        self.calls.append(int(rng.integers(10)))
        if len(self.calls) >= 3:
            raise self.error
        return x

    def test(self, x: Array) -> Array:
        return x


@THREADS
@pytest.mark.parametrize("error", [BoomError, KeyboardInterrupt])
def test_an_exception_in_a_measurement_is_what_the_caller_sees(threads: int, error: type[BaseException]):
    noise, inputs = Failing(error), Equicorrelated(2, 0.0, 1.0, 0.0)
    with pytest.raises(error):
        Stack([noise, BatchNorm(2)]).measure(inputs, np.random.default_rng(0), replicas=500, threads=threads)
    assert len(noise.calls) < 100
    noise.calls.clear()
    with pytest.raises(error):
        measure_case("b", inputs, noise, [1.0, 1.0], 10**9, np.random.default_rng(0), threads=threads)
    assert len(noise.calls) < 100


@THREADS
@pytest.mark.parametrize("error", [BoomError, KeyboardInterrupt])
def test_an_exception_in_progress_is_what_the_caller_sees(threads: int, error: type[BaseException]):
    calls: list[object] = []

    def stop(result: object) -> None:
        calls.append(result)
        raise error

    with pytest.raises(error):
        maps(0, threads, replicas=10**6, progress=stop)
    one = Equicorrelated(1, 0.0, 1.0, 0.0)
    with pytest.raises(error):
        measure_case("a", one, Dropout(0.5), None, 10**12, np.random.default_rng(0), progress=stop, threads=threads)
    assert len(calls) == 2


@THREADS
def test_a_numerical_error_is_raised_where_the_caller_asks_for_it(threads: int):
    def measure() -> None:
        overflowing = Stack([Linear([[1e30]]), lambda x: x**20, BatchNorm(1)])
        overflowing.measure(Equicorrelated(1, 0.0, 1.0, 0.0), np.random.default_rng(0), threads=threads)

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        measure()
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="rows: must be finite"):
        measure()


def test_ctrl_c_that_breaks_a_lock_is_still_ctrl_c():
    def broken(interrupted: bool) -> None:  # noqa: FBT001 (one item of in_order)
        try:
            if interrupted:
                raise KeyboardInterrupt
        finally:
            raise RuntimeError("cannot release un-acquired lock")

    with pytest.raises(KeyboardInterrupt):
        list(in_order(broken, [True], 1))
    with pytest.raises(RuntimeError, match="un-acquired"):
        list(in_order(broken, [False], 1))
