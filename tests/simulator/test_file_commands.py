import json
import signal
import time
from pathlib import Path

import pytest

from simulator.__main__ import main
from tests.folders import names
from tests.interruptible import start

STACK = """
[inputs]
kind = "units"
d = 8
mean = 0.5
variance = 1

[[layers]]
kind = "dropout"
retain = 0.5

[[layers]]
kind = "batch-norm"

[measure]
replicas = 3
batches = 2
batch = 16
"""
GRID = STACK.replace("retain = 0.5", 'retain = "$retain"') + "[grid]\nretain = [0.4, 0.5, 0.6]\n"


@pytest.fixture
def stack(tmp_path: Path) -> str:
    """A file that describes a stack."""
    file = tmp_path / "stack.toml"
    file.write_text(STACK)
    return str(file)


@pytest.fixture
def grid(tmp_path: Path) -> str:
    """A file that describes a sweep."""
    file = tmp_path / "grid.toml"
    file.write_text(GRID)
    return str(file)


def test_measure_shows_a_row_for_each_bn(stack: str, capsys: pytest.CaptureFixture[str]):
    assert main(["measure", stack]) == 0
    shown = capsys.readouterr()
    assert all(word in shown.out for word in ("moving_var", "real_var", "shift", "shift_ratio", "±", "n = 96 samples"))
    assert shown.err == ""


