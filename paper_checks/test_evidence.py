"""The records behind trained claims: no number of them changes unseen, and none is of a run that no experiment has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fullscale.experiments.scale import REDUCED
from paper_checks.evidence import PICTURE, PLACE, SEALS, broken, committed, results, runs, told
from paper_checks.ledger import Evidence, check, control


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(PLACE, tmp_path / "evidence")


@pytest.fixture
def record(copy: Path) -> Path:
    return min(copy.glob("*.json"))


@check("RECORDS", Evidence.ENUMERATED)
def test_the_records_are_as_they_were_sealed_and_each_is_of_a_run_that_an_experiment_has() -> None:
    assert broken() == []
    assert committed().records


@check("RECORDS", Evidence.ENUMERATED)
def test_they_name_their_scale_and_the_machines_that_made_them() -> None:
    assert told(committed()).startswith(f"{REDUCED.told}; on ")
    machines = {there["hardware"]["gpu"] or there["hardware"]["processor"] for there in committed().records.values()}
    assert all(machine in told(committed()) for machine in machines)


def changed(path: Path, change: Callable[[dict], object]) -> None:
    there = json.loads(path.read_text())
    change(there)
    path.write_text(json.dumps(there))


@control("RECORDS")
def test_a_changed_number_breaks_the_seal(copy: Path, record: Path) -> None:
    changed(record, lambda there: there.update(seconds=there["seconds"] - 1))
    assert broken(copy) == [f"{record.name} has changed since it was sealed"]


@control("RECORDS")
def test_a_changed_picture_breaks_the_seal(copy: Path) -> None:
    (copy / PICTURE).write_text((copy / PICTURE).read_text().replace("DenseNet", "Dense Net"))
    assert broken(copy) == [f"{PICTURE} has changed since it was sealed"]


@control("RECORDS")
def test_a_record_that_is_taken_away_or_put_there_breaks_the_seal(copy: Path, record: Path) -> None:
    record.rename(copy / "wrn-10-2-none-cifar10-s0-00000000.json")
    assert broken(copy) == [
        f"{record.name} is sealed, and missing",
        "wrn-10-2-none-cifar10-s0-00000000.json is not sealed",
        "wrn-10-2-none-cifar10-s0-00000000.json is of a recipe that no experiment has",
    ]


@control("RECORDS")
def test_a_seal_that_was_changed_along_with_its_file_does_not_make_another_recipe_known(copy: Path) -> None:
    name = "wrn-10-2-none-cifar10-s0-00000000.json"
    record = min(copy.glob("*.json"))
    (copy / SEALS).write_text((copy / SEALS).read_text().replace(record.name, name))
    record.rename(copy / name)
    assert broken(copy) == [f"{name} is of a recipe that no experiment has"]


@control("RECORDS")
def test_a_record_under_the_name_of_another_run_is_refused_though_it_is_sealed(copy: Path) -> None:
    one, other = sorted(copy.glob("*.json"))[:2]
    shutil.copy(one, other)
    lines = (copy / SEALS).read_text().splitlines()
    seal = next(line.split()[0] for line in lines if line.endswith(one.name))
    lines = [f"{seal}  {other.name}" if line.endswith(other.name) else line for line in lines]
    (copy / SEALS).write_text("\n".join(lines) + "\n")
    (refused,) = broken(copy)
    assert refused.startswith(f"file = {other}: is the record of another recipe")


@control("RECORDS")
def test_a_record_that_cannot_be_used_is_not_averaged_in(copy: Path, record: Path) -> None:
    changed(record, lambda there: there["final"].pop("test_error"))
    found = results(copy)
    assert len(found.records) == len(committed().records) - 1
    assert any(str(record) in refused for refused in found.refused)


@control("RECORDS")
def test_every_run_of_every_experiment_has_a_place_of_its_own() -> None:
    assert len({run.stem for run in runs()}) == len(runs())
