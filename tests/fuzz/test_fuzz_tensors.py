"""Weights, checkpoints, state dicts and batches, after damage and strangers: refused in a line, or the same numbers."""

import io
import json
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import safetensors.torch
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, DrawFn, SearchStrategy
from torch import Tensor

from fullscale.__main__ import main
from fullscale.commands.train import Narrator

from .contract import copy_of, examples, obedient, told_by
from .mutations import damaged, scalars

COMMANDS = {
    "measure": "measure run --batches 2",
    "adjust": "adjust run --batches 2 --reading batch",
    "ensemble": "ensemble run --batches 2 --samples 2 --groups 1",
    "responses": "responses run --batches 2",
}
WEIGHTS = Path("run", "weights.safetensors")
Strange: TypeAlias = Callable[[Tensor, float], Tensor]


def first_replaced(tensor: Tensor, number: float) -> Tensor:
    changed = tensor.clone()
    if changed.is_floating_point() and changed.numel():
        changed.view(-1)[0] = number
    return changed


def all_replaced(tensor: Tensor, number: float) -> Tensor:
    return torch.full_like(tensor, number) if tensor.is_floating_point() else tensor.clone()


STRANGE: tuple[Strange, ...] = (
    first_replaced,
    *(all_replaced,) * 2,
    lambda tensor, _: tensor[:0].clone() if tensor.dim() else tensor,
    lambda tensor, _: tensor.unsqueeze(0),
    lambda tensor, _: tensor.double(),
    lambda tensor, _: tensor.half(),
    lambda tensor, _: tensor.to(torch.int64),
)
odd_numbers = st.sampled_from([0.0, -1.0, 1e-30, 1e30, -1e30, 3e38, float("nan"), float("inf"), -float("inf")])


@pytest.mark.parametrize("command", COMMANDS)
@examples(4)
@given(st.data())
def test_damaged_weights_are_refused(command: str, trained: Path, data: DataObject) -> None:
    whole = (trained / WEIGHTS).read_bytes()
    content = data.draw(damaged(whole))
    assume(content != whole)
    with copy_of(trained) as place:
        WEIGHTS.write_bytes(content)
        assert obedient(main, "fullscale", COMMANDS[command].split(), place).code == 2


@pytest.mark.parametrize("command", COMMANDS)
@examples(5)
@given(st.data())
def test_strange_weights_that_a_record_vouches_for_are_refused_or_measured(
    command: str, trained: Path, data: DataObject
) -> None:
    whole = (trained / WEIGHTS).read_bytes()
    content = data.draw(damaged(whole) | strangers_to(safetensors.torch.load(whole)).map(safetensors.torch.save))
    with copy_of(trained) as place:
        vouched_for(content)
        told = obedient(main, "fullscale", COMMANDS[command].split(), place)
    assert told.code or not told.complaints


@pytest.mark.parametrize("command", ["measure", "responses"])
@pytest.mark.parametrize("number", [-1.0, float("nan")])
def test_variances_that_lead_to_no_numbers_are_refused_before_anything_is_written(
    number: float, command: str, trained: Path
) -> None:
    state = safetensors.torch.load((trained / WEIGHTS).read_bytes())
    variances = {name: torch.full_like(state[name], number) for name in state if name.endswith("running_var")}
    with copy_of(trained) as place:
        vouched_for(safetensors.torch.save(state | variances))
        told = obedient(main, "fullscale", COMMANDS[command].split(), place)
    assert told.code == 2


def vouched_for(content: bytes) -> None:
    """Replace a run's weights, and let its record vouch for the others, as any stranger can."""
    WEIGHTS.write_bytes(content)
    record = WEIGHTS.with_name("record.json")
    digest = {"weights_sha256": sha256(content).hexdigest()}
    record.write_text(json.dumps(json.loads(record.read_text()) | digest))


