"""The chain reaction (Sections 3.1 and 4): how far BNs' means are off, and what it is worth to mend the first k BNs."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from fullscale.adjust import Pass, layer_by_layer
from fullscale.data.source import Batch
from fullscale.evaluate import evaluate
from fullscale.one_pass import input_statistics
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch


@dataclass(frozen=True)
class Chain:
    """A net whose BN statistics are replaced one after the other.

    Attributes:
        names: of the BNs, in order of execution.
        deviations: of each BN in the net as it was trained: the root mean square, over channels, of the POOLED mean of
            its input in test mode less the mean that it keeps, in units of its MOVING standard deviation.
        errors: test errors in percent with the statistics of the first k BNs replaced, for k from 0 to all.
    """

    names: tuple[str, ...]
    deviations: tuple[float, ...]
    errors: tuple[float, ...]


def chain(net: nn.Module, batches: Pass, test: Pass, *, progress: Progress = unheard) -> Chain:
    """Replace BN's statistics layer by layer, as `fullscale.adjust.adjust` does, and test the net after each.

    Args:
        net: comes back as it was.
        batches: of training images, on the net's device.
        test: of test images.
        progress: is told after each batch how many images are done, over all passes.

    Raises:
        ValueError: if a BN cannot be measured (see `fullscale.measure`).
    """
    subject, counted = specimen(net), Counted(progress)
    with faithful(subject):
        deviations = _deviations(subject, counted.over(batches()))
        errors = [evaluate(subject, counted.over(test())).error]
        for _ in layer_by_layer(subject, batches, counted):
            errors.append(evaluate(subject, counted.over(test())).error)
    return Chain(tuple(deviations), tuple(deviations.values()), tuple(errors))


def _deviations(subject: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
    switch(subject, noise=False, by_batch=False)
    heard = input_statistics(subject, batches)
    return {name: _deviation(subject.get_submodule(name), own.pooled_mean) for name, own in heard.items()}


def _deviation(bn: nn.Module, mean: Tensor) -> float:
    kept_mean, kept_var = (bn.get_buffer(name).double().cpu() for name in ("running_mean", "running_var"))
    return ((mean - kept_mean).square() / kept_var).mean().sqrt().item()
