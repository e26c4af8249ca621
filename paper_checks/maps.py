"""Sums that convolutions make of feature maps: the weights at every position, and what BN then pools."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from paper_checks.comparing import value
from simulator import Array, Convolution, Enumerated, Equicorrelated, FeatureMaps, FiniteInputs
from simulator.contracts import refusal

LinearLayer = Callable[[Array], Array]


@dataclass(frozen=True)
class EqualMaps:
    """Maps whose numbers share one mean, one variance and one correlation, as Eq. 10 supposes of a unit's inputs."""

    units: Equicorrelated
    shape: tuple[int, int, int]

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw x: (n, channels, h, w)."""
        return self.units.sample(n, rng).reshape(n, *self.shape)

    @property
    def covariance(self) -> Array:
        """The covariance of all numbers of one sample, (d, d), channels first, then rows."""
        rho = self.units.correlation
        return self.units.variance * (rho + (1 - rho) * np.eye(self.units.d))


def covariance_of(maps: FeatureMaps, size: int) -> Array:
    """The covariance of all numbers of one sample, (d, d), channels first, then rows, of square maps."""
    channels = maps.correlation + (1 - maps.correlation) * np.eye(maps.channels)
    along = maps.spatial ** np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return maps.variance * np.kron(channels, np.kron(along, along))


@dataclass(frozen=True)
class MapSums:
    """Weighted sums of the numbers of a map, and the moments of these numbers.

    Attributes:
        weights: (filters, positions, channels, h w), what each number of a map counts in the sum at each position.
        covariance: (d, d) of the d = channels h w numbers.
        mean: c, that of all numbers.
    """

    weights: Array
    covariance: Array
    mean: float

    @classmethod
    def of(
        cls, layers: Sequence[LinearLayer], shape: tuple[int, int, int], covariance: Array, mean: float
    ) -> "MapSums":
        """Read the weights off the layers' outputs for maps that are 1 at one place and 0 elsewhere."""
        d = int(np.prod(shape))
        weights = through(layers, np.eye(d).reshape(d, *shape)).reshape(d, -1)
        filters = through(layers, np.zeros((1, *shape))).shape[1]
        return cls(weights.T.reshape(filters, -1, shape[0], shape[1] * shape[2]), covariance, mean)

    @property
    def var_test(self) -> float:
        """What BN pools over batch and positions without noise: variances, and the spread of the positions' means."""
        w = self.weights.reshape(*self.weights.shape[:2], -1)
        variances, means = np.einsum("fpi,ij,fpj->fp", w, self.covariance, w), self.mean * w.sum(axis=2)
        return float(variances.mean() + means.var(axis=1).mean())

    def var_train(self, noise_var: float) -> float:
        """What BN pools under noise on every element: the law, averaged over positions."""
        moments = np.diag(self.covariance) + self.mean**2
        met = (self.weights.reshape(*self.weights.shape[:2], -1) ** 2 @ moments).mean()
        return value("law", var_test=self.var_test, noise_var=noise_var, w=[1], second_moments=[float(met)])

    def var_train_by_channel(self, noise_var: float) -> float:
        """What BN pools where all positions of a channel share their noise: the law for groups, averaged likewise."""
        _, _, channels, places = self.weights.shape
        met = []
        for channel in range(channels):
            w, own = self.weights[:, :, channel], slice(channel * places, (channel + 1) * places)
            squares = np.einsum("fpi,ij,fpj->fp", w, self.covariance[own, own] + self.mean**2, w)
            met.append(float(squares.mean()))
        return value("law-shared", var_test=self.var_test, noise_var=noise_var, second_moments=met)


def weights_by_loops(layer: Convolution, shape: tuple[int, int, int]) -> Array:
    """What each number of a map counts in the sum at each position, read off the kernel: as `MapSums.weights`."""
    (filters, depth, k_h, k_w), (channels, h, w) = layer.weight.shape, shape
    (down, across), (top, left) = layer.stride, layer.padding
    rows, columns = 1 + (h + 2 * top - k_h) // down, 1 + (w + 2 * left - k_w) // across
    weights = np.zeros((filters, rows, columns, channels, h, w))
    for f, i, j, c, a, b in np.ndindex(filters, rows, columns, depth, k_h, k_w):
        channel = f // (filters // layer.groups) * depth + c
        row, column = i * down + a - top, j * across + b - left
        if 0 <= row < h and 0 <= column < w:
            weights[f, i, j, channel, row, column] = layer.weight[f, c, a, b]
    return weights.reshape(filters, rows * columns, channels, h * w)


def pooled_over_masks(layer: LinearLayer, inputs: FiniteInputs, shape: tuple[int, int, int]) -> Enumerated:
    """What BN pools over positions, over every mask of retain ratio 1/2 and every point, as a mean over filters.

    Where points and weights are whole numbers all that is added up is whole, too, and so exact in floating point.
    """
    points = np.array(inputs.points, dtype=np.float64).reshape(-1, *shape)
    masks = np.array(list(product((0.0, 2.0), repeat=inputs.d))).reshape(-1, 1, *shape)
    return Enumerated(*_pooled(layer((masks * points).reshape(-1, *shape))), *_pooled(layer(points)))


def _pooled(x: Array) -> tuple[Fraction, Fraction]:
    """Means and BIASED variances of x: (n, filters, h, w) over samples and positions, averaged over filters."""
    m, filters = x.size // x.shape[1], x.shape[1]
    means = [Fraction(float(total)) / m for total in x.sum(axis=(0, 2, 3))]
    powers = [Fraction(float(total)) / m for total in (x * x).sum(axis=(0, 2, 3))]
    variances = [power - mean**2 for power, mean in zip(powers, means, strict=True)]
    return sum(means, Fraction(0)) / filters, sum(variances, Fraction(0)) / filters


def through(layers: Sequence[LinearLayer], x: Array) -> Array:
    """Pass x through layers in a row."""
    for layer in layers:
        x = layer(x)
    return x


def composed(first: Convolution, second: Convolution) -> Convolution:
    """The one convolution that two are: its kernel sums the products of their weights by offset.

    Raises:
        ValueError: if the second is padded, since around the first one's outputs it sees zeros that no single one sees.
    """
    if second.padding != (0, 0):
        raise refusal("second.padding", second.padding, "must be (0, 0)")
    inner, outer, (down, across) = dense(first), dense(second), first.stride
    sizes = zip(inner.shape[2:], outer.shape[2:], first.stride, strict=True)
    rows, columns = (near + step * (far - 1) for near, far, step in sizes)
    kernel = np.zeros((len(outer), inner.shape[1], rows, columns))
    for i, j in np.ndindex(*outer.shape[2:]):
        place = np.s_[:, :, down * i : down * i + inner.shape[2], across * j : across * j + inner.shape[3]]
        kernel[place] += np.einsum("oh,hdab->odab", outer[:, :, i, j], inner)
    return Convolution(kernel, (down * second.stride[0], across * second.stride[1]), first.padding)


def dense(layer: Convolution) -> Array:
    """Its weights, (out, d, k_h, k_w), with the zeros that groups stand for."""
    out, d, *kernel = layer.weight.shape
    weights = np.zeros((layer.groups, out // layer.groups, layer.groups, d, *kernel))
    for group in range(layer.groups):
        weights[group, :, group] = layer.weight.reshape(layer.groups, -1, d, *kernel)[group]
    return weights.reshape(out, layer.groups * d, *kernel)
