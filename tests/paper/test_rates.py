"""Measuring the error rates: what a run notes, what falsified equations make of it, and how it is summed up."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fullscale.files import sole_writer
from tests.interruptible import children, start
from tests.ledger import Ask, Told

ROOT = Path(__file__).parents[2]
NOISES = "paper_checks/test_law.py::test_each_simulated_noise_has_the_variance_that_the_law_is_given"
DRAWN = "paper_checks/test_uout.py::test_simulated_uout_obeys_eq13"
LITERAL = (
    "paper_checks/test_limits.py::test_weights_of_mean_zero_have_a_width_of_one_whatever_d_and_a_mean_makes_it_grow"
)
Spoilt = Callable[[str], str]


def noted(notes: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """What three checks note, and pytest's exit code.

    Two are made in three settings, of which the last evaluates no equation, one in settings that hypothesis draws.
    """
    command = [sys.executable, "-m", "pytest", "-n", "0", NOISES, DRAWN, LITERAL, "-p", "paper_checks.repeating"]
    command += ["--notes", str(notes), "--first", "7", "--seeds", "2", *more]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.returncode, json.loads(notes.read_bytes())["notes"]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    file = tmp_path_factory.mktemp("clean") / "notes.json"
    code, notes = noted(file)
    assert code == 0
    return file, notes


def test_notes_rest_on_the_checks_and_on_what_they_load(clean: tuple[Path, list[dict[str, Any]]]) -> None:
    code = json.loads(clean[0].read_bytes())["code"].keys()
    checks = {test.partition("::")[0] for test in (NOISES, DRAWN, LITERAL)}
    assert code >= checks | {"theory/law.py", "simulator/noise.py", "paper_checks/controls.py"}
    assert not code & {"simulator/pictures.py", "theory/__main__.py", "paper_checks/test_maps.py"}


def rejected(note: dict[str, Any]) -> bool:
    """Whether an estimate is farther from its value than any is by chance."""
    made = note["comparisons"]
    return any(abs(each["estimate"]["value"] - each["exact"]) > 6 * each["estimate"]["stderr"] for each in made)


def test_a_check_is_made_with_each_seed(clean: tuple[Path, list[dict[str, Any]]]) -> None:
    _, notes = clean
    assert Counter((note["test"], note["seed"]) for note in notes) == Counter(
        {(NOISES, 7): 3, (NOISES, 8): 3, (DRAWN, 7): 1, (DRAWN, 8): 1, (LITERAL, 7): 3, (LITERAL, 8): 3}
    )
    assert all(note["passed"] and not rejected(note) and note["comparisons"] for note in notes)
    drawn = {note["seed"]: [each["exact"] for each in note["comparisons"]] for note in notes if note["test"] == DRAWN}
    assert drawn[7] != drawn[8]  # other settings


def test_the_same_seeds_give_the_same_notes(clean: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    assert noted(tmp_path / "again.json") == (0, clean[1])


def test_each_of_its_equations_falsified_a_check_fails(
    clean: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    code, wrong = noted(tmp_path / "wrong.json", "--falsify", str(clean[0]))
    assert code == 1
    assert {note["falsified"] for note in wrong} == {"noise-dropout", "noise-uout", "noise-gaussian", "eq13"}
    for note in wrong:
        meant = note["falsified"] in note["evaluated"]
        assert (rejected(note), note["passed"]) == (meant, not meant)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_leaves_no_notes_and_no_process(tmp_path: Path, number: int) -> None:
    options = (tmp_path / "notes", "--out", tmp_path / "rates.json", "--jobs", 2)
    with start("paper_checks", "rates", *options, cwd=ROOT) as process:
        # The two that make notes; what is imported may have begun another for a moment.
        while len(workers := children(process.pid)) < 2 and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(number)  # to the command alone, as `kill` does
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err.splitlines()[-1]) == (130, "paper_checks: interrupted")
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert {path.name for path in tmp_path.rglob("*")} == {"notes", ".lock"}


def note(
    seed: int,
    *,
    falsified: str | None = None,
    evaluated: list[str] | None = None,
    off: float = 0.0,
    passed: bool = True,
) -> dict[str, Any]:
    """A note of one comparison with 1, of a standard error of 0.001: it rejects from 0.0061 on."""
    estimate = {"value": 1 + off, "stderr": 0.001, "n": 10}
    made = {"estimate": estimate, "exact": 1.0, "catches": 0.01, "replicas": None}
    own = {"test": "test_a", "seed": seed, "falsified": falsified, "evaluated": evaluated or ["eq6"]}
    return own | {"comparisons": [made], "passed": passed}


def write(file: Path, content: list[dict[str, Any]], **code: str) -> None:
    """Notes of the code and the software that are here."""
    file.write_text(json.dumps({"code": here()["code"] | code, "software": here()["software"], "notes": content}))


@cache
def here() -> dict[str, dict[str, str]]:
    code = """
