"""How far a pass over images has come."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from fullscale.data.source import Batch

Progress: TypeAlias = Callable[[int], None]
"""Is told how many images have been done."""


def unheard(images: int) -> None:
    """Make nothing of the progress."""
    del images


class Counted:
    """Counts the images of one pass or more as they are done.

    Attributes:
        images: done so far.
    """

    def __init__(self, progress: Progress) -> None:
        self.images = 0
        self._progress = progress

    def over(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield every batch, and count it when the next one is asked for."""
        for batch in batches:
            yield batch
            self.images += len(batch[1])
            self._progress(self.images)
