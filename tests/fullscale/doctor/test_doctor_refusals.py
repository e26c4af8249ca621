"""`doctor` refuses in one line what it cannot do, before any work, and leaves nothing behind."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fullscale.__main__ import main
from fullscale.commands import doctor

NETS = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self, drop: float = 0.5) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.Dropout(drop), nn.BatchNorm2d(4))


def net(drop: float = 0.5) -> nn.Module:
    return Net(drop)


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


class Uncopyable(Net):
    def __deepcopy__(self, memo):
        raise TypeError("it holds an open file")


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.Dropout(0.5), nn.LazyBatchNorm2d())
"""
RANDOM = ["--input", "3x8x8", "--batch", "8", "--count", "3"]
OWN = ["--batches", "batches.pt"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_nets.py").write_text(NETS)
    torch.save([torch.randn(8, 3, 8, 8) for _ in range(3)], "batches.pt")
    yield tmp_path
    sys.modules.pop("odd_nets", None)


BAD = {
    "no model": ([], "required"),
    "no input": (["odd_nets:net"], "input = nothing: must be given, such as 3x224x224; only --batches needs none"),
    "no colon": (["odd_nets", *OWN], "model = odd_nets: must be MODULE:FACTORY"),
    "unknown factory": (["odd_nets:nets", *OWN], "model = odd_nets:nets: odd_nets has no nets; did you mean net"),
    "raises": (["odd_nets:net(drop=7)", *OWN], "model = odd_nets:net(drop=7): net raised ValueError: dropout prob"),
    "input": (["odd_nets:net", "--input", "3,8,8"], "input = 3,8,8: must be whole numbers >= 1 joined by x"),
    "channels": (["odd_nets:net", "--input", "4x8x8"], "4, 8, 8"),
    "dimensions": (["odd_nets:net", "--input", "3"], "input = (16, 3): the model fails on it: RuntimeError"),
    "both data": (["odd_nets:net", *OWN, "--data", "."], "data = .: must not be given with --batches"),
    "batches and --batch": (["odd_nets:net", *OWN, "--batch", "8"], "batch = 8: must not be given with --batches"),
    "both inputs": (["odd_nets:net", *OWN, "--input", "3x8x8"], "input = 3x8x8: must not be given with --batches"),
    "probes 1": (["odd_nets:net", *RANDOM, "--probes", "1"], "probes = 1: must be a whole number >= 2"),
    "top 0": (["odd_nets:net", *RANDOM, "--top", "0"], "top = 0: must be a whole number >= 1"),
    "seed": (["odd_nets:net", *RANDOM, "--seed", "-1"], "seed = -1: must be a whole number >= 0"),
    "device": (["odd_nets:net", *RANDOM, "--device", "cuda:9"], "device = cuda:9: is not on this machine"),
    "threshold 1": (["odd_nets:net", *OWN, "--fail-above", "1"], "fail_above = 1.0: must be a finite number > 1"),
    "uout 2": (["odd_nets:net", *OWN, "--uout", "2"], "uout = 2.0: must lie in 0 <= uout <= 1"),
    "no Dropout": (["odd_nets:plain", *OWN, "--uout", "0.1"], "model = Sequential: has no Dropout layer that Uout"),
    "no copy": (["odd_nets:Uncopyable", *OWN], "model = Uncopyable: cannot be copied: "),
    "no copy, Uout": (["odd_nets:Uncopyable", *OWN, "--uout", "0.1"], "model = Uncopyable: cannot be copied: "),
    "no copy, repair": (["odd_nets:Uncopyable", *OWN, "--repair", "a"], "model = Uncopyable: cannot be copied: "),
    "lazy, Uout": (["odd_nets:lazy", *OWN, "--uout", "0.1"], "model = Sequential: has lazy modules"),
    "lazy, repair": (["odd_nets:lazy", *OWN, "--repair", "a"], "model = Sequential: has lazy modules"),
    "empty folder": (["odd_nets:net", *RANDOM, "--data", "empty"], "data = empty: must hold images, at least 2"),
    "no weights": (["odd_nets:net", *OWN, "--weights", "nowhere.pt"], "file = nowhere.pt: cannot be read: No such"),
    "random repair": (["odd_nets:net", *RANDOM, "--repair", "new.st"], "repair = new.st: needs --data or --batches"),
    "no parent": (["odd_nets:net", *OWN, "--json", "a/b.json"], "out = a/b.json: cannot be written: No such file"),
    "a folder": (["odd_nets:net", *OWN, "--html", "empty"], "out = empty: is a folder; name a file"),
    "one file twice": (["odd_nets:net", *OWN, "--html", "a", "--svg", "./a"], "out = a: is written by another flag"),
    "over its input": (["odd_nets:net", *OWN, "--json", "batches.pt"], "out = batches.pt: is read by another flag"),
}


@pytest.mark.parametrize(("flags", "told"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_in_one_line_and_leaves_nothing(flags: list[str], told: str, here: Path, capsys) -> None:
    (here / "empty").mkdir()
    content = Path("batches.pt").read_bytes()
    assert main(["doctor", *flags]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[-1]) == ("", 1, "\n")
    assert err.startswith("fullscale: ")
    assert told in err
    assert {path.name for path in here.iterdir()} - {"__pycache__"} == {"odd_nets.py", "batches.pt", "empty"}
    assert Path("batches.pt").read_bytes() == content


@pytest.mark.parametrize("flag", ["--json", "--html", "--svg", "--repair"])
def test_where_nothing_can_be_written_no_work_begins(flag: str, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.factory, "model", lambda spec: pytest.fail(f"{spec} was built"))
    assert main(["doctor", "odd_nets:net", *OWN, flag, "nowhere/file"]) == 2
    told = "fullscale: out = nowhere/file: cannot be written: No such file or directory\n"
    assert capsys.readouterr() == ("", told)


def test_a_lazy_model_is_examined_with_the_weights_that_it_draws(capsys) -> None:
    assert main(["doctor", "odd_nets:lazy", *OWN]) == 0
    assert "Note: the model has lazy modules" in capsys.readouterr().out
