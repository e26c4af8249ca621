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
    """What some noise adds to the variance of a BN's input, over the calls for which that is known.

    Attributes:
        var: sum of the UNBIASED variances without it, (channels,) float64; None before the first.
        added: sum of what it adds.
        variance: of the mean of `added` over channels, over the noise.
        exact: whether the law gave all of it.
    """

    var: Tensor | None = None
    added: Tensor | None = None
    variance: float = 0.0
    exact: bool = True

    def update(self, var: Tensor, local: Local, probed: Added | None) -> None:
        """Let a call in: by the law, or else as it was probed, if it was."""
        if local.added is not None:
            probed = Added(local.added, 0.0)
        else:
            self.exact = False
        if probed is not None:
            self.var = var.double() if self.var is None else self.var + var
            self.added = probed.added.double() if self.added is None else self.added + probed.added
            self.variance += probed.variance

    @property
    def shift(self) -> tuple[float | None, float | None]:
        """Var_Test / Var_Train, means over channels, and its standard error; None where it is not known."""
        if self.var is None or self.added is None:
            return None, None
        test, train = self.var.mean().item(), (self.var + self.added).mean().item()
        if train <= 0:  # a BN of constants
            return 1.0, 0.0
        return test / train, test / train**2 * self.variance**0.5

    @property
    def worst(self) -> tuple[int | None, float | None]:
        """The channel whose shift is furthest from 1, and that shift; a channel that never varies has none."""
        if self.var is None or self.added is None:
            return None, None
        train = self.var + self.added
        shift = torch.where((self.var > 0) & (train > 0), self.var / train, 1.0)
        channel = int(torch.maximum(shift, 1 / shift).argmax())
        return channel, shift[channel].item()


@dataclass
class Tally:
    """One BN, over calls and batches.

    Attributes:
        together: what all sources add.
        single: what each adds by itself.
    """

    together: Share = field(default_factory=Share)
    single: dict[str, Share] = field(default_factory=dict)
    _linears: dict[str, list[Linear | None]] = field(default_factory=dict)

    def update(self, own: Input, call: int, probed: Probed) -> None:
        """Let a call in, the call'th of its batch."""
        for name, local in own.sources.items():
            share = self.single.setdefault(name, Share())
            share.update(own.var, local, probed.added(own, call, [name]))
            self._linears.setdefault(name, []).append(local.linear)
        together = sum(own.sources.values(), start=Local(torch.zeros_like(own.var), None))
        self.together.update(own.var, together, probed.added(own, call, own.sources))

    def ways(self, sources: Mapping[str, Source]) -> tuple[Way, ...]:
        """What each source does by itself."""
        return tuple(self._way(sources[name], share) for name, share in self.single.items())

    def _way(self, source: Source, share: Share) -> Way:
        shift, stderr = share.shift
        linear, eq10 = _average(self._linears[source.name]), None
        if linear is not None and source.sharing == "element" and source.s2 is not None:
            eq10 = linear.eq10(source.s2)
        return Way(source.name, share.exact, shift, stderr, linear, eq10)


def _average(linears: list[Linear | None]) -> Linear | None:
    """Of the same layer in several batches."""
    known = [each for each in linears if each is not None]
    if len(known) < len(linears) or len({(each.name, each.d) for each in known}) != 1:
        return None
    means = {name: sum(getattr(each, name) for each in known) / len(known) for name in ("c", "v", "rho")}
    return replace(known[0], **means)
