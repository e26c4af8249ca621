"""Programs that the tests interrupt, and the processes that those began."""

import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen


def start(program: str, *arguments: object, cwd: Path | None = None, stdout: int = PIPE) -> Popen[str]:
    """Start `python -m program`, which Ctrl-C reaches."""
    # A shell that starts this suite in the background has SIGINT ignored, and its children inherit that.
    return Popen(  # noqa: S603 - our own programs
        [sys.executable, "-m", program, *map(str, arguments)],
        cwd=cwd,
        stdout=stdout,
        stderr=PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads run here
    )


def children(parent: int) -> list[int]:
    """The processes that a process has begun."""
    ids = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(child) for path in ids for child in path.read_text().split()]
