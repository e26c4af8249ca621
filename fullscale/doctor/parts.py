"""What noise has become on its way: what is kept of it with a tensor that it has reached.

A tensor is its noise-free value plus, for every source, a part of mean zero. As long as that part is a known signal
times the source's own numbers, or only its variance is needed, the law is exact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from torch import Tensor

from fullscale.doctor.laws import Law
from fullscale.doctor.marks import place
from fullscale.doctor.report import Linear
from fullscale.doctor.shares import Groups, as_the_paper_sees_it, of_signal


@dataclass(frozen=True)
class Proportional:
    """The tensor itself is multiplied: noise-free value times n, for numbers n of mean 1.

    Attributes:
        law: of n.
        sharing: which elements share an n.
    """

    law: Law
    sharing: Groups


@dataclass(frozen=True)
class Carried:
    """A carrier g times (n - mean of n) is added, to all channels of the tensor or to some in a row.

    Attributes:
        carrier: g: (samples, channels, ...).
        law: of n.
        sharing: which elements share an n.
        start: the first channel.
        bare: nothing else is there, as in the r x that Uout adds to x.
    """

    carrier: Tensor
    law: Law
    sharing: Groups
    start: int = 0
    bare: bool = False
    version: int = -1

    def __post_init__(self) -> None:
        if self.version < 0 and not self.carrier.is_inference():
            object.__setattr__(self, "version", self.carrier._version)

    @property
    def spoilt(self) -> bool:
        """Whether the carrier was written since; of one made in inference mode nobody knows."""
        return self.carrier.is_inference() or self.carrier._version != self.version

    def is_carried_by(self, tensor: Tensor) -> bool:
        """Whether a tensor is the carrier."""
        same = tensor.untyped_storage()._cdata == self.carrier.untyped_storage()._cdata
        return same and place(tensor) == place(self.carrier) and not self.spoilt

    @cached_property
    def read(self) -> tuple[Tensor, Linear]:
        """Its share per channel as it is, (channels,), and how the paper sees it; every BN on a trunk asks for both."""
        return of_signal(self.carrier), as_the_paper_sees_it(None, self.carrier, None, self.carrier)

    def spans(self, channels: int) -> bool:
        """Whether it is added to all channels."""
        return self.start == 0 and self.carrier.shape[1] == channels

    def whole(self, channels: int) -> Tensor:
        """The carrier with zeros for all other channels."""
        if self.spans(channels):
            return self.carrier
        g = self.carrier
        padded = g.new_zeros(g.shape[0], channels, *g.shape[2:])
        padded[:, self.start : self.start + g.shape[1]] = g
        return padded


@dataclass(frozen=True)
class Spread:
    """A linear layer has mixed the source's numbers: what is kept is the variance that they add.

    Attributes:
        share: per channel, mean over samples and positions, for noise of variance 1: (channels,).
        linear: the layer.
        law: of the noise.
        start: the first channel.
    """

    share: Tensor
    linear: Linear | None
    law: Law
    start: int = 0


@dataclass(frozen=True)
class Lost:
    """No formula is known: it has to be probed.

    Attributes:
        common: the numbers are the same for all samples of a batch.
    """

    common: bool = False


Part: TypeAlias = Proportional | Carried | Spread | Lost
Noisy: TypeAlias = tuple[tuple[str, Part], ...]
"""The parts of a tensor by the names of their sources; the same source may come twice, from several ways."""


def gone(part: Part) -> Lost:
    """What is left of a part that is lost."""
    if isinstance(part, Lost):
        return part
    return Lost(not isinstance(part, Spread) and part.sharing == "batch")


def lost(*many: Noisy, common: bool = False) -> Noisy:
    """The same sources, all lost.

    Args:
        many: parts of tensors.
        common: their numbers have become the same for all samples, as those of noise on weights.
    """
    names: dict[str, bool] = {}
    for name, part in (each for noisy in many for each in noisy):
        names[name] = names.get(name, common) or gone(part).common
    return tuple((name, Lost(common)) for name, common in names.items())


def blurred(many: Iterable[Noisy | None]) -> Noisy | None:
    """What is known of some other part of a storage."""
    return lost(*(noisy or () for noisy in many)) or None


def sole(noisy: Noisy) -> Noisy:
    """Lose the sources that come several times: their parts are correlated."""
    names = [name for name, _ in noisy]
    once = tuple((name, part) for name, part in noisy if names.count(name) == 1)
    return once + lost(tuple((name, part) for name, part in noisy if names.count(name) > 1))


def by_part(noisy: Noisy, change: Callable[[Part], Part]) -> Noisy:
    """Change every part by itself."""
    return tuple((name, change(part)) for name, part in noisy)


def carried(part: Part, tensor: Tensor, *, copy: bool = False) -> Part:
    """Let what was proportional to a tensor be carried by it, or by a copy where it is about to be written."""
    if isinstance(part, Proportional):
        return Carried(tensor.clone() if copy else tensor, part.law, part.sharing)
    if isinstance(part, Carried):
        return gone(part) if part.spoilt else replace(part, bare=False) if part.bare else part
    return part


def scaled(part: Part, factor: Tensor | float, tensor: Tensor) -> Part:
    """Multiply a tensor by a signal without noise, of the same shape or smaller."""
    match part:
        case Proportional():
            return part
        case Carried(carrier, law, start=start) if not part.spoilt:
            if part.bare and isinstance(factor, int | float):
                return replace(part, law=law.times(factor))
            along = factor
            if isinstance(factor, Tensor):
                along = factor.expand(tensor.shape).narrow(1, start, carrier.shape[1])
            return Carried(carrier * along, part.law, part.sharing, start)
        case Spread(share, start=start):
            along = _per_channel(factor, tensor)
            if along is None:
                return gone(part)
            return replace(part, share=share * along[start : start + len(share)].square())
    return gone(part)


def _per_channel(factor: Tensor | float, tensor: Tensor) -> Tensor | None:
    """A factor as (channels,), None if it is not the same for all samples and positions."""
    along = factor if isinstance(factor, Tensor) else tensor.new_tensor(factor)
    shape = (1,) * (tensor.dim() - along.dim()) + tuple(along.shape)
    if any(size > 1 for dim, size in enumerate(shape) if dim != 1):
        return None
    return along.reshape(-1).expand(tensor.shape[1])


def placed(added: Tensor, start: int, x: Tensor) -> Tensor:
    """A share of some channels in a row, with zeros for the others of x: (channels,)."""
    whole = added.new_zeros(x.shape[1])
    whole[start : start + len(added)] = added
    return whole
