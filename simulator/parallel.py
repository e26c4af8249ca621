"""Threads that leave no trace in the results: tasks run side by side, their results come in the order of the tasks."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from simulator.contracts import whole

# Bytes that what all threads hold at once may take.
MEMORY = 100e6

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores(threads: int | None) -> int:
    """Return `threads`, or for None as many as this process may use cores.

    Raises:
        ValueError: if `threads` is no whole number >= 1.
    """
    if threads is not None:
        return whole("threads", threads, at_least=1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(task: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Generator[Result]:
    """Yield task(item) in the order of the items, from `threads` threads.

    Numpy lets go of the interpreter's lock while it computes, so that threads suffice. Items are taken and results kept
    only a few ahead of what has been yielded, so that memory is bounded. Each task sees numpy's error settings
    of the caller. If the caller stops early, no further task is started.

    Meanwhile BLAS keeps to one thread: its own would spin beside ours, and might split a product, and so round it,
    differently on every machine.
    """
    _keep_freed_memory()
    ahead: deque[Future[Result]] = deque()
    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(copy_context().run, task, item))
                if len(ahead) > 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except RuntimeError as error:
            # Ctrl-C in the midst of a wait may come out as "cannot release un-acquired lock".
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise
        finally:
            for future in ahead:
                future.cancel()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _keep_freed_memory() -> None:
    """Let glibc keep up to 32 MB for the next array: returning it and faulting it in again took a third of the time.

    Glibc returns what exceeds twice the largest block that it has mapped and freed, so one such block is enough.
    """
    np.empty(2**24, np.uint8)
