"""One thread in these tests, also after a command that sets another number."""

from collections.abc import Iterator

import pytest
import torch

from tests.threads import one_thread

__all__ = ["one_thread"]


@pytest.fixture(autouse=True)
def one_thread_again() -> Iterator[None]:
    yield
    torch.set_num_threads(1)  # a command sets what it is told
