"""Ctrl-C and SIGTERM as a request to stop at the next safe place."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Request:
    """Whether a signal asked to stop, and which; the second one does not wait.

    Attributes:
        signal: its number; 0 while there was none.
    """

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal."""
        del frame
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number


@contextlib.contextmanager
def noted() -> Iterator[Request]:
    """Note SIGINT and SIGTERM instead of being interrupted by them."""
    request = Request()
    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
