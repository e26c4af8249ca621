"""What is drawn: on a terminal, and in a pipe."""

import io

import pytest
from rich.progress import Progress

from simulator.terminal import Bar, Rate, run, say, show, table

pytestmark = pytest.mark.usefixtures("pipe")

ABOVE = "seed 0: [bold]1,000[/bold] samples"
BOLD, DIM, DIM_ITALIC, ITALIC, END = "\x1b[1m", "\x1b[2m", "\x1b[2;3m", "\x1b[3m", "\x1b[0m"


def page() -> None:
    """Show two rows."""
    made = table("Case (a)", "beneath", ["retain", "shift of a unit"])
    made.add_row("0.5", "0.49876")
    made.add_row("0.125", "1")
    show(ABOVE, made)


def test_in_a_pipe_a_page_is_plain_text_with_names_to_the_left_and_numbers_to_the_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page()
    above, title, _, head, _, first, second, _, caption = capsys.readouterr().out.splitlines()
    assert (above, title.strip(), caption.strip()) == (ABOVE, "Case (a)", "beneath")
    assert head == "┃ retain ┃ shift of a unit ┃"
    assert first == "│ 0.5    │         0.49876 │"
    assert second == "│ 0.125  │               1 │"


def test_a_pipe_is_120_columns_wide(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show("word " * 30, table("", "", ["x"]))
    assert len(capsys.readouterr().out.splitlines()[0].rstrip()) == len("word " * 24) - 1


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_what_stands_around_a_table_is_dim_or_slanted(capsys: pytest.CaptureFixture[str]) -> None:
    page()
    above, title, *_, caption = capsys.readouterr().out.splitlines()
    assert above == f"{DIM}{ABOVE}{END}"
    assert (title[: len(ITALIC)], title.strip(ITALIC + END + " ")) == (ITALIC, "Case (a)")
    assert caption.startswith(DIM_ITALIC)


def test_a_terminal_that_is_too_narrow_cuts_columns_and_breaks_no_number(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for width, numbers in (("20", ["0.49876", "1"]), ("14", ["0.49…", "1"])):
        terminal.setenv("COLUMNS", width)
        page()
        rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
        assert [row.split()[3] for row in rows] == numbers


def test_a_rate_has_thousands_and_is_a_dash_until_there_is_one() -> None:
    clock = 0.0
    with Progress(disable=True, get_time=lambda: clock) as bar:
        bar.add_task("", total=10**6)
        (task,) = bar.tasks
        assert Rate().render(task).plain == "-"
        for clock in (1.0, 3.0):  # noqa: B007 - what `get_time` returns
            bar.advance(task.id, 24_691)
        shown = Rate().render(task)
    assert (shown.plain, shown.style) == ("12,346 samples/s", "cyan")


@pytest.mark.usefixtures("terminal")
def test_a_bar_on_stderr_tells_how_far_it_is_and_goes_when_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(1000) as bar:
        bar.show(250, "1 of 4 points")
        bar.refresh()
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 of 4 points " in err
    assert " 25%" in err
    assert err.endswith("\x1b[1A\x1b[2K")  # up, and the line is empty


@pytest.mark.usefixtures("terminal")
def test_a_bar_tells_its_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(1000) as bar:
        for samples in (250, 500, 750):
            bar.show(samples)
        bar.refresh()
    assert "samples/s" in capsys.readouterr().err


def test_where_stderr_is_no_terminal_there_is_no_bar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Bar(1000) as bar:
        bar.show(250)
    assert capsys.readouterr() == ("", "")


def test_what_was_done_before_counts_in_the_bar_and_not_in_its_rate() -> None:
    bar, clock = Bar(1000), 0.0
    bar.get_time = lambda: clock
    (task,) = bar.tasks
    assert (task.description, task.total, task.completed) == ("", 1000, 0)
    found = []
    for clock, samples in ((1.0, 400), (3.0, 500), (5.0, 600)):  # noqa: B007 - what `get_time` returns
        bar.show(samples)
        found.append((task.description, task.completed, task.speed))
    assert found == [("", 400, None), ("", 500, None), ("", 600, 50.0)]


def test_what_stdout_has_no_letters_for_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, encoding="ascii"))
    commands = {name: lambda: lambda: say("ρ = 0.5") for name in ("go", "stay")}
    run(commands, "simulator", ["go"])
    assert printed.getvalue() == b"\\u03c1 = 0.5\n"


def test_a_shell_without_completions_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"^Shell should be one .* but got no-such-shell$"):
        run({"go": dict, "stay": dict}, "simulator", ["--tyro-print-completion", "no-such-shell"])
    assert capsys.readouterr().out == ""
