"""One thread in these tests: several programs share few cores, and threads that wait for each other spin."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def threads_of_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # again and again, since commands set what they are told
