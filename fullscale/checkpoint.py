"""What a run needs to go on as if it had never stopped, in files that are whole or are not used.

A checkpoint's name ends in the checksum of its content, so that one rename makes it valid, and a truncated or altered
one gives itself away.
"""

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from fullscale.contracts import refusal
from fullscale.files import folder, replace, unpickled

KEPT = 2


def save(directory: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state of a run after `step` steps, and remove all but the last two.

    Raises:
        ValueError: if it cannot be written; the checkpoints before it then stay.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = folder(directory) / f"step-{step:09d}-{sha256(content).hexdigest()[:16]}.pt"
    replace(path, content)
    for old in [*_newest_first(directory)[KEPT:], *directory.glob(".step-*.unfinished")]:
        old.unlink()
    return path


def latest(directory: Path, complain: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the newest state that is whole, on the CPU; None where there is no checkpoint.

    Damaged ones before it are told to `complain` in one line each, and set aside under another name.

    Raises:
        ValueError: if there are checkpoints, but none is whole; they stay as they are.
    """
    passed_over: list[tuple[Path, Exception]] = []
    for path in _newest_first(directory):
        try:
            state = _load(path)
        except (OSError, ValueError) as error:
            passed_over.append((path, error))
        else:
            _set_aside(passed_over, complain)
            return state
    if passed_over:
        raise refusal("checkpoints", directory, "none is whole; start again in another folder")
    return None


def _set_aside(passed_over: list[tuple[Path, Exception]], complain: Callable[[str], None]) -> None:
    for path, error in passed_over:
        told = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
        complain(f"{path}: {told}; the one before it is used")
        if not isinstance(error, OSError):  # what cannot be read now may be whole all the same
            path.rename(path.with_suffix(".damaged"))


def _newest_first(directory: Path) -> list[Path]:
    """Order by step; of one step there may be two, before and after its epoch was finished."""
    return sorted(directory.glob("step-*.pt"), key=lambda path: (path.name[:14], path.stat().st_mtime_ns), reverse=True)


def _load(path: Path) -> dict[str, Any]:
    """Read one checkpoint; no code that might stand in it is run."""
    content = path.read_bytes()
    if not path.stem.endswith(sha256(content).hexdigest()[:16]):
        raise ValueError("is damaged: its content does not match the checksum in its name")
    try:
        state = unpickled(io.BytesIO(content))
    except MemoryError:
        raise  # the file may be whole
    except Exception as error:  # there is no end to what such a file raises
        raise ValueError("is no checkpoint: it holds more than tensors in plain containers, or less") from error
    if not isinstance(state, dict):
        raise ValueError(f"is no checkpoint, but a {type(state).__name__}")
    return state
