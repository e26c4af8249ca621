"""Where the noise goes, by execution: which tensor leaves it, and who receives that very tensor."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, get_args

import pytest
import torch
from torch import Tensor, nn

from fullscale import nets
from fullscale.nets.parts import Block
from fullscale.nets.preresnet import imagenet_preresnet
from fullscale.nets.resnext import imagenet_resnext
from fullscale.noise import GaussianDropout, Uout
from fullscale.placement import Where, place

# what it is, how it is made, and how many blocks it has
SMALL = [
    ("preresnet", lambda: nets.build("preresnet-14"), 6),
    ("basic preresnet", lambda: nets.build("preresnet-14-basic"), 6),
    ("resnext", lambda: nets.build("resnext-11-2x4"), 3),
    ("wrn", lambda: nets.build("wrn-16-1"), 6),
    ("densenet", lambda: nets.build("densenet-bc-16-6"), 6),
    ("resnet for ImageNet", lambda: imagenet_preresnet([2, 1], width=8), 3),
    ("resnext for ImageNet", lambda: imagenet_resnext([1, 1], cardinality=2, width=4), 2),
]
each_small_net = pytest.mark.parametrize(
    ("made", "count"), [pytest.param(made, count, id=name) for name, made, count in SMALL]
)
Make: TypeAlias = Callable[[], nets.Net]
NOISES: list[tuple[dict[str, float], type[nn.Module]]] = [
    ({"drop": 0.3}, nn.Dropout),
    ({"uout": 0.3}, Uout),
    ({"sigma": 1.0}, GaussianDropout),
]


class Call(NamedTuple):
    module: nn.Module
    given: Tensor
    returned: Tensor


def images() -> Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def traced(net: nn.Module, kinds: type | tuple[type, ...]) -> list[Call]:
    """A training pass: the calls of modules of these kinds, in the order of execution."""
    calls: list[Call] = []

    def record(module: nn.Module, given: tuple[Any, ...], returned: Tensor) -> None:
        calls.append(Call(module, given[0], returned))

    hooks = [module.register_forward_hook(record) for module in net.modules() if isinstance(module, kinds)]
    net.train()(images())
    for hook in hooks:
        hook.remove()
    return calls


def layers(block: nn.Module, kind: type) -> list[nn.Module]:
    """Those of a block's branch, in order; its shortcut apart."""
    return [module for name, module in block.named_modules() if isinstance(module, kind) and "shortcut" not in name]


def noises(net: nn.Module) -> list[nn.Module]:
    kinds = (nn.Dropout, Uout, GaussianDropout)
    return [module for module in net.modules() if isinstance(module, kinds)]


def blocks(net: nn.Module) -> list[Block]:
    return [module for module in net.modules() if isinstance(module, Block)]


@each_small_net
@pytest.mark.parametrize(("where", "kind"), [("a", nn.BatchNorm2d), ("b", nn.Conv2d)])
def test_what_leaves_the_noise_is_what_the_last_bn_or_convolution_of_every_block_receives(
    made: Make, count: int, where: Where, kind: type
) -> None:
    net = place(made(), where, drop=0.5)
    receivers = [layers(block, kind)[-1] for block in blocks(net)]
    calls = traced(net, (nn.Dropout, nn.BatchNorm2d, nn.Conv2d))
    left = [call.returned for call in calls if isinstance(call.module, nn.Dropout)]
    received = {call.module: call.given for call in calls}
    assert len(left) == len(noises(net)) == count
    assert all(one is received[receiver] for one, receiver in zip(left, receivers, strict=True))
    elsewhere = [given for module, given in received.items() if module not in receivers]
    assert not any(one is other for one in left for other in elsewhere)


@each_small_net
def test_a_takes_what_the_convolution_before_the_last_bn_gives(made: Make, count: int) -> None:
    net = place(made(), "a", drop=0.5)
    calls = traced(net, (nn.Dropout, nn.Conv2d))
    taken = [before for before, noise in pairwise(calls) if isinstance(noise.module, nn.Dropout)]
    given = [call.given for call in calls if isinstance(call.module, nn.Dropout)]
    assert len(taken) == count
    assert all(call.returned is one for call, one in zip(taken, given, strict=True))
    assert all(one.min() < 0 for one in given)


@each_small_net
def test_b_takes_what_a_relu_gives(made: Make, count: int) -> None:
    given = [call.given for call in traced(place(made(), "b", drop=0.5), nn.Dropout)]
    assert len(given) == count
    for one in given:
        assert one.min() == 0
        assert (one > 0).any()


@each_small_net
def test_last_is_one_layer_after_the_pooling_with_no_bn_to_follow(made: Make, count: int) -> None:
    net = place(made(), "last", drop=0.2)
    *before, noise, classifier = traced(net, (nn.Dropout, nn.BatchNorm2d, nn.Conv2d, nn.Linear))
    assert not any(isinstance(call.module, nn.Dropout | nn.Linear) for call in before)
    assert len(before) > 2 * count
    assert isinstance(noise.module, nn.Dropout)
    assert classifier.module is net.fc
    assert classifier.given is noise.returned
    assert noise.given.ndim == 2


