"""Random numbers, and their products with the signal, however they are spelt."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fullscale.doctor.calls import Call
from fullscale.doctor.laws import Law
from fullscale.doctor.marks import Marks
from fullscale.doctor.report import Sharing
from fullscale.doctor.stack import Stack

aten = torch.ops.aten


@dataclass(frozen=True)
class Random:
    """Of a tensor that holds random numbers and no signal.

    Attributes:
        names: of the draws that it came from.
        law: of its numbers, independent of each other; None where it is not known.
    """

    names: frozenset[str]
    law: Law | None


class Product(NamedTuple):
    """Random numbers times the signal.

    Attributes:
        name: of the draw.
        law: of the numbers.
        at: which of the call's tensors is the signal that they multiply.
        sharing: which elements of the result share a number.
    """

    name: str
    law: Law
    at: int
    sharing: Sharing


def product(call: Call, random: Marks[Random], stack: Stack) -> Product | None:
    """Read a call as random numbers of a known law times the signal, None if it is something else.

    Args:
        call: an operator, of whose arguments at least one is random.
        random: which.
        stack: knows the model's parameters, and how many samples there are.
    """
    pair = _pair(call)
    marks = [random.read(each) for each in pair]
    if len(pair) < 2 or (marks[0] is None) == (marks[1] is None):
        return None
    noise, mark, signal = (pair[0], marks[0], pair[1]) if marks[0] is not None else (pair[1], marks[1], pair[0])
    if mark is None or mark.law is None or len(mark.names) > 1 or signal.dim() == 0:
        return None
    law = mark.law.times(-1).plus(1) if call.op in (aten.masked_fill, aten.masked_fill_) else mark.law
    at = next(index for index, each in enumerate(call.tensors) if each is signal)
    return Product(next(iter(mark.names)), law, at, _sharing(noise, signal, stack))


def _pair(call: Call) -> list[Tensor]:
    """What is multiplied; where a mask chooses between the signal and 0, these two."""
    arguments = list(call.arguments.values())
    masked = call.op in (aten.masked_fill, aten.masked_fill_, aten.where) and len(arguments) == 3
    if call.op in (aten.mul, aten.mul_) or (masked and _zero(arguments[2])):
        return [each for each in arguments[:2] if isinstance(each, Tensor)]
    return []


def merged(marks: Iterable[Random | None]) -> Random | None:
    """Any part of random numbers is random numbers; with a part of something else, they have no law."""
    marks = list(marks)
    laws = {mark and mark.law for mark in marks}
    names = frozenset[str]().union(*(mark.names for mark in marks if mark))
    return Random(names, laws.pop() if len(laws) == 1 else None) if names else None


def _zero(value: Any) -> bool:
    return (isinstance(value, int | float) and value == 0) or (isinstance(value, Tensor) and not value.any())


def mean_product(call: Call, product: Product) -> Tensor:
    """Multiply by the mean: numbers that are not floating, such as a mask, cannot hold theirs."""
    signal, noise = call.tensors[product.at], call.tensors[1 - product.at]
    mean = signal.new_full((), product.law.mean)
    if call.written:
        return signal.mul_(mean) if call.written[0] is signal else call.run()
    return signal * mean.expand(torch.broadcast_shapes(noise.shape, signal.shape))


def _extends(signal: Tensor, noise: Tensor) -> bool:
    """Whether the signal itself, and no repetition of it, has as many elements as the noise."""
    return signal.shape == torch.broadcast_shapes(noise.shape, signal.shape) and 0 not in signal.stride()


def _sharing(noise: Tensor, signal: Tensor, stack: Stack) -> Sharing:
    """Say which elements of the product share a number: those along which the noise does not extend."""
    shape = torch.broadcast_shapes(noise.shape, signal.shape)
    if (stack.owns(signal) and _extends(signal, noise)) or (shape[0] == 1 and stack.samples > 1):
        return "batch"  # noise on weights, or a mask that is still to be spread over the samples
    missing = len(shape) - noise.dim()
    own = [size > 1 and stride > 0 for size, stride in zip(noise.shape, noise.stride(), strict=True)]
    shared = [dim for dim, size in enumerate(shape) if size > 1 and not (dim >= missing and own[dim - missing])]
    spread = [dim for dim, size in enumerate(shape) if size > 1 and dim not in shared]
    if not shared:
        return "element"
    if 0 in shared:
        return "batch"
    if all(dim < 2 for dim in spread) and all(dim >= 2 for dim in shared):
        return "channel"
    return "sample" if not any(dim > 0 for dim in spread) else "other"
