"""Pickles that run a command when they are read, wherever a file is taken from strangers: none of them is obeyed.

Records, results and logs are JSON, descriptions TOML, sweeps CSV, weights safetensors: none can name code. What can are
checkpoints, the doctor's state dicts and batches, and torchvision's CIFAR. Numpy's own files, which may hold pickles,
are read nowhere.
"""

import ast
import io
import json
import os
import pickle
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from fullscale.__main__ import main
from fullscale.data.cifar import CIFAR10, CIFAR100, Layout

from .contract import copy_of, obedient, told_by

ROOT = Path(__file__).parents[2]
MARKER = "marker"
TRAIN = "train wrn-10-1 --images 8 --batch 4 --epochs 1 --placement a --drop 0.5 --threads 1 --out run --resume"


class Command:
    """Leaves a marker in the current folder when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"echo > {MARKER}",)


class Code:
    """The same by means of Python."""

    def __reduce__(self):
        return exec, (f"open({MARKER!r}, 'w').close()",)


def of_torch(hostile: object) -> bytes:
    buffer = io.BytesIO()
    torch.save({"step": hostile}, buffer)
    return buffer.getvalue()


def of_old_torch(hostile: object) -> bytes:
    buffer = io.BytesIO()
    torch.save({"step": hostile}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def of_pickle(hostile: object) -> bytes:
    return pickle.dumps({b"data": hostile, b"labels": []}, 2)


def trusting(file: io.BytesIO) -> object:
    return torch.load(file, weights_only=False)


FORMS: dict[str, tuple[Callable[[object], bytes], Callable[[io.BytesIO], object]]] = {
    "torch": (of_torch, trusting),
    "old torch": (of_old_torch, trusting),
    "pickle": (of_pickle, pickle.load),
}
HOSTILE = {f"{form}-{kind.__name__}": FORMS[form][0](kind()) for form in FORMS for kind in (Command, Code)}
every_hostile = pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())


@pytest.mark.parametrize("form", HOSTILE)
def test_the_control_whoever_trusts_a_pickle_obeys_it(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    FORMS[form.partition("-")[0]][1](io.BytesIO(HOSTILE[form]))
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def require_disobeyed(arguments: str, place: Path, rule: str) -> None:
    """Refused in one line, by such a rule, and no marker: a refusal leaves nothing that was not there."""
    told = obedient(main, "fullscale", arguments.split(), place)
    assert told.code == 2
    assert rule in told.err


def checkpoint_of(content: bytes, step: int) -> Path:
    """Where a checkpoint stands whose name vouches for this content, as any stranger can name it."""
    return Path("run", "checkpoints", f"step-{step:09}-{sha256(content).hexdigest()[:16]}.pt")


@every_hostile
def test_a_checkpoint_is_not_obeyed(content: bytes, trained: Path) -> None:
    with copy_of(trained) as place:
        Path("run", "record.json").unlink()
        for path in Path("run", "checkpoints").iterdir():
            path.unlink()
        checkpoint_of(content, 1).write_bytes(content)
        require_disobeyed(f"{TRAIN} --data synthetic", place, "none is whole")


@every_hostile
def test_a_checkpoint_that_is_not_obeyed_is_told_of_and_the_one_before_it_used(content: bytes, trained: Path) -> None:
    with copy_of(trained) as place:
        Path("run", "record.json").unlink()
        checkpoint_of(content, 3).write_bytes(content)
        told = told_by(main, f"{TRAIN} --data synthetic".split())
        assert (told.code, told.err.count("is no checkpoint"), told.err.count("\n")) == (0, 1, 1)
        assert not (place / MARKER).exists()
        whole = (trained / "run" / "weights.safetensors").read_bytes()
        assert Path("run", "weights.safetensors").read_bytes() == whole


@every_hostile
@pytest.mark.parametrize("vouched", [True, False])
@pytest.mark.parametrize("command", ["measure", "adjust", "ensemble", "responses"])
def test_weights_are_not_obeyed(command: str, content: bytes, trained: Path, *, vouched: bool) -> None:
    with copy_of(trained) as place:
        Path("run", "weights.safetensors").write_bytes(content)
        record = Path("run", "record.json")
        digest = {"weights_sha256": sha256(content).hexdigest()} if vouched else {}
        record.write_text(json.dumps(json.loads(record.read_text()) | digest))
        rule = "is no safetensors file" if vouched else "is damaged: it is not what its record vouches for"
        require_disobeyed(f"{command} run", place, rule)


@every_hostile
@pytest.mark.parametrize(
    "flags", ["--batches new.pt", "--input 3x8x8 --weights new.pt", "--input 3x8x8 --weights new.safetensors"]
)
def test_what_the_doctor_is_given_is_not_obeyed(flags: str, content: bytes, desk: Path) -> None:
    with copy_of(desk) as place:
        name = Path(flags.rpartition(" ")[2])
        name.write_bytes(content)
        rule = "is no safetensors file" if name.suffix == ".safetensors" else "or holds more than tensors in plain con"
        require_disobeyed(f"doctor torch.nn:BatchNorm2d(3) {flags}", place, rule)


@every_hostile
@pytest.mark.parametrize("layout", [CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
def test_a_set_of_torchvision_is_not_obeyed(layout: Layout, content: bytes, desk: Path) -> None:
    own = layout.torchvision
    with copy_of(desk) as place:
        Path(own.base_folder).mkdir()
        for name, _ in (*own.train_list, *own.test_list, (own.meta["filename"], "")):
            Path(own.base_folder, name).write_bytes(content)
        data = "cifar10" if layout is CIFAR10 else "cifar100"
        require_disobeyed(f"{TRAIN} --data {data} --root .", place, "its MD5 is not torchvision's")


TRUSTING = {"eval", "exec", "compile", "load", "loads", "open"}
OF_PICKLES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "yaml", "np", "numpy"}


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """Each call in a source by its dotted name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def trusts(name: str, call: ast.Call) -> bool:
    """Whether a call may run what it reads."""
    module, _, own = name.rpartition(".")
    if name == "torch.load":
        safe: Any = {word.arg: word.value for word in call.keywords}.get("weights_only")
        return not (isinstance(safe, ast.Constant) and safe.value is True)
    return name in {"eval", "exec"} or (own in TRUSTING and module in OF_PICKLES)


def test_no_source_reads_a_pickle_in_another_way() -> None:
    files = [
        path for room in ("theory", "simulator", "fullscale", "paper_checks") for path in (ROOT / room).rglob("*.py")
    ]
    found = {(path.name, name) for path in files for name, call in calls(path.read_text()) if trusts(name, call)}
    assert not found


@pytest.mark.parametrize("source", ["pickle.load(f)", "np.load(f, allow_pickle=True)", "torch.load(f)", "eval(s)"])
def test_a_source_that_does_is_noticed(source: str) -> None:
    assert any(trusts(*call) for call in calls(source))
