"""The laws of random numbers, and what scalar arithmetic makes of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Family: TypeAlias = Literal["bernoulli", "uniform", "normal"]
aten = torch.ops.aten


@dataclass(frozen=True)
class Law:
    """How independent, identically distributed random numbers are distributed.

    Attributes:
        family: up to a linear map, what they are.
        mean: theirs.
        var: their variance.
        low: the least that they can be.
        high: the most that they can be.
    """

    family: Family
    mean: float
    var: float
    low: float
    high: float

    @property
    def s2(self) -> float:
        """Variance over squared mean; of numbers of mean 0 that of 1 + them, which is what Uout makes of them."""
        return self.var / (self.mean or 1.0) ** 2

    def times(self, factor: float) -> "Law":
        """The law of `factor` times the numbers."""
        if not factor:
            return uniform(0.0, 0.0)  # whatever they are, and be it without bounds
        low, high = sorted((self.low * factor, self.high * factor))
        return replace(self, mean=self.mean * factor, var=self.var * factor**2, low=low, high=high)

    def plus(self, term: float) -> "Law":
        """The law of the numbers plus `term`."""
        return replace(self, mean=self.mean + term, low=self.low + term, high=self.high + term)

    def below(self, threshold: float) -> "Law | None":
        """The law of what is 1 where a number is less than `threshold` and else 0; None if they are not uniform."""
        if self.family != "uniform":
            return None
        if self.low == self.high:  # and whether a number may equal the threshold is not said
            return None if self.low == threshold else bernoulli(float(self.low < threshold))
        return bernoulli(min(1.0, max(0.0, (threshold - self.low) / (self.high - self.low))))

    @property
    def is_mask(self) -> bool:
        """Whether the numbers are 0 or 1."""
        return self.family == "bernoulli" and (self.low, self.high) == (0, 1)

    def counted(self) -> "Law | None":
        """The law of the numbers as integers, which round towards 0; None if that is not known."""
        return self if self.is_mask else self.floor() if self.low >= 0 else None

    def floor(self) -> "Law | None":
        """The law of the numbers rounded down; None if they are not uniform over a width of 1."""
        if self.family != "uniform" or not math.isclose(self.high - self.low, 1, rel_tol=1e-6):
            return None
        whole = math.floor(self.low)
        return bernoulli(self.low - whole).plus(whole)


def bernoulli(kept: float) -> Law:
    """1 with probability `kept`, else 0."""
    return Law("bernoulli", kept, kept * (1 - kept), 0.0, 1.0)


def uniform(low: float, high: float) -> Law:
    """Uniform between `low` and `high`."""
    return Law("uniform", (low + high) / 2, (high - low) ** 2 / 12, low, high)


def normal(mean: float, std: float) -> Law:
    """Normal."""
    return Law("normal", mean, std**2, -math.inf, math.inf)


def drawn(op: Any, arguments: dict[str, Any]) -> Law | None:
    """Return the law by which an operator draws, None if that is not known.

    Args:
        op: an overload packet of `torch.ops.aten` that draws.
        arguments: by the names of its schema.
    """
    match op:
        case aten.bernoulli_ | aten.bernoulli:
            return _bernoulli(arguments.get("p", arguments["self"]))
        case aten.uniform_:
            return uniform(arguments["from"], arguments["to"])
        case aten.normal_ | aten.normal if not isinstance(arguments["mean"], Tensor):
            return normal(arguments["mean"], arguments["std"])
    standard = {aten.rand: uniform(0, 1), aten.rand_like: uniform(0, 1)}
    return (standard | dict.fromkeys((aten.randn, aten.randn_like), normal(0, 1))).get(op)


def _bernoulli(kept: float | Tensor) -> Law | None:
    """Of one probability for all; several make the numbers differ in law."""
    if isinstance(kept, Tensor):
        return bernoulli(kept.flatten()[0].item()) if kept.numel() and (kept == kept.flatten()[0]).all() else None
    return bernoulli(kept)


Rule: TypeAlias = Callable[[Law, float], Law | None]


def _above(law: Law, threshold: float) -> Law | None:
    return _negated(law.below(threshold))


def _negated(law: Law | None) -> Law | None:
    return bernoulli(1 - law.mean) if law is not None and law.is_mask else None


def _equal(law: Law, value: float) -> Law | None:
    return law if value == 1 and law.is_mask else _negated(law) if value == 0 else None


_BY_SCALAR: dict[Any, Rule] = {
    aten.mul: Law.times,
    aten.div: lambda law, divisor: law.times(1 / divisor) if divisor else None,
    aten.add: Law.plus,
    aten.sub: lambda law, term: law.plus(-term),
    aten.rsub: lambda law, term: law.times(-1).plus(term),
    **dict.fromkeys((aten.lt, aten.le), Law.below),
    **dict.fromkeys((aten.gt, aten.ge), _above),
    aten.eq: _equal,
    aten.ne: lambda law, value: _equal(law, 1 - value),
}
_BY_SCALAR |= {getattr(aten, f"{op.__name__}_"): rule for op, rule in tuple(_BY_SCALAR.items()) if op is not aten.rsub}
_ALONE: dict[Any, Callable[[Law], Law | None]] = {
    aten.neg: partial(Law.times, factor=-1),
    aten.floor: Law.floor,
    **dict.fromkeys((aten.logical_not, aten.bitwise_not), _negated),
    **dict.fromkeys((aten.clone, aten._to_copy, aten.copy_, aten.detach, aten.alias, aten.lift_fresh), lambda law: law),
}
_ALONE |= {aten.neg_: _ALONE[aten.neg], aten.floor_: _ALONE[aten.floor]}


def computed(op: Any, law: Law, others: Sequence[float], *, reverse: bool) -> Law | None:
    """Return the law of what an operator makes of random numbers and scalars, None if that is not known.

    Args:
        op: an overload packet of `torch.ops.aten`.
        law: of its one random argument.
        others: its scalar arguments, in order.
        reverse: whether the scalar comes first.
    """
    if not others and op in _ALONE:
        return _ALONE[op](law)
    if len(others) == 1 and op in _BY_SCALAR:
        return _BY_SCALAR[op](law, others[0]) if not reverse else _reversed(op, law, others[0])
    return None


def _reversed(op: Any, law: Law, scalar: float) -> Law | None:
    if op in (aten.mul, aten.add):
        return _BY_SCALAR[op](law, scalar)
    return law.times(-1).plus(scalar) if op is aten.sub else None
