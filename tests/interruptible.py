"""Programs that the tests interrupt."""

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
