"""The command `python -m paper_checks seal`."""

from pathlib import Path

import pytest

from tests.ledger import Ask


@pytest.mark.parametrize(
    ("folder", "told"), [("empty", "has no record of a reduced run"), ("missing", "must be a folder")]
)
def test_a_folder_without_records_is_refused_in_one_line(ask: Ask, tmp_path: Path, folder: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    refused = ask("seal", tmp_path / folder, "--out", tmp_path / "evidence")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"paper_checks: runs = {tmp_path / folder}: {told}")
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "evidence").exists()