import json
from paper_checks.parts import simulated
from paper_checks.repeating import ROOT, code_of, software
print(json.dumps({"code": code_of(ROOT / name for name in {*simulated(), "theory/law.py"}), "software": software()}))
"""
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two seeds, the second of which alarmed in vain, and missed an equation that is wrong."""
    folder = tmp_path / "notes"
    folder.mkdir()
    first, alarm = note(0, evaluated=["eq5", "eq6"]), note(1, off=0.0062, passed=False)
    write(folder / "clean-0-2.json", [first, note(0), note(1), alarm])
    caught = note(0, falsified="eq6", off=0.01, passed=False)
    write(folder / "falsified-0-1.json", [caught, note(0, falsified="eq5")])
    write(folder / "falsified-1-1.json", [note(1, falsified="eq6"), note(1, falsified="eq5")])
    return folder


@pytest.fixture
def spoilt(ask: Ask, notes: Path, tmp_path: Path) -> Spoilt:
    """What is told of the notes, in one line and without a record of them, where one file holds something else."""

    def told(content: str) -> str:
        (notes / "falsified-1-1.json").write_text(content)
        ended = ask("rates", notes, "--seeds", 2, "--falsified", 2, "--out", tmp_path / "rates.json")
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert not (tmp_path / "rates.json").exists()
        return ended.err

    return told


