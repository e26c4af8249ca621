"""The augmentation in memory, against each image cut and flipped by itself."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from fullscale.data.in_memory import Crop, Images, InMemory
from fullscale.data.normalise import Normalise

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
CPU = torch.device("cpu")


def random_images(count: int, size: int, seed: int = 0) -> Images:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=draw).to(torch.uint8)
    return Images(pixels, torch.arange(count))


def held(train: Images, test: Images | None = None, crop: Crop = "pixels") -> InMemory:
    normalise = Normalise(MEAN, STD, CPU)
    return InMemory("made-up", 10, train, test or random_images(2, 8), normalise=normalise, device=CPU, crop=crop)


def normalised(pixels: Tensor) -> Tensor:
    return (pixels.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def every_crop(image: Tensor, margin: int, crop: Crop) -> list[Tensor]:
    """All crops of one image, at every offset and flipped or not."""
    around, size = (margin,) * 4, image.shape[-1]
    padded = normalised(pad(image, around)) if crop == "pixels" else pad(normalised(image), around)
    places = range(2 * margin + 1)
    cuts = [padded[:, top : top + size, left : left + size] for top in places for left in places]
    return [flipped for cut in cuts for flipped in (cut, cut.flip(2))]


@pytest.mark.parametrize("crop", get_args(Crop))
@pytest.mark.parametrize(("size", "margin"), [(32, 4), (16, 2), (7, 0)])
def test_every_image_of_a_batch_is_one_crop_of_its_own(crop: Crop, size: int, margin: int) -> None:
    train = random_images(12, size)
    for x, labels in held(train, crop=crop).train_batches(5, 0, 0):
        assert x.dtype == torch.float32
        assert x.is_contiguous()
        for image, label in zip(x, labels, strict=True):
            candidates = every_crop(train.pixels[label], margin, crop)
            assert sum(torch.equal(image, candidate) for candidate in candidates) == 1


def test_the_two_crops_differ_in_nothing_but_what_lies_beyond_the_image() -> None:
    white = Images(torch.full((20, 3, 16, 16), 255, dtype=torch.uint8), torch.zeros(20, dtype=torch.int64))
    black, zero = (next(held(white, crop=crop).train_batches(20, 0, 0))[0] for crop in get_args(Crop))
    beyond = black == normalised(torch.zeros(3, 1, 1))
    assert 0 < beyond.float().mean() < 0.3
    assert (zero[beyond] == 0).all()
    assert torch.equal(zero[~beyond], black[~beyond])


def where_cut(source: InMemory, epoch: int) -> Tensor:
    """The cell (offset down, offset right, flip) of every image, when red counts the rows and green the columns."""
    x, _ = next(source.train_batches(source.train_count, 0, epoch))
    bytes_ = (x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)).mul(255).round().long()
    row, here, beside = bytes_[:, 0, 16, 16], bytes_[:, 1, 16, 15], bytes_[:, 1, 16, 16]
    flip = (here > beside).long()
    left_edge = torch.where(flip == 1, here - 16, here - 15)  # column of the image, its first being 1
    return ((row - 16 + 3) * 9 + left_edge + 3) * 2 + flip


def chi_square(cells: Tensor) -> float:
    counts, expected = cells.bincount(minlength=162), len(cells) / 162
    return ((counts - expected) ** 2 / expected).sum().item()


def test_every_offset_and_flip_comes_equally_often() -> None:
    rows = torch.arange(1, 33, dtype=torch.uint8)
    image = torch.stack([rows[:, None].expand(32, 32), rows.expand(32, 32), torch.zeros(32, 32, dtype=torch.uint8)])
    source = held(Images(image.repeat(500, 1, 1, 1), torch.zeros(500, dtype=torch.int64)))
    cells = torch.cat([where_cut(source, epoch) for epoch in range(20)])
    assert sorted(cells.unique().tolist()) == list(range(162))
    log_odds = 20  # a false alarm at most every e^20 runs (Laurent and Massart's bound)
    bound = 161 + 2 * math.sqrt(161 * log_odds) + 2 * log_odds
    assert chi_square(cells) < bound
    draw = torch.Generator().manual_seed(0)
    offset = torch.randint(81, cells.shape, generator=draw)
    lopsided = 2 * offset + (torch.rand(cells.shape, generator=draw) < 0.4)  # the controls: flips at 0.4,
    assert chi_square(lopsided) > bound
    assert chi_square(cells % 144) > bound  # and one offset too few


def test_test_and_plain_batches_are_the_images_themselves_normalised_to_the_bit() -> None:
    train, test = random_images(7, 16), random_images(5, 16, seed=1)
    source = held(train, test)
    for batches, images in ((source.plain_batches(3), train), (source.test_batches(3), test)):
        x, labels = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
        assert torch.equal(x, normalised(images.pixels))
        assert labels.tolist() == images.labels.tolist()
    assert all(x.is_contiguous() for x, _ in source.plain_batches(3))


def test_one_pixel_or_one_label_changes_the_checksum() -> None:
    def checksum(*, pixel: int = 0, label: int = 0, of: int = 0) -> str:
        halves = random_images(7, 16), random_images(5, 16, seed=1)
        halves[of].pixels[3, 1, 2, 2] += pixel
        halves[of].labels[3] += label
        return held(*halves).checksum

    sums = {checksum(pixel=p, label=q, of=half) for p, q in ((1, 0), (0, 1)) for half in (0, 1)} | {checksum()}
    assert len(sums) == 5
    assert checksum() == checksum()


def test_an_unknown_crop_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^crop = padded: must be one of pixels, normalised$"):
        held(random_images(1, 8), crop="padded")  # pyright: ignore[reportArgumentType]
