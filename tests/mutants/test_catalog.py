"""What mutmut leaves is read rightly, and nothing is excused that no test has looked at."""

import json
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from tests.mutants import __main__ as command
from tests.mutants import kept
from tests.mutants.catalog import Change, catalog
from tests.mutants.copied import copy_for
from tests.mutants.rooms import ROOMS

CODE = """
def x_half__mutmut_orig(x, by=2):
    return x / by
def x_half__mutmut_1(x, by=3):
    return x / by
def x_half__mutmut_2(x, by=2):
    return x * by
class Noise:
    def xǁNoiseǁ_draw__mutmut_orig(self):
        return sorted(
            self.x,
            reverse=False,
        )
    def xǁNoiseǁ_draw__mutmut_1(self):
        return sorted(
            self.x,
            reverse=None,
        )
"""
HALVED = Change("room/half.py", "half", "return x / by", "return x * by")
DEFAULT = Change("room/half.py", "half", "def (x, by=2):", "def (x, by=3):")
DRAWN = Change("room/half.py", "Noise._draw", "reverse=False,", "reverse=None,")
NAMES = {
    "room.half.x_half__mutmut_1": DEFAULT,
    "room.half.x_half__mutmut_2": HALVED,
    "room.half.xǁNoiseǁ_draw__mutmut_1": DRAWN,
}


NOTHING = sha256(b"").hexdigest()[:16]


def made(folder: Path, *codes: int | None) -> Path:
    """What mutmut leaves: a file with all mutants, and how pytest ended for each."""
    file = folder / "mutants" / "room" / "half.py"
    file.parent.mkdir(parents=True)
    file.write_text(CODE)
    (folder / "room").mkdir()
    (folder / "room" / "half.py").write_text("")
    ends = dict(zip(NAMES, codes, strict=True))
    file.with_name("half.py.meta").write_text(json.dumps({"exit_code_by_key": ends}))
    return folder / "mutants"


def test_each_mutant_is_named_by_what_it_changes(tmp_path: Path) -> None:
    assert {mutant.name: mutant.change for mutant in catalog(made(tmp_path, 0, 0, 0))} == NAMES


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the counts are kept; one mutant is known to be equivalent."""
    file = tmp_path / "counts.json"
    monkeypatch.setattr(kept, "COUNTS", file)
    monkeypatch.setattr(command, "equivalents", lambda: {DRAWN: "None is as false as False"})
    return file


@pytest.mark.parametrize(
    ("codes", "code", "columns"),
    [
        ((1, 3, 0), 0, (2, 1)),
        ((1, 1, 1), 0, (3, 0)),
        ((0, 1, 0), 1, (1, 1)),  # survived
        ((1, None, 0), 1, (1, 1)),  # not run
        ((1, 33, 0), 1, (1, 1)),  # no test runs it
        ((1, 24, 0), 1, (1, 1)),  # too slow by the clock, for which the machine may be to blame
        ((1, -24, 0), 0, (2, 1)),  # hangs
        ((1, 1, None), 1, (2, 0)),  # known, but not run
    ],
)
def test_only_what_a_test_has_failed_is_killed_and_only_what_survived_is_equivalent(
    tmp_path: Path, counted: Path, codes: tuple[int | None, ...], code: int, columns: tuple[int, int]
) -> None:
    assert command.count([made(tmp_path, *codes)]) == code
    own = {"code": NOTHING, "killed": columns[0], "equivalent": columns[1], "left": 3 - sum(columns)}
    assert json.loads(counted.read_bytes()) == {"room/half.py": own}


def test_a_file_that_is_gone_is_not_counted(tmp_path: Path, counted: Path) -> None:
    folder = made(tmp_path, 1, 1, 1)
    (tmp_path / "room" / "half.py").unlink()
    assert command.count([folder]) == 2
    assert not counted.exists()


def test_a_room_is_mutated_and_then_counted(tmp_path: Path, counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mutmut(place: Path, names: Sequence[str]) -> int:
        assert tuple(names) == ("room.half*",)
        made(place, 1, 1, 1)
        return 0

    monkeypatch.setattr(command, "MADE", tmp_path)
    monkeypatch.setattr(command, "mutated", mutmut)
    assert command.main(["simulator", "room.half*"]) == 0
    assert json.loads(counted.read_bytes())["room/half.py"]["killed"] == 3
    monkeypatch.setattr(command, "mutated", lambda *_: 1)
    counted.unlink()
    assert command.main(["simulator"]) == 1
    assert not counted.exists()


def test_where_nothing_has_been_mutated_nothing_is_counted(
    tmp_path: Path, counted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "MADE", tmp_path)
    assert command.main([]) == 2
    assert capsys.readouterr().err == f"ROOM: nothing has been mutated yet; name one of {', '.join(ROOMS)}\n"
    assert not counted.exists()


def test_an_unknown_room_is_refused_in_one_line(counted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["kitchen"]) == 2
    assert capsys.readouterr().err == f"ROOM = kitchen: must be one of {', '.join(ROOMS)}\n"
    assert not counted.exists()


def test_a_copy_is_of_the_project_as_it_is_and_keeps_what_was_found(tmp_path: Path) -> None:
    for name in ("mutants/simulator", "simulator/gone"):
        (tmp_path / name).mkdir(parents=True)
    copy_for(ROOMS["simulator"], tmp_path)
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert settings["only_mutate"] == ["simulator/*.py"]
    assert all((tmp_path / name).exists() for name in [*settings["also_copy"], "mutants/simulator"])
    assert not (tmp_path / "simulator" / "gone").exists()
    assert (tmp_path / "simulator" / "stack.py").read_bytes() == (kept.ROOT / "simulator" / "stack.py").read_bytes()
