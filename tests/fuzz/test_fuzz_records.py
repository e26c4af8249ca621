"""Records and results that are gone on with, after damage and strangers: refused in a line, or used as they read."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from fullscale.__main__ import main

from .contract import copy_of, examples, obedient, told_by, tree
from .mutations import altered, damaged, doubled

MEASURE = ["measure", "run", "--batches", "2"]
RESUMED = {
    "adjust": ["adjust", "run", "--batches", "2"],
    "ensemble": ["ensemble", "run", "--batches", "2", "--samples", "2", "--groups", "2"],
}
SWEEP = {
    "show": "show fig1 --out runs",
    "sweep": "sweep fig1 --out runs --threads 1",
    "plan": "sweep fig1 --out runs --plan",
    "why": "sweep fig1 --out runs --why densenet",
}
MEASURING = "fullscale: measuring the throughput of densenet-bc-10-4\n"
numbers = st.sampled_from([0.0, 1.0, 1.5, 100.0, 1e300, 1e-300]) | st.floats(1, 1e308)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in {"seconds", "code", "hardware"}}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def vouched(record: dict[str, Any]) -> dict[str, Any]:
    """The same with the hash that its recipe should have, as any stranger can compute it."""
    text = json.dumps(record["recipe"], sort_keys=True)
    return record | {"recipe_hash": sha256(text.encode()).hexdigest()[:16]}


@pytest.fixture(scope="module")
def measured(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with all that was measured of it."""
    made = Path(shutil.copytree(trained, tmp_path_factory.mktemp("measured") / "made"))
    for line in (MEASURE, *RESUMED.values()):
        assert told_by(main, [line[0], str(made / "run"), *line[2:]]).code == 0
    return made


def another_recipe(recipe: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A recipe with one value that another run may have, of the type that it must have."""
    values: dict[str, st.SearchStrategy[Any]] = {
        "net": st.sampled_from(["wrn-10-2", "densenet-bc-10-4", "resnet-14", "wrn", ""]),
        "data": st.sampled_from(["cifar10", "imagenet", "mnist", ""]),
        "placement": st.sampled_from(["b", "last", "none", "c"]),
        "seed": st.integers(-1, 2**63),
        "epochs": st.integers(-1, 3),
        "batch": st.integers(-1, 9),
        "images": st.none() | st.integers(-1, 9),
        "crop": st.sampled_from(["normalised", ""]),
        **dict.fromkeys(("lr", "weight_decay", "drop", "uout", "sigma"), st.floats(allow_nan=False)),
    }
    return st.sampled_from(sorted(values)).flatmap(lambda name: values[name].map(lambda value: recipe | {name: value}))


def require_same(place: Path, measured: Path) -> None:
    """What was measured is what it was, unless the record now tells of other batches to measure by."""
    made, whole = (read(each / "run" / "measure.json") for each in (place, measured))
    now, then = (read(each / "run" / "record.json") for each in (place, measured))
    by_what = [(each["recipe"] | {"seed": 0}, each["hardware"]["processes"]) for each in (now, then)]
    assert by_what[0] != by_what[1] or timeless(made) == timeless(whole)


@examples(15)
@given(st.data())
def test_an_altered_record_is_refused_or_measures_the_same(trained: Path, measured: Path, data: DataObject) -> None:
    before = read(trained / "run" / "record.json")
    of_another = another_recipe(before["recipe"]).map(lambda recipe: vouched(before | {"recipe": recipe}))
    content = data.draw((altered(before) | of_another).map(json.dumps) | doubled(before))
    with copy_of(trained) as place:
        (place / "run" / "record.json").write_text(content)
        if obedient(main, "fullscale", MEASURE, place).code == 0:
            require_same(place, measured)


@examples(10)
@given(st.data())
def test_a_damaged_record_is_refused_or_measures_the_same(trained: Path, measured: Path, data: DataObject) -> None:
    content = data.draw(damaged((trained / "run" / "record.json").read_bytes()))
    with copy_of(trained) as place:
        (place / "run" / "record.json").write_bytes(content)
        if obedient(main, "fullscale", MEASURE, place).code == 0:
            require_same(place, measured)


@pytest.mark.parametrize("command", RESUMED)
@examples(10)
@given(st.data())
def test_spoilt_results_are_refused_or_gone_on_with(command: str, measured: Path, data: DataObject) -> None:
    path = Path("run") / f"{command}.json"
    whole = (measured / path).read_bytes()
    content = data.draw(altered(json.loads(whole)).map(lambda value: json.dumps(value).encode()) | damaged(whole))
    with copy_of(measured) as place:
        path.write_bytes(content)
        told = obedient(main, "fullscale", RESUMED[command], place)
        if told.code == 0:
            made = read(path)
            errors = [group["errors"][0] for group in made.get("groups", ())]
            shown = [fmean(errors)] if errors else [score["error"] for score in made["readings"].values()]
            assert len(shown) == (1 if errors else 3)
            assert all(0 <= error <= 100 and f" {error:.2f} " in told.out for error in shown)


@examples(6)
@given(st.data())
def test_what_is_shown_is_the_mean_of_the_records_that_are_not_refused(swept: Path, data: DataObject) -> None:
    paths = sorted(path.relative_to(swept) for path in swept.rglob("record.json"))
    path, before = (drawn := data.draw(st.sampled_from(paths))), read(swept / drawn)
    of_measured = altered(before["measured"], numbers).map(lambda found: before | {"measured": found})
    record = data.draw(altered(before) | of_measured)
    with copy_of(swept) as place:
        path.write_text(json.dumps(record))
        told = told_by(main, SWEEP["show"].split())
        refused = [each for each in paths if str(each) in told.err]
        assert (told.code, len(told.err.splitlines())) == ((2, len(refused)) if refused else (0, 0))
        shown = (place / "runs" / "results" / "fig1-smoke.md").read_text()
        for row, part in (("no Dropout", "-none-"), ("Dropout-(a) 0.5", "-a-drop")):
            used = [read(each) for each in paths if part in str(each) and each not in refused]
            accuracy = f"{fmean(100 - each['final']['test_error'] for each in used):.2f}" if used else "NOT RUN"
            assert f"| {row} | {accuracy} " in shown


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("command", SWEEP)
@examples(4)
@given(st.data())
def test_a_spoilt_sweep_is_told_of_line_by_line_and_its_records_stay(
    command: str, swept: Path, data: DataObject
) -> None:
    paths = sorted(path.relative_to(swept) for path in swept.rglob("*") if path.suffix in {".json", ".jsonl"})
    with copy_of(swept) as place:
        for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3, unique=True)):
            spoil(path, data)
        before = tree(place)
        told = told_by(main, SWEEP[command].split())
        after = tree(place)
    assert told.code in {0, 1, 2}
    assert all(line.startswith("fullscale: ") for line in told.err.splitlines())
    assert bool(told.err.replace(MEASURING, "")) == (told.code != 0)
    assert all(after[name] == before[name] for name in before if name.endswith("record.json"))
    assert not [name for name in after if name.endswith("unfinished")]


def spoil(path: Path, data: DataObject) -> None:
    how = data.draw(st.sampled_from(["alter", "damage", "remove", "folder"]))
    content = path.read_bytes()
    path.unlink()
    if how == "alter" and path.suffix == ".json":
        path.write_text(json.dumps(data.draw(altered(json.loads(content)))))
    elif how == "folder":
        path.mkdir()
    elif how != "remove":
        path.write_bytes(data.draw(damaged(content)))
