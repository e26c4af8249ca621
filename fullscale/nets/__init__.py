"""The paper's networks, and small siblings of each, by name."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from fullscale.contracts import refusal, whole
from fullscale.nets.densenet import densenet_bc
from fullscale.nets.parts import Net
from fullscale.nets.preresnet import Basic, imagenet_preresnet, preresnet
from fullscale.nets.resnext import imagenet_resnext, resnext
from fullscale.nets.wrn import wrn

__all__ = ["FORMS", "NAMES", "Family", "Net", "build", "family", "image_size"]

Family: TypeAlias = Literal["preresnet", "resnext", "wrn", "densenet", "imagenet-resnet", "imagenet-resnext"]
Counts: TypeAlias = tuple[int, ...]
"""blocks in each stage"""

NAMES = (
    "preresnet-110",
    "preresnet-110-basic",
    "preresnet-110-bottleneck",
    "resnext-29",
    "wrn-28-10",
    "densenet-bc-100-12",
    "resnet-200",
    "resnext-101",
)
"""the paper's networks, and the two other readings of its PreResNet-110"""

SHORT = {"resnext-29": "resnext-29-8x64"}


class Form(NamedTuple):
    """A family's names, where every capital word stands for a whole number >= 1.

    Attributes:
        spelling: such as "wrn-DEPTH-WIDEN"; DEPTH is the first.
        family: as recipes know it.
        image_size: the height and width in pixels of the images it was made for.
        depths: the allowed depths, and the blocks in each stage that they mean.
        net: builds from the blocks in each stage, the numbers after DEPTH, and `num_classes`.
    """

    spelling: str
    family: Family
    image_size: int
    depths: Mapping[int, Counts]
    net: Callable[..., Net]

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """The whole numbers in a name of this form, else None."""
        match = re.fullmatch(re.sub("[A-Z]+", "([1-9][0-9]*)", self.spelling), name)
        return match and tuple(map(int, match.groups()))


def _three_stages(per_block: int, outside: int) -> dict[int, Counts]:
    """Depths per_block n + outside, up to the n = 200 of the deepest ResNet, with 1202 layers."""
    return {per_block * n + outside: (n, n, n) for n in range(1, 201)}


_FOUR_STAGES: dict[int, Counts] = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}

# The code of record counts two layers a block even where it builds bottlenecks, which have three: (110 - 2) / 6 = 18.
FORMS = (
    Form("preresnet-DEPTH", "preresnet", 32, _three_stages(6, 2), preresnet),
    Form("preresnet-DEPTH-basic", "preresnet", 32, _three_stages(6, 2), partial(preresnet, block=Basic)),
    Form("preresnet-DEPTH-bottleneck", "preresnet", 32, _three_stages(9, 2), preresnet),
    Form("resnext-DEPTH-CARDINALITYxWIDTH", "resnext", 32, _three_stages(9, 2), resnext),
    Form("resnext-DEPTH-CARDINALITYxWIDTH-OUTPUTS", "resnext", 32, _three_stages(9, 2), resnext),
    Form("wrn-DEPTH-WIDEN", "wrn", 32, _three_stages(6, 4), wrn),
    Form("densenet-bc-DEPTH-GROWTH", "densenet", 32, _three_stages(6, 4), densenet_bc),
    Form("resnet-DEPTH", "imagenet-resnet", 224, _FOUR_STAGES, imagenet_preresnet),
    Form("resnext-DEPTH", "imagenet-resnext", 224, _FOUR_STAGES, imagenet_resnext),
)


def build(name: str, num_classes: int = 10) -> Net:
    """Build a network, its weights drawn from torch's default generator as the code of record draws them.

    Args:
        name: one of `NAMES`, or of any form in `FORMS`.
        num_classes: how many outputs.

    Raises:
        ValueError: if no such network is known, or `num_classes` is no whole number >= 1.
    """
    form, depth, rest = _read(name)
    return form.net(form.depths[depth], *rest, num_classes=whole("num_classes", num_classes, at_least=1))


def image_size(name: str) -> int:
    """Height and width in pixels of the images that a network was made for.

    Raises:
        ValueError: if no such network is known.
    """
    return _read(name)[0].image_size


def family(name: str) -> Family:
    """The family that a network belongs to.

    Raises:
        ValueError: if no such network is known.
    """
    return _read(name)[0].family


def _read(name: str) -> tuple[Form, int, tuple[int, ...]]:
    for form in FORMS:
        if numbers := form.numbers(SHORT.get(name, name)):
            depth, *rest = numbers
            if depth not in form.depths:
                raise _unknown_depth(name, form, depth)
            return form, depth, tuple(rest)
    known = [form.spelling for form in FORMS]
    nearest = get_close_matches(name, [*NAMES, *known], n=1, cutoff=0)[0]
    raise refusal("name", name, f"must be {', '.join(known)} or {', '.join(SHORT)}; the nearest is {nearest}")


def _unknown_depth(name: str, form: Form, depth: int) -> ValueError:
    nearest = min(form.depths, key=lambda known: abs(known - depth))
    first, second, third, *_, last = form.depths
    depths = f"DEPTH must be one of {first}, {second}, {third}, ..., {last}"
    return refusal("name", name, f"{depths}; the nearest is {name.replace(str(depth), str(nearest), 1)}")
