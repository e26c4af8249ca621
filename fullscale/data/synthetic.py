"""A set made up on the spot, for trying things: learnable, but not at once."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from fullscale.contracts import whole
from fullscale.data.in_memory import Crop, Images, InMemory
from fullscale.data.normalise import Normalise
from fullscale.data.order import mixed

GREY, CONTRAST, NOISE = 127.5, 16.0, 48.0
MEAN, STD = (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)


def synthetic(  # noqa: PLR0913 (each is one fact of the set)
    device: torch.device,
    *,
    classes: int = 10,
    size: int = 32,
    train: int = 2048,
    test: int = 512,
    crop: Crop = "pixels",
) -> InMemory:
    """Make a set up, the same every time.

    Every class has one smooth pattern. An image is its class's pattern, shifted by up to an eighth of its size, at a
    contrast of its own, under white noise three times as strong.

    Args:
        device: where the images are held and the batches are made.
        classes: how many, >= 2.
        size: height and width of the images in pixels, >= 8.
        train: how many training images; their labels go round the classes.
        test: how many test images, likewise.
        crop: as for `InMemory`.

    Raises:
        ValueError: if an argument lies outside its domain.
    """
    whole("classes", classes, at_least=2)
    whole("size", size, at_least=8)
    coarse = torch.randn(classes, 3, 4, 4, generator=_generator("patterns"))
    patterns = interpolate(coarse, size=(size, size), mode="bicubic")
    halves = [
        _draw(patterns, name, whole(name, count, at_least=1)) for name, count in (("train", train), ("test", test))
    ]
    return InMemory("synthetic", classes, *halves, normalise=Normalise(MEAN, STD, device), device=device, crop=crop)


def _draw(patterns: Tensor, half: str, count: int) -> Images:
    draw, reach = _generator(half), patterns.shape[-1] // 8
    labels = torch.arange(count) % len(patterns)
    pixels = torch.empty(count, *patterns.shape[1:], dtype=torch.uint8)
    for image, label in zip(pixels, labels, strict=True):
        shift = torch.randint(-reach, reach + 1, (2,), generator=draw).tolist()
        contrast = CONTRAST * (0.5 + torch.rand((), generator=draw))
        noise = NOISE * torch.randn(image.shape, generator=draw)
        image.copy_((GREY + contrast * patterns[label].roll(shift, dims=(1, 2)) + noise).clamp_(0, 255))
    return Images(pixels, labels)


def _generator(part: str) -> torch.Generator:
    return torch.Generator().manual_seed(mixed("synthetic", part))
