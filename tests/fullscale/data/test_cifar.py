"""CIFAR's two layouts on disk, written here byte by byte, and what is said when a file is not what it should be."""

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from fullscale.data import cifar, load
from fullscale.data.cifar import CIFAR10, CIFAR100, File, Layout

TRAIN, TEST = 20, 10
Half = tuple[np.ndarray, np.ndarray]


def made_up(classes: int) -> list[Half]:
    """Labels and pixels (n, 3072) of the two halves; the classes go round, and so are of equal size."""
    rng = np.random.default_rng(0)
    counts = (TRAIN, TEST) if classes == 10 else (10 * TRAIN, 10 * TEST)
    return [(np.arange(n) % classes, rng.integers(0, 256, (n, 3072), np.uint8)) for n in counts]


def packed(labels: np.ndarray, pixels: np.ndarray, coarse: bytes) -> bytes:
    return b"".join(coarse + bytes([label]) + image.tobytes() for label, image in zip(labels, pixels, strict=True))


@pytest.fixture
def ten(tmp_path: Path) -> Layout:
    (train_labels, train_pixels), test = made_up(10)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    content = {
        f"data_batch_{k + 1}.bin": packed(train_labels[4 * k : 4 * k + 4], train_pixels[4 * k : 4 * k + 4], b"")
        for k in range(5)
    } | {"test_batch.bin": packed(*test, b"")}
    files = []
    for name, data in content.items():
        (folder / name).write_bytes(data)
        files.append(File(name, len(data) // 3073, hashlib.sha256(data).hexdigest()))
    return replace(CIFAR10, train=tuple(files[:5]), test=tuple(files[5:]))


@pytest.fixture
def hundred(tmp_path: Path) -> Layout:
    train, test = made_up(100)
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    (folder / "train.bin").write_bytes(packed(*train, b"\x13"))
    (folder / "test.bin").write_bytes(packed(*test, b"\x00"))
    return replace(CIFAR100, train=(File("train.bin", 10 * TRAIN),), test=(File("test.bin", 10 * TEST),))


def assert_holds(read: tuple[cifar.Images, cifar.Images], classes: int) -> None:
    for images, (labels, pixels) in zip(read, made_up(classes), strict=True):
        assert images.labels.dtype == torch.int64
        assert images.labels.tolist() == labels.tolist()
        assert images.pixels.dtype == torch.uint8
        assert images.pixels.is_contiguous()
        assert (images.pixels.numpy() == pixels.reshape(-1, 3, 32, 32)).all()


def test_the_binary_files_of_cifar_10_are_read_in_order(ten: Layout, tmp_path: Path) -> None:
    assert_holds(cifar.read(ten, tmp_path), 10)


def test_the_label_of_cifar_100_is_the_fine_one(hundred: Layout, tmp_path: Path) -> None:
    assert_holds(cifar.read(hundred, tmp_path), 100)


def test_the_official_layouts_have_all_the_images_and_as_many_sums_as_are_known() -> None:
    for layout, labels in ((CIFAR10, 1), (CIFAR100, 2)):
        assert sum(file.records for file in layout.train) == 50_000
        assert sum(file.records for file in layout.test) == 10_000
        assert len(layout.labels) == labels
    sums = {file.sha256 for file in (*CIFAR10.train, *CIFAR10.test)}
    assert len(sums) == 6
    assert all(len(known or "") == 64 for known in sums)


def altered(path: Path, place: int, value: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)


def refused(layout: Layout, root: Path, **options: bool) -> str:
    with pytest.raises(ValueError, match=r"^\w+ = ") as refusal:
        cifar.read(layout, root, **options)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_an_altered_byte_is_found_by_the_sum(ten: Layout, tmp_path: Path) -> None:
    path = tmp_path / ten.folder / "data_batch_3.bin"
    altered(path, 1000, path.read_bytes()[1000] ^ 1)
    assert refused(ten, tmp_path) == f"file = {path}: is altered: its SHA-256 is not the official file's"


@pytest.mark.parametrize(("size", "of"), [(4 * 3073 - 1, "truncated"), (4 * 3073 + 1, "another set"), (0, "truncated")])
def test_a_file_of_the_wrong_size_is_named(ten: Layout, tmp_path: Path, size: int, of: str) -> None:
    path = tmp_path / ten.folder / "data_batch_2.bin"
    path.write_bytes((path.read_bytes() + b"x")[:size])
    line = refused(ten, tmp_path)
    assert line.startswith(f"file = {path}: must have 12292 bytes, not {size}")
    assert of in line


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin"])
def test_a_missing_file_is_named(ten: Layout, tmp_path: Path, name: str) -> None:
    path = tmp_path / ten.folder / name
    path.unlink()
    assert refused(ten, tmp_path) == f"file = {path}: is missing"


@pytest.mark.parametrize(("byte", "value"), [(0, 20), (1, 100)])
def test_a_label_beyond_the_last_is_refused(hundred: Layout, tmp_path: Path, byte: int, value: int) -> None:
    path = tmp_path / hundred.folder / "train.bin"
    altered(path, 5 * 3074 + byte, value)
    line = refused(hundred, tmp_path)
    assert line == f"file = {path}: has a label {value} in byte {byte} of a record, where {value - 1} is the last"


@pytest.mark.parametrize("name", ["train.bin", "test.bin"])
def test_classes_of_unequal_size_are_refused(hundred: Layout, tmp_path: Path, name: str) -> None:
    path = tmp_path / hundred.folder / name
    altered(path, 1, 7)  # where it was 0
    assert f"file = {path}: must have classes of equal size" in refused(hundred, tmp_path)


@pytest.fixture
def torchvision_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], Layout]:
    """Writes either set as torchvision keeps it, and lets torchvision take the sums of what is written for official."""

    def write(name: str, root: Path) -> Layout:
        layout, key = (CIFAR10, "labels") if name == "CIFAR10" else (CIFAR100, "fine_labels")
        folder = root / layout.torchvision.base_folder
        folder.mkdir(parents=True)

        def dump(file: str, content: object) -> str:
            (folder / file).write_bytes(pickle.dumps(content))
            return hashlib.md5((folder / file).read_bytes(), usedforsecurity=False).hexdigest()

        for half, (labels, pixels) in zip(("train", "test"), made_up(layout.classes), strict=True):
            listed = [[half, dump(half, {"data": pixels, key: labels.tolist()})]]
            monkeypatch.setattr(layout.torchvision, f"{half}_list", listed)
        names = {"names": [str(k) for k in range(layout.classes)]}
        meta = {"filename": "meta", "key": "names", "md5": dump("meta", names)}
        monkeypatch.setattr(layout.torchvision, "meta", meta)
        return layout

    return write


