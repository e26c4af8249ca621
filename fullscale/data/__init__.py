"""The data sets: CIFAR-10 and CIFAR-100, ImageNet's folders, and a synthetic set for trying things."""

from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch

from fullscale.contracts import refusal
from fullscale.data import cifar
from fullscale.data.in_memory import Crop, InMemory
from fullscale.data.normalise import Normalise
from fullscale.data.order import kept
from fullscale.data.source import WHOLE, Batch, Share, Source
from fullscale.data.synthetic import synthetic

__all__ = ["WHOLE", "Batch", "Crop", "DataName", "InMemory", "Share", "Source", "load", "synthetic"]

DataName: TypeAlias = Literal["cifar10", "cifar100", "imagenet", "synthetic"]


def load(  # noqa: PLR0913 (the command line has them all)
    name: DataName,
    root: str | Path,
    device: torch.device | str,
    *,
    crop: Crop = "pixels",
    images: int | None = None,
    download: bool = False,
) -> Source:
    """Open a data set.

    Args:
        name: which.
        root: the folder that holds the set's own folders; "synthetic" needs none.
        device: where the batches shall be.
        crop: what a random crop finds beyond a padded image, black pixels or zeros after normalising. ImageNet's images
            are not padded.
        images: train on the first so many in stored order (ImageNet's goes class by class); None for all. The synthetic
            set has a quarter as many to test.
        download: fetch a CIFAR set that is not there.

    Raises:
        ValueError: if an argument lies outside its domain, the set is not there, or a file is missing or broken.
    """
    root, device = Path(root), torch.device(device)
    match name:
        case "cifar10":
            layout = cifar.CIFAR10
        case "cifar100":
            layout = cifar.CIFAR100
        case "imagenet":
            if crop != "pixels":
                raise refusal("crop", crop, "is for images that are padded, as ImageNet's are not")
            from fullscale.data.folders import ImageFolders  # noqa: PLC0415 - torchvision takes its time

            return ImageFolders(root, device, images=images)
        case "synthetic":
            train = kept(images, 2048)
            return synthetic(device, train=train, test=max(1, train // 4), crop=crop)
        case _:
            raise refusal("name", name, f"must be one of {', '.join(get_args(DataName))}")
    learnt, tested = cifar.read(layout, root, download=download)
    normalise = Normalise(cifar.MEAN, cifar.STD, device)
    return InMemory(name, layout.classes, learnt.first(images), tested, normalise=normalise, device=device, crop=crop)
