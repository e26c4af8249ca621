"""The program inside this process: how it ends whatever happens, and what `sweep` and `plot` are told and tell."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulator.__main__ import main
from simulator.sweep import Done, Sweep

pytestmark = pytest.mark.usefixtures("pipe")

RUN = ["run", "--case", "a", "--c", "0", "--v", "1", "--retain", "0.5", "--samples", "1e4"]
GRID = """
inputs = {kind = "units", d = 8, mean = 0.5, variance = 1}
layers = [{kind = "dropout", retain = "$retain"}, {kind = "batch-norm"}]
measure = {replicas = 3, batches = 2, batch = 16}
grid = {retain = [0.4, 0.5, 0.6]}
"""


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_without_a_stdout_there_is_nowhere_to_print_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert main(RUN) == 2
    assert capsys.readouterr().err == "simulator: stdout is closed: there is nowhere to print to\n"


def test_help_names_the_program_as_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert (stop.value.code, "usage: python -m simulator " in capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize(
    ("error", "code", "told", "silenced"),
    [
        (KeyboardInterrupt(), 130, "simulator: interrupted\n", False),
        (BrokenPipeError(), 0, "", True),
        (OSError(28, "No space left on device"), 2, "simulator: stdout: No space left on device\n", True),
        (OSError(13, "Permission denied", "a.csv"), 2, "simulator: a.csv: Permission denied\n", False),
        (MemoryError(), 2, "simulator: too large for the memory of this machine\n", False),
        (OverflowError("no"), 2, "simulator: the numbers leave the range of doubles: no\n", False),
        (ValueError("two\n lines"), 2, "simulator: two lines\n", False),
    ],
    ids=repr,
)
def test_whatever_goes_wrong_is_one_line_and_a_stdout_that_takes_nothing_is_silenced(  # noqa: PLR0917, PLR0913 - fixtures
    error: BaseException,
    code: int,
    told: str,
    silenced: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("simulator.__main__.say", raising(error))
    with (tmp_path / "stdout").open("w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert main([*RUN, "--json"]) == code
        stdout.write("more")
    assert capsys.readouterr().err == told
    assert (tmp_path / "stdout").read_text() == ("" if silenced else "more")


@pytest.mark.parametrize("command", ["run", "measure"])
def test_the_time_that_is_told_is_that_from_start_to_end(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = tmp_path / "stack.toml"
    stack.write_text(GRID.replace('"$retain"', "0.5").partition("grid")[0])
    module = "simulator.__main__" if command == "run" else "simulator.commands"
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(perf_counter=iter([100.0, 101.5]).__next__))
    assert main(RUN if command == "run" else ["measure", str(stack)]) == 0
    assert "samples in 1.50 s" in capsys.readouterr().out


def test_as_many_threads_as_are_allowed_can_be_asked_for() -> None:
    assert main([*RUN, "--threads", "1024"]) == 0


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that describes a sweep, next to which the user works."""
    (tmp_path / "grid.toml").write_text(GRID)
    monkeypatch.chdir(tmp_path)
    return "grid.toml"


def test_a_sweep_s_bar_counts_samples_and_points(grid: str, bar: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", grid, "--out", "a.csv"]) == 0
    assert capsys.readouterr() == ("a.csv: 3 points, 3 of them new\n", "")
    assert bar[0] == 3 * 96
    assert [(96 * k, f"{k} of 3 points") for k in range(4)] == [each for each in bar[1:] if each[0] % 96 == 0][::2]


@pytest.mark.parametrize("before", [[], [Done(2, 192)]], ids=["at once", "later"])
def test_an_interrupted_sweep_tells_how_many_points_are_done(
    before: list[Done], grid: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_self: Sweep, out: Path, *, threads: int, progress: Callable[[Done], None]) -> int:
        out.touch()
        assert threads == 3
        for done in before:
            progress(done)
        raise KeyboardInterrupt

    monkeypatch.setattr(Sweep, "run", run)
    assert main(["sweep", grid, "--out", "a.csv", "--threads", "3"]) == 130
    told = f"interrupted with {2 * len(before)} of 3 points done, which are kept in a.csv; the same command goes on"
    assert capsys.readouterr() == ("", f"simulator: {told}\n")


@pytest.mark.usefixtures("grid")
def test_a_ready_made_grid_goes_by_its_name_and_a_file_by_its_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Sweep, "run", lambda *_, **__: 0)
    assert main(["sweep", "retain", "--out", "a.csv"]) == 0
    assert capsys.readouterr().out.endswith(" points, 0 of them new\n")
    assert main(["sweep", "no/retain.toml", "--out", "a.csv"]) == 2
    assert capsys.readouterr().err == "simulator: no/retain.toml: cannot be read: No such file or directory\n"


def test_the_column_that_is_asked_for_is_drawn(grid: str) -> None:
    assert main(["sweep", grid, "--out", "a.csv"]) == 0
    assert main(["plot", "a.csv", "--x", "retain", "--y", "real_var", "--out", "a.svg"]) == 0
    assert ">real variance<" in Path("a.svg").read_text(encoding="utf-8")
