"""Lint, layout and types, so that the commands of the README run them too."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("pyright",)], ids=" ".join)
def test_the_house_is_clean(command: tuple[str, ...]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=560, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
