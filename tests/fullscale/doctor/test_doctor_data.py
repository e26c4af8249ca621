"""What a model is shown: the same in every pass, spread and mixed; a line about a folder or file that does not do."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fullscale.data import cifar, synthetic
from fullscale.doctor import data
from fullscale.doctor.data import Batches, file_batches, folder_batches, random_batches, shape

CPU = torch.device("cpu")
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def write(path: Path, pixels: np.ndarray) -> None:
    """Write pixels: (h, w, 3) uint8 as a PPM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def grey(path: Path, level: int, size: int = 8) -> None:
    write(path, np.full((size, size, 3), level, np.uint8))


def levels(batch: torch.Tensor) -> list[int]:
    """The level of each grey image in a batch of normalised ones."""
    return (batch * STD + MEAN).mean((1, 2, 3)).mul(255).round().int().tolist()


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Ten folders of ten grey images; image k of class c has the level 10 c + k."""
    for c in range(10):
        for k in range(10):
            grey(tmp_path / "images" / f"class {c}" / "deep" / f"{k}.ppm", 10 * c + k)
    return tmp_path / "images"


def shown(path: Path, *, size: int = 4, batch: int = 4, count: int = 3, seed: int = 0) -> Batches:
    return folder_batches(path, (3, size, size), batch, count, CPU, seed=seed)


@pytest.mark.parametrize(("text", "sizes"), [("3x224x224", (3, 224, 224)), ("128", (128,)), ("1x2x3x4", (1, 2, 3, 4))])
def test_a_shape_is_its_sizes(text: str, sizes: tuple[int, ...]) -> None:
    assert shape(text) == sizes


@pytest.mark.parametrize("text", ["", "x", "3x", "3x0x3", "-3", "3,4", "3 x 4", "3X4", "3.0", "1e3", "٣x٤", "9" * 30])
def test_what_is_no_shape_is_told_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^input = {re.escape(text)}: must be whole numbers >= 1 joined by x"):
        shape(text)


def all_alike(one: Any, other: Any) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


class TestRandom:
    def test_they_are_standard_normal_and_the_same_in_every_pass(self) -> None:
        batches = random_batches((3, 8, 8), 16, 4, seed=1)
        first = list(batches)
        assert [tuple(batch.shape) for batch in first] == [(16, 3, 8, 8)] * 4
        assert all_alike(first, list(batches))
        assert not torch.equal(first[0], first[1])
        assert not all_alike(first, list(random_batches((3, 8, 8), 16, 4, seed=2)))
        x = torch.cat(first).flatten().double()
        assert abs(x.mean().item()) < 6 * len(x) ** -0.5
        assert abs(x.var().item() - 1) < 6 * (2 / len(x)) ** 0.5

    def test_they_know_how_many_and_what_they_are(self) -> None:
        batches = random_batches((5,), 3, 7, seed=0)
        assert (batches.samples, batches.real) == (21, False)
        assert sum(map(len, batches)) == batches.samples

    def test_torchs_own_generator_is_left_alone(self) -> None:
        before = torch.get_rng_state()
        list(random_batches((5,), 3, 7, seed=0))
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (((3,), 1, 1, 0), "batch = 1: must be a whole number >= 2"),
            (((3,), 2, 0, 0), "count = 0: must be a whole number >= 1"),
            (((3,), 2, 1, -1), "seed = -1: must be a whole number >= 0"),
            (((3, 10**9, 10**9), 2, 1, 0), "input = 3x1000000000x1000000000: is too large for batches of 2"),
        ],
    )
    def test_what_does_not_do_is_told_in_a_line(self, arguments: Any, told: str) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
            random_batches(*arguments)


class TestFolder:
    def test_images_are_resized_by_8_over_7_cut_in_the_middle_and_normalised_as_imagenets(self, tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)  # 16 = 14 * 8 / 7
        for k in range(2):
            write(tmp_path / f"{k}.ppm", pixels[k])
        (batch,) = folder_batches(tmp_path, (3, 12, 14), 2, 1, CPU)
        expected = [(torch.tensor(image[2:14, 5:19]).permute(2, 0, 1) / 255 - MEAN) / STD for image in pixels]
        for image in batch:
            assert min((image - one).abs().max().item() for one in expected) < 1e-6
        assert not torch.equal(batch[0], batch[1])

    def test_they_are_spread_over_the_whole_folder(self, classes: Path) -> None:
        seen = sorted(level for batch in shown(classes, batch=5, count=4) for level in levels(batch))
        assert len(seen) == 20
        assert [after - before for before, after in pairwise(seen)] == [5] * 19  # and not the first twenty

    def test_a_batch_mixes_the_classes(self, classes: Path) -> None:
        batches = [levels(batch) for batch in shown(classes, batch=10, count=10)]
        assert sorted(level for batch in batches for level in batch) == list(range(100))
        assert all(len({level // 10 for level in batch}) > 3 for batch in batches)  # 1 if they came in order

    def test_every_pass_is_the_same_and_another_seed_mixes_otherwise(self, classes: Path) -> None:
        batches, other = shown(classes), shown(classes, seed=1)
        assert all_alike(list(batches), list(batches))
        assert not all_alike(list(batches), list(other))
        taken = [sorted(level for batch in each for level in levels(batch)) for each in (batches, other)]
        assert taken[0] == taken[1]

    @pytest.mark.parametrize(
        ("batch", "count", "sizes"),
        [(7, 100, [7] * 14), (7, 2, [7, 7]), (100, 1, [100]), (300, 2, [100]), (99, 9, [99])],
    )
    def test_batches_have_one_size_and_are_counted(self, classes: Path, batch: int, count: int, sizes: Any) -> None:
        batches = shown(classes, batch=batch, count=count)
        assert [len(x) for x in batches] == sizes
        assert (batches.samples, batches.real) == (sum(sizes), True)

    def test_hidden_files_and_other_files_are_left_out(self, classes: Path) -> None:
        for name in ("class 0/.hidden.ppm", ".thumbnails/1.ppm", "class 0/readme.txt", "class 1/image.ppm.part"):
            (classes / name).parent.mkdir(exist_ok=True)
            (classes / name).write_text("no image")
        grey(classes / "class 0" / "LOUD.PPM", 200)
        assert sorted(level for x in shown(classes, batch=101, count=1) for level in levels(x)) == [*range(100), 200]

    @pytest.mark.parametrize("content", ["", "P6 no image", "P6 8 8 255\n cut short"])
    def test_a_file_that_is_no_image_is_told_in_a_line(self, content: str, classes: Path) -> None:
        (classes / "class 0" / "deep" / "0.ppm").write_bytes(content.encode())
        batches = shown(classes, batch=100, count=1)
        with pytest.raises(
            ValueError, match=r"^file = .*class 0/deep/0\.ppm: is no image that can be read: ."
        ) as raised:
            list(batches)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize(("images", "told"), [(0, "there are 0"), (1, "there are 1")])
    def test_a_folder_with_too_few_is_told_in_a_line(self, images: int, told: str, tmp_path: Path) -> None:
        for k in range(images):
            grey(tmp_path / f"{k}.ppm", 0)
        message = f"data = {tmp_path}: must hold images, at least 2 in it or below: {told}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            shown(tmp_path)

    def test_what_is_no_folder_is_told_in_a_line(self, tmp_path: Path) -> None:
        grey(tmp_path / "0.ppm", 0)
        for path in (tmp_path / "0.ppm", tmp_path / "nowhere"):
            with pytest.raises(ValueError, match=rf"^data = {re.escape(str(path))}: is no folder$"):
                shown(path)

    @pytest.mark.parametrize("sizes", [(3, 8), (1, 8, 8), (8,), (3, 8, 8, 8)])
    def test_a_shape_that_no_image_has_is_told_in_a_line(self, sizes: tuple[int, ...], classes: Path) -> None:
        with pytest.raises(ValueError, match=r"^input = [\dx]+: must be 3xHEIGHTxWIDTH, since --data reads images"):
            folder_batches(classes, sizes, 4, 1, CPU)


class TestCifar:
    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
        """Stands for the set itself, which is large; says what was opened."""
        calls: list[tuple[str, Path]] = []

        def load(name: str, root: Path, device: torch.device) -> Any:
            calls.append((name, root))
            return synthetic(device, train=50)

        monkeypatch.setattr(data, "load", load)
        return calls

    @pytest.mark.parametrize(
        ("folder", "name"),
        [
            (cifar.CIFAR10.folder, "cifar10"),
            (cifar.CIFAR10.torchvision.base_folder, "cifar10"),
            (cifar.CIFAR100.folder, "cifar100"),
            (cifar.CIFAR100.torchvision.base_folder, "cifar100"),
        ],
    )
    def test_its_folder_and_the_one_that_holds_it_both_name_it(
        self, folder: str, name: str, tmp_path: Path, opened: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / folder).mkdir()
        for path in (tmp_path, tmp_path / folder):
            shown(path, size=32)
        monkeypatch.chdir(tmp_path / folder)
        shown(Path(), size=32)
        assert opened == [(name, tmp_path)] * 3

    @pytest.mark.usefixtures("opened")
    def test_it_gives_batches_of_training_augmented_and_the_same_in_every_pass(self, tmp_path: Path) -> None:
        (tmp_path / cifar.CIFAR10.folder).mkdir()
        batches, source = shown(tmp_path, size=32, batch=8, count=100), synthetic(CPU, train=50)
        first = [x for x, _ in batches]
        assert [len(x) for x in first] == [8] * 6  # the last two images make no batch
        assert (batches.samples, batches.real) == (48, True)
        assert all_alike(first, [x for x, _ in batches])
        assert not all_alike(first, [x for x, _ in shown(tmp_path, size=32, batch=8, count=6, seed=1)])
        trained_on = [x for epoch in range(3) for x, _ in source.train_batches(8, 0, epoch)]
        assert not any(torch.equal(first[0], x) for x in trained_on)
        plain = next(source.plain_batches(50))[0]
        assert not any(torch.equal(image, other) for image in first[0] for other in plain)

    @pytest.mark.usefixtures("opened")
    def test_another_shape_is_told_in_a_line(self, tmp_path: Path) -> None:
        (tmp_path / cifar.CIFAR10.folder).mkdir()
        message = f"input = 3x4x4: must be 3x32x32, as cifar10 in {tmp_path} is"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            shown(tmp_path)

    def test_a_broken_set_is_told_in_a_line(self, tmp_path: Path) -> None:
        (tmp_path / cifar.CIFAR10.folder).mkdir()
        with pytest.raises(ValueError, match=r"^file = .*data_batch_1\.bin: is missing$"):
            shown(tmp_path, size=32)


X, Y = torch.arange(12.0).view(4, 3), torch.arange(4)
FILES: dict[str, tuple[Any, int, int]] = {
    "a tensor": (X, 1, 4),
    "tensors": ([X, X[:2]], 2, 6),
    "a pair": ((X, Y), 1, 4),
    "pairs": ([(X, Y), (X[:2], Y[:2])], 2, 6),
    "a mapping": ({"x": X, "y": Y}, 1, 4),
    "mappings": ([{"x": X}, {"x": X[:3]}], 2, 7),
}


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path("evidence"), "it ran")


class TestFile:
    @pytest.mark.parametrize(("content", "count", "samples"), FILES.values(), ids=FILES.keys())
    def test_a_batch_or_a_list_of_them_is_gone_through_again_and_again(
        self, content: Any, count: int, samples: int, tmp_path: Path
    ) -> None:
        torch.save(content, tmp_path / "batches.pt")
        batches = file_batches(tmp_path / "batches.pt")
        assert (batches.samples, batches.real, batches.told) == (samples, True, "batches.pt")
        expected = content if isinstance(content, list) else [content]
        for _ in range(2):
            read = list(batches)
            assert len(read) == count
            assert str(read) == str(expected)

    @pytest.mark.parametrize(
        ("write", "told"),
        [
            (lambda path: torch.save([], path), "batches = {}: holds an empty list"),
            (lambda path: torch.save([X, "no tensor"], path), "batch = str: must hold a tensor of samples"),
            (lambda path: torch.save(torch.tensor(3), path), "batch = Tensor: must hold a tensor of samples"),
            (lambda path: torch.save([X, Hostile()], path), "file = {}: is damaged, or holds more than tensors"),
            (lambda path: path.write_bytes(b""), "file = {}: is no file that torch.save wrote, or is damaged"),
            (lambda path: path.mkdir(), "file = {}: cannot be read: Is a directory"),
            (lambda path: path.unlink(missing_ok=True), "file = {}: cannot be read: No such file or directory"),
        ],
        ids=["empty list", "a text", "a number", "hostile", "empty file", "folder", "missing"],
    )
    def test_what_holds_no_batches_is_told_in_a_line_and_runs_nothing(
        self, write: Callable[[Path], None], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "batches.pt"
        write(path)
        with pytest.raises(ValueError, match=f"^{re.escape(told.format(path))}") as raised:
            file_batches(path)
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "evidence").exists()