@pytest.mark.parametrize(("name", "classes"), [("CIFAR10", 10), ("CIFAR100", 100)])
def test_torchvisions_files_are_read_where_there_are_no_binary_ones(
    torchvision_files, tmp_path: Path, name: str, classes: int
) -> None:
    assert_holds(cifar.read(torchvision_files(name, tmp_path), tmp_path), classes)


def test_both_layouts_have_the_same_checksum(
    ten: Layout, torchvision_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchvision_files("CIFAR10", tmp_path / "other")
    from_torchvision = load("cifar10", tmp_path / "other", "cpu")
    monkeypatch.setattr(cifar, "CIFAR10", ten)
    assert load("cifar10", tmp_path, "cpu").checksum == from_torchvision.checksum
    assert load("cifar10", tmp_path, "cpu", images=TRAIN - 1).checksum != from_torchvision.checksum


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_broken_file_of_torchvisions_is_named(torchvision_files, tmp_path: Path, name: str) -> None:
    layout = torchvision_files("CIFAR10", tmp_path)
    path = tmp_path / layout.torchvision.base_folder / name
    altered(path, 20, path.read_bytes()[20] ^ 1)
    expected = f"file = {path}: is missing, truncated or altered: its MD5 is not torchvision's"
    assert refused(layout, tmp_path) == expected
    path.unlink()
    assert refused(layout, tmp_path) == expected


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_where_there_is_nothing_the_line_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^root = .*: has no cifar-100?-b.* and no cifar-100?-.*: --download fetches"):
        load(name, tmp_path, "cpu")  # pyright: ignore[reportArgumentType]


def test_a_download_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no route\nto host")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    line = refused(CIFAR10, tmp_path, download=True)
    assert line == f"download = {CIFAR10.torchvision.url}: failed: <urlopen error no route to host>"


def test_a_download_is_read(torchvision_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = torchvision_files("CIFAR10", tmp_path / "far")

    def fetch(_: str, root: str | Path, **__: object) -> None:
        (tmp_path / "far" / layout.torchvision.base_folder).rename(Path(root) / layout.torchvision.base_folder)

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", fetch)
    (tmp_path / "near").mkdir()
    assert_holds(cifar.read(layout, tmp_path / "near", download=True), 10)


def test_nothing_is_downloaded_where_the_binary_files_are(ten: Layout, tmp_path: Path) -> None:
    assert_holds(cifar.read(ten, tmp_path, download=True), 10)
