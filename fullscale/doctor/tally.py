"""What the batches tell of one BN, added up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fullscale.doctor.exact import Input, Local
from fullscale.doctor.probing import Added, Probed
from fullscale.doctor.report import Linear, Source, Way


@dataclass
class Share:
    """What some noise adds to the variance of a BN's input, over calls and batches.

    Attributes:
        added: sum per channel, (channels,) float64.
        variance: of its mean over channels, over the noise.
        exact: whether the law gave all of it.
        known: whether it is known at all.
    """

    added: Tensor | float = 0.0
    variance: float = 0.0
    exact: bool = True
    known: bool = True

    def update(self, local: Local | None, probed: Added | None) -> None:
        """Let a call in: by the law, or else as it was probed."""
        if local is not None and local.added is not None:
            self.added = self.added + local.added.double()
        elif probed is not None:
            self.exact = False
            self.added = self.added + probed.added
            self.variance += probed.variance
        else:
            self.exact = self.known = False


@dataclass
class Tally:
    """One BN, over calls and batches.

    Attributes:
        calls: so far.
        var: sum of the UNBIASED variances of its input without noise, (channels,) float64.
        together: of all sources.
        single: of each by itself.
    """

    calls: int = 0
    var: Tensor | float = 0.0
    together: Share = field(default_factory=Share)
    single: dict[str, Share] = field(default_factory=dict)
    linears: dict[str, list[Linear | None]] = field(default_factory=dict)

    def update(self, own: Input, call: int, probed: Probed) -> None:
        """Let a call in, the call'th of its batch."""
        self.calls += 1
        self.var = self.var + own.var.double()
        for name, local in own.sources.items():
            share = self.single.setdefault(name, Share())
            share.update(local, probed.added(own.bn, call, [name], own.var))
            self.linears.setdefault(name, []).append(local.linear)
        self.together.update(_sum(own.sources, own.var), probed.added(own.bn, call, own.sources, own.var))

    def ways(self, sources: Mapping[str, Source]) -> tuple[Way, ...]:
        """What each source does by itself."""
        return tuple(self._way(sources[name], share) for name, share in self.single.items())

    def _way(self, source: Source, share: Share) -> Way:
        shift, stderr = self.shift(share)
        linear = _average(self.linears[source.name])
        applies = linear is not None and source.sharing == "element" and source.s2 is not None
        return Way(source.name, share.exact, shift, stderr, linear, linear.eq10(source.s2) if applies else None)

    def shift(self, share: Share) -> tuple[float | None, float | None]:
        """Return Var_Test / Var_Train, means over channels, and its standard error; None where it is not known."""
        if not share.known:
            return None, None
        test, added = (torch.as_tensor(each, dtype=torch.float64).mean().item() for each in (self.var, share.added))
        train = test + added
        return test / train, test / train**2 * share.variance**0.5

    def worst(self) -> tuple[int | None, float | None]:
        """Return the channel whose shift is furthest from 1, and the shift; channels that never vary have none."""
        if not self.single or not self.together.known:
            return None, None
        train = torch.as_tensor(self.var + self.together.added)
        shift = torch.where(train > 0, self.var / train, 1.0)
        channel = int(torch.maximum(shift, 1 / shift).argmax())
        return channel, shift[channel].item()


def _sum(sources: Mapping[str, Local], like: Tensor) -> Local:
    """Independent noises add up, where the law has all of them."""
    added = torch.zeros_like(like)
    for local in sources.values():
        if local.added is None:
            return Local(None, None)
        added = added + local.added
    return Local(added, None)


def _average(linears: list[Linear | None]) -> Linear | None:
    """Of the same layer in several batches."""
    known = [each for each in linears if each is not None]
    if len(known) < len(linears) or len({(each.name, each.d) for each in known}) != 1:
        return None
    means = {name: sum(getattr(each, name) for each in known) / len(known) for name in ("c", "v", "rho")}
    return replace(known[0], **means)
