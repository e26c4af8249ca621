"""What goes into each BN of a specimen, in the modes that it is in, over one pass."""

from collections.abc import Iterable

from torch import nn

from fullscale.batchnorms import batchnorms
from fullscale.data.source import Batch
from fullscale.statistics import ChannelStatistics, Statistics
from fullscale.taps import InputTap


def input_statistics(subject: nn.Module, batches: Iterable[Batch]) -> dict[str, ChannelStatistics]:
    """Return the statistics of every BN's input, by its path, in order of execution.

    Raises:
        ValueError: if there are no batches, or a BN is missed, or called twice in one (see `fullscale.taps`).
    """
    bns = batchnorms(subject)
    statistics = Statistics(bns.values())
    with InputTap(bns) as tap:
        for images, _ in batches:
            tap.run(subject, images, statistics)
    read = dict(zip(bns, statistics.read(), strict=True))
    return {name: read[name] for name in tap.order}
