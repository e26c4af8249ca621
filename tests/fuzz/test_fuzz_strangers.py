"""Files that a stranger has made, whose checksum or hash is right; and what else fuzzing has found in fullscale."""

import io
import json
import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from fullscale.__main__ import main

from .contract import copy_of, obedient, require_one_line, told_by

MEASURE = "measure run --batches 2"
RESUME = (
    "train wrn-10-1 --data synthetic --images 8 --batch 4 --epochs 1 --placement a --drop 0.5 --threads 1 --out run"
    " --resume"
)


def altered(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record, and let it vouch for its recipe."""
    path = place / "run" / "record.json"
    record = json.loads(path.read_text())
    change(record)
    text = json.dumps(record["recipe"], sort_keys=True)
    path.write_text(json.dumps(record | {"recipe_hash": sha256(text.encode()).hexdigest()[:16]}))


def test_a_record_that_is_nested_too_deeply_is_refused(trained: Path) -> None:
    with copy_of(trained) as place:
        (place / "run" / "record.json").write_text("[" * 100_000)
        assert obedient(main, "fullscale", MEASURE.split(), place).code == 2


def test_the_record_that_holds_half_a_character_is_named(trained: Path) -> None:
    with copy_of(trained) as place:
        altered(place, lambda record: record.update({"data": "\ud800"}))
        assert "run/record.json: is no record" in obedient(main, "fullscale", MEASURE.split(), place).err


RECIPES = {
    "net": 5,
    "drop": "0.5",
    "lr": True,
    "weight_decay": "0",
    "gamma": "x",
    "milestones": ["a"],
    "precision": "float8",
    "channels_last": "no",
    "compile": 7,
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_another_type_is_refused(name: str, trained: Path) -> None:
    with copy_of(trained) as place:
        altered(place, lambda record: record["recipe"].update({name: RECIPES[name]}))
        assert obedient(main, "fullscale", MEASURE.split(), place).code == 2


def test_a_recipe_of_more_epochs_than_there_can_be_is_refused(trained: Path) -> None:
    with copy_of(trained) as place:
        altered(place, lambda record: record["recipe"].update({"epochs": 10**30}))
        assert obedient(main, "fullscale", MEASURE.split(), place).code == 2


def test_processes_that_could_not_share_a_batch_are_refused(trained: Path) -> None:
    with copy_of(trained) as place:
        altered(place, lambda record: record["hardware"].update({"processes": 3}))
        assert obedient(main, "fullscale", MEASURE.split(), place).code == 2


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


Change = Callable[[dict[str, Any]], object]
CHECKPOINTS: dict[str, Change] = {
    "nothing": lambda _: b"",
    "a list": lambda state: [state],
    "none": lambda _: None,
    "a pickle": lambda _: pickle.dumps({"step": 1}, 4),
    "no step": lambda state: {name: state[name] for name in state if name != "step"},
    "a word for a step": lambda state: state | {"step": "1"},
    "more steps than there are": lambda state: state | {"step": 9},
    "no epochs": lambda state: state | {"epochs": None},
    "fewer epochs": lambda state: state | {"epochs": []},
    "no rows": lambda state: state | {"rows": []},
    "a word for seconds": lambda state: state | {"seconds": "1"},
    "another net": lambda state: state | {"net": {}},
    "another optimizer": lambda state: state | {"optimizer": {}},
    "no generator": lambda state: state | {"of_process": [{"rng": {}, "sums": torch.zeros(3)}]},
    "no process": lambda state: state | {"of_process": []},
}


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_a_checkpoint_that_is_no_state_of_the_run_is_refused(what: str, trained: Path) -> None:
    with copy_of(trained) as place:
        (place / "run" / "record.json").unlink()
        (path,) = (place / "run" / "checkpoints").iterdir()
        strange = CHECKPOINTS[what](torch.load(path, weights_only=True))
        content = strange if isinstance(strange, bytes) else saved(strange)
        path.unlink()
        path.with_name(f"step-000000002-{sha256(content).hexdigest()[:16]}.pt").write_bytes(content)
        told = told_by(main, RESUME.split())
        require_one_line(told, "fullscale")
        assert told.code == 2


STATES = {
    "a newer pickle": lambda: pickle.dumps({"weight": 1}, 4),
    "sparse tensors": lambda: saved(torch.eye(3).to_sparse()),
}


@pytest.mark.parametrize("what", STATES)
def test_nothing_but_the_refusal_of_a_file_of_torch_is_told(what: str, desk: Path) -> None:
    with copy_of(desk) as place:
        (place / "state.pt").write_bytes(STATES[what]())
        line = "doctor torch.nn:BatchNorm2d(3) --input 3x8x8 --weights state.pt"
        assert obedient(main, "fullscale", line.split(), place).code == 2


def test_batches_without_numbers_are_refused(desk: Path) -> None:
    with copy_of(desk) as place:
        (place / "batches.pt").write_bytes(saved(torch.empty(4, 3, 8, 8, device="meta")))
        line = "doctor torch.nn:BatchNorm2d(3) --batches batches.pt"
        assert obedient(main, "fullscale", line.split(), place).code == 2


def test_ctrl_c_in_the_midst_of_writing_leaves_no_unfinished_file(trained: Path, monkeypatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with copy_of(trained) as place:
        monkeypatch.setattr(os, "fsync", interrupt)
        assert told_by(main, MEASURE.split()).code == 130
        assert not [path for path in (place / "run").iterdir() if path.name.endswith(".unfinished")]


def test_a_numbered_cpu_is_refused(trained: Path) -> None:
    with copy_of(trained) as place:
        assert obedient(main, "fullscale", [*MEASURE.split(), "--device", "cpu:5"], place).code == 2
