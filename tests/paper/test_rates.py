"""Measuring the error rates: what a run notes, what falsified equations make of it, and how it is summed up."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHECK = "paper_checks/test_law.py::test_each_simulated_noise_has_the_variance_that_the_law_is_given"
NOISES = {"noise-dropout", "noise-uout", "noise-gaussian"}


def noted(notes: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """What one check notes in three settings, and pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-n", "0", CHECK, "-p", "paper_checks.falsifying", "--notes", str(notes)]
    command += ["--first", "7", "--seeds", "2"]
    ended = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.returncode, json.loads(notes.read_bytes())


def test_a_check_is_made_again_with_each_of_its_equations_falsified_and_fails(tmp_path: Path) -> None:
    code, clean = noted(tmp_path / "clean.json")
    assert code == 0
    assert Counter((note["test"], note["seed"]) for note in clean) == {(CHECK, 7): 3, (CHECK, 8): 3}
    assert {name for note in clean for name in note["evaluated"]} == NOISES
    assert all(note["passed"] and not note["rejected"] and len(note["comparisons"]) == 1 for note in clean)
    code, wrong = noted(tmp_path / "wrong.json", "--falsify", str(tmp_path / "clean.json"))
    assert code == 1
    assert len(wrong) == 18
    for note in wrong:
        meant = note["falsified"] in note["evaluated"]
        assert (note["rejected"], note["passed"]) == (meant, not meant)


def command(*arguments: object) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "paper_checks", "rates", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def note(seed: int, *, falsified: str | None = None, passed: bool = True, off: float = 0.0) -> dict[str, Any]:
    """A note of one comparison with 1, of a standard error of 0.001 that a hundredth is ten of."""
    return {
        "test": "test_a",
        "seed": seed,
        "falsified": falsified,
        "evaluated": ["eq6"],
        "comparisons": [[1 + off, 0.001, 1.0, 0.01, None]],
        "passed": passed,
        "rejected": off > 0.007,
    }


def test_what_was_noted_is_summed_up_without_being_made_again(tmp_path: Path) -> None:
    notes, out = tmp_path / "notes", tmp_path / "rates.json"
    notes.mkdir()
    clean = [note(0), note(0), note(1), note(1, passed=False, off=0.006)]
    wrong = [note(0, falsified="eq6", passed=False, off=0.01), note(1, falsified="eq6"), note(1, falsified="eq5")]
    (notes / "seeds-0-1.json").write_text(json.dumps(clean))
    (notes / "seeds-0-1.falsified.json").write_text(json.dumps(wrong))
    code, told, _ = command(notes, "--seeds", 2, "--falsified", 2, "--out", out)
    found = json.loads(out.read_bytes())
    assert code == 0
    assert (found["seeds"], found["checks"], found["comparisons"], found["alarms"]) == (2, 2, 4, ["test_a, seed 1"])
    # Of the four, one estimate is off by so much that an error to its own side would have been missed.
    assert found["noticed"] == (2 + 2 + 2 + 1) / 8
    assert found["caught"] == {"eq6": {"checks": 1, "seeds": 1}}
    assert "eq6: caught in 1 seeds" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seeds", "0"], "seeds = 0: must be a whole number >= 1"),
        (["--jobs", "0"], "jobs = 0: must be a whole number >= 1"),
        (["--seeds", "3", "--falsified", "4"], "falsified = 4: must be <= 3, the seeds"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    code, out, err = command(tmp_path / "notes", *arguments, "--out", tmp_path / "rates.json")
    assert (code, out, err.splitlines()) == (2, "", [f"paper_checks: {told}"])
    assert not list(tmp_path.iterdir())
