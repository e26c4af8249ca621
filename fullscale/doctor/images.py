"""Images anywhere below a folder, prepared as ImageNet's test images are. Importing torchvision takes seconds."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS

from fullscale.data.folders import MEAN, STD, middle, read_image
from fullscale.data.normalise import Normalise


def below(path: Path) -> Iterator[Path]:
    """Every image below a folder, but what is hidden: thumbnails, and what other systems leave behind."""
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = (name for name in names if not name.startswith("."))
        yield from (Path(folder) / name for name in shown if name.lower().endswith(IMG_EXTENSIONS))


def reader(height: int, width: int, device: torch.device) -> Callable[[Sequence[Path]], Tensor]:
    """Return what reads image files as a batch, (n, 3, height, width), normalised, on a device.

    It raises a ValueError if one is no image.
    """
    prepare, normalise = middle(height, width), Normalise(MEAN, STD, device)
    return lambda files: normalise(torch.stack([read_image(file, prepare) for file in files]).to(device))
