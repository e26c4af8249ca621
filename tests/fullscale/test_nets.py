"""The networks: counted against the paper's, and computed again by torchvision or by plain formulas."""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fullscale import nets
from fullscale.nets.densenet import densenet_bc
from fullscale.nets.parts import Block
from fullscale.nets.preresnet import imagenet_preresnet
from fullscale.nets.resnext import imagenet_resnext, resnext
from tests.fullscale.census import census

# name, parameters at 10 and at 100 classes, convolutions and BNs, multiply-adds in G, blocks
CIFAR = [
    ("preresnet-110", (1_703_258, 1_726_388), (166, 163), 0.248, 54),
    ("preresnet-110-basic", (1_730_522, 1_736_372), (111, 109), 0.253, 54),
    ("preresnet-110-bottleneck", (1_146_842, 1_169_972), (112, 109), 0.167, 36),
    ("resnext-29", (34_426_698, 34_518_948), (31, 31), 5.387, 9),
    ("wrn-28-10", (36_479_194, 36_536_884), (28, 25), 5.243, 12),
    ("densenet-bc-100-12", (769_162, 800_032), (99, 99), 0.288, 48),
]
# name, parameters at 1000 classes, BNs, blocks
IMAGENET = [("resnet-200", 64_666_152, 199, 66), ("resnext-101", 83_455_272, 104, 33)]
SMALL = {
    "preresnet-14": lambda: nets.build("preresnet-14"),
    "preresnet-14-basic": lambda: nets.build("preresnet-14-basic"),
    "resnext-20-2x4": lambda: nets.build("resnext-20-2x4"),
    "wrn-16-1": lambda: nets.build("wrn-16-1"),
    "densenet-bc-16-6": lambda: nets.build("densenet-bc-16-6"),
    "a narrow resnet": lambda: imagenet_preresnet([2, 1, 1], width=8, num_classes=10),
    "a narrow resnext": lambda: imagenet_resnext([1, 1], cardinality=2, width=4, num_classes=10),
}
each_small_net = pytest.mark.parametrize("made", SMALL.values(), ids=SMALL)
Make: TypeAlias = Callable[[], nets.Net]


def on_meta(name: str, num_classes: int) -> nets.Net:
    with torch.device("meta"):
        return nets.build(name, num_classes)


def batch_norms(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def scrambled(net: nn.Module) -> nn.Module:
    """Doubles, and a BN whose scales and offsets tell one from another."""
    torch.manual_seed(1)
    for norm in batch_norms(net.double()):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    return net


def images(size: int = 16) -> Tensor:
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("name", "parameters", "layers", "giga", "blocks"), CIFAR)
def test_the_nets_for_cifar_have_the_papers_counts(
    name: str, parameters: tuple[int, int], layers: tuple[int, int], giga: float, blocks: int
) -> None:
    counted = census(net := on_meta(name, 10), nets.image_size(name))
    assert counted[:3] == (parameters[0], *layers)
    assert round(counted.multiply_adds / 1e9, 3) == giga
    assert sum(parameter.numel() for parameter in on_meta(name, 100).parameters()) == parameters[1]
    assert sum(isinstance(module, Block) for module in net.modules()) == blocks
    assert nets.image_size(name) == 32


@pytest.mark.parametrize(("name", "parameters", "bns", "blocks"), IMAGENET)
def test_the_nets_for_imagenet_have_the_papers_counts(name: str, parameters: int, bns: int, blocks: int) -> None:
    net = on_meta(name, 1000)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    assert len(batch_norms(net)) == bns
    assert sum(isinstance(module, Block) for module in net.modules()) == blocks
    assert nets.image_size(name) == 224
    assert net.to("meta")(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)


def test_resnext_101_has_the_shapes_of_torchvision_in_the_same_order() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.resnext101_64x4d()
    ours = on_meta("resnext-101", 1000)
    assert [t.shape for t in ours.state_dict().values()] == [t.shape for t in theirs.state_dict().values()]


@each_small_net
def test_a_net_gives_finite_logits_and_every_parameter_a_finite_gradient(made: Make) -> None:
    torch.manual_seed(0)
    net = made()
    logits = net(images().float())
    assert logits.shape == (4, 10)
    assert logits.isfinite().all()
    F.cross_entropy(logits, torch.arange(4)).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


