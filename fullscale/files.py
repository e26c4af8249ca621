"""Files that are written whole or not at all, and runs that only one process writes."""

import contextlib
import io
import json
import math
import os
import pickle
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from fullscale.contracts import Refusal, refusal

if sys.platform != "win32":
    import fcntl


def replace(path: Path, content: bytes) -> None:
    """Put bytes in a file's place, at one stroke, and wait until the disk has them.

    Raises:
        ValueError: as `replace_all` does.
    """
    replace_all({path: content})


def replace_all(contents: Mapping[Path, bytes]) -> None:
    """Put bytes in the place of several files, once the disk has them all.

    Raises:
        ValueError: if one cannot be written; all then stay as they were, unless it is a rename that fails. Or if all
            are written, but the disk may not have their names yet; the line then says so.
    """
    for path in contents:
        if path.is_dir():
            raise refusal("out", path, "is a folder; name a file")
    # others may write the same files
    unfinished = {path: path.with_name(f".{path.name}.{os.getpid()}.unfinished") for path in contents}
    try:
        for path, content in contents.items():
            with _writing(path):
                _write(unfinished[path], content)
        for path in contents:
            with _writing(path):
                unfinished[path].replace(path)
        for directory, path in {path.parent: path for path in contents}.items():
            with _writing(path, "is written, but the disk may not have it yet"):
                _settle(directory)
    finally:
        for each in unfinished.values():
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path, trouble: str = "cannot be written") -> Iterator[None]:
    """Refuse what cannot be written."""
    try:
        yield
    except OSError as error:
        raise refusal("out", path, f"{trouble}: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Write a file, and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _settle(directory: Path) -> None:
    """Wait until the disk has the names in a folder, too."""
    if sys.platform == "win32":
        return  # a folder cannot be opened there
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file.

    Raises:
        ValueError: if it cannot be written, or there is a NaN or an infinity, which JSON lacks.
    """
    replace(path, as_json(path, value))


def as_json(path: Path, value: Any) -> bytes:
    """Return what a JSON file shall hold.

    Raises:
        ValueError: if there is a NaN or an infinity, which JSON lacks.
    """
    try:
        return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
    except ValueError:
        raise refusal("out", path, "would hold a number that is not finite; nothing is written") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: if the file is missing, or holds something else, or a number that is not finite.
    """
    try:
        value = json.loads(path.read_bytes(), parse_float=_finite, parse_constant=_finite)
    except OSError as error:
        raise refusal("file", path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise refusal("file", path, f"is no JSON: {error}") from None
    except RecursionError:
        raise refusal("file", path, "is nested too deeply") from None
    if not isinstance(value, dict):
        raise refusal("file", path, "must hold one JSON object")
    return value


def _finite(text: str) -> float:
    """Read a number; Python also reads NaN and infinities, which JSON lacks."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write a safetensors file, and return its SHA-256 in hex.

    Raises:
        ValueError: if it cannot be written.
    """
    content = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    replace(path, content)
    return sha256(content).hexdigest()


def read_tensors(path: Path, digest: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Args:
        path: of the file.
        digest: the SHA-256 that it must have, in hex; None for a file that nobody vouches for.

    Raises:
        ValueError: if it cannot be read, or is another.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal("file", path, f"cannot be read: {error.strerror}") from error
    if digest is not None and sha256(content).hexdigest() != digest:
        raise refusal("file", path, "is damaged: it is not what its record vouches for")
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise refusal("file", path, f"is no safetensors file: {error}") from None


def read_torch(path: Path) -> Any:
    """Read onto the CPU what torch.save wrote, if it is tensors and plain containers: no code of a pickle runs.

    Raises:
        ValueError: if it cannot be read, or holds something else.
    """
    try:
        return unpickled(path)
    except OSError as error:
        raise refusal("file", path, f"cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        # torch would advise to let the code run
        raise refusal("file", path, "is damaged, or holds more than tensors in plain containers") from error
    except Exception as error:  # there is no end to what a damaged file raises
        raise refusal("file", path, "is no file that torch.save wrote, or is damaged") from error


def unpickled(file: Path | io.BytesIO) -> Any:
    """Do as `read_torch`, but raise what torch does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is then refused
        return torch.load(file, map_location="cpu", weights_only=True)


def require_writable(path: Path) -> None:
    """Make sure before long work that a file can be written; nothing is left behind.

    Raises:
        ValueError: if it cannot.
    """
    if path.is_dir():
        raise refusal("out", path, "is a folder; name a file")
    if path.exists() and not path.is_file():  # a device, say, which renaming would do away with
        raise refusal("out", path, "exists, and is not a file")
    with _writing(path), tempfile.TemporaryFile(dir=path.parent):  # permissions do not tell of read-only disks
        pass


def folder(path: Path) -> Path:
    """Make a folder, with those above it.

    Raises:
        ValueError: if that cannot be done, or something else is there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal("out", path, f"cannot be made a folder: {error.strerror}") from error
    return path


class Busy(Refusal):
    """Another process is at work in a folder."""


@contextlib.contextmanager
def sole_writer(directory: Path, lock: str = ".lock") -> Iterator[None]:
    """Keep other processes out of a folder; the lock of a process that was killed is gone with it.

    Args:
        directory: a folder.
        lock: the file in it that they all try to lock.

    Raises:
        Busy: if another process has it.
        ValueError: if nothing can be written there, or its file system knows no locks.
    """
    with _writing(directory):
        descriptor = os.open(directory / lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    if sys.platform == "win32":
        return  # no such locks there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of them depends on the system
        raise Busy("out", directory, "another process is at work in it") from None
    except OSError as error:
        raise refusal("out", directory, f"cannot be locked: {error.strerror}") from error
