"""What a net answers to training images as its two switches are thrown, one by one (Fig. 5)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fullscale.contracts import refusal, whole
from fullscale.data.source import Batch
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch


class Mode(NamedTuple):
    """Two switches. Both on are train mode, both off are test mode.

    Attributes:
        noise: Dropout and its like draw.
        by_batch: BN normalises by its batch, and not by its moving statistics.
    """

    noise: bool
    by_batch: bool


TRAIN, TEST = Mode(noise=True, by_batch=True), Mode(noise=False, by_batch=False)
MODES = (TRAIN, Mode(noise=True, by_batch=False), Mode(noise=False, by_batch=True), TEST)


@dataclass(frozen=True)
class Flip:
    """An image that is right in train mode and wrong in test mode.

    Attributes:
        index: its place in the batches' order, from 0.
        label: its class.
        image: (3, h, w), as the net got it, on the CPU.
        train_logits: (classes,) in train mode, on the CPU.
        test_logits: (classes,) in test mode, on the CPU.
        drop: by how much the probability of its class is smaller in test mode.
    """

    index: int
    label: int
    image: Tensor
    train_logits: Tensor
    test_logits: Tensor
    drop: float


@dataclass(frozen=True)
class Responses:
    """Answers to n images.

    Attributes:
        errors: percent, in each of MODES.
        flipped: how many are right in train mode and wrong in test mode.
        recovered: how many are wrong in train mode and right in test mode.
        n: images.
        examples: the flipped images of the largest drop, largest first.
    """

    errors: dict[Mode, float]
    flipped: int
    recovered: int
    n: int
    examples: tuple[Flip, ...]

    def stored(self, order: Tensor) -> "Responses":
        """Return the same, each example's index that in the training set instead of in the order: (n,) it came in."""
        examples = (replace(flip, index=int(order[flip.index])) for flip in self.examples)
        return replace(self, examples=tuple(examples))


def respond(
    net: nn.Module, batches: Iterable[Batch], *, seed: int, keep: int = 8, progress: Progress = unheard
) -> Responses:
    """Show images to a net in all four modes.

    Args:
        net: comes back as it was.
        batches: of training images, on the net's device. By-batch modes depend on which images share a batch.
        seed: of the noise, which is drawn afresh in each mode that has it.
        keep: examples at most.
        progress: is told after each batch how many images are done.

    Raises:
        ValueError: if there are no images, or `keep` is no whole number >= 0.
    """
    whole("keep", keep, at_least=0)
    subject, counted = specimen(net), Counted(progress)
    wrong: list[Tensor] = []
    examples: list[Flip] = []
    with faithful(subject, seed):
        for images, labels in counted.over(batches):
            logits = {mode: _logits(subject, images, mode) for mode in MODES}
            wrong.append(torch.stack([logits[mode].argmax(1) != labels for mode in MODES]))
            found = _flips(images, labels, logits, keep)
            examples += [replace(flip, index=counted.images + flip.index) for flip in found]
            examples = sorted(examples, key=lambda flip: (-flip.drop, flip.index))[:keep]
    if not wrong:
        raise refusal("batches", 0, "there must be at least one")
    return _responses(torch.cat(wrong, 1).cpu(), examples)


def _logits(subject: nn.Module, images: Tensor, mode: Mode) -> Tensor:
    switch(subject, noise=mode.noise, by_batch=mode.by_batch)
    return subject(images)


def _flips(images: Tensor, labels: Tensor, logits: dict[Mode, Tensor], keep: int) -> list[Flip]:
    train, test = logits[TRAIN], logits[TEST]
    drops = (train.double().softmax(1) - test.double().softmax(1)).gather(1, labels[:, None]).flatten()
    flipped = ((train.argmax(1) == labels) & (test.argmax(1) != labels)).nonzero().flatten()
    largest = flipped[drops[flipped].argsort(descending=True, stable=True)][:keep]
    return [_flip(place, labels, images, train, test, drops) for place in largest.tolist()]


def _flip(place: int, *batch: Tensor) -> Flip:
    label, image, train, test, drop = (of_all[place].cpu() for of_all in batch)
    return Flip(place, int(label), image.clone(), train.clone(), test.clone(), drop.item())


def _responses(wrong: Tensor, examples: list[Flip]) -> Responses:
    n = wrong.shape[1]
    errors = dict(zip(MODES, (100 * wrong.double().mean(1)).tolist(), strict=True))
    train, test = wrong[MODES.index(TRAIN)], wrong[MODES.index(TEST)]
    return Responses(errors, int((~train & test).sum()), int((train & ~test).sum()), n, tuple(examples))
