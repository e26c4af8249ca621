"""Files are read within bounds, and written whole or not at all."""

import errno
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from simulator import files
from simulator.files import output, read_toml, replace, require_other, sole_writer, whole_file
from tests.folders import names

MEGABYTE = 2**20


def test_a_toml_file_of_a_megabyte_is_read_and_a_larger_one_is_not(tmp_path: Path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"p = 1\n" + b"#" * (MEGABYTE - 6))
    assert read_toml(file) == {"p": 1}
    file.write_bytes(b"p = 1\n" + b"#" * (MEGABYTE - 5))
    with pytest.raises(ValueError, match=r"^is larger than 1048576 bytes, which no description is$"):
        read_toml(file)


def test_a_file_that_is_far_too_large_costs_no_more_memory_than_one_that_is_just_too_large(tmp_path: Path):
    file = tmp_path / "a.toml"
    with file.open("wb") as handle:
        handle.truncate(64 * MEGABYTE)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="is larger than"):
            read_toml(file)
        assert tracemalloc.get_traced_memory()[1] < 8 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfp = '\xc3\xa4'")
    assert read_toml(file) == {"p": "ä"}


def test_what_no_toml_file_is_is_told(tmp_path: Path):
    file = tmp_path / "a.toml"
    for content, rule in (
        (b"p = '\xe9'", "is not UTF-8: invalid continuation byte at byte 5"),
        (b"p = " + b"[" * 9999, "is nested too deeply"),
        (b"p = = 1", "is no TOML: Invalid value (at line 1, column 5)"),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError) as told:  # noqa: PT011 - what it tells is compared below
            read_toml(file)
        assert str(told.value) == rule
    with pytest.raises(ValueError, match=r"^cannot be read: No such file or directory$"):
        read_toml(tmp_path / "nothing")


def test_a_place_where_no_file_can_be_is_told(tmp_path: Path):
    long = tmp_path / ("x" * 300)
    (tmp_path / "link").symlink_to(tmp_path)
    for path, rule in (
        (tmp_path, f"{tmp_path}: exists, and is not a file"),
        (tmp_path / "link", f"{tmp_path}: exists, and is not a file"),
        (Path("/dev/null"), "/dev/null: exists, and is not a file"),
        (long, f"{long}: cannot be written: File name too long"),
        (tmp_path / "no" / "a", f"{tmp_path}/no/a: cannot be written: No such file or directory"),
    ):
        with pytest.raises(ValueError) as told, whole_file(path):  # noqa: PT011 - what it tells is compared below
            pass
        assert str(told.value) == f"out = {rule}"
    assert names(tmp_path) == {"link"}


def test_a_link_that_leads_to_itself_is_told(tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(ValueError) as told:  # noqa: PT011 - what it tells is compared below
        output(link)
    assert str(told.value) == f"out = {link}: is a link that leads to itself"


def test_a_file_is_found_behind_links(tmp_path: Path):
    file, link = tmp_path / "a", tmp_path / "link"
    link.symlink_to(file)
    assert output(link) == output(file) == file
    file.touch()
    assert output(link) == file
    with pytest.raises(ValueError) as told:  # noqa: PT011 - what it tells is compared below
        require_other(link, file)
    assert str(told.value) == f"out = {link}: is the file that is read"
    require_other(tmp_path / "nothing", file)
    require_other(None, file)


def test_a_file_takes_its_place_when_all_went_well_and_something_was_written(tmp_path: Path):
    path = tmp_path / "a"
    with whole_file(path) as file:
        assert file is not None
        file.write("ä\n")
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\xa4\n"
    with whole_file(path):
        pass

    def stopped() -> None:
        with whole_file(path) as file:
            assert file is not None
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert names(tmp_path) == {"a"}
    with whole_file(None) as file:
        assert file is None


def test_the_disk_has_a_file_before_it_takes_its_place_and_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, seen = tmp_path / "a", list[tuple[bool, bool]]()
    path.write_bytes(b"before")
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        of_folder = os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        seen.append((of_folder, path.read_bytes() == b"after"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    replace(path, b"after")
    assert seen == [(False, False), (True, True)]


def test_a_link_that_leads_to_itself_is_no_file_even_where_resolving_it_does_not_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    monkeypatch.setattr(Path, "resolve", lambda self: self)  # as of Python 3.13
    with pytest.raises(ValueError, match=f"^out = {loop}: is a link that leads to itself$"):
        output(loop)


def test_what_is_written_is_not_told_to_be_unwritable_if_the_disk_may_lack_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a"

    def failing_for_folders(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing_for_folders)
    with pytest.raises(ValueError) as told:  # noqa: PT011 - what it tells is compared below
        replace(path, b"after")
    rule = "is written, but the disk may not have it yet: No space left on device"
    assert str(told.value) == f"out = {path}: {rule}"
    assert path.read_bytes() == b"after"
    assert names(tmp_path) == {"a"}


def test_a_second_writer_is_told_that_there_is_one(tmp_path: Path):
    path = tmp_path / "a"
    with sole_writer(path):
        with pytest.raises(ValueError) as told, sole_writer(path):  # noqa: PT011 - what it tells is compared below
            pass
        assert str(told.value) == f"out = {path}: another sweep is writing it"
    with sole_writer(path):
        pass
    assert names(tmp_path) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="imitates Windows")
def test_where_folders_cannot_be_opened_and_files_not_locked_they_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, opened = tmp_path / "a", os.open

    def as_on_windows(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode)

    with monkeypatch.context() as patched:
        patched.delattr(files, "fcntl")
        patched.setattr(os, "open", as_on_windows)
        patched.setattr(sys, "platform", "win32")
        with sole_writer(path):
            replace(path, b"written")
    assert path.read_bytes() == b"written"
    assert names(tmp_path) == {"a"}
