"""Files that are written all or none, and folders that one process writes."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from fullscale.files import Busy, replace_all, sole_writer


def test_a_second_writer_is_kept_out_until_the_first_is_done(tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(Busy, match="another process is at work in it"), sole_writer(tmp_path):
        raise AssertionError
    with sole_writer(tmp_path):
        pass


def test_several_files_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    for wrong in (tmp_path / "folder", tmp_path / "missing" / "two"):
        with pytest.raises(ValueError, match="out = "):
            replace_all({tmp_path / "one": b"new", wrong: b"new"})
        assert (tmp_path / "one").read_bytes() == b"old"
    replace_all({tmp_path / "one": b"new", tmp_path / "two": b"new"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "one", "two"]
    assert {(tmp_path / name).read_bytes() for name in ("one", "two")} == {b"new"}


def test_what_is_written_is_not_told_to_be_unwritable_if_the_disk_may_lack_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_for_folders(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing_for_folders)
    with pytest.raises(
        ValueError, match=f"^out = {tmp_path / 'one'}: is written, but the disk may not have it yet: No space"
    ):
        replace_all({tmp_path / "one": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one": b"new"}


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(ValueError, match="cannot be locked: No locks available") as refused, sole_writer(tmp_path):
        raise AssertionError
    assert not isinstance(refused.value, Busy)
