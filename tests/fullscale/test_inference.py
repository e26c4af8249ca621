"""Test errors with BN's moving statistics, and with those of test batches."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from fullscale.data.synthetic import synthetic
from fullscale.measurements.inference import Inference
from fullscale.progress import unheard
from fullscale.recipes import recipe
from fullscale.subject import Subject

CLASSES, TEST = 4, 96
SOURCE = synthetic(torch.device("cpu"), classes=CLASSES, size=8, train=32, test=TEST)


def made(drop: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(192, 6), nn.BatchNorm1d(6), nn.Linear(6, CLASSES, bias=False)]
    net = nn.Sequential(nn.Flatten(), nn.Dropout(drop), *layers)
    with torch.no_grad():
        net[3].get_buffer("running_mean").fill_(0.5)
        net[3].get_buffer("running_var").fill_(0.1)
    return net


def subject(net: nn.Module) -> Subject:
    return Subject(net, recipe("wrn-10-1", "synthetic", "none", 0, epochs=2, batch=16), SOURCE)


def by_hand(net: nn.Sequential, size: int, *, by_batch: bool = True) -> float:
    """Test in batches of a size, BN normalising by each of them."""
    _, _, linear, norm, last = net
    wrong = 0
    for images, labels in SOURCE.test_batches(size):
        kept = norm.get_buffer("running_mean").clone(), norm.get_buffer("running_var").clone()
        affine = norm.get_parameter("weight"), norm.get_parameter("bias")
        x = functional.batch_norm(linear(images.flatten(1)), *kept, *affine, training=by_batch)
        wrong += int((last(x).argmax(1) != labels).sum())
    return 100 * wrong / TEST


def test_moving_is_the_error_in_test_mode():
    own = subject(made().train())
    found = Inference().take(own, unheard)
    assert found.moving == own.score(own.net).error == by_hand(made(), 16, by_batch=False)


@pytest.mark.parametrize("sizes", [(4, 16, 48), (48, 6), (7,)])  # the last batch of 7 has 5
def test_by_batch_every_size_has_its_own_error(sizes: tuple[int, ...]):
    net = made()
    found = Inference(sizes).take(subject(net), unheard)
    assert found.by_batch == pytest.approx([by_hand(net, size) for size in sizes])
    assert len({*found.by_batch, found.moving}) == 1 + len(sizes)  # so that one could not stand for another


def test_a_size_larger_than_the_test_set_takes_all_of_it():
    net = made()
    assert Inference((1000,)).take(subject(net), unheard) == Inference((TEST,)).take(subject(net), unheard)


def test_a_subject_of_few_batches_is_tested_on_as_many_of_each_size():
    told: list[int] = []
    Inference((4, 16)).take(replace(subject(made()), batches=2), told.append)
    assert told == [16, 32, 36, 40, 56, 72]


def test_noise_is_off_throughout():
    assert Inference((4,)).take(subject(made(0.5)), unheard) == Inference((4,)).take(subject(made(0.0)), unheard)


def test_the_net_comes_back_as_it_was():
    net = made().train()
    net[3].eval()
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    Inference((4,)).take(subject(net), unheard)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes


def test_progress_counts_over_all_passes():
    told: list[int] = []
    Inference((24, 48)).take(subject(made()), told.append)
    assert told == [*range(16, 97, 16), *range(120, 193, 24), 240, 288]


def test_no_test_images_are_refused():
    with pytest.raises(ValueError, match=r"^test images = 0: there must be at least one$"):
        Inference().take(replace(subject(made()), batches=0), unheard)
