"""What fuzzing has found once, and is mended: each line was a traceback, a wrong number, or left something behind."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from fullscale.__main__ import main as fullscale
from simulator.__main__ import main as simulator
from theory.__main__ import main as theory

from .contract import Main, Told, copy_of, obedient, told_by

TRAIN = "train {} --data synthetic --images 8 --batch 4 --epochs 1 --threads 1 --out new"
PLAN = "sweep fig1 --out new --plan"
DOCTOR = "doctor torch.nn:BatchNorm2d(3) --input 3x8x8"


GRID = """
inputs = { kind = "units", d = 4, mean = 0, variance = 1 }
layers = [{ kind = "batch-norm" }]
measure = { replicas = 2, batches = 1, batch = "$m" }
grid = { m = [4, 5, 6] }
"""


class Found(NamedTuple):
    """A line, and what is told of it now."""

    main: Main
    line: str
    told: str


FOUND = {
    "a value beyond doubles": Found(theory, "eval relu-mean drift=1e400 spread=1", "leaves the range of doubles"),
    "a shell without completions": Found(theory, "--tyro-print-completion foo", "Shell should be one"),
    "a shell that needs a package": Found(simulator, "--tyro-print-completion tcsh", "is required"),
    # Its standard error came out as 0.
    "squares that underflow": Found(
        simulator, "run --case a --c 0 --v 1e-300 --retain 0.5 --samples 1000", "underflow"
    ),
    "a net of 10^20": Found(fullscale, TRAIN.format(f"wrn-10-{10**20}"), "too large for the memory"),
    "a net of 10^18": Found(fullscale, TRAIN.format(f"densenet-bc-10-{10**18}"), "too large for the memory"),
    "10^400 epochs": Found(fullscale, f"{TRAIN.format('wrn-10-1')} --epochs {10**400}", "must be <= 1,000,000"),
    "a link to itself": Found(fullscale, f"{DOCTOR} --weights a-loop", "a-loop: is a link that leads to itself"),
    "a sweep without data": Found(fullscale, "sweep fig1 --scale reduced --out new --root nowhere", "has no cifar-10"),
    "a machine that stands": Found(fullscale, f"{PLAN} --throughput densenet-bc-10-4=1e-320", "is so low that"),
    # Their memory was taken before it was looked at.
    "10^12 jobs": Found(
        fullscale, "sweep fig1 --out new --jobs 1000000000000", "jobs = 1000000000000: must be <= 1024"
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_line_that_was_no_good_is_refused_in_one(case: str, desk: Path) -> None:
    main, line, rule = FOUND[case]
    with copy_of(desk) as place:
        told = obedient(main, main.__module__.partition(".")[0], line.split(), place)
    assert told.code == 2
    assert rule in told.err


@pytest.mark.parametrize("name", ["\udcff.csv", "é🦊.csv"])
def test_a_file_whose_name_is_no_text_is_written_and_told_of(name: str, desk: Path) -> None:
    with copy_of(desk) as place:
        (place / "grid.toml").write_text(GRID)
        told = told_by(simulator, ["sweep", "grid.toml", "--out", name])
        assert (place / name).exists()
    shown = name.encode(errors="backslashreplace").decode()
    assert told == Told(0, f"{shown}: 3 points, 3 of them new\n", "")


@pytest.mark.parametrize("flag", ["--json", "--html", "--svg"])
def test_what_is_no_file_is_not_replaced_by_one(flag: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = told_by(fullscale, [*DOCTOR.split(), flag, str(pipe)])
    assert (told.code, told.err) == (2, f"fullscale: out = {pipe}: exists, and is not a file\n")
    assert pipe.is_fifo()


def test_a_plan_for_any_number_of_jobs_takes_no_memory(desk: Path) -> None:
    with copy_of(desk):
        told = told_by(fullscale, [*PLAN.split(), "--throughput", "densenet-bc-10-4=100", "--jobs", str(10**12)])
    assert told.code == 0
    assert f"with {10**12} at once" in told.out


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"x")], ids=["gone", "altered"])
def test_adjusted_weights_that_do_not_stand_there_are_made_again(spoil, trained: Path) -> None:
    line = ["adjust", "run", "--batches", "2", "--reading", "batch"]
    with copy_of(trained):
        assert told_by(fullscale, line).code == 0
        weights = Path("run", "adjusted.safetensors")
        before = weights.read_bytes()
        spoil(weights)
        assert told_by(fullscale, line).code == 0
        assert weights.read_bytes() == before


def test_the_record_of_another_run_is_not_told_as_this_ones(trained: Path) -> None:
    line = f"{TRAIN.format('wrn-10-1')} --resume --placement a --drop 0.5".replace("--out new", "--out run").split()
    with copy_of(trained) as place:
        record = Path("run", "record.json")
        assert told_by(fullscale, line).code == 0
        there = json.loads(record.read_text())
        there["recipe"]["seed"] = 1
        digest = sha256(json.dumps(there["recipe"], sort_keys=True).encode()).hexdigest()[:16]
        record.write_text(json.dumps(there | {"recipe_hash": digest}))
        told = obedient(fullscale, "fullscale", line, place)
    assert (told.code, told.err) == (2, "fullscale: out = run: holds the record of another run\n")


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize("cell", ["1e+308", "-1e+308", "1e-320"])
def test_a_sweep_of_numbers_beyond_all_axes_is_refused_or_drawn(cell: str, suffix: str, desk: Path) -> None:
    with copy_of(desk) as place:
        Path("grid.toml").write_text(GRID)
        assert told_by(simulator, ["sweep", "grid.toml", "--out", "done.csv"]).code == 0
        header, *rows = Path("done.csv").read_text().splitlines()
        column = header.split(",").index("moving_var")
        cells = rows[0].split(",")
        cells[column] = cell
        Path("done.csv").write_text("\n".join([header, ",".join(cells), *rows[1:], ""]))
        told = obedient(simulator, "simulator", f"plot done.csv --x m --y moving_var --out new.{suffix}".split(), place)
    assert (told.code, told.err == "") == ((2, False) if "308" in cell else (0, True))