class Replay:
    """The tensors of a net, taken in order by plain formulas."""

    def __init__(self, net: nn.Module) -> None:
        self.left = [t for key, t in net.state_dict().items() if "running" not in key and "num_batches" not in key]

    def take(self) -> Tensor:
        return self.left.pop(0)

    def conv(self, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.take()
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)

    def bn_relu(self, x: Tensor) -> Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        scale, offset = self.take()[:, None, None], self.take()[:, None, None]
        return ((x - mean) / (variance + 1e-5).sqrt() * scale + offset).clamp(min=0)

    def logits(self, x: Tensor) -> Tensor:
        logits = x.mean((2, 3)) @ self.take().T + self.take()
        assert not self.left
        return logits


def branch(replay: Replay, active: Tensor, stride: int, *, bottleneck: bool) -> Tensor:
    if not bottleneck:
        return replay.conv(replay.bn_relu(replay.conv(active, stride)))
    middle = replay.conv(replay.bn_relu(replay.conv(active)), stride)
    return replay.conv(replay.bn_relu(middle))


def pre_activation(replay: Replay, x: Tensor, strides: list[int], *, bottleneck: bool, shared: bool) -> Tensor:
    """Blocks on the output of a stem, the first of each stage with a projection of the raw or the activated input."""
    for stride in strides:
        active = replay.bn_relu(x)
        out = branch(replay, active, abs(stride), bottleneck=bottleneck)
        projects = stride < 0
        x = out + (replay.conv(active if shared else x, abs(stride)) if projects else x)
    return replay.bn_relu(x)


# A minus marks a projection: the basic net has none where its first stage keeps the 16 channels.
PLAIN = [
    ("preresnet-14", [-1, 1, -2, 1, -2, 1], True, False),
    ("preresnet-20-bottleneck", [-1, 1, -2, 1, -2, 1], True, False),
    ("preresnet-14-basic", [1, 1, -2, 1, -2, 1], False, False),
    ("wrn-16-2", [-1, 1, -2, 1, -2, 1], False, True),
    ("wrn-10-1", [1, -2, -2], False, True),
]


def replayed(name: str, strides: list[int], *, bottleneck: bool, shared: bool) -> tuple[Tensor, Tensor]:
    net, x = scrambled(nets.build(name)), images()
    replay = Replay(net)
    maps = pre_activation(replay, replay.conv(x), strides, bottleneck=bottleneck, shared=shared)
    return net(x), replay.logits(maps)


@pytest.mark.parametrize(("name", "strides", "bottleneck", "shared"), PLAIN)
def test_pre_activation_nets_are_their_formulas(name: str, strides: list[int], bottleneck: bool, shared: bool) -> None:  # noqa: FBT001
    ours, formula = replayed(name, strides, bottleneck=bottleneck, shared=shared)
    torch.testing.assert_close(ours, formula)
    _, other_shortcut = replayed(name, strides, bottleneck=bottleneck, shared=not shared)
    assert not torch.allclose(ours, other_shortcut)


def test_resnet_for_imagenet_is_its_formula_and_its_first_block_does_not_activate() -> None:
    net, x = scrambled(imagenet_preresnet([2, 1], width=8, num_classes=5)), images(64)
    replay = Replay(net)
    x_active = F.max_pool2d(replay.bn_relu(replay.conv(x, 2)), 3, 2, 1)
    out = branch(replay, x_active, 1, bottleneck=True) + replay.conv(x_active)
    maps = pre_activation(replay, out, [1, -2], bottleneck=True, shared=True)
    torch.testing.assert_close(net(x), replay.logits(maps))


def loaded_in_order(net: nn.Module, theirs: nn.Module) -> nn.Module:
    net.load_state_dict(dict(zip(net.state_dict(), theirs.state_dict().values(), strict=True)))
    return net.double()


def torchvision_resnext(layers: list[int], groups: int, width: int) -> torchvision.models.ResNet:
    bottleneck = torchvision.models.resnet.Bottleneck
    return torchvision.models.ResNet(bottleneck, layers, 5, groups=groups, width_per_group=width)


