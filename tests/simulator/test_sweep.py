import csv
import json
import math
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulator.description import described
from simulator.files import read_toml, sole_writer
from simulator.grid import read_grid
from simulator.pictures import read_sweep
from simulator.sweep import Done, Sweep
from tests.folders import names
from tests.simulator.descriptions import BN, UNITS, dropout, experiment, linear

READY_MADE = sorted((Path(__file__).parents[2] / "simulator" / "grids").glob("*.toml"))
LITTLE: dict[str, Any] = {"replicas": 3, "batches": 2, "batch": 16}
# What a child process runs: saves after every point, and takes its time, so that it can be killed on its way.
CHILD = """
import json, sys, time
from pathlib import Path
from simulator.sweep import Sweep

Sweep(json.loads(sys.argv[1])).run(
    Path(sys.argv[2]), threads=1, save_every=float(sys.argv[3]), progress=lambda done: time.sleep(0.02)
)
"""


def sweep_over(seed: int = 0, **grid: list[Any]) -> dict[str, Any]:
    """Two BNs, and a grid over retain and the kind between them."""
    layers = (dropout("$retain"), BN, {"kind": "$activation"}, linear(4), BN)
    varied = {"activation": ["relu", "identity"], "retain": [0.5, 0.7, 1]} | grid
    return experiment(*layers, inputs=UNITS | {"d": 8, "mean": 0.5}, **LITTLE, seed=seed) | {"grid": varied}


