"""CIFAR-10 and CIFAR-100 as bytes in memory, from the official binary files or from torchvision's, both checked."""

import hashlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from fullscale.contracts import refusal
from fullscale.data.in_memory import Images

if TYPE_CHECKING:
    from torchvision import datasets

SIDE = 32
PIXELS = 3 * SIDE * SIDE
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""Of CIFAR-10; the code of record uses them for CIFAR-100 too."""


@dataclass(frozen=True)
class File:
    """One binary file.

    Attributes:
        name: within its folder.
        records: how many.
        sha256: of the whole file, in hex; None where no official sum is known.
    """

    name: str
    records: int
    sha256: str | None = None


@dataclass(frozen=True)
class Layout:
    """A set's official binary files. A record is its label bytes, then 1,024 red, 1,024 green and 1,024 blue pixels.

    Attributes:
        folder: that holds them.
        train: files with the training images, in order.
        test: files with the test images, in order.
        labels: how many classes each label byte of a record tells apart; the last byte is the label.
        folder_of_torchvision: that holds the same set as torchvision reads it.
        called: what torchvision calls it.
    """

    folder: str
    train: tuple[File, ...]
    test: tuple[File, ...]
    labels: tuple[int, ...]
    folder_of_torchvision: str
    called: str

    @property
    def torchvision(self) -> "type[datasets.CIFAR10]":
        """The same set as torchvision reads it."""
        from torchvision import datasets  # noqa: PLC0415 - it takes its time, for which most have no need

        return getattr(datasets, self.called)

    @property
    def classes(self) -> int:
        """How many."""
        return self.labels[-1]


CIFAR10 = Layout(
    folder="cifar-10-batches-bin",
    train=(
        File("data_batch_1.bin", 10_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        File("data_batch_2.bin", 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        File("data_batch_3.bin", 10_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        File("data_batch_4.bin", 10_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        File("data_batch_5.bin", 10_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    ),
    test=(File("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),),
    labels=(10,),
    folder_of_torchvision="cifar-10-batches-py",
    called="CIFAR10",
)

CIFAR100 = Layout(
    folder="cifar-100-binary",
    train=(File("train.bin", 50_000),),
    test=(File("test.bin", 10_000),),
    labels=(20, 100),
    folder_of_torchvision="cifar-100-python",
    called="CIFAR100",
)
"""No SHA-256 sum of its binary files is known to us: sizes, labels and equal classes must do. The fine label counts."""


def read(layout: Layout, root: Path, *, download: bool = False) -> tuple[Images, Images]:
    """Return the training and the test images, from the binary files under `root`, or else from torchvision's there.

    Binary files are checked for size, for the SHA-256 sum where one is known (CIFAR-10's), for labels, and for classes
    of equal size; torchvision's by MD5.

    Args:
        layout: which set.
        root: the folder that holds, or shall hold, the set's own folder.
        download: let torchvision fetch the set if neither is there.

    Raises:
        ValueError: if there is no such set, a file is missing, truncated or altered, or the download fails.
    """
    if (root / layout.folder).is_dir():
        return _read_half(layout, root, layout.train), _read_half(layout, root, layout.test)
    if download:
        _download(layout.torchvision, root)
    elif not (root / layout.folder_of_torchvision).is_dir():
        there_is = f"has no {layout.folder} and no {layout.folder_of_torchvision} in it"
        raise refusal("root", root, f"{there_is}: --download fetches the set")
    return _from_torchvision(layout.torchvision, root)


def _read_half(layout: Layout, root: Path, files: tuple[File, ...]) -> Images:
    folder, width = root / layout.folder, len(layout.labels)
    records = np.concatenate([_records(folder / file.name, file, layout.labels) for file in files])
    labels = torch.from_numpy(records[:, width - 1].astype(np.int64))
    counts = labels.bincount(minlength=layout.classes)
    if (counts != counts[0]).any():
        paths = ", ".join(str(folder / file.name) for file in files)
        raise refusal("file", paths, f"must have classes of equal size, not {counts.min()} to {counts.max()} images")
    return Images(torch.from_numpy(records[:, width:].reshape(-1, 3, SIDE, SIDE)).contiguous(), labels)


def _records(path: Path, file: File, labels: tuple[int, ...]) -> np.ndarray:
    if not path.is_file():
        raise refusal("file", path, "is missing")
    length, size = len(labels) + PIXELS, path.stat().st_size
    if size != file.records * length:
        raise refusal("file", path, f"must have {file.records * length} bytes, not {size}: truncated, or another set")
    content = np.fromfile(path, np.uint8)
    if file.sha256 not in {None, hashlib.sha256(content.data).hexdigest()}:
        raise refusal("file", path, "is altered: its SHA-256 is not the official file's")
    records = content.reshape(-1, length)
    for byte, classes in enumerate(labels):
        if (highest := records[:, byte].max()) >= classes:
            raise refusal(
                "file", path, f"has a label {highest} in byte {byte} of a record, where {classes - 1} is the last"
            )
    return records


def _download(kind: "type[datasets.CIFAR10]", root: Path) -> None:
    try:
        kind(root, download=True)
    except (OSError, RuntimeError, HTTPException) as error:
        raise refusal("download", kind.url, f"failed: {' '.join(str(error).split())}") from error


def _from_torchvision(kind: "type[datasets.CIFAR10]", root: Path) -> tuple[Images, Images]:
    from torchvision.datasets.utils import check_integrity  # noqa: PLC0415 - likewise

    for name, md5 in (*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])):
        if not check_integrity(path := root / kind.base_folder / name, md5):
            raise refusal("file", path, "is missing, truncated or altered: its MD5 is not torchvision's")
    return _images(kind(root, train=True)), _images(kind(root, train=False))


def _images(half: "datasets.CIFAR10") -> Images:
    pixels = torch.from_numpy(half.data).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.tensor(half.targets))