@st.composite
def strangers_to(draw: DrawFn, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with up to three tensors of other numbers, another shape, or another type."""
    changed = dict(state)
    for name in draw(st.lists(st.sampled_from(sorted(state)), max_size=3, unique=True)):
        changed[name] = draw(st.sampled_from(STRANGE))(state[name], draw(odd_numbers))
    return changed


RESUME = (
    "train wrn-10-1 --data synthetic --images 8 --batch 4 --epochs 2 --placement a --drop 0.5 --threads 1 "
    "--save-every 0 --out run --resume"
)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after its third step of four, with its last two checkpoints."""
    made = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(made)
        patched.setattr(Narrator, "step", lambda _, run: signal.raise_signal(signal.SIGINT) if run.step == 3 else None)
        assert told_by(main, RESUME.split()).code == 130
    return made


@pytest.fixture(scope="module")
def undisturbed(interrupted: Path) -> bytes:
    with copy_of(interrupted):
        assert told_by(main, RESUME.split()).code == 0
        return WEIGHTS.read_bytes()


@examples(8)
@given(st.data())
def test_damaged_checkpoints_are_told_of_and_lead_to_the_same_bits_or_are_refused(
    interrupted: Path, undisturbed: bytes, data: DataObject
) -> None:
    with copy_of(interrupted):
        both = sorted(Path("run", "checkpoints").iterdir())
        spoilt = [path for path in data.draw(st.sets(st.sampled_from(both), min_size=1)) if spoil(path, data)]
        told = told_by(main, RESUME.split())
        if len(spoilt) == len(both):
            assert (told.code, told.err.count("\n")) == (2, 1)
            assert sorted(Path("run", "checkpoints").iterdir()) == both
        else:
            assert told.code == 0
            assert told.err.count("is damaged") == (both[-1] in spoilt)
            assert WEIGHTS.read_bytes() == undisturbed


def spoil(path: Path, data: DataObject) -> bool:
    before = path.read_bytes()
    path.write_bytes(data.draw(damaged(before)))
    return path.read_bytes() != before


DOCTOR = "doctor small_nets:net --batches batches.pt --probes 2 --json new.json --html new.html --svg new.svg"
sizes = st.sampled_from([(4, 3, 8, 8), (2, 3, 8, 8), (1, 3, 8, 8), (0, 3, 8, 8), (4, 3, 2, 2), (4, 1, 8, 8), (3,), ()])
types = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64, torch.bool, torch.complex64])


@st.composite
def tensors(draw: DrawFn) -> Tensor:
    drawn = torch.randn(draw(sizes), generator=torch.Generator().manual_seed(0)).to(draw(types))
    return first_replaced(drawn, draw(odd_numbers)) if draw(st.booleans()) else drawn


def nested(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    keys = st.sampled_from(["x", "input", "0.weight", "state_dict", "model"]) | st.integers(0, 3)
    return st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=3)


objects = st.recursive(tensors() | scalars, nested, max_leaves=5)
batches = st.lists(tensors() | st.tuples(tensors(), tensors()), min_size=1, max_size=3)


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.usefixtures("forgotten")
@examples(20)
@given(objects | batches)
def test_strange_batches_are_refused_or_shown_to_the_model(modelled: Path, value: object) -> None:
    with copy_of(modelled) as place:
        (place / "batches.pt").write_bytes(saved(value))
        told = obedient(main, "fullscale", [*DOCTOR.split(), "--repair", "new.safetensors"], place)
    assert told.code or not told.complaints


@pytest.mark.usefixtures("forgotten")
@examples(20)
@given(st.data())
def test_strange_state_dicts_are_refused_or_loaded(modelled: Path, data: DataObject) -> None:
    state = data.draw(strangers_to(torch.load(modelled / "weights.pt", weights_only=True)))
    wrapped = st.sampled_from([state, {"state_dict": state}, {f"module.{name}": state[name] for name in state}])
    with copy_of(modelled) as place:
        (place / "weights.pt").write_bytes(saved(data.draw(wrapped | objects)))
        told = obedient(main, "fullscale", [*DOCTOR.split(), "--weights", "weights.pt"], place)
    assert told.code or not told.complaints


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("name", ["batches.pt", "weights.pt", "weights.safetensors"])
@examples(8)
@given(st.data())
def test_damaged_files_for_the_doctor_are_refused_or_read(name: str, modelled: Path, data: DataObject) -> None:
    content = data.draw(damaged((modelled / name).read_bytes()))
    flags = [] if name == "batches.pt" else ["--weights", name]
    with copy_of(modelled) as place:
        (place / name).write_bytes(content)
        told = obedient(main, "fullscale", [*DOCTOR.split(), *flags], place)
    assert told.code or not told.complaints
