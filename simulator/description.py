"""Experiments described by data, a dict or the same as TOML: inputs, a stack of layers, and how to measure it."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias, get_args

import numpy as np

from simulator.contracts import refusal
from simulator.draws import Draw
from simulator.fields import Reader, Table, choice, count, named, number, pair, shown
from simulator.inputs import Equicorrelated, smallest_dtype
from simulator.maps import FeatureMaps
from simulator.plan import Plan
from simulator.stack import Reading, Stack

Described: TypeAlias = Equicorrelated | FeatureMaps
Fed: TypeAlias = tuple[Described, tuple[int, ...]]  # with the shape of one sample


@dataclass(frozen=True)
class Measuring:
    """The keywords of `Stack.measure`, and the seed of everything that is drawn."""

    replicas: int = 64
    batches: int = 16
    batch: int = 1024
    epochs: int = 1
    seed: int = 0

    @property
    def samples(self) -> int:
        """How many samples of the inputs are measured in all."""
        return self.replicas * self.batches * self.batch


@dataclass(frozen=True)
class Experiment:
    """A stack, what it is fed, and how it is measured.

    Attributes:
        inputs: samples x: (n, d) or (n, channels, h, w), in single precision where `smallest_dtype` picks it.
        plan: the layers, whose weights depend on the seed and on nothing else.
        measuring: how much is measured.
    """

    inputs: Described
    plan: Plan
    measuring: Measuring

    def stack(self) -> Stack:
        """Build the layers, with fresh Batch Normalizations and the weights of the seed."""
        return Stack(self.plan.layers(self.measuring.seed))

    @property
    def footprint(self) -> Hashable:
        """What decides over the memory: experiments with the same one take the same."""
        return self.plan.flow, self.measuring.batch, self.inputs.dtype

    def require_memory(self, threads: int | None) -> None:
        """Refuse what `measure` would refuse, without measuring.

        Raises:
            ValueError: as `Stack.workers` does.
        """
        self.stack().workers(self.inputs, self.measuring.batch, threads)

    def measure(
        self,
        *,
        entropy: int | None = None,
        threads: int | None = None,
        progress: Callable[[tuple[Reading, ...]], None] | None = None,
    ) -> tuple[Reading, ...]:
        """Measure every BN of the stack, in order of execution.

        Args:
            entropy: seeds inputs and noise instead of the seed, which keeps the weights.
            threads: as for `Stack.measure`.
            progress: called with the readings so far.

        Raises:
            ValueError: as `Stack.measure` does, or if a number overflows.
        """
        told = self.measuring
        # A spawn key no weights have, so that the inputs are not drawn from the numbers that the weights are.
        seeds = np.random.SeedSequence(told.seed if entropy is None else entropy, spawn_key=(0,))
        keywords = {name: value for name, value in asdict(told).items() if name != "seed"}
        rng = np.random.default_rng(seeds)
        try:
            with np.errstate(over="raise", invalid="raise"):
                return self.stack().measure(self.inputs, rng, **keywords, threads=threads, progress=progress)
        except ArithmeticError as error:
            raise ValueError(f"the numbers leave the range of their type: {error}") from error


def described(description: Mapping[str, object]) -> Experiment:
    """Read an experiment: `inputs`, `layers` and, if there, `measure`, as the README lists them.

    Shapes flow through the layers, so that no layer's number of inputs is written down. Nothing large is allocated.

    Raises:
        ValueError: for whatever is not in order: its place, such as `layers[2].retain`, its value, what is allowed.
    """
    top = Table("", description)
    for key in ("grid", "draws"):
        if key in top.values:
            raise ValueError(f"{key}: makes this the description of a sweep, not of one experiment")
    for place, name in named("", description):
        raise refusal(place, shown(f"${name}"), "stands for a key of a grid, which only a sweep has")
    top.require_known("inputs", "layers", "measure")
    inputs, shape = top.get("inputs", _inputs)
    plan = top.get("layers", lambda place, value: Plan.read(place, value, shape))
    return Experiment(inputs, plan, top.get_or("measure", _measuring, Measuring()))


def _inputs(place: str, value: Any) -> Fed:
    table = Table(place, value)
    return INPUTS[table.get("kind", choice(*INPUTS))](table)


def _units(table: Table) -> Fed:
    table.require_known("kind", "d", *COMMON)
    d = table.get("d", count(1))
    common = _common(table, d)
    with table.placed():
        return Equicorrelated(d, **common), (d,)


def _maps(table: Table) -> Fed:
    table.require_known("kind", "channels", "size", "spatial", *COMMON)
    channels, size = table.get("channels", count(1)), table.get("size", pair(1))
    spatial = table.get_or("spatial", number, 0.0)
    common = _common(table, channels, spatial, math.prod(size))
    with table.placed():
        return FeatureMaps(channels, size, spatial=spatial, **common), (channels, *size)


INPUTS: dict[str, Callable[[Table], Fed]] = {"units": _units, "maps": _maps}
COMMON = ("mean", "variance", "correlation", "draw", "freedom")


def _common(table: Table, d: int, spatial: float = 0.0, places: int = 1) -> dict[str, Any]:
    mean, variance = table.get("mean", number), table.get("variance", number)
    correlation = table.get_or("correlation", number, 0.0)
    return {
        "mean": mean,
        "variance": variance,
        "correlation": correlation,
        "draw": table.get_or("draw", choice(*get_args(Draw)), "gaussian"),
        "freedom": table.get_or("freedom", number, None),
        "dtype": smallest_dtype(d, mean, variance, correlation, spatial, places=places),
    }


def _measuring(place: str, value: Any) -> Measuring:
    table = Table(place, value)
    lowest = {"replicas": 2, "batches": 1, "batch": 2, "epochs": 1, "seed": 0}
    table.require_known(*lowest)
    readers: dict[str, Reader[int]] = {key: count(at_least) for key, at_least in lowest.items()}
    defaults = {field.name: field.default for field in fields(Measuring)}
    return Measuring(**{key: table.get_or(key, reader, defaults[key]) for key, reader in readers.items()})
