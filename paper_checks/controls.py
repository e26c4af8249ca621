"""Noises as they are often got wrong: every check of a noise must reject them."""

import numpy as np

from simulator import Array, Dropout, Uout


class Unscaled(Dropout):
    """Dropout that forgets its 1/p."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Mask x without scaling it."""
        return super().train(x, rng) * self.retain


class ScaledInTest(Unscaled):
    """The original Dropout, which is right: no scaling in training, p in test."""

    def test(self, x: Array) -> Array:
        """Scale x by p."""
        return x * self.retain


class AdditiveUout(Uout):
    """x + U(-beta, beta), which does not scale with x; at E[x^2] = 1 it has the right variance by accident."""

    def train(self, x: Array, rng: np.random.Generator) -> Array:
        """Add the noise without multiplying it by x."""
        return x + rng.uniform(-self.beta, self.beta, x.shape)