def test_measure_as_json_is_a_list_that_goes_to_out_too(stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "readings.json"
    assert main(["measure", stack, "--json", "--out", str(file), "--threads", "1"]) == 0
    told = capsys.readouterr().out
    assert file.read_text() == told
    (bn,) = json.loads(told)
    assert (bn["bn"], bn["n"]) == (1, 96)
    assert bn["shift"] == pytest.approx(bn["real_var"] / bn["moving_var"])
    assert 0 < bn["shift_stderr"] < 1
    for seed, same in (("0", True), ("1", False)):
        assert main(["measure", stack, "--json", "--seed", seed]) == 0
        assert (capsys.readouterr().out == told) is same


def test_a_sweep_can_be_gone_on_with_and_drawn(grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, picture = tmp_path / "grid.csv", tmp_path / "grid.svg"
    for new in (3, 0):
        assert main(["sweep", grid, "--out", str(file), "--threads", "2"]) == 0
        assert capsys.readouterr().out == f"{file}: 3 points, {new} of them new\n"
    assert main(["plot", str(file), "--x", "retain", "--out", str(picture)]) == 0
    assert picture.read_text().startswith("<?xml")
    assert capsys.readouterr() == ("", "")
    assert main(["plot", str(file), "--x", "retain", "--map", "foo", "--out", str(picture)]) == 2
    assert capsys.readouterr() == ("", "simulator: map = foo: must be one of bn\n")


def test_ctrl_c_keeps_the_points_of_a_sweep(tmp_path: Path):
    grid, file = tmp_path / "grid.toml", tmp_path / "grid.csv"
    grid.write_text(GRID.replace("[0.4, 0.5, 0.6]", str([round(0.3 + i / 10_000, 4) for i in range(2000)])))
    with start("simulator", "sweep", str(grid), "--out", str(file)) as process:
        try:
            deadline = time.monotonic() + 60
            while not file.exists():
                assert time.monotonic() < deadline
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    rows = len(file.read_text().splitlines()) - 1
    assert 0 < rows < 2000
    assert (process.returncode, out) == (130, ""), err
    told = "simulator: interrupted with {} of 2000 points done, which are kept in {}; the same command goes on\n"
    # A point that was done in the very moment is kept, but may not have been counted.
    assert err in {told.format(rows, file), told.format(rows - 1, file)}
    assert names(tmp_path) == {"grid.toml", "grid.csv"}


def test_a_sweep_interrupted_before_its_first_point_keeps_nothing(
    grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.sweep.Sweep.run", interrupt)
    assert main(["sweep", grid, "--out", str(tmp_path / "a.csv")]) == 130
    told = "simulator: interrupted before one of 3 points was done; nothing is kept\n"
    assert capsys.readouterr() == ("", told)


def test_points_that_cannot_be_measured_are_told_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    grid, out = tmp_path / "grid.toml", tmp_path / "a.csv"
    grid.write_text(GRID.replace("0.4", "1e-7"))
    assert main(["sweep", str(grid), "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith(f"simulator: {grid}: 1 of 3 points could not be measured; the first: ")
    assert len(out.read_text().splitlines()) == 3
    out.write_text("another")
    assert main(["sweep", str(grid), "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith(f"simulator: out = {out}: line 1: ")


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_no_command_writes_over_the_file_that_it_reads(
    link: str | None, stack: str, grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    picture = tmp_path / "same.svg"
    assert main(["sweep", grid, "--out", str(picture)]) == 0
    capsys.readouterr()
    for read, command in ((stack, ["measure"]), (grid, ["sweep"]), (str(picture), ["plot", "--x", "retain"])):
        before, out = Path(read).read_bytes(), Path(read)
        if link is not None:
            out = tmp_path / f"link.{command[0]}.svg"
            getattr(out, link)(read)
        assert main([*command, read, "--out", str(out)]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert told.err.endswith(": is the file that is read\n")
        assert told.err.startswith("simulator: out = ")
        assert Path(read).read_bytes() == before


def bad_files(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Command lines that name files in which something is not in order, and what must be told."""
    contents = {
        "typo": (STACK.replace("retain", "retian"), "layers[0].retian = 0.5: is no key that is known here; did you"),
        "syntax": (STACK + "x = = 1", "is no TOML: Invalid value (at line"),
        "grid": (GRID, "grid: makes this the description of a sweep"),
        "no-bn": (STACK.replace('"batch-norm"', '"relu"'), "layers: must hold at least one batch-norm"),
        "digits": ("x = " + "9" * 5000, "is no TOML: "),
        "deep": ("x = " + "[" * 5000, "is nested too deeply"),
        "large": (" " * 2**21, "is larger than"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_text(content)
    (folder / "latin").write_bytes(b"x = '\xe9'")
    told = {name: told for name, (_, told) in contents.items()}
    told |= {"latin": "is not UTF-8", "missing": "cannot be read: No such file", ".": "cannot be read: Is a directory"}
    return {
        name: (["measure", str(folder / name)], f"simulator: {folder / name}: {rule}") for name, rule in told.items()
    }


def test_files_that_are_not_in_order_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for arguments, told in bad_files(tmp_path).values():
        assert main(arguments) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert shown.err.startswith(told)


BAD_COMMANDS = {
    "no file": (["measure"], "the TOML file"),
    "sweep of a stack": (["sweep", "{stack}", "--out", "{out}"], "stack.toml: grid: a sweep needs either"),
    "sweep nowhere": (["sweep", "{grid}"], "--out"),
    "no such grid": (["sweep", "dept", "--out", "{out}"], "grid = dept: is no file, and none of d, depth, "),
    "its meaning": (["sweep", "dept", "--out", "{out}"], "did you mean depth?"),
    "threads 0": (["sweep", "{grid}", "--out", "{out}", "--threads", "0"], "threads = 0: must be a whole number >= 1"),
    "many threads": (["measure", "{stack}", "--threads", "9999"], "threads = 9999: must be <= 1024"),
    "seed": (["measure", "{stack}", "--seed", "-1"], "seed = -1: must be a whole number >= 0"),
    "a folder": (["sweep", "{grid}", "--out", "/"], "out = /: exists, and is not a file"),
    "long name of a sweep": (["sweep", "{grid}", "--out", "x" * 300], "simulator: out = "),
    "long name of a picture": (["plot", "{grid}", "--x", "bn", "--out", "x" * 300], "simulator: out = "),
    "no CSV": (["plot", "{grid}", "--x", "bn", "--out", "{out}"], "grid.toml"),
    "nothing there": (["plot", "{out}", "--x", "bn", "--out", "{out}"], "out.csv"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
def test_bad_commands_are_told_in_one_line_and_write_nothing(  # noqa: PLR0917, PLR0913 - fixtures
    arguments: list[str], told: str, stack: str, grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    filled = [word.format(stack=stack, grid=grid, out=tmp_path / "out.csv") for word in arguments]
    assert main(filled) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert told in shown.err
    assert names(tmp_path) == {"stack.toml", "grid.toml"}


def test_ctrl_c_shows_the_replicas_that_are_measured(tmp_path: Path):
    stack, file = tmp_path / "stack.toml", tmp_path / "out.json"
    stack.write_text(STACK.replace("replicas = 3", "replicas = 1000000000"))
    with start("simulator", "measure", str(stack), "--json", "--out", str(file)) as process:
        try:
            deadline = time.monotonic() + 60
            while names(tmp_path) == {"stack.toml"}:  # the unfinished file shows that the simulation is about to start
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    n = json.loads(out)[0]["n"]
    assert err == f"simulator: interrupted at n = {n} of 32000000000 samples\n"
    assert names(tmp_path) == {"stack.toml"}
