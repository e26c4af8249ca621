"""The command line of paper_checks, which the tests do not import: a process that imports it once, for many lines."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Protocol

from tests.fuzz.contract import Told

ROOT = Path(__file__).parents[1]
# What it begins must not read its lines. After so many calls of fsync, the disk is full.
SERVER = """
import contextlib, errno, io, json, os, sys, traceback
from paper_checks.__main__ import main

lines, fsync = os.fdopen(os.dup(0)), os.fsync
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
for line in lines:
    folder, arguments, syncs = json.loads(line)
    left = iter(range(sys.maxsize if syncs is None else syncs))

    def limited(descriptor):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    os.chdir(folder)
    os.fsync = limited
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            code = traceback.format_exc()
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Ask(Protocol):
    """Runs a command line."""

    def __call__(self, *words: object, syncs: int | None = None) -> Told:
        """Run it in the current folder, on a disk that is full after so many calls of fsync, or never."""
        ...


@contextlib.contextmanager
def asked() -> Iterator[Ask]:
    """Start the process."""
    command = [sys.executable, "-c", SERVER]
    with Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:  # noqa: S603 - our own program
        lines, answers = process.stdin, process.stdout
        assert lines is not None
        assert answers is not None

        def ask(*words: object, syncs: int | None = None) -> Told:
            lines.write(json.dumps([str(Path.cwd()), [*map(str, words)], syncs]) + "\n")
            lines.flush()
            answer = answers.readline()
            assert answer, f"the process has ended, with {process.wait(60)}"
            code, out, err = json.loads(answer)
            assert isinstance(code, int), code
            return Told(code, out, err)

        yield ask
