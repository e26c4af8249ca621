"""A trained net with the data that it was trained on, and the passes over them that measurements take."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from fullscale.data import Batch, Source
from fullscale.evaluate import Score, evaluate
from fullscale.recipes import Recipe
from fullscale.specimen import faithful


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        net: trained, on the device of the source.
        recipe: by which it was trained.
        source: on which it was.
        processes: that shared its batches.
        batches: of a pass, at most; all where None.
        seed: of order and augmentation.
    """

    net: nn.Module
    recipe: Recipe
    source: Source
    processes: int = 1
    batches: int | None = None
    seed: int = 0

    @property
    def batch(self) -> int:
        """Images that a BN saw together in training: a process's share of a batch."""
        return self.recipe.batch // self.processes

    def augmented(self) -> Iterator[Batch]:
        """Start a pass over the training images, in training's batches and augmentation, of an epoch not trained on."""
        return islice(self.source.train_batches(self.batch, self.seed, self.recipe.epochs), self.batches)

    def mixed(self) -> Tensor:
        """Draw an order of the training images: (n,) of their indices, since a BN's batch must be as in training."""
        return torch.randperm(self.source.train_count, generator=torch.Generator().manual_seed(self.seed))

    def plain(self, order: Tensor) -> Iterator[Batch]:
        """Start a pass over the training images as they are, in an order: (n,) of their indices."""
        return islice(self.source.plain_batches(self.batch, order), self.batches)

    def test(self) -> Iterator[Batch]:
        """Start a pass over the test images."""
        return islice(self.source.test_batches(self.batch), self.batches)

    def seen(self, images: int) -> int:
        """Say how many of so many images a pass sees."""
        return images if self.batches is None else min(images, self.batches * self.batch)

    def score(self, net: nn.Module) -> Score:
        """Test a net in float32."""
        with faithful(net):
            return evaluate(net, self.test())
