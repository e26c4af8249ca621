"""What runs cost, by the throughput of their nets: an estimate before, and while they go on."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from fullscale import nets
from fullscale.batchnorms import batchnorms
from fullscale.data import DataName
from fullscale.measurements.kinds import Measurement, Sizes
from fullscale.recipes import Recipe
from fullscale.sweep.run import Run
from fullscale.sweep.state import State
from fullscale.sweep.throughput import Rates
from fullscale.training import built

IMAGES: dict[DataName, tuple[int, int]] = {
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "imagenet": (1_281_167, 50_000),
    "synthetic": (2048, 512),
}
"""training and test images of each data set; a sweep is planned without opening them"""

INTERPRETER = 700 * 2**20
"""bytes of a process that has imported torch"""


class Work(NamedTuple):
    """Images that pass through a net.

    Attributes:
        trained: forward and backward.
        passed: forward only, after each epoch and in measurements.
    """

    trained: int
    passed: int

    def seconds(self, rates: Rates) -> float:
        """Estimate the time that it takes."""
        return self.trained / rates.train + self.passed / rates.test


def work(run: Run, state: State) -> Work:
    """Count what is left of a run."""
    sizes = _sizes(run.recipe)
    epochs = run.recipe.epochs - state.epochs
    return Work(epochs * sizes.train, epochs * sizes.test + _measured(state.missing, sizes))


def _measured(measurements: Iterable[Measurement], sizes: Sizes) -> int:
    return sum(measurement.images(sizes) for measurement in measurements)


def _sizes(recipe: Recipe) -> Sizes:
    train, test = IMAGES[recipe.data]
    train = recipe.images or train
    return Sizes(train, max(1, train // 4) if recipe.data == "synthetic" else test, _bns(recipe.net))


@cache
def _bns(net: str) -> int:
    with torch.device("meta"):
        return len(batchnorms(nets.build(net)))


def memory(recipe: Recipe) -> int:
    """Estimate the bytes that a process needs to train: what it keeps for the backward pass, thrice the weights, data.

    A third is added for what is needed for a moment only.
    """
    size, kept = nets.image_size(recipe.net), dict[int, torch.UntypedStorage]()

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.device("meta"), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        net = built(recipe, 10).train()
        net(torch.empty(recipe.batch, 3, size, size))
    activations = sum(storage.nbytes() for storage in kept.values())
    weights = sum(parameter.nbytes for parameter in net.parameters())
    pixels = 0 if recipe.data == "imagenet" else 3 * (size + size // 4) ** 2 * sum(IMAGES[recipe.data])
    return round(4 / 3 * (activations + 3 * weights)) + pixels + INTERPRETER
