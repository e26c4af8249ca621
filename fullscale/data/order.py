"""Which images a batch holds: a function of (seed, epoch) and of the batch's number, and of nothing else."""

import hashlib

import torch
from torch import Tensor

from fullscale.contracts import refusal, whole
from fullscale.data.source import WHOLE, Share


def mixed(*key: int | str) -> int:
    """Return a seed of 63 bits for the whole key, so that (0, 1), (1, 0) and (0, 1, 0) differ."""
    digest = hashlib.sha256(" ".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Return the CPU generator that draws an epoch's order, and whatever else is random about it as a whole.

    Raises:
        ValueError: if `seed` or `epoch` is no whole number >= 0.
    """
    key = whole("seed", seed, at_least=0), whole("epoch", epoch, at_least=0)
    return torch.Generator().manual_seed(mixed(*key))


def parts(order: Tensor, batch: int, start: int = 0, share: Share = WHOLE) -> list[Tensor]:
    """Cut order: (n,) into batches, leave out the first `start`, and take this process's share of each of the others.

    The share of a last batch smaller than `share.world` may be empty.

    Raises:
        ValueError: if `batch` < 1, `start` < 0, or `share` has no rank in 0 .. world - 1.
    """
    whole("batch", batch, at_least=1)
    whole("start", start, at_least=0)
    if not 0 <= share.rank < share.world:
        raise refusal("share", tuple(share), "must be (rank, world) with 0 <= rank < world")
    return [part[share.rank :: share.world] for part in order.split(batch)[start:]]


def kept(images: int | None, available: int) -> int:
    """Return how many of the training images a run uses: all of them where `images` is None.

    Raises:
        ValueError: if `images` is no whole number in 1 .. available.
    """
    if images is None:
        return available
    if whole("images", images, at_least=1) > available:
        raise refusal("images", images, f"must be <= {available}, which is how many training images there are")
    return images
