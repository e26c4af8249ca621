"""`python -m simulator`, whatever is typed and whatever files hold: a line about it, or numbers that agree."""

import csv
import io
import json
import math
import shutil
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from simulator import described
from simulator.__main__ import main
from theory import EQUATIONS

from .contract import Told, copy_of, examples, obedient, require_one_line, told_by
from .mutations import Group, affordable, altered, as_toml, damaged, mistyped

STACK = """
[inputs]
kind = "maps"
channels = 4
size = 3
mean = 0.5
variance = 1
correlation = 0.2
spatial = 0.5

[[layers]]
kind = "dropout"
retain = 0.5
per = "element"

[[layers]]
kind = "residual"
branch = [
    { kind = "convolution", channels = 4, kernel = 3, padding = 1 },
    { kind = "batch-norm", momentum = 0.1 },
    { kind = "relu" },
]

[[layers]]
kind = "batch-norm"

[measure]
replicas = 3
batches = 2
batch = 16
"""
GRID = STACK.replace("retain = 0.5", 'retain = "$retain"') + "[grid]\nretain = [0.4, 0.5]\n"
CASE_B: tuple[Group, ...] = (("--case", "b"), ("--c", "0"), ("--v", "1"), ("--rho", "0.2"), ("--d", "5"))
LINES: dict[str, tuple[Group, ...]] = {
    "run": (("run",), *CASE_B, ("--cos2", "0.5"), ("--retain", "0.5"), ("--samples", "500"), ("--out", "new.json")),
    "measure": (("measure",), ("stack.toml",), ("--threads", "1"), ("--out", "new.json")),
    "sweep": (("sweep",), ("grid.toml",), ("--threads", "1"), ("--out", "new.csv")),
    "plot": (("plot",), ("done.csv",), ("--x", "retain"), ("--y", "shift"), ("--out", "new.svg")),
}
OTHERS: tuple[Group, ...] = (
    *(("--help",), ("--json",), ("--seed", "7"), ("--map", "bn"), ("--draw", "student-t"), ("--freedom", "5")),
    *(("--beta", "0.3"), ("--sigma", "0.3"), ("--tyro-print-completion", "zsh")),
)


