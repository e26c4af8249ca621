"""What three rooms do alike at a terminal, each by a piece of its own, since none imports another."""

from collections.abc import Callable
from pathlib import Path

import pytest

import fullscale.terminal as fullscale
import simulator.terminal as simulator
import theory.__main__ as theory

ROOMS = ("theory", "simulator", "fullscale")
BOX = """
╭─ Unrecognized options ──────────────────────────╮
│ Unrecognized options: prove                     │
│ ─────────────────────────────────────────────── │
│ Available subcommands: list, show, eval, axioms │
│ ─────────────────────────────────────────────── │
│ For full helptext, run python -m theory --help  │
╰─────────────────────────────────────────────────╯
"""
TITLED = """
╭─ Invalid choice ─────────────────────────────────────────────╮
│ invalid choice 'pdf' for argument '--format'. Expected one   │
│     of ('text', 'latex').                                    │
│ ──────────────────────────────────────────────────────────── │
│ For full helptext, run python -m theory show --help          │
╰──────────────────────────────────────────────────────────────╯
"""
WITHOUT_UTF8 = """
 Unrecognized options
 -------------------------------------------------
  Unrecognized options: --fast
    X
  -------------------------------------------------
  For full helptext, run python -m theory --help
"""


@pytest.mark.parametrize("one_line", [theory.one_line, simulator.one_line, fullscale.one_line], ids=ROOMS)
@pytest.mark.parametrize(
    ("box", "told"),
    [
        (BOX, "Unrecognized options: prove; Available subcommands: list, show, eval, axioms"),
        (TITLED, "Invalid choice: invalid choice 'pdf' for argument '--format'. Expected one of ('text', 'latex')."),
        (WITHOUT_UTF8, "Unrecognized options: --fast X"),
    ],
)
def test_a_box_of_tyro_s_becomes_its_title_and_what_it_tells(
    one_line: Callable[[str], str], box: str, told: str
) -> None:
    assert one_line(box) == told


@pytest.mark.parametrize(
    "silence", [theory.silence_stdout, simulator.silence_stdout, fullscale.silence_stdout], ids=ROOMS
)
def test_a_silenced_stdout_can_be_written_to_and_shows_nothing(
    silence: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stdout"
    with file.open("w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        stdout.write("seen")
        stdout.flush()
        silence()
        stdout.write("unseen")
    assert file.read_text() == "seen"
