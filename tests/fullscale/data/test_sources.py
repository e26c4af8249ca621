"""What every data set owes: the order of its batches is a function of (seed, epoch, number), and of nothing else."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fullscale.data import Share, Source
from fullscale.data.folders import ImageFolders
from fullscale.data.in_memory import Images, InMemory
from fullscale.data.normalise import Normalise

TRAIN, TEST, CLASSES, SIZE = 23, 9, 3, 8
CPU = torch.device("cpu")


def colour(index: int) -> tuple[int, int, int]:
    return 10 * index, 255 - 10 * index, 40


def in_memory(count: int) -> Images:
    """Each image of one colour: its own."""
    colours = torch.tensor([colour(index) for index in range(count)], dtype=torch.uint8)
    labels = torch.arange(count) * CLASSES // count
    return Images(colours[:, :, None, None].expand(-1, -1, SIZE, SIZE), labels)


def write(folder: Path, images: Images) -> None:
    for index, label in enumerate(images.labels.tolist()):
        path = folder / f"class-{label}" / f"{index:02}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"P6 %d %d 255\n" % (SIZE, SIZE) + bytes(colour(index)) * SIZE**2)


@pytest.fixture(params=["in memory", "folders"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    train, test = in_memory(TRAIN), in_memory(TEST)
    if request.param == "in memory":
        normalise = Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), CPU)
        return InMemory("colours", CLASSES, train, test, normalise=normalise, device=CPU, crop="pixels")
    write(tmp_path / "train", train)
    write(tmp_path / "val", test)
    return ImageFolders(tmp_path, CPU, size=SIZE, workers=0)


def joined(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    x, labels = zip(*batches, strict=True)
    return torch.cat(x), torch.cat(labels)


def middles(x: Tensor) -> list[tuple[float, ...]]:
    return [tuple(image[:, SIZE // 2, SIZE // 2].tolist()) for image in x]


def order(source: Source, batches: Iterable[tuple[Tensor, Tensor]]) -> list[int]:
    """Which training images these are, by their colours; the labels must be theirs."""
    plain, labels = joined(source.plain_batches(TRAIN))
    x, found_labels = joined(batches)
    stored = middles(plain)
    found = [stored.index(middle) for middle in middles(x)]
    assert found_labels.tolist() == labels[found].tolist()
    return found


def same(one: Iterable[tuple[Tensor, Tensor]], other: Iterable[tuple[Tensor, Tensor]]) -> bool:
    (x, labels), (y, others) = joined(one), joined(other)
    return torch.equal(x, y) and torch.equal(labels, others)


def test_it_says_what_it_holds(source: Source) -> None:
    held = (source.classes, source.size, source.train_count, source.test_count)
    assert held == (CLASSES, SIZE, TRAIN, TEST)
    assert len(source.checksum) == 64


def test_images_are_float32_and_labels_int64_and_the_last_batch_is_smaller(source: Source) -> None:
    for batches, sizes in (
        (source.train_batches(10, 0, 0), [10, 10, 3]),
        (source.plain_batches(10), [10, 10, 3]),
        (source.test_batches(4), [4, 4, 1]),
    ):
        found = list(batches)
        assert [tuple(x.shape) for x, _ in found] == [(n, 3, SIZE, SIZE) for n in sizes]
        assert [tuple(labels.shape) for _, labels in found] == [(n,) for n in sizes]
        assert {(x.dtype, labels.dtype) for x, labels in found} == {(torch.float32, torch.int64)}


def test_an_epoch_shows_each_image_once_with_its_label_in_an_order_of_its_own(source: Source) -> None:
    orders = [order(source, source.train_batches(10, *key)) for key in ((0, 0), (0, 1), (1, 0), (1, 1), (2**40, 7))]
    assert all(sorted(found) == list(range(TRAIN)) for found in orders)
    assert len({tuple(found) for found in orders} | {tuple(range(TRAIN))}) == 6


def test_a_seed_gives_the_same_bits_whatever_the_size_of_the_batch(source: Source) -> None:
    assert same(source.train_batches(10, 3, 1), source.train_batches(10, 3, 1))
    assert same(source.train_batches(10, 3, 1), source.train_batches(4, 3, 1))


def test_plain_and_test_images_come_in_their_own_order(source: Source) -> None:
    plain, labels = joined(source.plain_batches(10))
    reds = [middle[0] for middle in middles(plain)]
    assert reds == sorted(set(reds))
    assert labels.tolist() == [k * CLASSES // TRAIN for k in range(TRAIN)]
    test, test_labels = joined(source.test_batches(4))
    assert middles(test) == middles(plain)[:TEST]  # their colours are the same
    assert test_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("start", [0, 1, 2])
def test_a_later_start_yields_the_tail(source: Source, start: int) -> None:
    whole, tail = list(source.train_batches(10, 5, 2)), list(source.train_batches(10, 5, 2, start=start))
    assert len(tail) == 3 - start
    assert same(tail, whole[start:])


def test_after_the_last_batch_there_is_nothing(source: Source) -> None:
    assert list(source.train_batches(10, 5, 2, start=3)) == []


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shares_of_a_batch_are_together_the_batch(source: Source, world: int) -> None:
    shares = [Share(rank, world) for rank in range(world)]
    for whole, parts in (
        (source.train_batches(10, 1, 1), [source.train_batches(10, 1, 1, share=share) for share in shares]),
        (source.test_batches(4), [source.test_batches(4, share=share) for share in shares]),
    ):
        for (x, labels), *taken in zip(whole, *parts, strict=True):
            for rank, (part, part_labels) in enumerate(taken):
                assert torch.equal(part, x[rank::world])
                assert torch.equal(part_labels, labels[rank::world])


def test_a_share_may_be_empty_in_a_last_batch_smaller_than_the_world(source: Source) -> None:
    *_, (x, labels) = source.train_batches(11, 0, 0, share=Share(1, 2))
    assert x.shape == (0, 3, SIZE, SIZE)
    assert labels.shape == (0,)


def test_neither_torchs_own_generator_nor_the_images_change(source: Source) -> None:
    before, plain = torch.get_rng_state(), joined(source.plain_batches(10))
    for x, labels in source.train_batches(10, 0, 0):
        x.fill_(7)
        labels.fill_(7)
    for x, labels in source.plain_batches(10):
        x.fill_(7)
        labels.fill_(7)
    assert torch.equal(torch.get_rng_state(), before)
    assert same([plain], source.plain_batches(10))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda source: source.train_batches(0, 0, 0), "batch = 0: must be a whole number >= 1"),
        (lambda source: source.test_batches(-1), "batch = -1: must be a whole number >= 1"),
        (lambda source: source.plain_batches(1.5), "batch = 1.5: must be a whole number >= 1"),
        (lambda source: source.train_batches(4, -1, 0), "seed = -1: must be a whole number >= 0"),
        (lambda source: source.train_batches(4, 0, -1), "epoch = -1: must be a whole number >= 0"),
        (lambda source: source.train_batches(4, 0, 0, start=-1), "start = -1: must be a whole number >= 0"),
        (lambda source: source.train_batches(4, 0, 0, share=Share(2, 2)), r"share = \(2, 2\): must be \(rank, world\)"),
        (lambda source: source.test_batches(4, share=Share(-1, 2)), r"share = \(-1, 2\): must be \(rank, world\)"),
    ],
)
def test_a_mistake_is_refused_before_the_first_batch(source: Source, call, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        call(source)


def test_plain_images_come_in_the_order_that_is_asked_for(source: Source) -> None:
    asked = torch.tensor([7, 3, 22, 0, 15])
    assert order(source, source.plain_batches(2, asked)) == asked.tolist()
    assert order(source, source.plain_batches(2)) == list(range(TRAIN))
