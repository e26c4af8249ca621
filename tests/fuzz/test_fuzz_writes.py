"""Writing that breaks off, anywhere: each file is then the old one or the new one, whole, and there is no other."""

import errno
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias
from xml.etree import ElementTree

import pytest
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st

from fullscale.__main__ import main as fullscale
from simulator.__main__ import main as simulator

from .contract import LOCKS, Main, copy_of, examples, told_by

STACK = """
inputs = { kind = "units", d = 8, mean = 0.5, variance = 1 }
layers = [{ kind = "dropout", retain = 0.5 }, { kind = "batch-norm" }]
measure = { replicas = 2, batches = 2, batch = 16 }
"""
GRID = STACK.replace("0.5 },", '"$retain" },') + "grid = { retain = [0.4, 0.5] }\n"
DOCTOR = "doctor small_nets:net --batches batches.pt --probes 2"
LINES: dict[str, tuple[Main, str]] = {
    "run": (simulator, "run --case a --c 0 --v 1 --retain 0.5 --samples 1000 --out old.json"),
    "measure a stack": (simulator, "measure stack.toml --out old.json"),
    "sweep a grid": (simulator, "sweep grid.toml --out old.csv"),
    "plot": (simulator, "plot done.csv --x retain --out old.svg"),
    "measure": (fullscale, "measure run --batches 2"),
    "adjust": (fullscale, "adjust run --batches 2 --reading batch"),
    "ensemble": (fullscale, "ensemble run --batches 2 --samples 2 --groups 2"),
    "responses": (fullscale, "responses run --batches 2"),
    "show": (fullscale, "show fig1 --out runs"),
    "doctor": (fullscale, f"{DOCTOR} --json old.json --html old.html --svg old.svg --repair old.safetensors"),
}
"""what writes files; `train` and its checkpoints are tried in tests/fullscale/test_train.py"""
WHOLE: dict[str, Callable[[bytes], object]] = {
    ".json": json.loads,
    ".svg": ElementTree.fromstring,
    ".html": lambda content: content.index(b"</html>"),
    ".csv": lambda content: content.index(b"\n", -1),
    ".md": lambda content: content.index(b"\n", -1),
    ".png": lambda content: content.index(b"IEND"),
    ".safetensors": safetensors.torch.load,
}
"""what raises for half of a file"""
Break: TypeAlias = Callable[[pytest.MonkeyPatch], None]
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class OnFullDisk(io.FileIO):
    """A file on a disk that has so many bytes left, for all files together."""

    left = 0

    def write(self, content: Any) -> int:
        fits = memoryview(content).cast("B")[: OnFullDisk.left]
        OnFullDisk.left -= len(fits)
        if super().write(fits) < len(content):
            raise FULL
        return len(content)


def full_after(left: int) -> Break:
    """Let the disk be full after so many bytes."""
    real = Path.open

    def opened(path: Path, mode: str = "r", *others: Any, **named: Any) -> IO[Any]:
        if "w" not in mode:
            return real(path, mode, *others, **named)
        buffered = io.BufferedWriter(OnFullDisk(path, "w"))
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8", newline="")

    def patch(patched: pytest.MonkeyPatch) -> None:
        OnFullDisk.left = left
        patched.setattr(Path, "open", opened)

    return patch


def failing(name: str, calls: int, error: BaseException = FULL) -> Break:
    """Let os.NAME fail after so many calls."""
    real = getattr(os, name)

    def patch(patched: pytest.MonkeyPatch) -> None:
        left = iter(range(calls))

        def call(*arguments: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise error
            return real(*arguments, **named)

        patched.setattr(os, name, call)

    return patch


@pytest.fixture(scope="module")
def files(trained: Path, swept: Path, modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that these commands read, and an old file in place of most that they write."""
    made = tmp_path_factory.mktemp("writes") / "files"
    for source in (trained, swept, modelled):
        shutil.copytree(source, made, dirs_exist_ok=True)
    (made / "stack.toml").write_text(STACK)
    (made / "grid.toml").write_text(GRID)
    assert told_by(simulator, ["sweep", str(made / "grid.toml"), "--out", str(made / "done.csv")]).code == 0
    header, first, _ = (made / "done.csv").read_text().splitlines(keepends=True)
    (made / "old.csv").write_text(header + first)
    for name in ("old.json", "old.html", "old.svg", "old.safetensors"):
        (made / name).write_text("old")
    return made


def require_whole(before: Path, after: Path) -> None:
    """Each file is as it was, or can be read to its end; none is gone, and none was not finished."""
    assert {path.relative_to(before) for path in before.rglob("*")} <= {
        path.relative_to(after) for path in after.rglob("*")
    }
    for path in after.rglob("*"):
        old = before / path.relative_to(after)
        if path.is_file() and path.name not in LOCKS:
            assert not path.name.startswith(".")
            if not old.exists() or path.read_bytes() != old.read_bytes():
                WHOLE[path.suffix](path.read_bytes())


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("command", LINES)
@examples(5)
@given(
    st.one_of(
        st.integers(0, 3000).map(full_after),
        st.integers(0, 100_000).map(full_after),
        st.builds(failing, st.sampled_from(["replace", "fsync"]), st.integers(0, 7)),
    )
)
def test_a_full_disk_leaves_each_file_as_it_was_or_whole(command: str, files: Path, broken: Break) -> None:
    main, line = LINES[command]
    with copy_of(files) as place:
        with pytest.MonkeyPatch.context() as patched:
            broken(patched)
            told = told_by(main, line.split())
        require_whole(files, place)
    assert told.code in {0, 2}
    assert len(told.complaints) == told.err.count("No space left on device") == (told.code == 2)


@pytest.mark.parametrize("command", ["run", "measure a stack", "sweep a grid", "plot"])
@pytest.mark.parametrize("calls", [0, 1])
def test_ctrl_c_in_the_midst_of_writing_leaves_each_file_as_it_was_or_whole(
    command: str, calls: int, files: Path
) -> None:
    main, line = LINES[command]
    with copy_of(files) as place:
        with pytest.MonkeyPatch.context() as patched:
            failing("replace", calls, KeyboardInterrupt())(patched)
            told = told_by(main, line.split())
        require_whole(files, place)
    assert (told.code, told.err.count("\n")) == ((130, 1) if told.code else (0, 0))


def test_half_a_file_would_be_noticed(files: Path) -> None:
    with copy_of(files) as place:
        (place / "old.json").write_text('{"shift": 0.5, "std')
        with pytest.raises(ValueError, match="Unterminated string"):
            require_whole(files, place)
    with copy_of(files) as place:
        (place / ".old.json.1234").write_text("{}")
        with pytest.raises(AssertionError):
            require_whole(files, place)
