"""CONTRIBUTING.md is followed to the letter, section by section, in a copy of the project."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"(?:`(\S+)`:\n\n)?^```(python|diff|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall((ROOT / "CONTRIBUTING.md").read_text()))


def follow(tree: Path, name: str, kind: str, text: str) -> None:
    """Write a new file, apply a patch, or run commands."""
    if kind == "python":
        (tree / name).write_text(text)
    elif kind == "diff":
        run(tree, ["git", "apply", "-C1", "-"], text)
    else:
        for line in text.splitlines():
            program, *arguments = shlex.split(line.removeprefix("uv run "), comments=True)
            module = [] if program == "python" else ["-m", program]
            run(tree, [sys.executable, *module, *arguments])


def run(tree: Path, command: list[str], given: str = "") -> None:
    done = subprocess.run(command, cwd=tree, input=given, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def test_every_section_tells_what_to_write_and_how_to_try_it() -> None:
    assert {name: {kind for _, kind, _ in BLOCK.findall(text)} for name, text in SECTIONS.items()} == {
        "A claim": {"diff", "sh"},
        "A network": {"python", "diff", "sh"},
        "A noise": {"diff", "sh"},
        "An experiment": {"python", "diff", "sh"},
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_is_followed_works_and_is_clean(tree: Path, section: str) -> None:
    for name, kind, text in BLOCK.findall(SECTIONS[section]):
        follow(tree, name, kind, text)
    for check in (["check"], ["format", "--check"]):
        run(tree, [sys.executable, "-m", "ruff", *check, "."])


def test_what_does_not_work_is_noticed(tree: Path) -> None:
    with pytest.raises(AssertionError, match="git apply"):
        follow(tree, "", "diff", SECTIONS["A noise"].split("```diff\n")[1].split("```")[0].replace("sigma", "tau"))
    with pytest.raises(AssertionError, match="must be one of"):
        follow(tree, "", "sh", "uv run python -m fullscale show last\n")