def test_resnext_for_imagenet_is_the_one_of_torchvision() -> None:
    theirs = scrambled(torchvision_resnext([1, 2, 1, 1], groups=4, width=8))
    ours = loaded_in_order(imagenet_resnext([1, 2, 1, 1], cardinality=4, width=8, num_classes=5), theirs)
    x = images(64)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_resnext_for_cifar_is_torchvisions_three_stages_on_a_small_stem() -> None:
    theirs = torchvision_resnext([1, 1, 1, 1], groups=4, width=8)
    theirs.conv1, theirs.maxpool, theirs.layer4 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity(), nn.Sequential()
    theirs.fc = nn.Linear(1024, 5)
    ours = loaded_in_order(resnext([1, 1, 1], cardinality=4, width=8, num_classes=5), scrambled(theirs))
    torch.testing.assert_close(ours(images()), theirs(images()))


def test_densenet_is_the_one_of_torchvision_on_a_small_stem() -> None:
    theirs = torchvision.models.DenseNet(6, (2, 3, 2), 12, num_classes=5)
    theirs.features.conv0 = nn.Conv2d(3, 12, 3, 1, 1, bias=False)
    theirs.features.norm0, theirs.features.relu0, theirs.features.pool0 = nn.Identity(), nn.Identity(), nn.Identity()
    ours = loaded_in_order(densenet_bc([2, 3, 2], growth=6, num_classes=5), scrambled(theirs))
    torch.testing.assert_close(ours(images()), theirs(images()))


def test_every_block_of_a_densenet_adds_its_growth_and_every_transition_halves() -> None:
    widths = [norm.num_features for norm in batch_norms(on_meta("densenet-bc-22-5", 10))]
    first, second = [10, 20, 15, 20, 20, 20, 25], [12, 20, 17, 20, 22, 20, 27]  # 25 // 2 and 27 // 2 are odd ends
    assert widths == [*first, *second, 13, 20, 18, 20, 23, 20, 28]


@each_small_net
def test_bns_are_executed_in_the_order_of_the_modules(made: Make) -> None:
    net, met = made().eval(), []
    for norm in batch_norms(net):
        norm.register_forward_pre_hook(lambda module, _: met.append(module))
    net(images().float())
    assert met == batch_norms(net)


@each_small_net
def test_no_input_of_a_bn_is_overwritten_after_the_bn_has_seen_it(made: Make) -> None:
    net, seen = made(), []
    for norm in batch_norms(net):
        norm.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0], inputs[0].clone())))
    net(images().float())
    assert len(seen) == len(batch_norms(net))
    assert all(torch.equal(now, then) for now, then in seen)


@each_small_net
def test_convolutions_start_as_he_normal_by_their_outputs_and_bns_as_the_identity(made: Make) -> None:
    torch.manual_seed(0)
    for module in made().modules():
        if isinstance(module, nn.Conv2d):
            variance = 2 / (module.kernel_size[0] ** 2 * module.out_channels)
            many = module.weight.numel()
            assert abs(module.weight.mean().item()) < 6 * math.sqrt(variance / many)
            assert abs(module.weight.var().item() / variance - 1) < 6 * math.sqrt(2 / many)
            kurtosis = (module.weight**4).mean().item() / variance**2
            assert abs(kurtosis - 3) < 6 * math.sqrt(96 / many)  # 1.8, were it uniform
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


@pytest.mark.parametrize(
    ("name", "spread", "zero_bias"),
    [
        ("preresnet-14", lambda d: 1 / math.sqrt(3 * d), False),
        ("densenet-bc-16-40", lambda d: 1 / math.sqrt(3 * d), False),
        ("wrn-10-4", lambda d: 1 / math.sqrt(3 * d), True),
        ("resnext-11-4x8", lambda d: math.sqrt(2 / d), True),
        ("resnet-14", lambda d: 1 / math.sqrt(3 * d), True),
        ("resnext-14", lambda d: 1 / math.sqrt(3 * d), True),
    ],
)
def test_the_classifier_starts_as_in_the_code_of_record(
    name: str,
    spread: Callable[[int], float],
    zero_bias: bool,  # noqa: FBT001
) -> None:
    torch.manual_seed(0)
    fc = nets.build(name, 20).fc
    assert abs(fc.weight.std().item() / spread(fc.in_features) - 1) < 6 / math.sqrt(2 * fc.weight.numel())
    assert bool((fc.bias == 0).all()) == zero_bias


