"""Folders that one process writes: who else has it is told from what the file system cannot do."""

import errno
import fcntl
from pathlib import Path

import pytest

from fullscale.files import Busy, sole_writer


def test_a_second_writer_is_kept_out_until_the_first_is_done(tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(Busy, match="another process is at work in it"), sole_writer(tmp_path):
        raise AssertionError
    with sole_writer(tmp_path):
        pass


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(ValueError, match="cannot be locked: No locks available") as refused, sole_writer(tmp_path):
        raise AssertionError
    assert not isinstance(refused.value, Busy)
