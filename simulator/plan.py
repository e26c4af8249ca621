"""Layers described by data: read and checked with the shapes that flow through them, and built later from a seed."""

import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from simulator.contracts import Array, refusal
from simulator.convolution import AveragePool, Convolution, positions
from simulator.fields import Table, choice, count, entries, number, pair, shown
from simulator.inputs import weights_with_cos2
from simulator.layers import BatchNorm, Linear, ReLU
from simulator.noise import Dropout, GaussianDropout, Uout
from simulator.phases import Layer, Residual

Shape: TypeAlias = tuple[int, ...]  # of one sample: (units,) or (channels, h, w)
Maker: TypeAlias = Callable[[int], Layer]  # builds a layer from the seed

MOST_LAYERS, MOST_WEIGHTS, MOST_NUMBERS, DEEPEST = 10_000, 2**22, 2**24, 20


@dataclass
class Plan:
    """Layers that are yet to be built.

    Attributes:
        makers: one for each layer of the outermost row.
        shape: of one sample, behind the layers read so far.
        norms: how many BatchNorms there are, in residual branches too.
        weights: how many numbers there are in all weights.
    """

    shape: Shape
    makers: list[Maker] = field(default_factory=list)
    norms: int = 0
    weights: int = 0
    _layers: int = 0
    _depth: int = 0
    _flow: list[Hashable] = field(default_factory=list)

    @classmethod
    def read(cls, place: str, value: object, shape: Shape) -> "Plan":
        """Read a list of layers that are fed samples of a shape, and check it as far as can be without any numbers.

        Raises:
            ValueError: if something is not in order; or for more than 10,000 layers, 2^22 weights, 2^24 numbers of
                one sample, or residuals and repeats nested over 20 deep.
        """
        plan = cls(shape)
        _require_small("inputs", shape)
        plan._flow.append(shape)
        plan.makers = plan._row(place, value)
        if not plan.norms:
            raise ValueError(f"{place}: must hold at least one batch-norm")
        return plan

    @property
    def flow(self) -> Hashable:
        """The shapes that flow, the weights that they meet and how rows are nested: where equal, so is the memory."""
        return tuple(self._flow)

    def layers(self, seed: int) -> list[Layer]:
        """Build the layers, each BatchNorm anew, with the weights that belong to the seed."""
        return [make(seed) for make in self.makers]

    def _row(self, place: str, value: object) -> list[Maker]:
        with self._nested(place):
            return [maker for at, entry in entries(place, value) for maker in self._layer(at, entry)]

    @contextmanager
    def _nested(self, place: str) -> Iterator[None]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"{place}: is nested more than {DEEPEST} deep")
        self._flow.append("[")
        yield
        self._flow.append("]")
        self._depth -= 1

    def _layer(self, place: str, value: Any) -> list[Maker]:
        self._layers += 1
        if self._layers > MOST_LAYERS:
            raise ValueError(f"{place}: is layer number {self._layers}, and at most {MOST_LAYERS} are allowed")
        table = Table(place, value)
        kind: str = table.get("kind", choice(*LAYERS))
        keys, read = LAYERS[kind]
        table.require_known("kind", *keys)
        makers = read(self, table)
        _require_small(place, self.shape)
        self._flow.append((kind, self.shape, self.weights))
        return makers

    def _weight(self, table: Table, shape: Shape) -> Callable[[int], Array]:
        """Plan weights: (units, ...), one vector of length 1 for each unit."""
        fan_in = math.prod(shape[1:])
        cos2 = table.get_or("cos2", number, None)
        if cos2 is not None:
            with table.placed():  # two inputs stand for more
                weights_with_cos2(min(fan_in, 2), cos2, np.random.default_rng(0))
        self.weights += math.prod(shape)
        if self.weights > MOST_WEIGHTS:
            rule = f"brings the weights to {self.weights:,} numbers, and at most {MOST_WEIGHTS:,} are allowed"
            raise ValueError(f"{table.place}: {rule}")
        number_of_layer = self._layers

        def draw(seed: int) -> Array:
            # A stream for each layer: what stands before it does not change its weights.
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, number_of_layer)))
            return _unit_vectors(shape[0], fan_in, cos2, rng).reshape(shape)

        return draw

    def _maps(self, table: Table) -> tuple[int, int, int]:
        if len(self.shape) != 3:
            raise refusal(
                table.at("kind"), shown(table.values["kind"]), f"must stand on maps, and gets {_told(self.shape)}"
            )
        channels, height, width = self.shape
        return channels, height, width

    def _linear(self, table: Table) -> list[Maker]:
        units = table.get("units", count(1))
        draw = self._weight(table, (units, self.shape[0]))
        self.shape = (units, *self.shape[1:])
        return [lambda seed: Linear(draw(seed))]

    def _convolution(self, table: Table) -> list[Maker]:
        inside, height, width = self._maps(table)
        channels, kernel = table.get("channels", count(1)), table.get("kernel", pair(1))
        stride = table.get_or("stride", pair(1), (1, 1))
        padding, groups = table.get_or("padding", pair(0), (0, 0)), table.get_or("groups", count(1), 1)
        if inside % groups or channels % groups:
            rule = f"must divide the channels, {inside} coming in and {channels} going out"
            raise refusal(table.at("groups"), groups, rule)
        _require_small(table.at("padding"), (inside, height + 2 * padding[0], width + 2 * padding[1]))
        with table.placed():
            size = positions((height, width), kernel, stride, padding)
        draw = self._weight(table, (channels, inside // groups, *kernel))
        self.shape = (channels, *size)
        return [lambda seed: Convolution(draw(seed), stride, padding, groups)]

    def _average_pool(self, table: Table) -> list[Maker]:
        channels, *size = self._maps(table)
        kernel = table.get("kernel", pair(1))
        stride = table.get_or("stride", pair(1), kernel)
        with table.placed():
            self.shape = (channels, *positions(size, kernel, stride))
        return [lambda _seed: AveragePool(kernel, stride)]

    def _batch_norm(self, table: Table) -> list[Maker]:
        units = self.shape[0]
        momentum, eps = table.get_or("momentum", number, None), table.get_or("eps", number, 1e-5)
        with table.placed():
            BatchNorm(1, momentum, eps)
        self.norms += 1
        return [lambda _seed: BatchNorm(units, momentum, eps)]

    def _dropout(self, table: Table) -> list[Maker]:
        return _noise(table, Dropout, "retain")

    def _uout(self, table: Table) -> list[Maker]:
        return _noise(table, Uout, "beta")

    def _gaussian_dropout(self, table: Table) -> list[Maker]:
        return _noise(table, GaussianDropout, "sigma")

    def _relu(self, _table: Table) -> list[Maker]:
        return [lambda _seed: ReLU()]

    def _identity(self, _table: Table) -> list[Maker]:
        return [lambda _seed: _unchanged]

    def _residual(self, table: Table) -> list[Maker]:
        entering = self.shape
        branch, of_branch = table.get("branch", self._row), self.shape
        self.shape = entering
        # An empty list is the shortcut of a residual block that keeps its shape, as is none.
        shortcut = self._row(table.at("shortcut"), table.values["shortcut"]) if table.values.get("shortcut") else []
        if of_branch != self.shape:
            told = f"{_told(of_branch)}, and its shortcut {_told(self.shape)}"
            raise ValueError(f"{table.place}: the branch gives {told}: they must be the same to be added")
        return [lambda seed: Residual([make(seed) for make in branch], [make(seed) for make in shortcut])]

    def _repeat(self, table: Table) -> list[Maker]:
        times = table.get("times", count(1))
        return [maker for _ in range(times) for maker in table.get("layers", self._row)]


LAYERS: dict[str, tuple[tuple[str, ...], Callable[[Plan, Table], list[Maker]]]] = {
    "dropout": (("retain", "variance", "per"), Plan._dropout),
    "uout": (("beta", "variance", "per"), Plan._uout),
    "gaussian-dropout": (("sigma", "variance", "per"), Plan._gaussian_dropout),
    "linear": (("units", "cos2"), Plan._linear),
    "convolution": (("channels", "kernel", "stride", "padding", "groups", "cos2"), Plan._convolution),
    "average-pool": (("kernel", "stride"), Plan._average_pool),
    "batch-norm": (("momentum", "eps"), Plan._batch_norm),
    "relu": ((), Plan._relu),
    "identity": ((), Plan._identity),
    "residual": (("branch", "shortcut"), Plan._residual),
    "repeat": (("times", "layers"), Plan._repeat),
}


def _noise(table: Table, noise: Any, strength: str) -> list[Maker]:
    given = table.one_of(strength, "variance")
    value = table.get(given, number)
    per = table.get_or("per", choice("element", "channel"), "element")
    with table.placed():
        built = noise(value, per=per) if given == strength else noise.of_variance(value, per=per)
    return [lambda _seed: built]


def _unit_vectors(units: int, fan_in: int, cos2: float | None, rng: np.random.Generator) -> Array:
    """Draw weights: (units, fan_in), of length 1 each, in any direction or at one angle to (1, ..., 1)."""
    if cos2 is not None:
        return np.stack([weights_with_cos2(fan_in, cos2, rng) for _ in range(units)])
    z = rng.standard_normal((units, fan_in))
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def _require_small(place: str, shape: Shape) -> None:
    numbers = math.prod(shape)
    if numbers > MOST_NUMBERS:
        raise ValueError(f"{place}: makes {numbers:,} numbers of one sample, and at most {MOST_NUMBERS:,} are allowed")


def _unchanged(x: Array) -> Array:
    return x


def _told(shape: Shape) -> str:
    return f"{shape[0]} units" if len(shape) == 1 else f"{shape[0]} maps of {shape[1]} x {shape[2]}"
