"""Data folders, after damage and strangers: refused in a line that names the file, or the same numbers as before."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from fullscale.__main__ import main
from fullscale.data import cifar
from fullscale.data.cifar import CIFAR10, CIFAR100, File, Layout

from .contract import copy_of, examples, obedient, require_one_line, told_by
from .mutations import damaged

TRAIN = "train wrn-10-1 --epochs 1 --threads 1 --root data --out run"
CIFAR = f"{TRAIN} --images 8 --batch 4 --data"
IMAGENET = f"{TRAIN} --batch 2 --data imagenet"
MEASURE = "measure run --batches 2 --root data"
DOCTOR = "doctor small_nets:net --data data --input 3x8x8 --batch 4 --count 2 --probes 2 --json new.json"


def records(count: int, labels: int, first: int) -> bytes:
    """Records whose classes go round, so that they are of equal size."""
    pixels = torch.randint(256, (count, cifar.PIXELS), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    coarse = bytes(labels - 1)
    return b"".join(coarse + bytes([(first + i) % 10]) + pixels[i].numpy().tobytes() for i in range(count))


def small(layout: Layout, root: Path) -> Layout:
    """Write 20 training and 10 test images of 10 classes, with sums where the set has them; say how they lie."""
    made: list[File] = []
    (root / layout.folder).mkdir(parents=True)
    count = 20 // len(layout.train)
    for number, file in enumerate((*layout.train, *layout.test)):
        content = records(count if file in layout.train else 10, len(layout.labels), number * count)
        (root / layout.folder / file.name).write_bytes(content)
        digest = sha256(content).hexdigest() if file.sha256 else None
        made.append(File(file.name, len(content) // (len(layout.labels) + cifar.PIXELS), digest))
    train, test = tuple(made[: len(layout.train)]), tuple(made[len(layout.train) :])
    return replace(layout, train=train, test=test, labels=(*layout.labels[:-1], 10))


@pytest.fixture(scope="module", params=["cifar10", "cifar100"])
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small set in the official layout, `data`, and a run that was trained and measured on it, `run`."""
    made, name = tmp_path_factory.mktemp(request.param), request.param
    layout = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cifar, name.upper(), small(layout, made / "data"))
        patched.chdir(made)
        assert told_by(main, [*CIFAR.split(), name]).code == 0
        assert told_by(main, MEASURE.split()).code == 0
        yield made


@examples(6)
@given(st.data())
def test_what_is_measured_on_a_damaged_set_is_refused_or_the_same(learnt: Path, data: DataObject) -> None:
    path = data.draw(st.sampled_from(sorted((learnt / "data").rglob("*.bin")))).relative_to(learnt)
    whole = (learnt / path).read_bytes()
    path_and_sum = path.parts[1] == CIFAR10.folder
    with copy_of(learnt) as place:
        path.write_bytes(content := data.draw(damaged(whole)))
        told = obedient(main, "fullscale", MEASURE.split(), place)
        if told.code == 0:
            before, after = (json.loads((each / "run" / "measure.json").read_text()) for each in (learnt, place))
            assert before["bns"] == after["bns"]
    # Where there are sums, nothing altered passes; where there are none, what was not looked at may.
    assert told.code == 2 or content == whole or not path_and_sum


@pytest.fixture(scope="module")
def pictured(modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageNet's folders, `data`, with two classes of two pictures and one to test, and a model."""
    made = Path(shutil.copytree(modelled, tmp_path_factory.mktemp("pictured") / "made"))
    draw = torch.Generator().manual_seed(0)
    for part in ("train/cat/0.png", "train/cat/1.jpg", "train/dog/0.png", "train/dog/1.jpg", "val/cat/0.png"):
        for path in {made / "data" / part, made / "data" / part.replace("val/cat", "val/dog")}:
            path.parent.mkdir(parents=True, exist_ok=True)
            torchvision.utils.save_image(torch.rand((3, 12, 12), generator=draw), path)
    return made


@pytest.mark.usefixtures("forgotten")
@examples(20)
@given(st.data())
def test_a_damaged_picture_is_named_or_can_still_be_seen(pictured: Path, data: DataObject) -> None:
    own = sorted(path.relative_to(pictured) for path in (pictured / "data").rglob("*.*"))
    path = data.draw(st.sampled_from(own))
    with copy_of(pictured) as place:
        path.write_bytes(data.draw(damaged((pictured / path).read_bytes())))
        told = obedient(main, "fullscale", DOCTOR.split(), place)
    assert str(path) in told.err if told.code else not told.err


def moved_away(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


SPOILT: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "elsewhere": moved_away,
    "empty": lambda folder: [path.unlink() for path in folder.iterdir()],
    "a file": lambda folder: (shutil.rmtree(folder), folder.write_text("no folder")),
    "with notes": lambda folder: (folder / "notes.txt").write_text("no picture"),
    "with a text": lambda folder: (folder / "a.png").write_text("no picture"),
    "with a folder": lambda folder: (folder / "a.png").mkdir(),
    "with a link to nowhere": lambda folder: (folder / "a.png").symlink_to("nowhere.png"),
    "with a link to itself": lambda folder: (folder / "a.png").symlink_to("a.png"),
    "with a strange name": lambda folder: next(folder.iterdir()).rename(folder / "\n é🦊.png"),
    "with a name in another code": lambda folder: next(folder.iterdir()).rename(folder / "\udcff.png"),
}


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("line", [IMAGENET, DOCTOR], ids=["train", "doctor"])
def test_a_spoilt_folder_is_told_of_in_one_line_or_does_not_matter(
    line: str, how: str, pictured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")  # so that no processes are started to read
    with copy_of(pictured) as place:
        SPOILT[how](place / "data" / "train" / "cat")
        told = told_by(main, line.split())
    if told.code:
        require_one_line(told, "fullscale")
        assert told.code == 2
    else:
        assert all(text.startswith("fullscale: epoch ") for text in told.err.splitlines())
