import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.__main__ import main
from tests.folders import names
from tests.interruptible import start

CASE_A = ["--case", "a", "--c", "0", "--v", "1"]
CASE_B = ["--case", "b", "--c", "0", "--v", "1", "--retain", "0.5", "--rho", "0.2", "--d", "5", "--cos2", "0.5"]
KEYS = {"shift", "stderr", "n", "var_train", "var_test"}


def test_json_is_one_object_on_stdout_and_nothing_else():
    process = start("simulator", "run", *CASE_B, "--samples", "1e4", "--json")
    out, err = process.communicate(timeout=60)
    result = json.loads(out)
    assert (process.returncode, err, out.count("\n")) == (0, "", 1)
    assert set(result) == KEYS
    assert result["n"] == 10_000
    assert isinstance(result["n"], int)
    assert result["shift"] == pytest.approx(result["var_test"] / result["var_train"])


def test_case_a_measures_figure_1(capsys: pytest.CaptureFixture[str]):
    assert main(["run", *CASE_A, "--retain", "0.5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert abs(result["shift"] - 0.5) < 6 * result["stderr"] < 0.01
    assert result["n"] == 1_000_000


@pytest.mark.parametrize("noise", ["--retain", "--beta", "--sigma"])
def test_each_noise_can_be_asked_for(noise: str, capsys: pytest.CaptureFixture[str]):
    assert main(["run", *CASE_A, noise, "0.5", "--samples", "1e4"]) == 0
    shown = capsys.readouterr()
    assert all(word in shown.out for word in ("Var_Train", "Var_Test", "shift", "±", "n = 10,000", noise[2:] + " 0.5"))
    assert shown.err == ""


def test_the_same_seed_prints_the_same_bits(capsys: pytest.CaptureFixture[str]):
    def run(seed: str) -> str:
        assert main(["run", *CASE_B, "--samples", "1e4", "--json", "--seed", seed]) == 0
        return capsys.readouterr().out

    assert run("1") == run("1")
    assert run("1") != run("2")


def test_run_gives_the_same_bits_on_any_number_of_threads(capsys: pytest.CaptureFixture[str]):
    shown = []
    for threads in "13":
        assert main(["run", *CASE_B, "--samples", "3e5", "--json", "--threads", threads]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_help_works(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    assert "--retain" in capsys.readouterr().out


HALF = ["--retain", "0.5"]
BAD = {
    "nothing": ([], "Missing subcommand"),
    "unknown subcommand": (["walk"], "walk"),
    "no case": (["run", "--c", "0", "--v", "1", *HALF], "--case"),
    "no such case": (["run", "--case", "c", "--c", "0", "--v", "1", *HALF], "'c'"),
    "unknown flag": (["run", *CASE_A, *HALF, "--foo", "3"], "--foo"),
    "no value": (["run", *CASE_A, "--retain"], "--retain"),
    "no number": (["run", *CASE_A, "--retain", "abc"], "abc"),
    "two lines": (["run", *CASE_A, "--retain", "a\nb"], "--retain"),
    "None": (["run", *CASE_A, "--retain", "None"], "None"),
    "no noise": (["run", *CASE_A], "noise: give exactly one of --retain, --beta and --sigma, got none"),
    "two noises": (["run", *CASE_A, *HALF, "--beta", "0.1"], "got --retain and --beta"),
    "retain 0": (["run", *CASE_A, "--retain", "0"], "retain = 0.0: must lie in 0 < retain <= 1"),
    "retain 1.2": (["run", *CASE_A, "--retain", "1.2"], "retain = 1.2: must lie in 0 < retain <= 1"),
    "retain nan": (["run", *CASE_A, "--retain", "nan"], "retain = nan: must be a finite number"),
    "beta 2": (["run", *CASE_A, "--beta", "2"], "beta = 2.0: must lie in 0 <= beta <= 1"),
    "sigma -1": (["run", *CASE_A, "--sigma", "-1"], "sigma = -1.0: must be >= 0"),
    "v 0": (["run", *CASE_A, *HALF, "--v", "0"], "v = 0.0: must be > 0"),
    "c inf": (["run", *CASE_A, *HALF, "--c", "inf"], "c = inf: must be a finite number"),
    "rho in a": (["run", *CASE_A, *HALF, "--rho", "0.1"], "rho = 0.1: means nothing in case a"),
    "d in a": (["run", *CASE_A, *HALF, "--d", "5"], "d = 5: means nothing in case a"),
    "b without d": (["run", "--case", "b", *CASE_A[2:], *HALF, "--rho", "0", "--cos2", "1"], "missing --d"),
    "rho too low": (["run", *CASE_B, "--rho", "-0.5"], "rho = -0.5: must lie in"),
    "d 2.5": (["run", *CASE_B, "--d", "2.5"], "--d"),
    "d 0": (["run", *CASE_B, "--d", "0"], "d = 0: must be a whole number >= 1"),
    "d beyond memory": (["run", *CASE_B, "--d", str(10**13)], "d = 10000000000000: must be <= 1048576"),
    "cos2 1.5": (["run", *CASE_B, "--cos2", "1.5"], "cos2 = 1.5: must lie in 0 <= cos2 <= 1"),
    "overflow": (["run", *CASE_A, "--sigma", "1e200"], "range of doubles"),
    "nothing kept": (["run", *CASE_A, "--retain", "1e-9", "--samples", "1000"], "var_train = 0"),
    "samples 0": (["run", *CASE_A, *HALF, "--samples", "0"], "samples = 0.0: must be a positive whole number"),
    "samples -5": (["run", *CASE_A, *HALF, "--samples", "-5"], "samples = -5.0"),
    "samples 1.5": (["run", *CASE_A, *HALF, "--samples", "1.5"], "samples = 1.5"),
    "samples nan": (["run", *CASE_A, *HALF, "--samples", "nan"], "samples = nan"),
    "samples inf": (["run", *CASE_A, *HALF, "--samples", "inf"], "samples = inf"),
    "seed -1": (["run", *CASE_A, *HALF, "--seed", "-1"], "seed = -1: must be a whole number >= 0"),
    "seed 1.5": (["run", *CASE_A, *HALF, "--seed", "1.5"], "--seed"),
    "threads 0": (["run", *CASE_A, *HALF, "--threads", "0"], "threads = 0: must be a whole number >= 1"),
    "freedom": (["run", *CASE_A, *HALF, "--freedom", "5"], "freedom = 5.0: means nothing"),
    "out of a long name": (["run", *CASE_A, *HALF, "--out", "x" * 300], "simulator: out = "),
    "out nowhere": (["run", *CASE_A, *HALF, "--samples", "1e15", "--out", "/no/such/x"], "out = /no/such/x: cannot"),
    "out a folder": (["run", *CASE_A, *HALF, "--samples", "1e15", "--out", "/"], "out = /: exists, and is not"),
    "out a device": (["run", *CASE_A, *HALF, "--samples", "1e15", "--out", "/dev/null"], "out = /dev/null: exists"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_in_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert told in shown.err
    assert not set(shown.err) & set("│╭─")


def test_bad_input_exits_with_2():
    process = start("simulator", "run", *CASE_A, "--retain", "1.2")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "simulator: retain = 1.2: must lie in 0 < retain <= 1\n"


def test_out_gets_the_same_json_and_replaces_what_was_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "result.json"
    file.write_text("old")
    assert main(["run", *CASE_A, *HALF, "--samples", "1000", "--json", "--out", str(file)]) == 0
    assert file.read_text() == capsys.readouterr().out
    assert names(tmp_path) == {"result.json"}


def test_a_run_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path):
    file = tmp_path / "result.json"
    file.write_text("old")
    assert main(["run", *CASE_A, "--sigma", "1e200", "--out", str(file)]) == 2
    assert file.read_text() == "old"
    assert names(tmp_path) == {"result.json"}


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_prints_what_there_is(tmp_path: Path, *, as_json: bool):
    flags = ["--json"] if as_json else []
    with start(
        "simulator", "run", *CASE_B, "--samples", "1e12", "--out", str(tmp_path / "result.json"), *flags
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not names(tmp_path):  # the unfinished file shows that the simulation is about to start
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.startswith("simulator: interrupted at n = ")
    assert err.count("\n") == 1
    n = int(err.split("n = ")[1].split()[0])
    assert 0 < n < 1e12
    if as_json:
        assert json.loads(out)["n"] == n
    else:
        assert "INTERRUPTED" in out
        assert f"n = {n:,}" in out
    assert names(tmp_path) == set()


def test_ctrl_c_before_two_batches_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.__main__.measure_case", interrupt)
    assert main(["run", *CASE_A, *HALF]) == 130
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "simulator: interrupted before there were 2 batches to estimate from\n"


@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
@pytest.mark.parametrize("arguments", [["run", *CASE_A, *HALF, "--samples", "1000"], ["--help"]], ids=" ".join)
def test_a_stdout_that_takes_nothing_is_told_in_one_line(where: str, arguments: list[str]):
    command = [sys.executable, "-m", "simulator", *arguments]
    shell = ["sh", "-c", f'exec "$@" {where}', "sh", *command]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr in {
        "simulator: stdout is closed: there is nowhere to print to\n",
        "simulator: stdout: No space left on device\n",
    }


def test_a_reader_that_has_seen_enough_of_a_table_makes_no_noise():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "simulator", "run", *CASE_A, *HALF, "--samples", "1000"]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_result_is_in_its_file_even_if_stdout_takes_nothing(tmp_path: Path):
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "simulator", "run", *CASE_A, *HALF, "--samples", "1000", "--out", str(file)]
    with Path("/dev/full").open("w") as full:
        assert subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False).returncode == 2
    assert json.loads(file.read_text())["n"] == 1000
