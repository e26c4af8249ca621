"""Re-estimating a trained net's BN statistics in test mode: Table 3's "-A", in the three ways it can be read.

None is `torch.optim.swa_utils.update_bn`: that runs the net in train mode, and brings the shifted variance back.

All take the POOLED mean and unbiased variance over the whole pass. The paper's moving average estimates the same from
its last batches alone, with a noise that no longer pass lowers, and here nothing drifts that had to be forgotten.
"""

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

from torch import Tensor, nn

from fullscale.batchnorms import BatchNorm, batchnorms
from fullscale.contracts import refusal
from fullscale.data.source import Batch
from fullscale.one_pass import input_statistics
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch
from fullscale.statistics import ChannelStatistics, Statistics

Net = TypeVar("Net", bound=nn.Module)
Reading: TypeAlias = Literal["batch", "layerwise", "at-once"]
Pass: TypeAlias = Callable[[], Iterable[Batch]]
"""Starts a pass over the same images."""


def adjust(net: Net, batches: Pass, *, reading: Reading = "batch", progress: Progress = unheard) -> Net:
    """Return a copy of a net whose BN statistics are re-estimated without noise, all else alike.

    Args:
        net: comes back as it was.
        batches: of training images, on the net's device.
        reading: one of READINGS:
            "at-once": the net in test mode, all statistics of one pass replaced together. What reaches a deep BN was
                normalised by statistics that are replaced too, so that corrections compound with depth.
            "batch": Dropout off, BN normalising by its batch, in one pass.
            "layerwise": BN by BN in order of execution, in test mode, those before it already replaced. One pass a BN,
                each up to that BN alone: about half as many passes as there are BNs.
        progress: is told after each batch how many images are done, over all passes.

    Raises:
        ValueError: if `reading` is unknown, or a BN cannot be measured (see `fullscale.measure`).
    """
    if reading not in READINGS:
        raise refusal("reading", reading, f"must be one of {', '.join(READINGS)}")
    subject = specimen(net)
    with faithful(subject):
        READINGS[reading](subject, batches, Counted(progress))
    adjusted = copy.deepcopy(net)
    for name, bn in batchnorms(subject).items():
        _replace(adjusted.get_submodule(name), bn.get_buffer("running_mean"), bn.get_buffer("running_var"))
    return adjusted


def _at_once(subject: nn.Module, batches: Pass, counted: Counted) -> None:
    switch(subject, noise=False, by_batch=False)
    _replace_together(subject, counted.over(batches()))


def _by_batch(subject: nn.Module, batches: Pass, counted: Counted) -> None:
    switch(subject, noise=False, by_batch=True)
    _replace_together(subject, counted.over(batches()))


def layer_by_layer(subject: nn.Module, batches: Pass, counted: Counted) -> Iterator[None]:
    """Replace a specimen's BN statistics in order of execution, IN PLACE, and halt after each.

    Raises:
        ValueError: as `adjust`.
    """
    switch(subject, noise=False, by_batch=False)
    for bn in _in_order(subject, batches()):
        own = _input_statistics(subject, bn, counted.over(batches()))
        _replace(bn, own.pooled_mean, own.pooled_var)
        yield


def _layerwise(subject: nn.Module, batches: Pass, counted: Counted) -> None:
    for _ in layer_by_layer(subject, batches, counted):
        pass


READINGS: dict[Reading, Callable[[nn.Module, Pass, Counted], None]] = {
    "batch": _by_batch,
    "layerwise": _layerwise,
    "at-once": _at_once,
}


def _replace_together(subject: nn.Module, batches: Iterable[Batch]) -> None:
    for name, own in input_statistics(subject, batches).items():
        _replace(subject.get_submodule(name), own.pooled_mean, own.pooled_var)


def _replace(bn: nn.Module, mean: Tensor, var: Tensor) -> None:
    bn.get_buffer("running_mean").copy_(mean)
    bn.get_buffer("running_var").copy_(var)


def _in_order(subject: nn.Module, batches: Iterable[Batch]) -> list[BatchNorm]:
    bns = batchnorms(subject)
    return [bns[name] for name in input_statistics(subject, islice(batches, 1))]


class _Reached(Exception):  # noqa: N818 (nothing went wrong)
    """The pass has come as far as it is needed."""


def _input_statistics(subject: nn.Module, bn: BatchNorm, batches: Iterable[Batch]) -> ChannelStatistics:
    statistics = Statistics([bn])

    def leave(_: nn.Module, args: tuple[Any, ...]) -> NoReturn:
        statistics.update([statistics.shadows[0].see(args[0])])
        raise _Reached

    with bn.register_forward_pre_hook(leave):
        for images, _ in batches:
            with contextlib.suppress(_Reached):
                subject(images)
    return statistics.read()[0]
