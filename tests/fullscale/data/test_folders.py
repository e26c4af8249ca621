"""ImageNet's folders: what is read, how it is cropped, and what is said about a file or folder that does not do."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fullscale.data import load
from fullscale.data.folders import ImageFolders

CPU = torch.device("cpu")
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def write(path: Path, pixels: np.ndarray) -> None:
    """Write pixels: (h, w, 3) uint8 as a PPM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for half, count in (("train", 6), ("val", 2)):
        for name in ("ant", "bee"):
            for k in range(count):
                write(tmp_path / half / name / f"{k}.ppm", rng.integers(0, 256, (16, 16, 3), np.uint8))
    return tmp_path


def opened(root: Path, *, size: int = 14, workers: int = 0, images: int | None = None) -> ImageFolders:
    return ImageFolders(root, CPU, size=size, workers=workers, images=images)


def stored(path: Path) -> Tensor:
    header = b"P6 16 16 255\n"
    return torch.tensor(list(path.read_bytes()[len(header) :])).view(16, 16, 3).permute(2, 0, 1).float()


def test_test_and_plain_images_are_resized_by_8_over_7_and_cut_in_the_middle(root: Path) -> None:
    source = opened(root)  # 16 = 14 * 8 / 7, so that there is nothing to resize
    for batches, half in ((source.test_batches(8), "val"), (source.plain_batches(12), "train")):
        x, labels = next(batches)
        paths = sorted((root / half).rglob("*.ppm"))
        for image, label, path in zip(x, labels, paths, strict=True):
            torch.testing.assert_close(image, (stored(path)[:, 1:15, 1:15] / 255 - MEAN) / STD)
            assert ("ant", "bee")[label] == path.parent.name


def test_crops_and_flips_vary_with_the_image_and_the_epoch(tmp_path: Path) -> None:
    count, ramp = 400, np.random.default_rng(0).integers(0, 256, (25, 25, 3), np.uint8)
    ramp[:, :, 0] = np.arange(0, 250, 10)  # red from left to right
    for half, images in (("train", count), ("val", 1)):
        for k in range(images):
            write(tmp_path / half / "ramp" / f"{k:03}.ppm", ramp)
    source = opened(tmp_path, size=8)
    x, _ = next(source.train_batches(count, 0, 0))
    y, _ = next(source.train_batches(count, 0, 1))
    slopes = x[:, 0, 4, 7] - x[:, 0, 4, 0]
    flipped = (slopes < 0).sum().item()
    assert abs(flipped - count / 2) < 6 * (count / 4) ** 0.5
    assert len(slopes.abs().unique()) > 20
    assert len({image.numpy().tobytes() for image in torch.cat([x, y])}) > count


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_the_number_of_workers_changes_no_bit(root: Path) -> None:
    alone = list(opened(root).train_batches(5, 4, 2))
    for workers in {1, min(2, os.cpu_count() or 1)}:
        source = opened(root, workers=workers)
        for start in (0, 1):
            for (x, labels), (y, others) in zip(alone[start:], source.train_batches(5, 4, 2, start=start), strict=True):
                assert torch.equal(x, y)
                assert torch.equal(labels, others)


def test_the_checksum_sees_names_and_sizes_of_what_is_used(root: Path) -> None:
    def checksum(images: int | None = None) -> str:
        return opened(root, images=images).checksum

    sums = [checksum(), checksum(11)]
    write(root / "train" / "ant" / "0.ppm", np.zeros((16, 17, 3), np.uint8))
    sums.append(checksum())
    (root / "val" / "bee" / "1.ppm").rename(root / "val" / "bee" / "2.ppm")
    sums.append(checksum())
    assert len(set(sums)) == 4
    assert checksum() == sums[-1]
    moved = root.rename(root.with_name("elsewhere"))
    assert opened(moved).checksum == sums[-1]


def test_a_reduced_run_takes_the_first_images_in_stored_order(root: Path) -> None:
    source = opened(root, images=7)
    assert (source.train_count, source.test_count, source.classes) == (7, 4, 2)
    assert next(source.plain_batches(7))[1].tolist() == [0] * 6 + [1]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("keep", [0, 3, 200])
def test_a_broken_image_in_the_midst_is_named(root: Path, workers: int, keep: int) -> None:
    path = root / "train" / "bee" / "3.ppm"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"^file = {path}: is no image that can be read: ") as refused:
        list(opened(root, workers=workers).train_batches(5, 0, 0))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("half", ["train", "val"])
def test_a_missing_folder_is_named(root: Path, half: str) -> None:
    (root / half).rename(root / "other")
    with pytest.raises(ValueError, match=f"^folder = {root / half}: is missing$"):
        load("imagenet", root, "cpu")


@pytest.mark.parametrize(("files", "about"), [("*/*", "classes ant, bee"), ("*/1.ppm", "")])
def test_a_folder_without_images_is_named(root: Path, files: str, about: str) -> None:
    for path in (root / "val").glob(files):
        path.unlink()
    for path in (root / "val" / "bee").glob("*"):
        path.unlink()
    with pytest.raises(
        ValueError, match=f"^folder = {root / 'val'}: must hold .* for every class: .*{about}"
    ) as refused:
        opened(root)
    assert "bee" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_without_classes_is_named(root: Path) -> None:
    (root / "val").rename(root / "other")
    (root / "val").mkdir()
    with pytest.raises(ValueError, match=f"^folder = {root / 'val'}: must hold a folder of images for every class"):
        opened(root)


def test_classes_that_differ_are_refused(root: Path) -> None:
    (root / "val" / "bee").rename(root / "val" / "cat")
    with pytest.raises(
        ValueError, match=r"^root = .*: must have the same classes in train and val: bee is in one alone$"
    ):
        opened(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size = 0: must be a whole number >= 1"),
        ({"workers": -1}, "workers = -1: must be a whole number >= 0"),
        ({"images": 13}, "images = 13: must be <= 12"),
        ({"images": 0}, "images = 0: must be a whole number >= 1"),
    ],
)
def test_a_mistake_in_the_arguments_is_refused(root: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        opened(root, **options)


def test_it_is_loaded_at_224_pixels(root: Path) -> None:
    source = load("imagenet", root, "cpu", images=3)
    assert (source.name, source.size, source.train_count) == ("imagenet", 224, 3)
    with pytest.raises(ValueError, match=r"^crop = normalised: is for images that are padded, as ImageNet's are not$"):
        load("imagenet", root, "cpu", crop="normalised")
