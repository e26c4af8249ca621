"""The copy that experiments run on, and that no experiment leaves a trace."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fullscale.adjust import READINGS, adjust
from fullscale.ensemble import ensemble
from fullscale.measure import measure
from fullscale.noise import Uout
from fullscale.progress import Counted
from fullscale.responses import respond
from fullscale.specimen import faithful, specimen, switch

BACKENDS: Any = torch.backends
PLACES = (BACKENDS.cuda.matmul, BACKENDS.cudnn.conv, BACKENDS.mkldnn.matmul)


class OwnDropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(x, 0.5, self.training)


def noisy() -> nn.Sequential:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), OwnDropout(), Uout(0.5),
        nn.BatchNorm2d(4, momentum=None), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    net.train()[6].eval()
    return net


def precisions() -> list[str]:
    return [place.fp32_precision for place in PLACES]


def drawn(n: int = 8) -> list[tuple[Tensor, Tensor]]:
    seeded = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 3, 4, 4, generator=seeded), torch.arange(n) % 3) for _ in range(3)]


EXPERIMENTS = {
    "measure": lambda net: measure(net, drawn(), seed=0),
    "ensemble": lambda net: ensemble(net, drawn, samples=2, seeds=[0, 1]),
    "respond": lambda net: respond(net, drawn(), seed=0),
    **{name: partial(adjust, batches=drawn, reading=name) for name in READINGS},
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_net_and_torchs_generator_come_back_as_they_were(name: str):
    net = noisy()
    heard: list[str] = []
    handle = net[1].register_forward_hook(lambda *_: heard.append("own"))
    state, random = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    precision = precisions()
    EXPERIMENTS[name](net)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net] == [index != 6 for index in range(len(net))]
    assert all(bn.track_running_stats for bn in (net[1], net[6]))
    assert list(net[1]._forward_hooks) == [handle.id]
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), random)
    assert precisions() == precision
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_interrupt_leaves_no_trace_either(name: str):
    net, random = noisy(), torch.get_rng_state()
    state = copy.deepcopy(net.state_dict())
    net[8].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        EXPERIMENTS[name](net)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net] == [index != 6 for index in range(len(net))]
    assert torch.equal(torch.get_rng_state(), random)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("training", [True, False])
def test_both_switches_on_are_train_mode_and_both_off_are_test_mode(training: bool):  # noqa: FBT001
    net, (images, _) = noisy(), drawn()[0]
    subject = specimen(net)
    switch(subject, noise=training, by_batch=training)
    before = copy.deepcopy(subject.state_dict())
    with faithful(subject, seed=3):
        ours = subject(images)
    with faithful(net, seed=3):
        assert torch.equal(net.train(training)(images), ours)
        assert not torch.equal(net.train(not training)(images), ours)
    assert all(torch.equal(value, before[name]) for name, value in subject.state_dict().items())


def test_each_switch_alone_does_what_it_says():
    net, (images, _) = specimen(noisy()), drawn()[0]
    with faithful(net):
        switch(net, noise=False, by_batch=True)
        assert torch.equal(net(images), net(images))
        assert not torch.allclose(net(images)[:4], net(images[:4]))
        switch(net, noise=True, by_batch=False)
        assert not torch.equal(net(images), net(images))
        switch(net, noise=False, by_batch=False)
        torch.testing.assert_close(net(images)[:4], net(images[:4]))


def test_a_noise_with_its_own_generator_follows_the_seed_of_the_experiment():
    own = torch.Generator().manual_seed(7)
    net = nn.Sequential(Uout(0.5, generator=own))
    before = own.get_state()
    x = torch.ones(10)
    drawn_with = {}
    for seed in (0, 1):
        subject = specimen(net)
        with faithful(subject, seed):
            drawn_with[seed] = subject(x)
    assert not torch.equal(drawn_with[0], drawn_with[1])
    assert torch.equal(own.get_state(), before)


def test_conditions_are_single_precision_without_gradient():
    net = nn.Linear(3, 3)
    before = precisions()
    try:
        for place in PLACES:
            place.fp32_precision = "tf32"
        with torch.autocast("cpu", torch.bfloat16):
            with faithful(net):
                inside = net(torch.ones(2, 3))
                assert precisions() == ["ieee"] * 3
            assert net(torch.ones(2, 3)).dtype == torch.bfloat16
        assert precisions() == ["tf32"] * 3
    finally:
        for place, precision in zip(PLACES, before, strict=True):
            place.fp32_precision = precision
    assert (inside.dtype, inside.requires_grad) == (torch.float32, False)


def test_images_are_counted_over_all_passes_when_they_are_done():
    told: list[int] = []
    counted = Counted(told.append)
    for batch in counted.over(drawn(8)):
        assert counted.images == sum(told[-1:])
        assert len(batch[1]) == 8
    list(counted.over(drawn(2)))
    assert told == [8, 16, 24, 26, 28, 30]
