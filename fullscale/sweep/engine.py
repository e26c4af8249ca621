"""What an engine does for a sweep: it sees to it that somebody works at what is left."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from fullscale.sweep.run import Run


class Engine(Protocol):
    """Makes workers, here or elsewhere.

    Attributes:
        pause: seconds between looks at what they have done.
        stopping: what takes a moment when the sweep is stopped, in a line; empty if nothing does.
        leaving: what happens to them when the sweep is stopped, in a line.
    """

    pause: ClassVar[float]
    stopping: ClassVar[str]
    leaving: ClassVar[str]

    def tend(self, left: Sequence[Run]) -> Mapping[Run, str]:
        """Replace workers that are missing, and return runs for which that is hopeless, and why."""
        ...

    def leave(self) -> None:
        """Stop looking after them."""
        ...
