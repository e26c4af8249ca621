"""What every command line owes to whoever types it: a documented exit code, one line, and no trace of what failed."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from hypothesis import HealthCheck, Phase, settings

Main: TypeAlias = Callable[[list[str]], int]
Tree: TypeAlias = Mapping[str, bytes | None]

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""how many times as many examples as in the suite; for a night of them --timeout=0, too"""
BAD_INPUT = 2
LOCKS = {".lock", ".claim"}
"""empty files that keep other processes out of a folder, and may stay there"""


def examples(count: int) -> settings:
    """Say how many examples a property takes in the suite; none has a deadline, since the machine has other work."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
    phases = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=checks, phases=phases)


@dataclass(frozen=True)
class Told:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines of stderr that do not only say how far a command has come."""
        return [line for line in self.err.splitlines() if not line.startswith("fullscale: group ")]


def told_by(main: Main, arguments: Sequence[str]) -> Told:
    """Run a command line inside this process; what it raises, a shell would show as a traceback.

    Stdout and stderr are files, since a command may close what stands behind them. Warnings go to stderr, as they do
    outside of pytest, which would raise them, and programs that catch all exceptions would be none the wiser.
    """
    with _opened("strict") as out, _opened("backslashreplace") as err:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _warnings() as warned:
            code = _exit_code(main, list(arguments))
        for each in warned:
            err.write(warnings.formatwarning(each.message, each.category, each.filename, each.lineno))
        return Told(code, _content(out), _content(err))


@contextlib.contextmanager
def _warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect those that Python shows by itself."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.resetwarnings()
        for silent in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", silent)
        yield warned


def _opened(errors: str) -> IO[str]:
    """Open what takes characters as Python's own stdout or stderr does."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors=errors)


def _exit_code(main: Main, arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as stop:  # as --help does
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def _content(file: IO[str]) -> str:
    file.flush()
    file.seek(0)
    return file.read()


def tree(folder: Path) -> Tree:
    """Everything below a folder, but for locks: the bytes of each file, where a link leads, None for a folder."""
    return {str(path.relative_to(folder)): _held(path) for path in folder.rglob("*") if path.name not in LOCKS}


def _held(path: Path) -> bytes | None:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return None if path.is_dir() else path.read_bytes()


@contextlib.contextmanager
def copy_of(folder: Path) -> Iterator[Path]:
    """Work in a copy of a folder, which is then gone."""
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(shutil.copytree(folder, Path(scratch) / "copy", symlinks=True))
        with contextlib.chdir(copied):
            yield copied


def obedient(main: Main, room: str, arguments: Sequence[str], place: Path) -> Told:
    """Run a command; where it refuses, it says so in one line, and leaves the folder of the test as it was.

    Whatever comes of it, no unfinished file is left.
    """
    before = tree(place)
    told = told_by(main, arguments)
    after = tree(place)
    if told.code == BAD_INPUT:
        require_one_line(told, room)
        assert after == before
    assert not [name for name in after.keys() - before.keys() if Path(name).name.startswith(".")]
    return told


def require_one_line(told: Told, room: str) -> None:
    """Nothing on stdout, and on stderr one line that begins with the program's name, and says something."""
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert told.err.startswith(f"{room}: ")
    assert told.err.endswith("\n")
    assert len(told.err) > len(room) + 8
