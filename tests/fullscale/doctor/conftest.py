import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import pytest
import torch
from torch import Tensor, nn

from fullscale.batchnorms import BatchNorm


class Estimate(NamedTuple):
    """Local Var_Test / Var_Train, and its standard error over the noise."""

    shift: float
    stderr: float

    def agrees_with(self, predicted: float, stderr: float = 0.0) -> bool:
        """Whether a prediction is within 1%, beyond what chance explains 999 999 times in a million."""
        return abs(predicted - self.shift) < 0.01 * self.shift + 4.9 * math.hypot(self.stderr, stderr)


MonteCarlo: TypeAlias = Callable[..., dict[str, Estimate]]


@pytest.fixture(scope="session")
def monte_carlo() -> MonteCarlo:
    """Measure the local shift of every BN of a model in train mode at one input: noise sampled, BN outputs held."""
    return _monte_carlo


def _monte_carlo(model: nn.Module, x: Tensor, noises: list[nn.Module], samples: int = 64) -> dict[str, Estimate]:
    model.train()
    bns = {name: bn for name, bn in model.named_modules() if isinstance(bn, BatchNorm)}
    held: dict[str, Tensor] = {}
    clean: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Tensor], out: Tensor) -> None:
            clean[name], held[name] = args[0].clone(), out.clone()

        return hook

    for noise in noises:
        noise.eval()
    _run(model, x, [bn.register_forward_hook(note(name)) for name, bn in bns.items()])
    for noise in noises:
        noise.train()
    noisy: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in bns}

    def hold(name: str) -> Callable[..., Tensor]:
        def hook(_: nn.Module, args: tuple[Tensor], out: Tensor) -> Tensor:
            del out
            noisy[name].append(_moments(args[0]))
            return held[name].clone()

        return hook

    for _ in range(samples):
        _run(model, x, [bn.register_forward_hook(hold(name)) for name, bn in bns.items()])
    return {name: _estimate(clean[name], noisy[name]) for name in bns}


def _run(model: nn.Module, x: Tensor, handles: list) -> None:
    try:
        with torch.no_grad():
            model(x.clone())
    finally:
        for handle in handles:
            handle.remove()


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    own = x.double().transpose(0, 1).flatten(1)
    return own.mean(1), own.square().mean(1)


def _estimate(clean: Tensor, noisy: list[tuple[Tensor, Tensor]]) -> Estimate:
    """Pool over the noise, too; leave out one sample after the other for the standard error."""
    own = clean.double().transpose(0, 1).flatten(1)
    means, squares = (torch.stack(each) for each in zip(*noisy, strict=True))
    n = len(means)

    def shift(mean: Tensor, square: Tensor) -> Tensor:
        added = (square - mean**2).mean(-1) - own.var(1, correction=0).mean()
        return own.var(1).mean() / (own.var(1).mean() + added)

    left_out = shift(*((each.sum(0) - each) / (n - 1) for each in (means, squares)))
    stderr = ((n - 1) ** 2 / n * left_out.var()).sqrt()
    return Estimate(shift(means.mean(0), squares.mean(0)).item(), stderr.item())


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