@pytest.fixture(scope="module")
def files(desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with a stack, a grid, and what the grid came to."""
    made = Path(shutil.copytree(desk, tmp_path_factory.mktemp("simulator") / "files", symlinks=True))
    (made / "stack.toml").write_text(STACK)
    (made / "grid.toml").write_text(GRID)
    assert told_by(main, ["sweep", str(made / "grid.toml"), "--out", str(made / "done.csv")]).code == 0
    return made


@pytest.mark.parametrize("command", LINES)
@examples(30)
@given(st.data())
def test_a_mistyped_line_is_refused_in_one_line(command: str, files: Path, data: DataObject) -> None:
    arguments = data.draw(mistyped(LINES[command], *OTHERS))
    assume(affordable(arguments, samples=1e4, d=1e3, threads=8))
    with copy_of(files) as place:
        told = obedient(main, "simulator", arguments, place)
    assert told.code in {0, 2}
    assert told.code or not told.err


NOISE_VAR: dict[str, Callable[[Fraction], Fraction]] = {
    "--retain": lambda retain: (1 - retain) / retain,
    "--beta": lambda beta: beta**2 / 3,
    "--sigma": lambda sigma: sigma**2,
}
magnitudes = st.integers(-330, 310).map(lambda power: float(f"1e{power}"))
# A mask that drops one in thousands may drop none in these few samples, and then tells of no error.
strengths = st.tuples(st.just("--retain"), st.floats(0.2, 0.9)) | st.tuples(
    st.sampled_from(["--beta", "--sigma"]), st.floats(0, 1)
)


@examples(80)
@given(strengths, magnitudes, st.floats(-3, 3), st.floats(0, 1), st.integers(2, 9), st.floats(0, 1), st.integers(0, 9))
def test_a_run_agrees_with_the_law_or_is_refused_whatever_the_scale_of_its_inputs(  # noqa: PLR0913, PLR0917
    strength: tuple[str, float], v: float, mean: float, feasible: float, d: int, cos2: float, seed: int
) -> None:
    flag, value = strength
    c, rho = mean * math.sqrt(v), -1 / (d - 1) + feasible * d / (d - 1)
    told_to = {flag: value, "--c": c, "--v": v, "--rho": rho, "--d": d, "--cos2": cos2, "--seed": seed}
    words = [word for name, number in told_to.items() for word in (name, repr(number))]
    told = told_by(main, ["run", "--case", "b", "--samples", "3000", "--json", *words])
    if told.code:
        require_one_line(told, "simulator")
        return
    noise_var = NOISE_VAR[flag](Fraction(value))
    law = EQUATIONS["shift"].evaluate(noise_var=noise_var, c=c, v=v, rho=rho, d=d, cos2=cos2)
    measured = json.loads(told.out)
    assert abs(measured["shift"] - law) <= 8 * measured["stderr"] + 1e-5 * law + 1e-12


def asks_for(description: Any) -> int:
    """How many samples of the inputs a description asks for, where it is one."""
    measure = description.get("measure", {}) if isinstance(description, dict) else None
    if not isinstance(measure, dict):
        return 0
    counts = {"replicas": 64, "batches": 16, "batch": 1024, "epochs": 1} | measure
    return math.prod(value for name, value in counts.items() if name != "seed" and type(value) is int)


def measuring(files: Path, stack: bytes) -> Told:
    with copy_of(files) as place:
        (place / "stack.toml").write_bytes(stack)
        return obedient(main, "simulator", ["measure", "stack.toml", "--json", "--threads", "1"], place)


@examples(60)
@given(st.data())
def test_an_altered_stack_is_refused_or_measured_as_it_is_written(files: Path, data: DataObject) -> None:
    changed = data.draw(altered(tomllib.loads(STACK)))
    assume(asks_for(changed) < 5000)
    told = measuring(files, as_toml(changed).encode())
    if told.code == 0:
        bns = json.loads(told.out)
        assert all(math.isfinite(number) for bn in bns for number in bn.values())
        assert all(bn["shift_ratio"] >= 1 and bn["shift_stderr"] >= 0 for bn in bns)
        direct = described(changed).measure(threads=1)
        assert [bn["shift"] for bn in bns] == [reading.shift.value for reading in direct]


@examples(40)
@given(damaged(STACK.encode()))
def test_a_damaged_stack_is_refused_or_still_toml(files: Path, content: bytes) -> None:
    try:
        left = tomllib.loads(content.decode("utf-8-sig"))
    except ValueError:
        left = None
    assume(asks_for(left) < 5000)
    told = measuring(files, content)
    assert told.code == 2 or left is not None


@examples(40)
@given(st.data())
def test_an_altered_grid_is_refused_or_swept(files: Path, data: DataObject) -> None:
    changed = data.draw(altered(tomllib.loads(GRID)))
    assume(asks_for(changed) < 5000)
    with copy_of(files) as place:
        (place / "grid.toml").write_text(as_toml(changed))
        told = told_by(main, ["sweep", "grid.toml", "--threads", "1", "--out", "new.csv"])
        made = (place / "new.csv").read_text().splitlines() if (place / "new.csv").exists() else []
        assert {path.name for path in place.iterdir()} - {"new.csv"} == {path.name for path in files.iterdir()}
    if told.code == 0:
        assert len(made) > 1
        assert told.out.startswith(f"new.csv: {len({*changed['grid']['retain']})} points")
    else:
        require_one_line(told, "simulator")
        # Points that cannot be measured are told when all others are done, and kept.
        assert not made or "could not be measured" in told.err


@examples(60)
@given(st.data())
def test_a_damaged_sweep_is_refused_or_gone_on_with(files: Path, data: DataObject) -> None:
    whole = (files / "done.csv").read_bytes()
    content = data.draw(damaged(whole) | whole_lines_gone(whole))
    with copy_of(files) as place:
        (place / "done.csv").write_bytes(content)
        told = obedient(main, "simulator", ["sweep", "grid.toml", "--threads", "1", "--out", "done.csv"], place)
        after = (place / "done.csv").read_bytes()
    if told.code == 0:
        assert rows_of(content) <= rows_of(after)
        assert after == whole or not rows_of(content) <= rows_of(whole)


def rows_of(content: bytes) -> set[tuple[str | float, ...]]:
    """The rows of a CSV, whatever way its numbers are written in."""
    return {tuple(map(number_or_word, row)) for row in csv.reader(io.StringIO(content.decode()))}


def number_or_word(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


def whole_lines_gone(content: bytes) -> st.SearchStrategy[bytes]:
    lines = content.splitlines(keepends=True)
    return st.sets(st.integers(0, len(lines) - 1)).map(lambda kept: b"".join(lines[i] for i in sorted(kept)))


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
cells = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(["1e+308", "-1e+308", "1e-320", "0.0", "1.0", "1.0000000000000002", "nan", "", "1e400"]),
    texts,
)


@examples(60)
@given(st.data())
def test_a_sweep_of_strange_numbers_and_words_is_refused_or_drawn(files: Path, data: DataObject) -> None:
    rows = list(csv.reader(io.StringIO((files / "done.csv").read_text())))
    for _ in range(data.draw(st.integers(1, 3))):
        row, column = data.draw(st.sampled_from(rows)), data.draw(st.integers(1, len(rows[0]) - 1))
        row[column] = data.draw(cells)
    key, suffix = rows[0][1], data.draw(st.sampled_from(["svg", "svg", "png", "pdf"]))
    flags = data.draw(st.sampled_from([["--x", "bn"], ["--x", key], ["--x", key, "--map", "bn"]]))
    flags += data.draw(st.sampled_from([[], ["--y", "real_mean"], ["--y", "moving_var"]]))
    with copy_of(files) as place:
        with (place / "done.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        told = obedient(main, "simulator", ["plot", "done.csv", *flags, "--out", f"new.{suffix}"], place)
        if told.code == 0:
            assert told.err == ""
            assert (place / f"new.{suffix}").stat().st_size > 1000
            assert suffix != "svg" or ElementTree.parse(place / "new.svg")  # noqa: S314 - our own
