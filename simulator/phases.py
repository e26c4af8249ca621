"""What a stack is made of, and what each of its phases does with it: training, test, and a dry run."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, Union

import numpy as np

from simulator.contracts import Array, Noise, refusal
from simulator.layers import BatchNorm


class Residual:
    """shortcut(x) + branch(x).

    Attributes:
        branch: layers in order.
        shortcut: layers in order; none for the identity.

    Raises:
        ValueError: if the branch is empty.
    """

    def __init__(self, branch: Sequence["Layer"], shortcut: Sequence["Layer"] = ()) -> None:
        if not branch:
            raise ValueError("branch: must hold at least one layer")
        self.branch = tuple(branch)
        self.shortcut = tuple(shortcut)


# A noise is anything with `train` and `test`; a function of x does the same in both phases.
Layer: TypeAlias = Union[BatchNorm, Noise, Residual, Callable[[Array], Array]]  # noqa: UP007 (Residual refers to it)


def norms(layers: Sequence[Layer]) -> Iterator[BatchNorm]:
    """Yield every BatchNorm in order of execution; a residual block runs its branch first."""
    for layer in layers:
        if isinstance(layer, BatchNorm):
            yield layer
        elif isinstance(layer, Residual):
            yield from norms(layer.branch)
            yield from norms(layer.shortcut)


def with_own_norms(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Copy what keeps statistics, the BatchNorms; everything else, weights above all, is shared."""
    return tuple(map(_with_own_norms, layers))


def _with_own_norms(layer: Layer) -> Layer:
    if isinstance(layer, Residual):
        return Residual(with_own_norms(layer.branch), with_own_norms(layer.shortcut))
    return copy.copy(layer) if isinstance(layer, BatchNorm) else layer


class Phase:
    """How x passes through layers; a phase says what noises and BNs do."""

    def run(self, layers: Sequence[Layer], x: Array) -> Array:
        """Pass x through layers in order.

        Raises:
            ValueError: if x does not fit a layer, or the two sides of a residual block do not fit each other.
        """
        for layer in layers:
            x = self.apply(layer, x)
        return x

    def apply(self, layer: Layer, x: Array) -> Array:
        """Pass x through one layer."""
        if isinstance(layer, BatchNorm):
            return self.normalise(layer, x)
        if isinstance(layer, Residual):
            x.setflags(write=False)  # the shortcut must see what the branch has seen
            added = self.run(layer.branch, x)
            kept = self.run(layer.shortcut, x)
            if added.shape != kept.shape:
                raise refusal("residual branch's shape", added.shape[1:], f"must be the shortcut's, {kept.shape[1:]}")
            return kept + added
        return layer(x) if callable(layer) else self.disturb(layer, x)

    def normalise(self, norm: BatchNorm, x: Array) -> Array:
        """Pass x through a BN."""
        raise NotImplementedError

    def disturb(self, noise: Noise, x: Array) -> Array:
        """Pass x through a noise."""
        raise NotImplementedError


class Training(Phase):
    """Noise on, each BN normalising by its batch and remembering it (Eqs. 2 and 3)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def normalise(self, norm: BatchNorm, x: Array) -> Array:
        """Train the BN."""
        return norm.train(x)

    def disturb(self, noise: Noise, x: Array) -> Array:
        """Apply the noise."""
        return noise.train(x, self._rng)


class Testing(Phase):
    """Noise off, each BN frozen (Eq. 4).

    Attributes:
        received: for each BN, in order of execution, the mean and the UNBIASED variance, (2, units), of what it was
            given in the last run.
    """

    def __init__(self) -> None:
        self.received: list[Array] = []

    def run_batch(self, layers: Sequence[Layer], x: Array) -> list[Array]:
        """Pass one batch through, and return what every BN received."""
        self.received = []
        self.run(layers, x)
        return self.received

    def normalise(self, norm: BatchNorm, x: Array) -> Array:
        """Read what the BN receives, and normalise by its moving statistics."""
        mean, biased, m = norm.moments(x)
        self.received.append(np.array([mean, biased * m / (m - 1)]))
        return norm.test(x)

    def disturb(self, noise: Noise, x: Array) -> Array:
        """Apply what replaces the noise."""
        return noise.test(x)


class DryRun(Phase):
    """Neither noise nor normalisation: only whether the shapes fit, and how many numbers are alive at once.

    Attributes:
        most: of the numbers that are alive at any moment: twice a layer's input and output, and what is held meanwhile.
        heaviest: of the numbers in one layer's weights, which a pass may round to x's dtype.
    """

    def __init__(self) -> None:
        self.most = self.heaviest = 0
        self._held = 0

    def run(self, layers: Sequence[Layer], x: Array) -> Array:
        """Pass x through layers in order; meanwhile x is held, and behind a branch what it gave."""
        self._held += 2 * x.size
        y = super().run(layers, x)
        self._held -= 2 * x.size
        return y

    def apply(self, layer: Layer, x: Array) -> Array:
        """Pass x through one layer, and keep note of the sizes."""
        y = super().apply(layer, x)
        self.most = max(self.most, self._held + 2 * (x.size + y.size))
        self.heaviest = max(self.heaviest, np.size(getattr(layer, "weight", 0)))
        return y

    def normalise(self, norm: BatchNorm, x: Array) -> Array:
        """Only check the shape."""
        norm.require_units(x)
        return x

    def disturb(self, noise: Noise, x: Array) -> Array:  # noqa: ARG002 (a noise keeps x's shape)
        """Do nothing."""
        return x
