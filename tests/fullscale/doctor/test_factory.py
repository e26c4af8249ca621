"""MODULE:FACTORY finds what it names, runs no code of its arguments, and says in a line what is wrong."""

import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fullscale.doctor.factory import load_weights, model
from fullscale.files import write_tensors
from fullscale.nets import build
from fullscale.placement import place
from fullscale.runs import trained

STRANGE = """
import sys
from torch import nn

class Made(nn.Module):
    def __init__(self, width: int = 3, *, drop: float = 0.1, names: tuple = ()) -> None:
        super().__init__()
        self.given = (width, drop, names)

    @classmethod
    def wide(cls) -> "Made":
        return cls(99)

ready = Made(5)
number = 7

def fails(text: str = "too\\nbad") -> nn.Module:
    raise ValueError(text)

def leaves() -> nn.Module:
    sys.exit("usage: strange")

def weightless() -> nn.Module:
    return nn.Linear(3, 3, device="meta")

def no_model() -> int:
    return 7
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strange_nets.py").write_text(STRANGE)
    (tmp_path / "package_of_nets").mkdir()
    (tmp_path / "package_of_nets" / "deep.py").write_text(STRANGE)
    (tmp_path / "broken_nets.py").write_text("import strange_nets\n1 / 0\n")
    (tmp_path / "script_of_nets.py").write_text("raise SystemExit('usage: script')\n")
    (tmp_path / "unfinished_nets.py").write_text("def net(:\n")
    (tmp_path / "needy_nets.py").write_text("import something_that_is_not_there\n")
    yield tmp_path
    for name in [name for name in sys.modules if "nets" in name and not name.startswith("fullscale")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("factory", "given"),
    [
        ("Made", (3, 0.1, ())),
        ("Made()", (3, 0.1, ())),
        ("Made.wide", (99, 0.1, ())),
        ("Made(4, drop=0.5)", (4, 0.5, ())),
        ("Made(-4, names=('a', ['b', {'c': None}]))", (-4, 0.1, ("a", ["b", {"c": None}]))),
        ("Made('a:b')", ("a:b", 0.1, ())),
        (" Made ( 4 ) ", (4, 0.1, ())),
        ("ready", (5, 0.1, ())),
    ],
)
@pytest.mark.parametrize("module", ["strange_nets", "package_of_nets.deep"])
def test_a_name_or_a_call_gives_the_model_that_it_names(module: str, factory: str, given: tuple[Any, ...]) -> None:
    assert model(f"{module}:{factory}").given == given


def test_a_model_is_given_as_it_is() -> None:
    ready = model("strange_nets:ready")
    assert ready is sys.modules["strange_nets"].ready
    assert model("torchvision.models:resnet18(num_classes=3)").state_dict()["fc.bias"].shape == (3,)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("strange_nets", "must be MODULE:FACTORY"),
        (":Made", "must be MODULE:FACTORY"),
        ("strange_nets:", "must be MODULE:FACTORY"),
        ("strange nets:Made", "must be MODULE:FACTORY"),
        ("strange_nets/Made.py:Made", "must be MODULE:FACTORY"),
        ("strange_nets:Made(", "its arguments literals"),
        ("strange_nets:Made(open('evidence', 'w'))", "its arguments literals"),
        ("strange_nets:Made(drop=2 * 3)", "its arguments literals"),
        ("strange_nets:Made(**{'drop': 0.1})", "its arguments literals"),
        ("strange_nets:Made()()", "its arguments literals"),
        ("strange_nets:[Made]", "its arguments literals"),
        ("strange_nets:Made; 1", "its arguments literals"),
        (f"strange_nets:{'(' * 500}Made", "its arguments literals"),
        ("nowhere_nets:net", "nowhere_nets cannot be imported: ModuleNotFoundError: No module named 'nowhere_nets'"),
        ("strange_nets.py:Made", "'strange_nets' is not a package; did you mean strange_nets?"),
        (
            "nowhere_nets.py:net",
            "nowhere_nets.py cannot be imported: ModuleNotFoundError: No module named 'nowhere_nets'",
        ),
        ("broken_nets.py:net", "broken_nets.py cannot be imported: ZeroDivisionError: division by zero"),
        ("broken_nets:net", "broken_nets cannot be imported: ZeroDivisionError: division by zero"),
        ("script_of_nets:net", "script_of_nets cannot be imported: SystemExit: usage: script"),
        ("unfinished_nets:net", "unfinished_nets cannot be imported: SyntaxError: "),
        ("needy_nets:net", "needy_nets cannot be imported: ModuleNotFoundError: No module named 'something_that"),
        ("strange_nets:made", "strange_nets has no made; did you mean Made"),
        ("strange_nets:Made.wid", "Made has no wid; did you mean wide?"),
        ("strange_nets:zzz", "strange_nets has no zzz"),
        ("strange_nets:fails", "fails raised ValueError: too bad"),
        ("strange_nets:Made(depth=3)", "Made raised TypeError: "),
        ("strange_nets:leaves", "leaves raised SystemExit: usage: strange"),
        ("strange_nets:no_model", "is no nn.Module, but of type int"),
        ("strange_nets:weightless", "has weights on the meta device, which hold no numbers"),
        ("strange_nets:number", "is no nn.Module, but of type int"),
        ("strange_nets:number(3)", "is no nn.Module, but of type int"),
        ("strange_nets:ready()", "ready is a model already: leave out its parentheses"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(spec: str, told: str, here: Path) -> None:
    with pytest.raises(ValueError, match=rf"^model = {re.escape(spec)}: .*{re.escape(told)}") as raised:
        model(spec)
    assert "\n" not in str(raised.value)
    assert not (here / "evidence").exists()


def test_a_run_that_is_not_finished_is_told_in_its_own_words() -> None:
    with pytest.raises(ValueError, match=r"^dir = runs/a: holds no finished run"):
        model("fullscale.runs:trained('runs/a')")
    with pytest.raises(ValueError, match=r"^dir = runs/a: holds no finished run"):
        trained("runs/a")


class Small(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.first, self.bn = nn.Linear(3, width), nn.BatchNorm1d(width)


def other() -> dict[str, torch.Tensor]:
    return {name: torch.full_like(tensor, 2) for name, tensor in Small().state_dict().items()}


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "bare": lambda state: state,
    "among others": lambda state: {"state_dict": state, "epoch": 3},
    "as model": lambda state: {"model": state},
    "parallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "compiled": lambda state: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
    "compiled, then parallel": lambda state: WRAPPED["parallel"](WRAPPED["compiled"](state)),
    "parallel, then compiled": lambda state: WRAPPED["compiled"](WRAPPED["parallel"](state)),
    "parallel, among others": lambda state: {"state_dict": WRAPPED["parallel"](state)},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_weights_of_torch_save_are_found_and_loaded(wrap: Callable[[Any], Any], here: Path) -> None:
    torch.save(wrap(other()), here / "weights.pt")
    net = Small()
    load_weights(net, here / "weights.pt")
    assert all((tensor == 2).all() for tensor in net.state_dict().values())


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_names_that_are_the_models_own_are_left_alone(wrap: Callable[[Any], Any], here: Path) -> None:
    net = nn.Sequential(OrderedDict(module=Small()))
    torch.save(wrap(WRAPPED["parallel"](other())), here / "weights.pt")
    load_weights(net, here / "weights.pt")
    assert all((tensor == 2).all() for tensor in net.state_dict().values())


@pytest.mark.parametrize("kind", ["bare", "compiled"])
def test_a_compiled_model_is_loaded_too(kind: str, here: Path) -> None:
    torch.save(WRAPPED[kind](other()), here / "weights.pt")
    net: Any = torch.compile(Small())
    load_weights(net, here / "weights.pt")
    assert all((tensor == 2).all() for tensor in net.state_dict().values())


def test_weights_of_a_safetensors_file_are_loaded(here: Path) -> None:
    write_tensors(here / "weights.safetensors", other())
    net = Small()
    load_weights(net, here / "weights.safetensors")
    assert all((tensor == 2).all() for tensor in net.state_dict().values())


def test_the_weights_of_one_net_of_ours_are_not_those_of_another(here: Path) -> None:
    torch.save(place(build("wrn-10-1"), "a", drop=0.5).state_dict(), here / "weights.pt")
    load_weights(build("wrn-10-1"), here / "weights.pt")
    with pytest.raises(ValueError, match=r"^weights = .*: lacks \d+ of the model's tensors, such as .*; has \d+ that"):
        load_weights(build("densenet-bc-10-4"), here / "weights.pt")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "holds no state dict"),
        ([torch.zeros(3)], "holds no state dict"),
        (torch.zeros(3), "holds no state dict"),
        ({0: torch.zeros(3)}, "holds no state dict"),
        ({"first.weight": 3}, "holds no state dict"),
        ({"optimizer": {}, "weights": {}}, "holds no state dict"),
        (Small(7).state_dict(), "has 6 of another shape, such as first.weight, 7x3 for 2x3"),
        (other() | {"more": torch.zeros(1)}, "has 1 that the model lacks, such as more"),
        ({"first.weight": torch.zeros(2, 3)}, "lacks 6 of the model's tensors, such as first.bias"),
    ],
)
def test_weights_that_do_not_fit_are_told_in_a_line(state: Any, told: str, here: Path) -> None:
    torch.save(state, here / "weights.pt")
    with pytest.raises(ValueError, match=rf"^weights = {here}/weights.pt: {re.escape(told)}") as raised:
        load_weights(Small(), here / "weights.pt")
    assert "\n" not in str(raised.value)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path("evidence"), "it ran")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hostile.pt", "is damaged, or holds more than tensors in plain containers"),
        ("noise.pt", "is "),
        ("noise.safetensors", "is no safetensors file: "),
        ("empty.pt", "is no file that torch.save wrote, or is damaged"),
        ("cut.pt", "is no file that torch.save wrote, or is damaged"),
        ("nowhere.pt", "cannot be read: No such file or directory"),
        ("nowhere.safetensors", "cannot be read: No such file or directory"),
        ("package_of_nets", "cannot be read: Is a directory"),
    ],
)
def test_a_file_that_is_none_of_weights_is_told_in_a_line_and_runs_nothing(name: str, told: str, here: Path) -> None:
    torch.save({"first.weight": Hostile()}, here / "hostile.pt")
    torch.save(other(), here / "whole.pt")
    (here / "cut.pt").write_bytes((here / "whole.pt").read_bytes()[:400])
    (here / "empty.pt").touch()
    for noise in ("noise.pt", "noise.safetensors"):
        (here / noise).write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=rf"^file = {here / name}: {re.escape(told)}") as raised:
        load_weights(Small(), here / name)
    assert "\n" not in str(raised.value)
    assert not (here / "evidence").exists()
