"""Ctrl-C, SIGTERM and a batch system's warning as a request to stop at the next safe place."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

WARNING = getattr(signal, "SIGUSR2", signal.SIGTERM)
"""sent by Slurm, as submitit asks it to, before time is up or another job needs the machine"""
STOPPING = (signal.SIGINT, signal.SIGTERM, WARNING)


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
    """Note these signals instead of being interrupted by them; whoever noted them around this learns of it, too."""
    request = Request()
    before = {number: signal.signal(number, request) for number in STOPPING}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
            if isinstance(handler, Request):
                handler.signal = handler.signal or request.signal