@pytest.mark.parametrize(("name", "count"), [("preresnet-110", 54), ("resnext-29", 9), ("densenet-bc-100-12", 48)])
def test_the_papers_nets_get_one_noise_a_block(name: str, count: int) -> None:
    with torch.device("meta"):
        net = nets.build(name)
    assert len(noises(place(net, "a", drop=0.5))) == count
    assert len(noises(place(net, "b", uout=0.1))) == count
    assert len(noises(place(net, "last", sigma=0.1))) == 1
    assert not noises(place(net, "none"))


@each_small_net
@pytest.mark.parametrize("where", ["a", "b", "last"])
def test_in_test_mode_the_noise_changes_no_bit_and_in_training_it_does(made: Make, count: int, where: Where) -> None:
    net, x = made().eval(), images()
    plain, keys = net(x), list(net.state_dict())
    place(net, where, drop=0.5)
    assert len(noises(net)) == (1 if where == "last" else count)
    assert torch.equal(net(x), plain)
    assert list(net.state_dict()) == keys
    noisy = net.train()(x)
    assert not torch.allclose(noisy, place(net, "none")(x))


@pytest.mark.parametrize(("noise", "kind"), NOISES)
@pytest.mark.parametrize("where", ["a", "b", "last"])
def test_each_noise_goes_where_it_is_told_each_layer_its_own(noise: dict[str, float], kind: type, where: Where) -> None:
    net = nets.build("wrn-16-1")
    assert place(net, where, **noise) is net
    placed = noises(net)
    assert len(set(placed)) == (1 if where == "last" else 6)
    assert {type(layer) for layer in placed} == {kind}
    ((_, strength),) = noise.items()
    assert all(strength in vars(layer).values() for layer in placed)


def test_the_masks_are_of_elements_and_neither_of_channels_nor_of_samples() -> None:
    net = place(nets.build("preresnet-8"), "b", drop=0.5)
    for call in traced(net, nn.Dropout):
        dropped = (call.returned == 0) & (call.given > 0)
        kept = call.returned > 0
        of_channel = kept.any(3).any(2) & dropped.any(3).any(2)
        assert of_channel.float().mean() > 0.9  # a ReLU may leave a whole channel empty
        torch.testing.assert_close(call.returned[kept], 2 * call.given[kept])


@pytest.mark.parametrize("first", ["a", "b", "last"])
@pytest.mark.parametrize("then", ["a", "b", "last", "none"])
def test_placing_again_replaces(first: Where, then: Where) -> None:
    again: dict[str, Any] = {} if then == "none" else {"uout": 0.5}
    net = place(place(nets.build("densenet-bc-10-4"), first, drop=0.5), then, **again)
    assert {type(layer) for layer in noises(net)} == (set() if then == "none" else {Uout})
    assert len(noises(net)) == {"a": 3, "b": 3, "last": 1, "none": 0}[then]


@pytest.mark.parametrize("training", [True, False])
def test_what_is_placed_takes_the_mode_of_the_net(training: bool) -> None:  # noqa: FBT001
    net = place(nets.build("wrn-10-1").train(training), "b", drop=0.5)
    assert {module.training for module in net.modules()} == {training}


def test_a_net_inside_another_module_is_found() -> None:
    net = nn.Sequential(nn.Identity(), nets.build("wrn-10-1"))
    assert len(noises(place(net, "a", drop=0.5))) == 3


REFUSED: list[tuple[str, dict[str, float], str]] = [
    ("c", {"drop": 0.5}, r"where = c: must be one of a, b, last, none"),
    ("a", {}, r"drop, uout, sigma = \(None, None, None\): exactly one must be given for where = a"),
    ("b", {"drop": 0.5, "uout": 0.1}, r"drop, uout, sigma = \(0.5, 0.1, None\): exactly one must be given"),
    ("last", {"drop": 0.0, "sigma": 0.0}, r"drop, uout, sigma = \(0.0, None, 0.0\): exactly one must be given"),
    ("none", {"drop": 0.5}, r"drop, uout, sigma = \(0.5, None, None\): none must be given"),
    ("none", {"drop": 0.0}, r"drop, uout, sigma = \(0.0, None, None\): none must be given"),
    ("a", {"drop": 1.0}, r"drop = 1.0: must lie in 0 <= drop < 1"),
    ("a", {"drop": -0.1}, r"drop = -0.1: must lie in"),
    ("a", {"drop": math.nan}, r"drop = nan: must lie in"),
    ("b", {"uout": 1.1}, r"uout = 1.1: must lie in 0 <= uout <= 1$"),
    ("b", {"uout": math.nan}, r"uout = nan: must lie in 0 <= uout <= 1$"),
    ("b", {"sigma": -1.0}, r"sigma = -1.0: must be finite and >= 0"),
]


@pytest.mark.parametrize(("where", "noise", "message"), REFUSED)
def test_what_cannot_be_placed_is_refused_in_one_line_and_the_net_stays_as_it_was(
    where: Any, noise: dict[str, float], message: str
) -> None:
    net = place(nets.build("wrn-10-1"), "b", drop=0.25)
    before = noises(net)
    with pytest.raises(ValueError, match=f"^{message}") as refused:
        place(net, where, **noise)
    assert "\n" not in str(refused.value)
    assert noises(net) == before


def test_a_module_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^net = Linear: has no slots for noise"):
        place(nn.Linear(2, 2), "last", drop=0.5)


def test_where_is_known_to_the_command_line() -> None:
    assert get_args(Where) == ("a", "b", "last", "none")
