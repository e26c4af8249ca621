"""What the program writes to, whatever the tests' own stdout is: a pipe or a terminal, and a bar that can be read."""

from typing import Any

import pytest


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Stdout is no terminal."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return monkeypatch


@pytest.fixture
def terminal(pipe: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A terminal, whose width is that of COLUMNS."""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm-256color"), ("COLUMNS", "60")):
        pipe.setenv(name, value)
    pipe.delenv("NO_COLOR", raising=False)
    return pipe


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the bars of commands are told: of how many samples, and then how many are seen, with a text."""
    told: list[Any] = []

    class Bar:
        def __init__(self, samples: int) -> None:
            told.append(samples)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None: ...

        def show(self, samples: int, text: str = "") -> None:
            told.append((samples, text))

    monkeypatch.setattr("simulator.commands.Bar", Bar)
    return told
