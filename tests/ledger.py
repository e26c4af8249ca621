"""The command line of paper_checks, which the tests do not import: a process that imports it once, for many lines."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen

ROOT = Path(__file__).parents[1]
# After so many calls of fsync, the disk is full.
SERVER = """
import contextlib, errno, io, json, os, sys
from paper_checks.__main__ import main

fsync = os.fsync
for line in sys.stdin:
    folder, arguments, fits = json.loads(line)
    left = iter(range(fits))

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
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
ENDLESS = 1000


@dataclass(frozen=True)
class Told:
    """What a command came to."""

    code: int
    out: str
    err: str


Ask = Callable[..., Told]


@contextlib.contextmanager
def asked() -> Iterator[Ask]:
    """Start the process; what is given takes the words of a command line, and how many files the disk still takes."""
    command = [sys.executable, "-c", SERVER]
    with Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:  # noqa: S603
        lines, answers = process.stdin, process.stdout
        if lines is None or answers is None:
            raise RuntimeError("no pipes")

        def ask(*words: object, fits: int = ENDLESS) -> Told:
            lines.write(json.dumps([str(Path.cwd()), [*map(str, words)], fits]) + "\n")
            lines.flush()
            code, out, err = json.loads(answers.readline())
            if not isinstance(code, int):
                raise TypeError(code)
            return Told(code, out, err)

        yield ask
        lines.close()
