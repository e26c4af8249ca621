"""The synthetic set, and what `load` says about it and about names it does not know."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from fullscale.data import InMemory, load, synthetic

CPU = torch.device("cpu")


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def error(net: nn.Module, source: InMemory) -> float:
    net.eval()
    with torch.no_grad():
        wrong = sum((net(x).argmax(1) != labels).sum().item() for x, labels in source.test_batches(512))
    net.train()
    return wrong / source.test_count


def errors(source: InMemory, epochs: int, *, shuffled: bool = False) -> Iterator[float]:
    """The test error after each epoch of training."""
    net = small_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(epochs):
        for x, labels in source.train_batches(64, 0, epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), labels.roll(1) if shuffled else labels).backward()
            optimizer.step()
        yield error(net, source)


def test_it_can_be_learnt_but_not_at_once() -> None:
    source = synthetic(CPU)
    chance = 0.9
    first, *_, last = errors(source, 4)
    assert first > 0.05
    assert last < chance / 2
    *_, unrelated = errors(source, 2, shuffled=True)  # the control: labels that belong to other images
    assert unrelated > chance / 2


@pytest.mark.parametrize(("classes", "size", "train", "test"), [(10, 32, 40, 20), (100, 64, 150, 100), (2, 8, 1, 1)])
def test_it_has_the_classes_and_sizes_asked_for(classes: int, size: int, train: int, test: int) -> None:
    source = synthetic(CPU, classes=classes, size=size, train=train, test=test)
    assert (source.name, source.classes, source.size) == ("synthetic", classes, size)
    assert (source.train_count, source.test_count) == (train, test)
    x, labels = next(source.plain_batches(train))
    assert x.shape == (train, 3, size, size)
    assert labels.tolist() == [k % classes for k in range(train)]


def test_it_is_the_same_every_time_and_train_is_not_test() -> None:
    assert synthetic(CPU, train=20, test=20).checksum == synthetic(CPU, train=20, test=20).checksum
    source = synthetic(CPU, train=20, test=20)
    assert not torch.equal(next(source.plain_batches(20))[0], next(source.test_batches(20))[0])


def test_a_reduced_run_takes_the_first_images() -> None:
    whole, few = load("synthetic", "", "cpu"), load("synthetic", "", torch.device("cpu"), images=30)
    assert (whole.train_count, few.train_count, few.test_count) == (2048, 30, 7)
    assert whole.test_count == 512
    assert torch.equal(next(whole.plain_batches(30))[0], next(few.plain_batches(30))[0])
    assert whole.checksum != few.checksum


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load("cifar", "", "cpu"), "name = cifar: must be one of cifar10, cifar100, imagenet, synthetic"),  # pyright: ignore[reportArgumentType]
        (lambda: load("synthetic", "", "cpu", images=2049), "images = 2049: must be <= 2048"),
        (lambda: load("synthetic", "", "cpu", images=0), "images = 0: must be a whole number >= 1"),
        (lambda: load("synthetic", "", "cpu", crop="x"), "crop = x: must be one of pixels, normalised"),  # pyright: ignore[reportArgumentType]
        (lambda: synthetic(CPU, classes=1), "classes = 1: must be a whole number >= 2"),
        (lambda: synthetic(CPU, size=7), "size = 7: must be a whole number >= 8"),
        (lambda: synthetic(CPU, train=0), "train = 0: must be a whole number >= 1"),
        (lambda: synthetic(CPU, test=0), "test = 0: must be a whole number >= 1"),
    ],
)
def test_a_mistake_in_the_arguments_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
