from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from simulator import (
    Array,
    AveragePool,
    BatchNorm,
    Convolution,
    FeatureMaps,
    Inputs,
    Layer,
    Linear,
    ReLU,
    Residual,
    Stack,
    phases,
)
from simulator.parallel import in_order
from simulator.phases import Training

CLOSE = 1e-6
MOMENTA = [None, 0.01, 0.1, 0.5, 1.0]
RNG = np.random.default_rng(0)


def equal(ours: Array, theirs: torch.Tensor, tolerance: float = CLOSE) -> bool:
    """Say whether two arrays are equal relative to the scale of their values."""
    other = theirs.detach().numpy()
    return ours.shape == other.shape and bool((abs(ours - other) <= tolerance * (1 + abs(other))).all())


@st.composite
def batches_of_numbers(draw: st.DrawFn) -> Array:
    """Batches of units or maps: (batches, n, units) or (batches, n, units, h, w), in either dtype."""
    units, count = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    if draw(st.booleans()):
        shape = (count, draw(st.integers(2, 50)), units)
    else:
        shape = (count, draw(st.integers(1, 9)), units, draw(st.integers(2, 6)), draw(st.integers(1, 6)))
    per_unit = (units, *(1,) * (len(shape) - 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.gamma(2, rng.uniform(0.1, 3, per_unit), shape) + rng.uniform(-5, 5, per_unit)
    return x.astype(draw(st.sampled_from([np.float32, np.float64])))


@settings(deadline=None, max_examples=150)
@given(batches_of_numbers(), st.sampled_from(MOMENTA), st.sampled_from([1e-5, 1e-3]))
def test_batch_norm_keeps_and_gives_what_pytorch_s_does(batches: Array, momentum: float | None, eps: float):
    units, kind = batches.shape[2], torch.nn.BatchNorm1d if batches.ndim == 3 else torch.nn.BatchNorm2d
    ours = BatchNorm(units, momentum, eps)
    theirs = kind(units, eps, momentum, affine=False, dtype=torch.from_numpy(batches).dtype)
    for x in batches:
        y = ours.train(x)
        assert y.dtype == x.dtype
        assert equal(y, theirs(torch.from_numpy(x)), 1e-5 if x.dtype == np.float32 else CLOSE)
    running = theirs.state_dict()
    assert equal(ours.moving_mean, running["running_mean"])
    assert equal(ours.moving_var, running["running_var"])
    assert ours.batches == int(running["num_batches_tracked"])
    theirs.eval()
    for x in batches:
        assert equal(ours.test(x), theirs(torch.from_numpy(x)), 1e-5 if x.dtype == np.float32 else CLOSE)


@pytest.mark.parametrize("change", [{"momentum": 0.11}, {"momentum": None}, {"eps": 1e-4}])
def test_another_batch_norm_would_be_noticed(change: dict[str, Any]):
    x = np.random.default_rng(0).normal(1, 2, (100, 3))
    ours, theirs = BatchNorm(3, **{"momentum": 0.1} | change), torch.nn.BatchNorm1d(3, affine=False).double()
    ours.train(x)
    same = [
        equal(ours.train(x), theirs(torch.from_numpy(x))),
        equal(ours.moving_mean, theirs.state_dict()["running_mean"]),
        equal(ours.test(x), theirs.eval()(torch.from_numpy(x))),
    ]
    assert not all(same)


def weights(*shape: int) -> Array:
    return RNG.normal(size=shape) / np.sqrt(np.prod(shape[1:]))


@dataclass
class Net:
    """The same net twice: our layers, and PyTorch's modules with its BNs in order of execution."""

    layers: list[Layer] = field(default_factory=list)
    modules: list[torch.nn.Module] = field(default_factory=list)
    norms: list[torch.nn.Module] = field(default_factory=list)

    def add(self, layer: Layer, module: torch.nn.Module) -> "Net":
        self.layers.append(layer)
        self.modules.append(module)
        return self

    def convolution(self, out: int, d: int, k: int, **options: Any) -> "Net":
        weight = weights(out, d // options.get("groups", 1), k, k)
        module = torch.nn.Conv2d(d, out, k, bias=False, dtype=torch.float64, **options)
        module.weight = torch.nn.Parameter(torch.from_numpy(weight))
        return self.add(Convolution(weight, **options), module)

    def norm(self, units: int, momentum: float | None) -> "Net":
        module = torch.nn.BatchNorm2d(units, momentum=momentum, affine=False, dtype=torch.float64)
        self.norms.append(module)
        return self.add(BatchNorm(units, momentum), module)

    def relu(self) -> "Net":
        return self.add(ReLU(), torch.nn.ReLU())

    def residual(self, branch: "Net", shortcut: "Net") -> "Net":
        self.norms += branch.norms + shortcut.norms
        return self.add(Residual(branch.layers, shortcut.layers), Sum(branch, shortcut))


class Sum(torch.nn.Module):
    """A residual block as PyTorch's networks write it."""

    def __init__(self, branch: Net, shortcut: Net) -> None:
        super().__init__()
        self.branch = torch.nn.Sequential(*branch.modules)
        self.shortcut = torch.nn.Sequential(*shortcut.modules)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.branch(x) + self.shortcut(x)


def net_of(momentum: float | None) -> Net:
    branch = Net().norm(6, momentum).relu().convolution(8, 6, 3, stride=2, padding=1, groups=2).norm(8, momentum).relu()
    branch = branch.convolution(8, 8, 3, padding=1)
    shortcut = Net().convolution(8, 6, 1, stride=2).norm(8, momentum)
    net = Net().convolution(6, 3, 3, padding=1).norm(6, momentum).relu().residual(branch, shortcut)
    net = net.residual(Net().norm(8, momentum).relu().convolution(8, 8, 3, padding=1), Net()).norm(8, momentum).relu()
    net.add(AveragePool(2), torch.nn.AvgPool2d(2))
    linear = torch.nn.Conv2d(8, 5, 1, bias=False, dtype=torch.float64)
    weight = weights(5, 8)
    linear.weight = torch.nn.Parameter(torch.from_numpy(weight[:, :, None, None]))
    return net.add(Linear(weight), linear).norm(5, momentum)


@dataclass
class Recorded:
    """Inputs that remember what they gave."""

    inputs: Inputs
    given: list[Array] = field(default_factory=list)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        self.given.append(self.inputs.sample(n, rng))
        return self.given[-1]


def heard(modules: list[torch.nn.Module]) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    """For each module, the mean and unbiased variance of every batch it will be given: filled as it runs."""
    received: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in modules]

    def listener(into: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[..., None]:
        return lambda _module, x: into.append((x[0].mean((0, 2, 3)), x[0].var((0, 2, 3))))

    for module, into in zip(modules, received, strict=True):
        module.register_forward_pre_hook(listener(into))
    return received


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_stack_trains_and_tests_as_the_same_net_in_pytorch(momentum: float | None, epochs: int):
    net = net_of(momentum)
    theirs = torch.nn.Sequential(*net.modules)
    inputs = Recorded(FeatureMaps(3, (8, 6), 0.5, 1.0, 0.2, 0.5))
    stack = Stack(net.layers)
    stack.train(inputs, np.random.default_rng(0), batches=4, batch=8, epochs=epochs)
    batches = [torch.from_numpy(x.copy()) for x in inputs.given[:4]]
    with torch.no_grad():
        for x in batches * epochs:
            theirs(x)
        trained = list(phases.norms(stack.layers))
        for ours, module in zip(trained, net.norms, strict=True):
            assert equal(ours.moving_mean, module.state_dict()["running_mean"])
            assert equal(ours.moving_var, module.state_dict()["running_var"])
        received = heard(net.norms)
        theirs.eval()
        for x in batches:
            theirs(x)
        real = stack.test(inputs, np.random.default_rng(0), batches=4, batch=8)
        for (mean, variance), batchwise in zip(real, received, strict=True):
            means, variances = zip(*batchwise, strict=True)
            assert equal(mean, torch.stack(means).mean(0))
            assert equal(variance, torch.stack(variances).mean(0))
        assert equal(phases.Testing().run(stack.layers, batches[0].numpy()), theirs(batches[0]))
        theirs.train()
        training = Training(np.random.default_rng(0))
        assert equal(training.run(stack.layers, batches[1].numpy()), theirs(batches[1]))


def test_measuring_averages_what_pytorch_gives_over_units_and_replicas():
    net, inputs = net_of(0.1), Recorded(FeatureMaps(3, 6, 0.5, 1.0, 0.2, 0.5, "exponential"))
    readings = Stack(net.layers).measure(
        inputs, np.random.default_rng(0), replicas=3, batches=2, batch=4, epochs=2, threads=1
    )
    given = [torch.from_numpy(x.copy()) for x in inputs.given if len(x) == 4]
    moving: list[list[float]] = []
    with torch.no_grad():
        for first in (0, 2, 4):
            for norm in net.norms:
                norm.reset_running_stats()  # pyright: ignore[reportCallIssue]
            for x in given[first : first + 2] * 2:
                torch.nn.Sequential(*net.modules)(x)
            moving.append([float(norm.state_dict()["running_var"].mean()) for norm in net.norms])
    assert len(given) == 6
    for reading, theirs in zip(readings, np.array(moving).T, strict=True):
        assert reading.moving_var.value == pytest.approx(theirs.mean(), rel=CLOSE)
        assert reading.moving_var.stderr == pytest.approx(theirs.std(ddof=1) / np.sqrt(3), rel=1e-4)


def test_threads_that_are_not_blas_s_are_left_alone():
    def of_openmp() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"}

    with threadpool_limits(2, user_api="openmp"), closing(in_order(int, range(9), 1)) as results:
        assert next(results) == 0
        assert of_openmp() == {2}
