"""What stands of a run, and why it is run again: other code, other settings, a record that is none."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fullscale.measurements.adjust import Adjust
from fullscale.measurements.shift import Shift
from fullscale.sweep import state as states
from fullscale.sweep.run import Run
from fullscale.sweep.state import measured, of_run, state, why
from fullscale.sweep.worker import Worker


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, made: Callable[..., Run]) -> Path:
    out = tmp_path_factory.mktemp("finished") / "runs"
    Worker((made(),), out, out, "this")()
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "runs"))


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    there = json.loads(path.read_text())
    change(there)
    path.write_text(json.dumps(there))


def test_a_run_that_was_never_begun_has_no_record(tmp_path: Path, made: Callable[..., Run]) -> None:
    assert state(made(), tmp_path).phase == "to train"
    assert why(made(), tmp_path) == "is trained: there is no record of it"


def test_a_finished_run_is_not_run_again_and_that_is_said(out: Path, made: Callable[..., Run]) -> None:
    assert state(made(), out).done
    assert why(made(), out).startswith(f"is not run again: the record is of recipe {made().recipe.hash}")


@pytest.mark.parametrize("changes", [{"seed": 1}, {"drop": 0.4}, {"epochs": 3}, {"crop": "normalised"}, {"lr": 0.2}])
def test_another_recipe_is_another_run(out: Path, made: Callable[..., Run], changes: dict[str, Any]) -> None:
    other = made(**changes)
    assert other.name != made().name
    assert state(other, out).phase == "to train"


def test_other_code_is_another_run_and_the_files_are_named(
    out: Path, made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = states.behind("fullscale.training")
    changed = lambda module: {**before, "noise.py": "0" * 16} if module == "fullscale.training" else before  # noqa: E731
    monkeypatch.setattr(states, "behind", changed)
    monkeypatch.setattr("fullscale.sweep.run.behind", changed)
    assert state(made(), out).phase == "to train"
    assert why(made(), out).endswith(
        "-s0-" + made().recipe.hash[:8] + out.glob("*").__next__().name[-7:] + ", in noise.py"
    )


def test_a_measurement_by_other_code_or_settings_or_none_is_taken_again_and_the_rest_kept(
    out: Path, made: Callable[..., Run]
) -> None:
    run, path = made(), out / made().name / "record.json"
    rewrite(path, lambda there: there["measured"]["shift"]["code"]["behind"].update({"taps.py": "0"}))
    assert (state(run, out).phase, state(run, out).missing) == ("to measure", (Shift(),))
    assert why(run, out) == "shift is measured: the code has changed in taps.py"
    assert measured(of_run(run, out), Shift(), path) is None
    more = replace(run, measurements=(Adjust(readings=("batch",)),))
    assert why(more, out) == "adjust is measured: it has not been yet"
    rewrite(path, lambda there: there["measured"].update(adjust=there["measured"]["angles"] | {"settings": {"a": 1}}))
    assert why(more, out) == "adjust is measured: the record is of a 1"


def test_what_was_measured_comes_back_as_it_was(out: Path, made: Callable[..., Run]) -> None:
    path = out / made().name / "record.json"
    numbers = measured(of_run(made(), out), Shift(), path)
    assert json.loads(path.read_text())["measured"]["shift"]["numbers"]["shift_ratio"] == numbers.shift_ratio
    assert len(numbers.rows) == 7
    assert numbers.rows[0].name == "stages.0.0.bn1"


def drop_field(*names: str) -> Callable[[dict[str, Any]], Any]:
    def change(there: dict[str, Any]) -> None:
        for name in names[:-1]:
            there = there[name]
        del there[names[-1]]

    return change


def put(*names: Any) -> Callable[[dict[str, Any]], Any]:
    def change(there: Any) -> None:
        *way, last, value = names
        for name in way:
            there = there[name]
        there[last] = value

    return change


SPOILT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a missing field": (drop_field("final"), "missing required field `final`"),
    "a missing field within": (drop_field("data", "checksum"), "missing required field `checksum`"),
    "another schema": (put("schema", 2), "schema = 2: .* is of another version; 1 is read"),
    "a NaN": (put("final", "test_error", float("nan")), "is no JSON: NaN is no finite number"),
    "an infinity": (put("seconds", float("inf")), "is no JSON: Infinity is no finite number"),
    "a word for a number": (put("final", "test_error", "low"), "Expected `float`, got `str`"),
    "an impossible error": (put("final", "test_error", 101.0), "Expected `float` <= 100"),
    "no epochs": (put("epochs", []), "Expected `array` of length >= 1"),
    "an altered recipe": (put("recipe", "drop", 0.1), "is altered: its recipe is not the one of hash"),
    "a recipe of other types": (put("recipe", "milestones", 5), "record.json: is no record of a run: 'int' object"),
    "a recipe of words": (put("recipe", "epochs", "ten"), "record.json: is no record of a run: epochs = ten"),
    "epochs that are missing": (
        lambda there: there["epochs"].pop(0),
        "is altered: its epochs are not those from 1 to 2",
    ),
    "a final error that is not the last one": (
        put("final", "test_error", 1.5),
        "is altered: its final numbers are not those of its last epoch",
    ),
    "data of another name": (put("data", "name", "cifar10"), "is altered: its data are cifar10, and those of its rec"),
    "other code": (put("code", "behind", "noise.py", "0"), "trained by other code than its folder says, in noise.py"),
    "a recipe that is none": (drop_field("recipe", "lr"), "record.json: is no record of a run: recipe = lr: missing"),
}


@pytest.mark.parametrize(("change", "told"), SPOILT.values(), ids=SPOILT.keys())
def test_a_record_that_is_none_is_refused_in_one_line(
    out: Path, made: Callable[..., Run], change: Callable[[dict[str, Any]], Any], told: str
) -> None:
    rewrite(out / made().name / "record.json", change)
    with pytest.raises(ValueError, match=told) as refused:
        state(made(), out)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "1e999", '{"schema": 1}'])
def test_so_is_any_other_file(out: Path, made: Callable[..., Run], text: str) -> None:
    (out / made().name / "record.json").write_text(text)
    with pytest.raises(ValueError, match=r"record\.json"):
        state(made(), out)


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path: Path, made: Callable[..., Run]) -> None:
    (tmp_path / made().name).touch()
    with pytest.raises(ValueError, match=r"out = .*: must be a run's folder, and is something else"):
        state(made(), tmp_path)


def test_of_older_records_the_newest_that_can_be_read_is_named(out: Path, made: Callable[..., Run]) -> None:
    run = made()
    for age, (name, files) in enumerate({"new": {"noise.py": "0"}, "old": {"training.py": "0"}}.items()):
        older = Path(shutil.copytree(out / run.name, out / f"{run.stem}-{name}")) / "record.json"
        rewrite(older, lambda there, files=files: there["code"]["behind"].update(files))
        os.utime(older, (10**9 - age, 10**9 - age))
    shutil.rmtree(out / run.name)
    assert why(run, out) == f"is trained: the code has changed since {run.stem}-new, in noise.py"
    (out / f"{run.stem}-new" / "record.json").write_text("{")
    os.utime(out / f"{run.stem}-new" / "record.json", (10**9, 10**9))
    assert why(run, out) == f"is trained: the code has changed since {run.stem}-old, in training.py"


def test_the_record_of_another_run_is_refused(out: Path, made: Callable[..., Run]) -> None:
    other = made(seed=1)
    shutil.copytree(out / made().name, out / other.name)
    with pytest.raises(ValueError, match="is the record of another recipe"):
        state(other, out)


def test_measured_numbers_that_lack_something_are_refused(out: Path, made: Callable[..., Run]) -> None:
    path = out / made().name / "record.json"
    rewrite(path, drop_field("measured", "shift", "numbers", "floor"))
    with pytest.raises(ValueError, match="missing required field `floor`"):
        measured(of_run(made(), out), Shift(), path)
