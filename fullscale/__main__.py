"""Command line of the real networks: `python -m fullscale train|measure|adjust|...|doctor|sweep|show`."""

import contextlib
import errno
import io
import signal
import sys
from typing import Any

import torch
import tyro

from fullscale.commands.adjust import Adjust
from fullscale.commands.doctor import Doctor
from fullscale.commands.ensemble import Ensemble
from fullscale.commands.measure import Measure
from fullscale.commands.responses import Respond
from fullscale.commands.show import Show
from fullscale.commands.sweep import Sweep
from fullscale.commands.train import Train
from fullscale.terminal import BAD_INPUT, FAILED, complain, one_line, silence_stdout
from fullscale.train import Stopped
from fullscale.training import Diverged

BY_SIGNAL = 128
"""to which the signal's number is added"""
OF_STDOUT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}
"""where no file is named; too many open files, say, are not about it"""
BEYOND_MEMORY = ("can't allocate memory", "Storage size calculation overflowed", "Overflow when unpacking")
"""what torch says of tensors that no machine could hold"""

COMMANDS = {
    "train": Train,
    "measure": Measure,
    "adjust": Adjust,
    "ensemble": Ensemble,
    "responses": Respond,
    "sweep": Sweep,
    "show": Show,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    if sys.stdout is None:
        return complain("stdout is closed: there is nowhere to print to", BAD_INPUT)
    try:
        return flushed(arguments)
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        silence_stdout()
        return 0
    except (Stopped, KeyboardInterrupt) as stop:
        return complain(str(stop) or "interrupted", BY_SIGNAL + getattr(stop, "signal", signal.SIGINT))
    except Diverged as finding:
        return complain(str(finding), FAILED)
    except Exception as error:
        message = in_a_line(error)
        if message is None:
            raise
        return complain(message, BAD_INPUT)


def in_a_line(error: Exception) -> str | None:
    """Say what was wrong with what was asked for; None if it was not that."""
    if isinstance(error, OSError):
        if error.filename is None and error.errno in OF_STDOUT:
            silence_stdout()
            return f"stdout: {error.strerror}"
        return ": ".join(filter(None, (error.filename, error.strerror or str(error))))
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(told in str(error) for told in BEYOND_MEMORY):
        return "too large for the memory of this machine"
    return str(error) if isinstance(error, ValueError) else None


def flushed(arguments: list[str] | None) -> int:
    """Run a command, and make sure that what it printed has arrived, be it the name of a file that is no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does it
    try:
        return parse(arguments)()
    finally:
        sys.stdout.flush()


def parse(arguments: list[str] | None) -> Any:
    """Read the command line; tyro's box of complaints becomes a one-line ValueError."""
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.extras.subcommand_cli_from_dict(
                COMMANDS, prog="python -m fullscale", args=arguments, config=(tyro.conf.DisallowNone,)
            )
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise ValueError(one_line(captured.getvalue())) from None
    except (AssertionError, ImportError) as error:  # a shell that tyro has no completions for
        raise ValueError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