def test_what_was_noted_is_summed_up_without_being_made_again(ask: Ask, notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "rates.json"
    told = ask("rates", notes, "--seeds", 2, "--falsified", 2, "--out", out)
    found = json.loads(out.read_bytes())
    assert told.code == 0
    assert (found["seeds"], found["checks"], found["comparisons"], found["alarms"]) == (2, 2, 4, ["test_a, seed 1"])
    assert found["deviations"]["largest"] == pytest.approx(6.2)
    assert found["deviations"]["rms"] == pytest.approx(3.1)
    assert found["deviations"]["beyond"] == {"1": 0.25, "2": 0.25, "3": 0.25}
    # The one that is off would have missed an error to its own side.
    assert found["noticed"] == {"test_a": 7 / 8}
    assert found["caught"] == {"eq6": {"checks": 1, "seeds": 1}}
    assert "eq5" in found["not_simulated"]
    assert "eq6: caught in 1 of 2 seeds" in told.out


def test_checks_that_have_changed_since_are_made_anew_and_the_notes_of_others_stay(ask: Ask, tmp_path: Path) -> None:
    folder, out = tmp_path / "notes", tmp_path / "rates.json"
    folder.mkdir()
    uout, gone = DRAWN.partition("::")[0], {"test": "paper_checks/test_gone.py::test_gone"}
    kept = {"clean": note(0), "falsified": note(0, falsified="eq6", off=0.01)}
    old = {uout: "0", "paper_checks/test_gone.py": "0"}
    write(folder / "clean-0-1.json", [kept["clean"], note(0) | {"test": DRAWN}, note(0) | gone], **old)
    write(folder / "falsified-0-1.json", [kept["falsified"]])
    (folder / "clean-0-1.new").write_text("left over")
    assert ask("rates", folder, "--seeds", 1, "--falsified", 1, "--out", out).code == 0
    for kind, one in kept.items():
        noted = json.loads((folder / f"{kind}-0-1.json").read_bytes())
        assert {each["test"].partition("::")[0] for each in noted["notes"]} == {"test_a", uout}
        assert [each for each in noted["notes"] if each["test"] == "test_a"] == [one]
        assert noted["code"].items() >= here()["code"].items()
        assert "paper_checks/test_gone.py" not in noted["code"]
    assert json.loads(out.read_bytes())["caught"].keys() >= {"eq6", "eq13"}
    before = contents(folder)
    assert before.keys() == {".lock", "clean-0-1.json", "falsified-0-1.json"}
    assert ask("rates", folder, "--seeds", 1, "--falsified", 1, "--out", out).code == 0
    assert contents(folder) == before


def test_notes_are_not_taken_that_were_made_of_other_code_than_the_others(notes: Path) -> None:
    write(notes / "clean-0-2.json", [note(0)])
    write(notes / "clean-0-2.new", [note(0) | {"test": DRAWN}], **{"theory/law.py": "0"})
    before = contents(notes)
    code = (
        f"from pathlib import Path; from paper_checks.parts import Part; Part(Path({str(notes)!r}), range(2)).take([])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    told = f"notes = {notes / 'clean-0-2.json'}: could not be made: theory/law.py changed meanwhile"
    assert ended.stderr.splitlines()[-1].endswith(told)
    assert contents(notes) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_at_work_in_one_folder_are_refused(ask: Ask, notes: Path, tmp_path: Path) -> None:
    with sole_writer(notes):
        told = ask("rates", notes, "--seeds", 2, "--falsified", 2, "--out", tmp_path / "rates.json")
    assert told == Told(2, "", f"paper_checks: notes = {notes}: another process is at work in it\n")


def test_seeds_with_other_checks_are_not_summed_up(ask: Ask, notes: Path, tmp_path: Path) -> None:
    write(
        notes / "clean-0-2.json",
        [note(0, evaluated=["eq5", "eq6"]), note(0), note(1), note(1) | {"test": "test_b", "evaluated": []}],
    )
    told = ask("rates", notes, "--seeds", 2, "--falsified", 1, "--out", tmp_path / "rates.json")
    assert told.code == 2
    assert "paper_checks: notes: other checks were made with seed 1 than with seed 0" in told.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON"),
        ("{}", "lacks code, notes, software"),
        ('{"code": {}, "software": [], "notes": []}', "software must be a table"),
        ('{"code": null, "software": {}, "notes": []}', "code must be a table"),
        ('{"code": {}, "software": {}, "notes": null}', "notes must be a list of tables with"),
        ('{"code": {}, "software": {}, "notes": [1]}', "notes must be a list of tables with"),
        ('{"code": {}, "software": {}, "notes": [{}]}', "notes must be a list of tables with"),
    ],
)
def test_notes_that_are_damaged_are_refused_in_one_line(spoilt: Spoilt, content: str, told: str) -> None:
    assert told in spoilt(content)


@pytest.mark.parametrize(
    ("code", "version", "told"),
    [
        ({"theory/law.py": "0"}, {}, "software: theory/law.py; move it"),
        ({}, {"sympy": "0"}, "software: sympy; move it"),
        ({"theory/law.py": "0"}, {"numpy": "0"}, "software: theory/law.py, numpy; move it"),
    ],
)
def test_notes_of_other_code_or_software_are_refused_in_one_line(
    spoilt: Spoilt, code: dict[str, str], version: dict[str, str], told: str
) -> None:
    there = {"code": code, "software": here()["software"] | version, "notes": []}
    assert told in spoilt(json.dumps(there))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seeds", "0"], "seeds = 0: must be a whole number >= 1"),
        (["--jobs", "0"], "jobs = 0: must be a whole number >= 1"),
        (["--falsified", "0"], "falsified = 0: must be a whole number >= 1"),
        (["--seeds", "3", "--falsified", "4"], "falsified = 4: must be <= 3, the seeds"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    ask: Ask, tmp_path: Path, arguments: list[str], told: str
) -> None:
    ended = ask("rates", tmp_path / "notes", *arguments, "--out", tmp_path / "rates.json")
    assert ended == Told(2, "", f"paper_checks: {told}\n")
    assert not list(tmp_path.iterdir())
