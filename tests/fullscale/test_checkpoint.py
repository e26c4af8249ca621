"""Checkpoints are whole or not used: whatever happens to the newest, the one before it is there."""

import io
import os
import pickle
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from fullscale import checkpoint


def state(step: int) -> dict:
    return {"step": step, "net": {"weight": torch.arange(1000.0) + step}}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def saved(tmp_path: Path) -> list[Path]:
    return [checkpoint.save(tmp_path, step, state(step)) for step in (9, 10)]


def test_the_newest_comes_back_as_it_was(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    assert all(path.exists() for path in saved)
    read = checkpoint.latest(tmp_path, said.append)
    assert read is not None
    assert read["step"] == 10
    assert torch.equal(read["net"]["weight"], state(10)["net"]["weight"])
    assert said == []


def test_where_there_is_none_there_is_none(tmp_path: Path, said: list[str]) -> None:
    assert checkpoint.latest(tmp_path, said.append) is None
    assert checkpoint.latest(tmp_path / "missing", said.append) is None


def test_the_last_two_are_kept(tmp_path: Path, saved: list[Path]) -> None:
    newest = checkpoint.save(tmp_path, 11, state(11))
    assert set(tmp_path.iterdir()) == {saved[1], newest}


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "truncated":
            content = content[:-100]
        case "empty":
            content.clear()
        case "one bit":
            content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "one bit"])
def test_a_damaged_one_is_told_in_one_line_and_the_one_before_it_is_used(
    tmp_path: Path, saved: list[Path], said: list[str], how: str
) -> None:
    damage(saved[1], how)
    read = checkpoint.latest(tmp_path, said.append)
    assert read is not None
    assert read["step"] == 9
    told = "is damaged: its content does not match the checksum in its name; the one before it is used"
    assert said == [f"{saved[1]}: {told}"]
    again = checkpoint.latest(tmp_path, said.append)
    assert again is not None
    assert again["step"] == 9
    assert len(said) == 1


def test_a_damaged_one_never_displaces_a_whole_one(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    damage(saved[1], "one bit")
    checkpoint.latest(tmp_path, said.append)
    following = checkpoint.save(tmp_path, 10, state(10))
    assert {saved[0], following} <= set(tmp_path.iterdir())


def test_if_none_is_whole_that_is_an_error(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    for path in saved:
        damage(path, "truncated")
    for _ in range(2):  # nor the second time
        with pytest.raises(ValueError, match=r"^checkpoints = .*: none is whole; start again in another folder$"):
            checkpoint.latest(tmp_path, said.append)
    assert (set(tmp_path.iterdir()), said) == (set(saved), [])


def test_one_that_cannot_be_read_is_passed_over(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    saved[1].unlink()
    saved[1].mkdir()
    read = checkpoint.latest(tmp_path, said.append)
    assert read is not None
    assert read["step"] == 9
    assert said == [f"{saved[1]}: cannot be read: Is a directory; the one before it is used"]
    assert saved[1].exists()  # it may be whole all the same


def test_of_two_of_one_step_the_later_counts(tmp_path: Path, said: list[str]) -> None:
    for epochs in range(6):
        checkpoint.save(tmp_path, 10, state(10) | {"epochs": epochs})
        read = checkpoint.latest(tmp_path, said.append)
        assert read is not None
        assert read["epochs"] == epochs


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    trace, buffer = tmp_path / "trace", io.BytesIO()
    torch.save({"step": Hostile(trace)}, buffer)
    content = buffer.getvalue()
    (tmp_path / f"step-000000011-{sha256(content).hexdigest()[:16]}.pt").write_bytes(content)
    read = checkpoint.latest(tmp_path, said.append)
    assert read is not None
    assert read["step"] == 10
    assert len(said) == 1
    assert "is no checkpoint" in said[0]
    assert not trace.exists()
    pickle.loads(pickle.dumps(Hostile(trace)))  # noqa: S301 - the control: it would have
    assert trace.exists()
    assert saved[1].exists()


def test_what_cannot_be_written_leaves_the_ones_before_it(tmp_path: Path, saved: list[Path], monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"^out = .*step-000000011.*: cannot be written: No space left on device$"):
        checkpoint.save(tmp_path, 11, state(11))
    assert set(tmp_path.iterdir()) == set(saved)


def test_what_a_kill_left_half_written_goes_with_the_next(tmp_path: Path, saved: list[Path], said: list[str]) -> None:
    (tmp_path / ".step-000000011-0123456789abcdef.pt.unfinished").write_bytes(b"half")
    assert checkpoint.latest(tmp_path, said.append) is not None
    newest = checkpoint.save(tmp_path, 11, state(11))
    assert set(tmp_path.iterdir()) == {saved[1], newest}
