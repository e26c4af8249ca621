"""Fig. 5: training images whose answer changes between train mode and test mode."""

from dataclasses import dataclass
from typing import ClassVar

from fullscale.measurements.cost import Sizes
from fullscale.progress import Progress
from fullscale.responses import MODES, Flip, respond
from fullscale.responses import Responses as Found
from fullscale.subject import Subject


@dataclass(frozen=True)
class Example:
    """One image that is right in train mode and wrong in test mode: see `fullscale.responses.Flip`.

    Attributes:
        index: in the training set, in stored order.
        drop: of its class's probability.
        train_logits: (classes,)
        test_logits: (classes,)
    """

    index: int
    label: int
    drop: float
    train_logits: tuple[float, ...]
    test_logits: tuple[float, ...]


@dataclass(frozen=True)
class Switched:
    """Error in percent with Dropout on or off, and BN by its batch or by its moving statistics."""

    noise: bool
    by_batch: bool
    error: float


@dataclass(frozen=True)
class Numbers:
    """See `fullscale.responses.Responses`.

    Attributes:
        errors: in each mode, train mode first, test mode last.
        flipped: how many images are right in train mode and wrong in test mode.
        recovered: how many the other way.
    """

    errors: tuple[Switched, ...]
    flipped: int
    recovered: int
    images: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Responses:
    """The training images in mixed batches, as they are, in all four modes.

    Attributes:
        keep: examples at most, those whose class loses most.
    """

    kind: ClassVar = "responses"
    numbers: ClassVar = Numbers

    keep: int = 8

    def take(self, subject: Subject, progress: Progress) -> Numbers:
        """Show the images.

        Raises:
            ValueError: as `fullscale.responses.respond`.
        """
        order = subject.mixed()
        found = respond(subject.net, subject.plain(order), seed=subject.seed, keep=self.keep, progress=progress)
        return written(found.stored(order))

    def images(self, sizes: Sizes) -> int:
        """Count the images that pass through the net."""
        return len(MODES) * sizes.train


def written(found: Found) -> Numbers:
    """Return what is kept of responses: all but the images."""
    errors = tuple(Switched(mode.noise, mode.by_batch, found.errors[mode]) for mode in MODES)
    return Numbers(errors, found.flipped, found.recovered, found.n, tuple(map(_example, found.examples)))


def _example(flip: Flip) -> Example:
    train, test = tuple(flip.train_logits.tolist()), tuple(flip.test_logits.tolist())
    return Example(flip.index, flip.label, flip.drop, train, test)
