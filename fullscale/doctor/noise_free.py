"""Running a model as in training, every random number replaced by its mean.

It happens below the modules, in the operators that they call: noise is found by what it does, random numbers times
the signal, whoever wrote it and whatever it is called, and the model runs unedited.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fullscale.doctor.calls import BATCH_NORMS, Call, generator_state
from fullscale.doctor.laws import Law, computed, drawn
from fullscale.doctor.marks import Marks
from fullscale.doctor.products import Product, Random, mean_product, merged, product
from fullscale.doctor.report import Sharing
from fullscale.doctor.shares import require_several
from fullscale.doctor.stack import Stack

aten = torch.ops.aten


class NoiseFree(TorchDispatchMode):
    """While it is entered, random numbers are their means, and BNs work as they are switched.

    Subclasses learn of every operator by `before`, which may keep something for `after`.

    Args:
        stack: of the model that is run.

    Attributes:
        products: every source of noise by its name, in order: its kind, its law (None if that could not be followed)
            and who shares its numbers.
        bare: paths of modules, no BNs themselves, that call batch_norm as a function.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.products: dict[str, tuple[str, Law | None, Sharing]] = {}
        self.bare: set[str] = set()
        self._kinds: dict[str, str] = {}
        self._random: Marks[Random] = Marks(merged)

    def before(self, call: Call, product: Product | None = None) -> Any:
        """Look at a call that is about to run; it may be known as a product of random numbers and the signal."""
        raise NotImplementedError

    def after(self, call: Call, out: Any, kept: Any) -> None:
        """Look at what an operator gave; `kept` is what `before` returned."""
        raise NotImplementedError

    def drew(self, call: Call, out: Any, name: str) -> None:
        """Look at random numbers that were drawn, and replaced by their mean."""

    def multiplied(self, call: Call, out: Tensor, product: Product, kept: Any) -> None:
        """Look at the product of random numbers and the signal."""
        del product
        self.after(call, out, kept)

    def mixed(self, call: Call, out: Any, names: frozenset[str], kept: Any) -> None:
        """Look at what came of random numbers and the signal in another way."""
        del names
        self.after(call, out, kept)

    def normalised(self, name: str, x: Tensor) -> None:
        """Look at the input of a BN, the signal's mean over the noise."""
        raise NotImplementedError

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator."""
        del types
        if func._can_decompose():  # as inference mode leaves it
            with self:
                return func.decompose(*args, **(kwargs or {}))
        call = Call(func, args, kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags:
            return self._draw(call)
        marks = [mark for mark in map(self._random.read, call.tensors) if mark is not None]
        if marks:
            return self._reckon(call, marks)
        if call.op in BATCH_NORMS:
            if self.stack.bn:
                require_several(self.stack.path, args[0])
                self.normalised(self.stack.path, args[0])
                return call.run()
            if len(args[0]) > 1:  # instance norm makes all channels those of one sample
                self.bare.add(self.stack.path or self.stack.kind)
        return self._step(call)

    def _step(self, call: Call) -> Any:
        kept = self.before(call)
        out = call.run()
        self.after(call, out, kept)
        return out

    def _draw(self, call: Call) -> Any:
        if call.op is aten.native_dropout:
            return self._native_dropout(call)
        if not _only_draws(call):
            return self._draw_within(call)
        law = drawn(call.op, call.arguments)
        out = call.run()
        if law is not None and out.is_floating_point():
            out.fill_(law.mean)
        name = self._name()
        self._random.overwrite(out, Random(frozenset([name]), law))
        self.drew(call, out, name)
        return out

    def _draw_within(self, call: Call) -> Any:
        """Run an operator that may draw for itself, as attention does for its own Dropout."""
        kept, state = self.before(call), generator_state(call)
        out = call.run()
        if torch.equal(state, generator_state(call)):
            self.after(call, out, kept)
        else:
            self._mix(call, out, frozenset([self._name()]), kept)
        return out

    def _native_dropout(self, call: Call) -> Any:
        """Take the one operator apart that draws and multiplies at once."""
        x, drop, train = call.args
        if train is False or drop in (0, 1):
            return self._step(call)
        with self:
            noise = torch.empty_like(x).bernoulli_(1 - drop).div_(1 - drop)
            return x * noise, torch.ones_like(x, dtype=torch.bool)

    def _reckon(self, call: Call, marks: Sequence[Random]) -> Any:
        """Run an operator on random numbers, and perhaps the signal."""
        multiplied, names = product(call, self._random, self.stack), frozenset[str]().union(*(m.names for m in marks))
        kept = self.before(call, multiplied)
        if multiplied is not None:
            out = mean_product(call, multiplied)
            self._cover(call)
            self._multiply(call, out, multiplied, kept)
        elif self._without_signal(call):
            out = call.run()
            self._mark(call, out, names, marks)
            self.after(call, out, kept)
        else:
            out = call.run()
            self._cover(call)
            self._mix(call, out, names, kept)
        return out

    def _cover(self, call: Call) -> None:
        """Note that the signal was written over random numbers."""
        for tensor in call.written:
            if self._random.read(tensor) is not None:
                self._random.overwrite(tensor, None)

    def _mark(self, call: Call, out: Any, names: frozenset[str], marks: Sequence[Random]) -> None:
        """Note the law of what was computed from random numbers alone."""
        law = self._computed(call, marks[0].law) if len(marks) == 1 else None
        for leaf in tree_leaves(out):
            if not isinstance(leaf, Tensor) or (not call.written and self._random.read(leaf) is not None):
                continue  # a number for Python, or a view
            own = law if law is None or leaf.is_floating_point() else law.counted()
            if own is not None and leaf.is_floating_point():
                leaf.fill_(own.mean)
            self._random.overwrite(leaf, Random(names, own))

    def _computed(self, call: Call, law: Law | None) -> Law | None:
        if law is None or call.kwargs.get("alpha", 1) != 1 or call.kwargs.get("rounding_mode"):
            return None
        scalars = [leaf for leaf in call.args if isinstance(leaf, int | float)]
        scalars += [leaf.item() for leaf in _read(call) if leaf.dim() == 0 and self._random.read(leaf) is None]
        first = isinstance(call.args[0], Tensor) and self._random.read(call.args[0]) is not None
        return computed(call.op, law, scalars, reverse=not first and call.op is not aten.copy_)

    def _without_signal(self, call: Call) -> bool:
        return all(each.dim() == 0 or self._random.read(each) is not None for each in _read(call))

    def _multiply(self, call: Call, out: Tensor, product: Product, kept: Any) -> None:
        self._found(product.name, product.law, product.sharing)
        self.multiplied(call, out, product, kept)

    def _mix(self, call: Call, out: Any, names: frozenset[str], kept: Any) -> None:
        for name in sorted(names):
            self._found(name, None, "other")
        self.mixed(call, out, names, kept)

    def _found(self, name: str, law: Law | None, sharing: Sharing) -> None:
        if name in self.products:
            _, before, shared = self.products[name]
            law, sharing = (law if law == before else None), (sharing if sharing == shared else "other")
        self.products[name] = self._kinds.get(name, self.stack.kind), law, sharing

    def _name(self) -> str:
        name = self.stack.draw()
        self._kinds[name] = self.stack.kind
        return name


def _only_draws(call: Call) -> bool:
    """Whether it makes random numbers, and no signal goes in: what it reads gives a shape, or a probability."""
    return all(name in ("self", "p") for name, value in call.arguments.items() if isinstance(value, Tensor)) and (
        bool(call.written) or call.op.__name__.startswith(("rand", "bernoulli", "normal"))
    )


def _read(call: Call) -> list[Tensor]:
    """The tensors whose values matter: not what `copy_` overwrites."""
    return call.tensors[1:] if call.op is aten.copy_ else call.tensors
