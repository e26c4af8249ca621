"""Following noise to every BN by the law, as far as it goes, in one noise-free pass."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from fullscale.doctor.calls import Call
from fullscale.doctor.marks import Marks
from fullscale.doctor.noise_free import NoiseFree
from fullscale.doctor.parts import Carried, Lost, Noisy, Part, Proportional, Spread, blurred, lost, placed
from fullscale.doctor.products import Product
from fullscale.doctor.report import Linear
from fullscale.doctor.rules import RULES, Known, lose
from fullscale.doctor.shares import as_the_paper_sees_it, of_signal, unbiased
from fullscale.doctor.stack import Stack


@dataclass(frozen=True)
class Local:
    """What one source adds to the variance of a BN's input.

    Attributes:
        added: per channel, (channels,); None where the law does not reach.
        linear: the layer between, None where Eq. 10 has no place for it.
        common: its numbers are the same for all samples of a batch.
    """

    added: Tensor | None
    linear: Linear | None
    common: bool = False

    def __add__(self, other: "Local") -> "Local":
        """Of what adds up, since it is independent or on separate channels."""
        added = None if self.added is None or other.added is None else self.added + other.added
        return Local(added, self.linear, self.common or other.common)


@dataclass(frozen=True)
class Input:
    """A BN's input in one call.

    Attributes:
        bn: its path.
        var: UNBIASED, without noise: (channels,).
        sources: what each that reaches it does there.
        draws: how many draws of random numbers there were before.
    """

    bn: str
    var: Tensor
    sources: dict[str, Local]
    draws: int


class Exact(NoiseFree):
    """A noise-free pass that keeps what the law needs with every tensor that noise has reached.

    Attributes:
        inputs: of the BNs, in order of execution.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.inputs: list[Input] = []
        self._noisy: Marks[Noisy] = Marks(blurred)
        self._known = Known(self._noisy, stack)

    def before(self, call: Call, product: Product | None = None) -> Any:
        """Find out what becomes of the noise in the arguments; None if there is none."""
        del product
        if not any(map(self._known, call.tensors)):
            return None
        flat = any(tensor.dim() < 2 and self._known(tensor) for tensor in call.tensors)  # it has no channels
        return (lose if flat else RULES.get(call.op, lose))(call, self._known)

    def after(self, call: Call, out: Any, kept: Any) -> None:
        """Note it with the results."""
        if kept is not None:
            self._note(call, out, kept)

    def multiplied(self, call: Call, out: Tensor, product: Product, kept: Any) -> None:
        """Let a source begin; one on another's noise needs the second moment of that, so that both are lost."""
        name, law, at, sharing = product
        signal = call.tensors[at]
        if signal.shape != out.shape:
            signal = signal.expand(out.shape).clone()
        if kept is not None or (law.mean == 0 and call.written):
            self._note(call, out, lost(kept or (), ((name, Lost(sharing == "batch")),)))
        elif law.mean == 0:
            self._note(call, out, ((name, Carried(signal, law, sharing, bare=True)),))
        else:
            self._note(call, out, ((name, Proportional(law.times(1 / law.mean), sharing)),))

    def mixed(self, call: Call, out: Any, names: frozenset[str], kept: Any) -> None:
        """Let sources begin that multiply nothing."""
        self._note(call, out, lost(kept or (), tuple((name, Lost()) for name in sorted(names))))

    def close(self, others: Set[str] = frozenset()) -> None:
        """Settle what only the whole pass tells.

        Noise that was completed to x + r x has the law of 1 + r. Draws that met no signal reach every BN after them:
        Python may have decided by them what to run.

        Args:
            others: names of generators that drew at a time that is not known.
        """
        for name, law in self._known.completed.items():
            kind, drawn, sharing = self.products[name]
            self.products[name] = kind, drawn and law, sharing
        self._kinds |= dict.fromkeys(sorted(others), "generator")
        for number, name in enumerate(self._kinds):
            if name not in self.products:
                self._found(name, None, "other")
                for own in self.inputs:
                    if number < own.draws or name in others:
                        own.sources[name] = Local(None, None)

    def normalised(self, name: str, x: Tensor) -> None:
        """Read what has arrived at a BN."""
        arrived: dict[str, Local] = {}
        for source, part in self._known(x):
            own = _local(part, x)
            arrived[source] = arrived[source] + own if source in arrived else own
        self.inputs.append(Input(name, unbiased(x), arrived, len(self._kinds)))

    def _note(self, call: Call, out: Any, noisy: Noisy | list[Noisy]) -> None:
        results = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        written = call.written
        for index, tensor in enumerate(results + written):
            own = noisy[min(index, len(noisy) - 1)] if isinstance(noisy, list) else noisy
            if any(tensor is each for each in written):
                self._noisy.overwrite(tensor, own)
            else:
                self._noisy.mark(tensor, own)


def _local(part: Part, x: Tensor) -> Local:
    match part:
        case Proportional(law, sharing) if sharing != "batch":
            return Local(law.var * of_signal(x), as_the_paper_sees_it(None, x, None, x))
        case Carried(law=law, sharing=sharing) if sharing != "batch" and not part.spoilt:
            share, linear = part.read
            return Local(placed(law.var * share, part.start, x), linear)
        case Spread(share, law=law):
            return Local(placed(law.var * share, part.start, x), part.linear)
        case Lost(common):
            return Local(None, None, common)
    return Local(None, None, part.sharing == "batch")
