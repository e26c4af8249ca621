"""What becomes of noise in each operator, as far as the law knows; all others lose it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from fullscale.doctor.calls import Call
from fullscale.doctor.laws import Law
from fullscale.doctor.marks import Marks
from fullscale.doctor.parts import (
    Carried,
    Lost,
    Noisy,
    Part,
    Proportional,
    Spread,
    by_part,
    carried,
    gone,
    lost,
    placed,
    scaled,
    sole,
)
from fullscale.doctor.shares import Convolution, FullyConnected, Groups
from fullscale.doctor.stack import Stack

aten = torch.ops.aten
CARRIERS = 4
"""of a sum; a linear layer may still come behind it"""


class Known:
    """What is known of the arguments of a call.

    Attributes:
        completed: by source, the laws of noise of mean 1 that was made of some of mean 0, as Uout does.
    """

    def __init__(self, noisy: Marks[Noisy], stack: Stack) -> None:
        self.completed: dict[str, Law] = {}
        self._noisy, self._stack = noisy, stack

    def __call__(self, value: Any) -> Noisy:
        """Return the parts of an argument; none of what is no tensor."""
        return (self._noisy.read(value) or ()) if isinstance(value, Tensor) else ()

    @property
    def layer(self) -> str:
        """Path of the module at work."""
        return self._stack.path


def lose(call: Call, known: Known) -> Noisy:
    """The rule of any operator that has no other."""
    return lost(*map(known, call.tensors))


def keep(call: Call, known: Known) -> Noisy:
    """The rule of copies, but to integers, which round."""
    if not call.kwargs.get("dtype", call.args[0].dtype).is_floating_point:
        return lose(call, known)
    return by_part(known(call.args[0]), lambda part: replace(part, bare=False) if isinstance(part, Carried) else part)


def forget(call: Call, known: Known) -> Noisy:
    """The rule of what takes a shape and no values."""
    del call, known
    return ()


def overwrite(call: Call, known: Known) -> Noisy:
    """The rule of what forgets its first argument."""
    if len(call.args) > 1 and isinstance(call.args[1], Tensor):
        source = call.args[1]
        alike = source.shape == call.args[0].shape and call.args[0].is_floating_point()
        return known(source) if alike else lost(known(source))
    return ()


def rectify(call: Call, known: Known) -> Noisy:
    """The rule of f with f(n x) = n f(x) for n >= 0: noise commutes with it."""
    noisy = known(call.args[0])
    commutes = len(noisy) == 1 and isinstance(noisy[0][1], Proportional) and noisy[0][1].law.low >= 0
    return noisy if commutes and not any(map(known, call.args[1:])) else lose(call, known)


def add(call: Call, known: Known) -> Noisy:
    """The rule of sums and differences."""
    one, other = call.args[:2]
    alpha = call.kwargs.get("alpha", 1)
    subtracts = call.op in (aten.sub, aten.sub_)
    completed = _completed(one, other, -alpha if subtracts else alpha, known)
    if completed is None and not subtracts and alpha == 1:
        completed = _completed(other, one, 1, known)
    if completed is not None:
        return completed
    shape = _shape(one, other)
    terms = [_term(term, shape, call, known) for term in (one, other)]
    return _thinned(sole(terms[0] + by_part(terms[1], lambda part: scaled(part, alpha, other) if alpha != 1 else part)))


def _thinned(noisy: Noisy) -> Noisy:
    """Keep the last few carriers, and of the others what a BN needs: a trunk of many blocks would gather them all."""
    carriers = [(name, part) for name, part in noisy if isinstance(part, Carried) and part.sharing != "batch"]
    old = {name: _summed(part) for name, part in carriers[:-CARRIERS]}
    return tuple((name, old.get(name, part)) for name, part in noisy)


def _summed(part: Carried) -> Spread:
    share, linear = part.read
    return Spread(share, linear, part.law, part.start)


def _completed(signal: Any, product: Any, times: float, known: Known) -> Noisy | None:
    """Read x + a r x as (1 + a r) x."""
    parts = known(product)
    if len(parts) != 1 or known(signal) or not isinstance(signal, Tensor):
        return None
    name, part = parts[0]
    if not (isinstance(part, Carried) and part.bare and part.is_carried_by(signal)):
        return None
    known.completed[name] = part.law.times(times).plus(1)
    return ((name, Proportional(known.completed[name], part.sharing)),)


def _term(term: Any, shape: torch.Size, call: Call, known: Known) -> Noisy:
    noisy = known(term)
    if noisy and term.shape != shape:
        return lost(noisy)
    written = any(term is tensor for tensor in call.written)
    return by_part(noisy, lambda part: carried(part, term, copy=written))


def multiply(call: Call, known: Known) -> Noisy:
    """The rule of products, and of quotients by what has no noise."""
    one, other = call.args[:2]
    divides = call.op in (aten.div, aten.div_)
    if (known(one) and known(other)) or (divides and (known(other) or "rounding_mode" in call.kwargs)):
        return lose(call, known)
    tensor, factor = (one, other) if known(one) else (other, one)
    if tensor.shape != _shape(one, other):
        return lose(call, known)
    return by_part(known(tensor), lambda part: scaled(part, 1 / factor if divides else factor, tensor))


def negate(call: Call, known: Known) -> Noisy:
    """The rule of -x."""
    return by_part(known(call.args[0]), lambda part: scaled(part, -1.0, call.args[0]))


def _shape(one: Any, other: Any) -> torch.Size:
    return torch.broadcast_shapes(*(each.shape for each in (one, other) if isinstance(each, Tensor)))


def convolve(call: Call, known: Known) -> Noisy:
    """The rule of convolutions."""
    x, weight, _, *geometry = call.args
    if known(weight):
        return lost(known(x)) + lost(known(weight), common=True)
    return through(Convolution(weight, *geometry), x, known)


def connect(call: Call, known: Known) -> Noisy:
    """The rule of fully connected layers on single vectors: addmm(bias, x, weight^T) or mm(x, weight^T)."""
    x, weight = call.args[-2:]
    bias = known(call.args[0]) if len(call.args) > 2 else ()
    if known(weight) or bias or call.kwargs:
        return lose(call, known)
    return through(FullyConnected(weight.t()), x, known)


def through(layer: Convolution | FullyConnected, x: Tensor, known: Known) -> Noisy:
    """Pass noise through a linear layer."""
    return by_part(sole(known(x)), lambda part: _spread(layer, x, part, known.layer))


def _spread(layer: Convolution | FullyConnected, x: Tensor, part: Part, name: str) -> Part:
    part = carried(part, x)
    if not isinstance(part, Carried):
        return gone(part)
    whole = part.whole(layer.inputs)
    share = layer.share(whole, part.sharing)
    if share is None:
        return gone(part)
    return Spread(share, layer.linear(name, whole) if part.spans(layer.inputs) else None, part.law)


def concatenate(call: Call, known: Known) -> Noisy:
    """The rule of concatenation along the channels."""
    tensors, dim = call.arguments["tensors"], call.arguments["dim"]
    if dim not in (1, 1 - tensors[0].dim()) or any(tensor.dim() != tensors[0].dim() for tensor in tensors):
        return lose(call, known)
    noisy, start = (), 0
    for tensor in tensors:
        noisy += by_part(known(tensor), lambda part, tensor=tensor, start=start: _moved(carried(part, tensor), start))
        start += tensor.shape[1]
    return noisy


def _moved(part: Part, by: int) -> Part:
    if isinstance(part, Carried) and isinstance(part.sharing, int):
        return gone(part)
    return replace(part, start=part.start + by) if isinstance(part, Carried | Spread) else part


def pad(call: Call, known: Known) -> Noisy:
    """The rule of padding with a constant."""
    x, widths = call.args[:2]
    value = call.args[2] if len(call.args) > 2 else 0

    def padded(part: Part) -> Part:
        if isinstance(part, Proportional) and value == 0 and not isinstance(part.sharing, int):
            return part
        part = carried(part, x)
        if not isinstance(part, Carried) or isinstance(part.sharing, int):
            return gone(part)
        return Carried(aten.constant_pad_nd(part.whole(x.shape[1]), widths), part.law, part.sharing)

    return by_part(known(x), padded)


def view(call: Call, known: Known) -> list[Noisy]:
    """The rule of what moves or leaves out elements: it moves carriers alike, if every element has its own number."""
    x = call.args[0]
    outs = [leaf for leaf in tree_leaves(call.run()) if isinstance(leaf, Tensor)]
    moved = [(name, _viewed(call, x, part, outs)) for name, part in known(x)]
    return [tuple((name, parts[index]) for name, parts in moved) for index in range(len(outs))]


def _viewed(call: Call, x: Tensor, part: Part, outs: list[Tensor]) -> list[Part]:
    nothing: list[Part] = [gone(part)] * len(outs)
    if isinstance(part, Spread):
        return _viewed_share(call, x, part) or nothing
    groups = None if isinstance(part, Lost) else _groups(call, x, part.sharing, outs)
    if isinstance(part, Lost) or groups is None:
        return nothing
    if isinstance(part, Proportional):
        return [replace(part, sharing=groups)] * len(outs)
    if part.spoilt:
        return nothing
    carrier = torch.empty_like(x).copy_(part.whole(x.shape[1]))  # its strides may differ, which views mind
    carriers = Call(call.func, (carrier, *call.args[1:]), call.kwargs).run()
    return [Carried(leaf, part.law, groups) for leaf in tree_leaves(carriers) if isinstance(leaf, Tensor)]


def _groups(call: Call, x: Tensor, sharing: Groups, outs: list[Tensor]) -> Groups | None:
    """Which elements share a number afterwards, None if that has no name."""
    samples_stay = all(out.dim() > 1 and (out.shape[0], out.stride(0)) == (x.shape[0], x.stride(0)) for out in outs)
    if sharing == "element" or (sharing == "sample" and samples_stay):
        return sharing
    flattened = call.op in (aten.view, aten._unsafe_view) and samples_stay and outs[0].dim() == 2
    return math.prod(x.shape[2:]) if sharing == "channel" and flattened else None


def _viewed_share(call: Call, x: Tensor, part: Spread) -> list[Part] | None:
    """Of a share that is the same at all samples and positions, where these stay together."""
    whole = placed(part.share, part.start, x).view(-1, *[1] * (x.dim() - 2)).expand(x.shape)
    try:
        outs = tree_leaves(Call(call.func, (whole, *call.args[1:]), call.kwargs).run())
    except RuntimeError:  # a view that would need a copy
        return None
    for out in outs:
        apart = any(stride for dim, stride in enumerate(out.stride()) if dim != 1 and out.shape[dim] > 1)
        if out.dim() < 2 or apart or out.numel() * x.shape[1] != x.numel() * out.shape[1]:
            return None
    return [Spread(out.transpose(0, 1).flatten(1)[:, 0].clone(), part.linear, part.law) for out in outs]


Rule: TypeAlias = Callable[[Call, Known], Noisy | list[Noisy]]
SHAPED = ("empty_like", "zeros_like", "ones_like", "full_like", "new_empty", "new_zeros", "new_ones", "new_full")
RULES: dict[Any, Rule] = {
    **dict.fromkeys((getattr(aten, name) for name in SHAPED), forget),
    **dict.fromkeys((aten.clone, aten.detach, aten.alias, aten._to_copy), keep),
    **dict.fromkeys((aten.copy_, aten.fill_, aten.zero_), overwrite),
    **dict.fromkeys((aten.relu, aten.relu_, aten.leaky_relu, aten.leaky_relu_, aten._prelu_kernel, aten.abs), rectify),
    **dict.fromkeys((aten.add, aten.add_, aten.sub, aten.sub_), add),
    **dict.fromkeys((aten.mul, aten.mul_, aten.div, aten.div_), multiply),
    **dict.fromkeys((aten.neg, aten.neg_), negate),
    aten.convolution: convolve,
    **dict.fromkeys((aten.addmm, aten.mm), connect),
    aten.cat: concatenate,
    aten.constant_pad_nd: pad,
    **dict.fromkeys(
        (
            aten.view,
            aten._unsafe_view,
            aten.permute,
            aten.transpose,
            aten.t,
            aten.squeeze,
            aten.unsqueeze,
            aten.slice,
            aten.select,
            aten.split,
            aten.split_with_sizes,
        ),
        view,
    ),
}
