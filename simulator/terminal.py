"""What the command line draws on a terminal: progress on stderr, tables on stdout, tyro's boxes in one line."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, TypeAlias

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional, arg

__all__ = [
    "BAD_INPUT",
    "INTERRUPTED",
    "Bar",
    "Flag",
    "Positional",
    "arg",
    "complain",
    "one_line",
    "run",
    "say",
    "show",
    "silence_stdout",
    "table",
]

Flag: TypeAlias = tyro.conf.FlagCreatePairsOff[bool]

BAD_INPUT, INTERRUPTED = 2, 130  # exit codes
WIDTH_OF_A_PIPE = 120


class Rate(ProgressColumn):
    """Samples a second."""

    def render(self, task: ProgressTask) -> Text:
        """Show a dash until there is a rate."""
        return Text(f"{task.speed:,.0f} samples/s" if task.speed else "-", style="cyan")


class Bar(Progress):
    """A bar on stderr, drawn only if that is a terminal; it goes when it is done."""

    def __init__(self, samples: int) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task, self._moved = self.add_task("", total=samples), False

    def show(self, samples: int, told: str = "") -> None:
        """Move to so many samples; those of the first call may be older than this run, and count in no rate."""
        if not self._moved:
            self.reset(self._task, completed=samples)
            self._moved = True
        self.update(self._task, completed=samples, description=told)


def table(title: str, caption: str, columns: Iterable[str]) -> Table:
    """Start a table whose columns after the first are numbers."""
    made = Table(title=title, caption=caption)
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if i else "left", no_wrap=True)
    return made


class Page(Console):
    """Stdout, whose reader may have seen enough: `main` says what comes of that, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Pass it on."""
        raise BrokenPipeError


def show(above: str, made: Table) -> None:
    """Print a dim line and a table."""
    console = Page()
    if not console.is_terminal:
        console = Page(width=WIDTH_OF_A_PIPE)
    console.print(above, style="dim", highlight=False, markup=False)
    console.print(made)


def run(commands: Mapping[str, Callable[..., Any]], program: str, arguments: list[str] | None) -> int:
    """Run one of a program's commands, return its exit code, and make sure that what it printed has arrived.

    A file's name that is no text is printed as stderr does it.

    Raises:
        ValueError: if there is no such command line; in one line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _parsed(commands, program, arguments)()
    finally:
        sys.stdout.flush()


def _parsed(commands: Mapping[str, Callable[..., Any]], program: str, arguments: list[str] | None) -> Any:
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.extras.subcommand_cli_from_dict(
                dict(commands), prog=f"python -m {program}", args=arguments, config=(tyro.conf.DisallowNone,)
            )
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise ValueError(one_line(captured.getvalue())) from None
    except (AssertionError, ImportError) as error:  # a shell that tyro has no completions for
        raise ValueError(str(error)) from None


def one_line(box: str) -> str:
    """Condense a box of tyro's to its title and what it tells, without the advice to ask for help."""
    title, *body = (line.strip("╭╮╰╯│─ ") for line in box.strip().splitlines())
    parts = (" ".join(lines) for is_text, lines in groupby(body, _is_text) if is_text)
    told = "; ".join(part for part in parts if not part.startswith("For full helptext"))
    return told if told.startswith(title) else f"{title}: {told}"


def _is_text(line: str) -> bool:
    return bool(line.strip("-"))  # without UTF-8 there is no box, and its rules are dashes


def say(text: str) -> None:
    """Print on stdout."""
    print(text)  # noqa: T201


def complain(message: str, code: int) -> int:
    """Print one line on stderr, and return the exit code."""
    if sys.stderr is not None:  # where it is closed, print would take stdout
        print("simulator:", " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return code


def silence_stdout() -> None:
    """Let the interpreter flush what it still holds to nowhere, instead of failing again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
