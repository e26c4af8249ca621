"""Files that are read whole, and written whole or not at all."""

import contextlib
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from simulator.contracts import refusal

if sys.platform != "win32":
    import fcntl

LARGEST_TOML = 2**20


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of up to 1 MB, pipes included.

    Raises:
        ValueError: if it cannot be read, is larger, or is no TOML; without the path.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TOML + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_TOML:
        raise ValueError(f"is larger than {LARGEST_TOML} bytes, which no description is")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:  # numbers with thousands of digits too, which are no TOMLDecodeError
        raise ValueError(f"is no TOML: {error}") from None


def output(path: Path) -> Path:
    """Find the file that a path means, and refuse what cannot become one.

    Raises:
        ValueError: if something else than a file is there, or it cannot be found out.
    """
    try:
        resolved = _resolved(path)
        if resolved is None:
            raise refusal("out", path, "is a link that leads to itself")
        if resolved.exists() and not resolved.is_file():
            raise refusal("out", resolved, "exists, and is not a file")
    except OSError as error:
        raise _unwritable(path, error) from error
    return resolved


def _resolved(path: Path) -> Path | None:
    """Follow links, but those that lead to themselves: `resolve` raises before Python 3.13, and stops there since."""
    with contextlib.suppress(RuntimeError):
        resolved = path.resolve()
        return None if resolved.is_symlink() else resolved
    return None


def require_other(out: Path | None, read: Path) -> None:
    """Refuse to write the file that is read, whatever links lead to it.

    Raises:
        ValueError: if they are the same.
    """
    with contextlib.suppress(OSError):  # what is not there is not the same
        if out is not None and out.samefile(read):
            raise refusal("out", out, "is the file that is read")


@contextlib.contextmanager
def whole_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file beside `path`, which takes its place if all goes well and something was written; else it goes.

    Raises:
        ValueError: if it cannot be written, for which any OSError is taken.
    """
    if path is None:
        yield None
        return
    path = output(path)
    with _beside(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        yield file


def replace(path: Path, content: bytes) -> None:
    """Put bytes in a file's place, at one stroke.

    Raises:
        ValueError: if it cannot be written; the file then stays as it was. Or if it is written, but the disk may not
            have its name yet.
    """
    with _beside(path) as unfinished:
        unfinished.write_bytes(content)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Name a file, which takes the place of `path` once the disk has it, if something was written; else it goes."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")  # others may write the same file
    try:
        yield unfinished
        if written := unfinished.stat().st_size > 0:
            _settle(unfinished)
            unfinished.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:  # after Ctrl-C, too
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    if written:
        _settle_name(path)


def _settle_name(path: Path) -> None:
    try:
        _settle(path.parent)
    except OSError as error:
        raise refusal("out", path, f"is written, but the disk may not have it yet: {error.strerror}") from error


def _settle(path: Path) -> None:
    """Wait until the disk has a file's content, or the names in a folder."""
    if sys.platform == "win32":
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keep others out, by a locked file beside `path`; the lock of a process that was killed is gone with it.

    Raises:
        ValueError: if another process has it, or nothing can be written there.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        if not _locked(descriptor, lock):
            raise refusal("out", path, "another sweep is writing it")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, lock: Path) -> bool:
    if sys.platform == "win32":
        return True  # no such locks there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have removed it since it was opened: what is locked now must be what others will find.
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except OSError:
        return False


def _unwritable(path: Path, error: OSError) -> ValueError:
    return refusal("out", path, f"cannot be written: {error.strerror}")
