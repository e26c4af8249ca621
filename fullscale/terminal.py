"""What the command line shows: progress on stderr, tables on stdout, tyro's boxes in one line."""

import os
import sys
import time
from collections.abc import Iterable
from itertools import groupby
from typing import TypeAlias

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "Bar",
    "Flag",
    "Positional",
    "add",
    "complain",
    "duration",
    "one_line",
    "say",
    "show",
    "silence_stdout",
    "table",
]

Flag: TypeAlias = tyro.conf.FlagCreatePairsOff[bool]

FAILED, BAD_INPUT = 1, 2
"""exit codes: of what was found or could not be finished, and of what was asked for"""
WIDTH_OF_A_PIPE = 120
NARROWEST = 24
"""characters of a first column that is folded"""
WIDER_THAN_ANY = 10_000
"""characters, more than a table has"""
SECONDS_A_LOOK = 0.2


class Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: ProgressTask) -> Text:
        """Show a dash until there is a rate."""
        return Text(f"{task.speed:,.0f} images/s" if task.speed else "-", style="cyan")


class Bar(Progress):
    """A bar on stderr, drawn only if that is a terminal; it goes when it is done."""

    def __init__(self, images: int) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task, self._moved, self._looked = self.add_task("", total=images), False, 0.0

    def due(self) -> bool:
        """Whether somebody could see a change: what is told may cost time to find out."""
        now = time.perf_counter()
        if self.disable or now - self._looked < SECONDS_A_LOOK:
            return False
        self._looked = now
        return True

    def show(self, images: int, told: str = "") -> None:
        """Move to so many images; those of the first call may be older than this run, and count in no rate."""
        if not self._moved:
            self.reset(self._task, completed=images)
            self._moved = True
        self.update(self._task, completed=images, description=told)


def table(title: str, caption: str, columns: Iterable[str], *, fold: bool = False) -> Table:
    """Start a table whose columns after the first are numbers. The caption stays in one line, as long as it is.

    Args:
        title: above it.
        caption: below it.
        columns: their headings.
        fold: where a terminal is too narrow, let the first column take several lines, and leave out the last ones.
    """
    below = Text(caption, "table.caption", no_wrap=True, overflow="ignore")
    made = Table(title=title, caption=below, caption_justify="left")
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if i else "left", no_wrap=True)
    if fold:
        made.columns[0].no_wrap, made.columns[0].overflow = False, "fold"
    return made


def add(made: Table, *cells: str) -> None:
    """Add a row, in which brackets are brackets and no markup."""
    made.add_row(*map(Text, cells))


class Page(Console):
    """Stdout, whose reader may have seen enough: `main` says what comes of that, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Pass it on."""
        raise BrokenPipeError


def show(above: str, made: Table) -> None:
    """Print a dim line, if there is one, and a table, which is as wide in a pipe as it needs."""
    console = Page()
    if not console.is_terminal:
        console = Page(width=max(WIDTH_OF_A_PIPE, needed(made, console)))
    left_out = fitted(made, console)
    if above:
        console.print(above, style="dim", highlight=False, markup=False, soft_wrap=True)
    console.print(made, crop=False)
    if left_out:
        console.print(f"columns that a wider terminal shows: {', '.join(left_out)}", style="dim", soft_wrap=True)


def fitted(made: Table, console: Console) -> list[str]:
    """Take the last columns off a table that does not fit though its first column is folded, and name them."""
    first, left_out = made.columns[0], []
    if first.no_wrap:
        return []
    first.max_width = NARROWEST
    while needed(made, console) > console.width and len(made.columns) > 2:
        left_out.insert(0, str(made.columns.pop().header))
    first.max_width = None
    return left_out


def needed(made: Table, console: Console) -> int:
    """How many characters wide a table is where nothing is folded."""
    return console.measure(made, options=console.options.update(width=WIDER_THAN_ANY)).maximum


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


def duration(seconds: float) -> str:
    """Write a duration as h:mm:ss."""
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}"


def complain(message: str, code: int = 0) -> int:
    """Print one line on stderr, and return the exit code."""
    if sys.stderr is not None:  # where it is closed, print would take stdout
        print("fullscale:", " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return code


def silence_stdout() -> None:
    """Let the interpreter flush what it still holds to nowhere, instead of failing again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