FULL = sweep_over()
EXTENDED = sweep_over(activation=["identity", "relu"], retain=[1, 0.3, 0.5, 0.7])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a sweep of `FULL` writes that nothing interrupts."""
    file = tmp_path_factory.mktemp("sweep") / "whole.csv"
    assert Sweep(FULL).run(file) == 6
    assert [path.name for path in file.parent.iterdir()] == ["whole.csv"]
    return file.read_text()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_row_for_each_point_and_bn_in_the_order_of_the_points(whole: str):
    header, *lines = whole.splitlines()
    assert header == (
        "experiment,activation,retain,bn,n,moving_mean,moving_mean_stderr,moving_var,moving_var_stderr,"
        "real_mean,real_mean_stderr,real_var,real_var_stderr,shift,shift_stderr,shift_ratio,shift_ratio_stderr"
    )
    assert [tuple(line.split(",")[1:5]) for line in lines] == [
        (activation, retain, bn, "96")
        for activation in ("relu", "identity")
        for retain in ("0.5", "0.7", "1")
        for bn in "12"
    ]
    assert {row["experiment"] for row in rows(whole)} == {read_grid(FULL).experiment()}


def test_floats_are_written_without_loss(whole: str):
    for row in rows(whole):
        cells = list(row.values())[5:]
        assert [repr(float(cell)) for cell in cells] == cells
        assert float(row["shift"]) == pytest.approx(float(row["real_var"]) / float(row["moving_var"]))


def test_a_point_measures_what_its_description_measures(whole: str):
    grid = read_grid(FULL)
    first, last = rows(whole)[:2], rows(whole)[-2:]
    assert float(last[0]["shift"]) == pytest.approx(1)  # retain 1 is no noise
    assert float(first[0]["shift"]) < 0.8
    readings = described(grid.description(grid.settings[0])).measure()  # under another seed
    for reading, row in zip(readings, first, strict=True):
        error = math.hypot(reading.shift.stderr, float(row["shift_stderr"]))
        assert reading.shift.value != float(row["shift"])
        assert abs(reading.shift.value - float(row["shift"])) < 20 * error  # three replicas: Student t, 4 degrees


def test_a_point_does_not_depend_on_the_grid_around_it_nor_on_the_threads(whole: str, tmp_path: Path):
    small = sweep_over(activation=["identity"], retain=[0.7])
    Sweep(small).run(tmp_path / "small.csv", threads=3)
    assert set((tmp_path / "small.csv").read_text().splitlines()) < set(whole.splitlines())
    Sweep(sweep_over(seed=1)).run(tmp_path / "other.csv")
    other = rows((tmp_path / "other.csv").read_text())
    assert not {row["real_mean"] for row in rows(whole)} & {row["real_mean"] for row in other}


def test_the_points_of_a_sweep_are_independent_of_each_other(whole: str):
    assert len({row["real_mean"] for row in rows(whole)}) == 12


def test_the_pictures_read_what_a_sweep_writes(whole: str, tmp_path: Path):
    file = tmp_path / "whole.csv"
    file.write_text(whole)
    assert len(read_sweep(file).rows) == 12


@pytest.mark.parametrize("kept", [0, 1, 3, 6])
def test_a_file_with_some_points_is_gone_on_with_and_ends_in_the_same_bytes(kept: int, whole: str, tmp_path: Path):
    file = tmp_path / "some.csv"
    header, *lines = whole.splitlines(keepends=True)
    file.write_text("".join([header, *lines[len(lines) - 2 * kept :]]))
    assert Sweep(FULL).run(file) == 6 - kept
    assert file.read_text() == whole


def test_an_extended_grid_keeps_the_points_that_are_there(whole: str, tmp_path: Path):
    file = tmp_path / "grown.csv"
    file.write_text(whole)
    assert Sweep(EXTENDED).run(file) == 2
    assert set(whole.splitlines()) < set(file.read_text().splitlines())
    Sweep(EXTENDED).run(tmp_path / "fresh.csv")
    assert file.read_text() == (tmp_path / "fresh.csv").read_text()


def test_a_number_may_be_written_as_a_whole_one_or_not(whole: str, tmp_path: Path):
    file = tmp_path / "1.0.csv"
    file.write_text(whole)
    assert Sweep(sweep_over(retain=[0.5, 0.7, 1.0])).run(file) == 0
    assert [row["retain"] for row in rows(file.read_text())] == ["0.5", "0.5", "0.7", "0.7", "1.0", "1.0"] * 2


def test_an_empty_file_is_a_new_one(whole: str, tmp_path: Path):
    file = tmp_path / "empty.csv"
    file.touch()
    Sweep(FULL).run(file)
    assert file.read_text() == whole


def test_progress_counts_points_and_samples_to_the_end(tmp_path: Path):
    seen: list[Done] = []
    sweep = Sweep(FULL)
    assert sweep.samples == 6 * 96
    sweep.run(tmp_path / "a.csv", progress=seen.append)
    assert seen[0] == Done(0, 0)
    assert seen[-1] == Done(6, sweep.samples)
    assert [done.samples for done in seen] == sorted(done.samples for done in seen)
    assert len({done.samples for done in seen}) > 7  # within the points, too
    seen.clear()
    sweep.run(tmp_path / "a.csv", progress=seen.append)
    assert seen == [Done(6, sweep.samples)]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_is_done_is_kept_however_a_sweep_is_stopped(stop: type[BaseException], whole: str, tmp_path: Path):
    file = tmp_path / "stopped.csv"

    def stop_in_the_fourth(done: Done) -> None:
        if done.samples > 3 * 96:
            raise stop

    with pytest.raises(stop):
        Sweep(FULL).run(file, progress=stop_in_the_fourth, save_every=1e9)
    assert file.read_text() == "".join(whole.splitlines(keepends=True)[:7])
    assert names(tmp_path) == {"stopped.csv"}
    Sweep(FULL).run(file)
    assert file.read_text() == whole


def test_a_sweep_stopped_before_its_first_point_leaves_nothing(tmp_path: Path):
    def stop(_done: Done) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sweep(FULL).run(tmp_path / "stopped.csv", progress=stop)
    assert names(tmp_path) == set()


def start(file: Path, save_every: float = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, json.dumps(FULL), str(file), str(save_every)]
    return subprocess.Popen(command)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines(keepends=True) if file.exists() else []


def test_a_sweep_killed_at_random_moments_ends_in_the_same_bytes(whole: str, tmp_path: Path):
    file, rng, lengths = tmp_path / "killed.csv", random.Random(0), [0]  # noqa: S311
    for _ in range(4):
        with start(file) as process:
            try:
                while process.poll() is None and len(lines_of(file)) == lengths[-1]:
                    time.sleep(0.001)
                time.sleep(rng.uniform(0, 0.05))
            finally:
                process.kill()
        lines = lines_of(file)
        assert set(lines) < set(whole.splitlines(keepends=True)) or len(lines) == 13
        assert len(lines) % 2 == 1  # at every moment a whole file
        lengths.append(len(lines))
    assert lengths == sorted(lengths)
    assert 1 < lengths[1] < 13  # it was killed on its way
    Sweep(FULL).run(file)
    assert file.read_text() == whole
    assert names(tmp_path) == {"killed.csv"}


def test_two_sweeps_cannot_write_one_file_at_once(whole: str, tmp_path: Path):
    file = tmp_path / "both.csv"
    with start(file) as first:
        try:
            deadline = time.monotonic() + 60
            while not file.exists():
                assert time.monotonic() < deadline
                time.sleep(0.002)
            with pytest.raises(ValueError, match=r"out = .*both.csv: another sweep is writing it"):
                Sweep(FULL).run(file)
            assert first.wait(60) == 0
        finally:
            first.kill()
    assert file.read_text() == whole
    Sweep(FULL).run(file)  # and the lock is gone
    assert names(tmp_path) == {"both.csv"}


def test_a_lock_that_a_killed_sweep_left_keeps_nobody_out(tmp_path: Path):
    (tmp_path / ".a.csv.lock").touch()
    with sole_writer(tmp_path / "a.csv"):
        pass
    assert names(tmp_path) == set()


SPOILT = {
    "another experiment": (
        lambda text: text.replace(read_grid(FULL).experiment(), "0" * 12),
        "line 2: is of another experiment: inputs, layers or measure have changed; write to a new file",
    ),
    "a point too many": (
        lambda text: text.replace(",0.7,", ",0.8,"),
        'line 4: holds a point that this sweep does not: activation = "relu", retain = 0.8',
    ),
    "a word for a number": (lambda text: text.replace(",0.7,", ",most,"), 'line 4: retain = "most": must be a number'),
    "a torn end": (lambda text: text[:-6], "line 13: not a sweep's CSV: torn, it has no end"),
    "half a row": (lambda text: text[:-100] + "\n", "line 13: not a sweep's CSV: "),
    "no number": (lambda text: text.replace(",96,", ",many,"), 'line 2: not a sweep\'s CSV: n = "many": must be a'),
    "another spelling": (lambda text: text[:-1] + "0\n", "line 13: not a sweep's CSV: shift_ratio_stderr = "),
    "infinity": (lambda text: text[: text.rindex(",")] + ",inf\n", "line 13: not a sweep's CSV: shift_ratio_stderr = "),
    "a point in half": (
        lambda text: "".join(text.splitlines(keepends=True)[:-1]),
        'line 12: ends a point that is not whole: activation = "identity", retain = 1: each bn from 1 to 2 must stand '
        "there once, in order",
    ),
    "a BN twice": (lambda text: text + text.splitlines()[-1] + "\n", "line 14: not a sweep's CSV: bn = "),
    "a point twice": (lambda text: text + "".join(text.splitlines(keepends=True)[-2:]), "line 15: ends a point"),
    "other columns": (lambda text: text.replace("retain", "drop"), 'it has "drop" and lacks "retain"'),
    "no such columns": (lambda text: text.replace("activation,retain", "p,q"), ': it has "p" and lacks "activation"\n'),
    "another order": (
        lambda text: text.replace("activation,retain", "retain,activation"),
        "line 1: has other columns than this sweep: it has them in another order",
    ),
    "no CSV": (lambda _text: '"\n', "line 1: not a sweep's CSV: unexpected end of data"),
    "other text": (lambda _text: "To whom it may concern\n", "line 1: not a sweep's CSV: column missing"),
    "columns missing": (
        lambda text: text.replace(",shift_stderr", "").replace(",shift_ratio_stderr", ""),
        "line 1: not a sweep's CSV: column missing or there twice: shift_ratio_stderr, shift_stderr",
    ),
}


@pytest.mark.parametrize(("spoil", "told"), SPOILT.values(), ids=SPOILT.keys())
def test_a_file_of_anything_else_is_refused_untouched(spoil: Any, told: str, whole: str, tmp_path: Path):
    file = tmp_path / "other.csv"
    file.write_text(spoil(whole))
    before = file.read_bytes()
    assert before != whole.encode()
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it tells is compared below
        Sweep(FULL).run(file)
    assert told in f"{refused.value}\n"
    assert str(refused.value).startswith(f"out = {file}: ")
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == before
    assert names(tmp_path) == {"other.csv"}


def test_a_sweep_and_the_pictures_refuse_a_file_in_the_same_words(whole: str, tmp_path: Path):
    file = tmp_path / "torn.csv"
    file.write_text(whole[:-6])
    with pytest.raises(ValueError, match="line 13: not a sweep's CSV: ") as resuming:
        Sweep(FULL).run(file)
    with pytest.raises(ValueError, match="line 13: not a sweep's CSV: ") as drawing:
        read_sweep(file)
    assert str(resuming.value).removeprefix(f"out = {file}: ") == str(drawing.value).removeprefix(f"{file}, ")


def test_binary_files_folders_and_devices_are_refused(tmp_path: Path):
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    for path in (file, tmp_path, Path("/dev/null"), tmp_path / "no" / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(ValueError, match=r"^out = .*: ") as refused:
            Sweep(FULL).run(path)
        assert "\n" not in str(refused.value)
    assert names(tmp_path) == {"binary"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"retain": [0.5, 1.5]},
            r"layers\[0\].retain = 1.5: must .* \(at activation = \"relu\", retain = 1.5\)",
        ),
        (
            {"activation": ["relu", "rely"]},
            r"layers\[2\].kind = \"rely\": must .* \(at activation = \"rely\",",
        ),
        ({"retain": ["0.5"]}, r"layers\[0\].retain = \"0.5\": must be a finite number"),
    ],
)
def test_every_point_is_checked_before_the_first_is_measured(change: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        Sweep(sweep_over(**change))


@pytest.mark.parametrize("file", READY_MADE, ids=lambda file: file.stem)
def test_the_ready_made_grids_are_in_order_and_little_of_them_runs(file: Path, tmp_path: Path):
    description = read_toml(file)
    assert 2 <= len(Sweep(description).grid.settings) <= 100
    description["measure"] = LITTLE
    description["grid"] = {key: values[-1:] for key, values in description["grid"].items()}
    Sweep(description).run(tmp_path / "little.csv")
    assert len(read_sweep(tmp_path / "little.csv").rows) == (8 if file.stem == "depth" else 1)