def test_the_seed_of_torchs_default_generator_fixes_the_weights() -> None:
    def weights(seed: int) -> Iterator[Tensor]:
        torch.manual_seed(seed)
        return iter(nets.build("preresnet-8").state_dict().values())

    assert all(torch.equal(one, other) for one, other in zip(weights(3), weights(3), strict=True))
    assert not torch.equal(next(weights(3)), next(weights(4)))


@each_small_net
def test_the_slots_are_empty_and_without_state(made: Make) -> None:
    net = made()
    blocks = [module for module in net.modules() if isinstance(module, Block)]
    assert blocks
    slots = [slot for block in blocks for slot in (block.before_last_bn, block.before_last_conv)]
    assert all(type(slot) is nn.Identity for slot in [*slots, net.before_classifier])
    assert not [key for key in net.state_dict() if "before" in key]


FAMILIES = ["preresnet"] * 3 + ["resnext", "wrn", "densenet", "imagenet-resnet", "imagenet-resnext"]
SIBLINGS = ["preresnet-20", "preresnet-20-basic", "preresnet-11-bottleneck", "resnext-11-4x8", "wrn-10-2"]
SIBLINGS += ["densenet-bc-16-6", "resnet-14", "resnext-50"]


@pytest.mark.parametrize(
    ("name", "family"), [*zip(SIBLINGS, FAMILIES, strict=True), *zip(nets.NAMES, FAMILIES, strict=True)]
)
def test_a_name_tells_the_family_and_the_image_size(name: str, family: str) -> None:
    assert nets.family(name) == family
    assert nets.image_size(name) == (224 if family.startswith("imagenet") else 32)


def test_resnext_29_is_short_for_8x64() -> None:
    assert str(on_meta("resnext-29", 10)) == str(on_meta("resnext-29-8x64", 10))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrn-29-10", r"DEPTH must be one of 10, 16, 22, \.\.\., 1204; the nearest is wrn-28-10$"),
        ("preresnet-7-basic", r"DEPTH must be one of 8, 14, 20, .*; the nearest is preresnet-8-basic$"),
        ("preresnet-110000", r"DEPTH .* 1202; the nearest is preresnet-1202$"),
        ("preresnet-112-bottleneck", r"DEPTH must be one of 11, 20, 29, .*; the nearest is preresnet-110-bottleneck$"),
        ("densenet-bc-101-12", r"DEPTH must be one of 10, .*; the nearest is densenet-bc-100-12$"),
        ("resnet-201", r"DEPTH must be one of 14, 26, 50, .*, 200; the nearest is resnet-200$"),
        ("resnext-28-8x64", r"DEPTH must be one of 11, .*; the nearest is resnext-29-8x64$"),
        ("preresnet110", r"must be preresnet-DEPTH, .* or resnext-29; the nearest is preresnet-110$"),
        ("wrn-28", r"must be .* wrn-DEPTH-WIDEN, .*; the nearest is wrn-28-10$"),
        ("wrn-0-1", r"must be .*; the nearest is wrn-"),
        ("wrn-10-2\n", r"must be .*; the nearest is wrn-"),
        ("", r"must be preresnet-DEPTH, "),
    ],
)
@pytest.mark.parametrize("ask", [nets.build, nets.family, nets.image_size])
def test_an_unknown_name_is_refused_with_what_is_allowed_and_the_nearest(ask, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^name = {name}: {message}"):
        ask(name)


@pytest.mark.parametrize("num_classes", [0, -1, 2.5, True])
def test_a_number_of_classes_below_one_is_refused(num_classes: int) -> None:
    with pytest.raises(ValueError, match=rf"^num_classes = {num_classes}: must be a whole number >= 1$"):
        nets.build("wrn-10-1", num_classes)
