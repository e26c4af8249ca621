"""The command `python -m paper_checks seal`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("folder", "told"), [("empty", "has no record of a reduced run"), ("missing", "must be a folder")]
)
def test_a_folder_without_records_is_refused_in_one_line(tmp_path: Path, folder: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    command = [
        sys.executable,
        "-m",
        "paper_checks",
        "seal",
        str(tmp_path / folder),
        "--out",
        str(tmp_path / "evidence"),
    ]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith(f"paper_checks: runs = {tmp_path / folder}: {told}")
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "evidence").exists()
