"""The records behind trained claims: no number of them changes unseen, and none is of a run that no experiment has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fullscale.experiments.scale import REDUCED
from fullscale.files import folder
from fullscale.record import Record
from fullscale.sources import behind
from fullscale.sweep.run import Run
from fullscale.train import RECORD, TRAINED_BY
from paper_checks.evidence import PICTURE, PLACE, SEALS, broken, committed, path_of, results, runs, seal, told
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
    assert told(committed(), runs()).startswith(f"{REDUCED.told}; on ")
    machines = {there["hardware"]["gpu"] or there["hardware"]["processor"] for there in committed().records.values()}
    assert all(machine in told(committed(), runs()) for machine in machines)


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


def by_the_code_as_it_is(run: Run) -> Record:
    there = json.loads(path_of(run).read_text())
    there["code"]["behind"] = dict(behind(TRAINED_BY))
    for measurement in run.measurements:
        if own := there["measured"].get(measurement.kind):
            own["code"]["behind"] = dict(behind(type(measurement).__module__))
    return there


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """The folder of a sweep, as it would be if the code had not changed since."""
    for run in [run for run in runs() if path_of(run).exists()][:2]:
        place = folder(tmp_path / "swept" / run.name)
        (place / RECORD).write_text(json.dumps(by_the_code_as_it_is(run)))
    return tmp_path / "swept"


def refused(swept: Path, place: Path) -> str:
    """What is said against sealing, which must change nothing."""
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(ValueError, match=" = ") as caught:
        seal(swept, place)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    return str(caught.value)


@control("RECORDS")
def test_what_was_swept_is_taken_and_sealed(swept: Path, tmp_path: Path) -> None:
    taken = seal(swept, tmp_path / "new")
    assert {run.name for run in taken} == {path.name for path in swept.iterdir()}
    assert broken(tmp_path / "new") == []
    for run in taken:
        there, here = (json.loads(path_of(run, place).read_text()) for place in (tmp_path / "new", PLACE))
        assert [there[name] for name in ("recipe", "final", "epochs")] == [
            here[name] for name in ("recipe", "final", "epochs")
        ]


@control("RECORDS")
def test_sealing_does_not_cover_up_a_changed_number(swept: Path, copy: Path, record: Path) -> None:
    changed(record, lambda there: there.update(seconds=there["seconds"] - 1))
    assert f"{record.name} has changed since it was sealed" in refused(swept, copy)


@control("RECORDS")
def test_sealing_does_not_give_up_what_was_measured(swept: Path, copy: Path) -> None:
    record = min(swept.rglob(RECORD))
    changed(record, lambda there: there["measured"].pop("shift"))
    assert "lacks what its sealed record has: shift" in refused(swept, copy)


@control("RECORDS")
def test_sealing_takes_no_record_of_other_data(swept: Path, copy: Path) -> None:
    record = min(swept.rglob(RECORD))
    changed(record, lambda there: there["data"].update(checksum="0" * 64))
    assert "is of other data" in refused(swept, copy)


@control("RECORDS")
def test_sealing_nothing_is_refused(copy: Path, tmp_path: Path) -> None:
    assert "has no record of a reduced run" in refused(tmp_path, copy)
