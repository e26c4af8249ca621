"""Monte-Carlo averaging of the nets that Dropout samples, against weight scaling (Fig. 6)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fullscale.contracts import refusal, whole
from fullscale.data.source import Batch
from fullscale.evaluate import evaluate
from fullscale.progress import Counted, Progress, unheard
from fullscale.specimen import faithful, specimen, switch

SHOWN = (1, 2, 3, 5, 10, 20, 30, 50, 80)
"""sampled nets after which tables tell the error"""


@dataclass(frozen=True)
class Ensemble:
    """Test errors in percent.

    Attributes:
        errors: (groups, samples) float64; column k - 1 averages the first k sampled nets of each group.
        weight_scaling: of the one net in test mode, by the same precision and images.
    """

    errors: Tensor
    weight_scaling: float

    @property
    def mean(self) -> Tensor:
        """(samples,) over the groups."""
        return self.errors.mean(0)

    @property
    def std(self) -> Tensor:
        """(samples,) over the groups, from the UNBIASED variance; NaN where there is one group."""
        if len(self.errors) == 1:
            return torch.full_like(self.errors[0], torch.nan)
        return self.errors.std(0)


def ensemble(
    net: nn.Module,
    batches: Callable[[], Iterable[Batch]],
    *,
    samples: int,
    seeds: Sequence[int],
    progress: Progress = unheard,
) -> Ensemble:
    """Compute a group per seed, and the error of weight scaling.

    Args:
        net: comes back as it was.
        batches: starts a pass over the test images, on the net's device.
        samples: nets in a group.
        seeds: of the groups, all different.
        progress: is told after each batch how many images are done, over all groups; one counts once a group.

    Raises:
        ValueError: if there are no images, `samples` is no whole number >= 1, or a seed is missing or comes twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise refusal("seeds", list(seeds), "there must be at least one, and each but once")
    counted = Counted(progress)
    groups = [sample_group(net, counted.over(batches()), samples=samples, seed=seed) for seed in seeds]
    with faithful(net):
        return Ensemble(torch.stack(groups), evaluate(specimen(net), batches()).error)


def sample_group(
    net: nn.Module, batches: Iterable[Batch], *, samples: int, seed: int, progress: Progress = unheard
) -> Tensor:
    """Average the probabilities of the nets that Dropout samples, BN by its moving statistics.

    The draws are independent from image to image, so that all samples of a batch may be taken before the next batch:
    no more is kept than one batch's sums of probabilities.

    Args:
        net: comes back as it was.
        batches: of test images, on the net's device.
        samples: nets in the group.
        seed: of the noise, and so of the group, which can be computed alone.
        progress: is told after each batch how many images are done.

    Returns:
        (samples,) float64 on the CPU: the error in percent of the average over the first 1, 2, ... sampled nets.

    Raises:
        ValueError: if there are no images, or `samples` is no whole number >= 1.
    """
    whole("samples", samples, at_least=1)
    subject, counted = specimen(net), Counted(progress)
    switch(subject, noise=True, by_batch=False)
    with faithful(subject, seed):
        wrong = [_wrong(subject, images, labels, samples) for images, labels in counted.over(batches)]
    if not wrong:
        raise refusal("batches", 0, "there must be at least one")
    return 100 * torch.stack(wrong).sum(0).double().cpu() / counted.images


def _wrong(subject: nn.Module, images: Tensor, labels: Tensor, samples: int) -> Tensor:
    probabilities, wrong = 0, []
    for _ in range(samples):
        probabilities = probabilities + subject(images).double().softmax(1)  # the sum orders as the mean does
        wrong.append((probabilities.argmax(1) != labels).sum())
    return torch.stack(wrong)
