"""A copy of the project to be mutated, with what was found of functions that still stand."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.folders import copy_project
from tests.mutants.rooms import Room

FOUND = "mutants"  # mutmut's folder


def copy_for(room: Room, place: Path) -> None:
    """Put the project there as it is now, with the settings of a room, in place of what stands there."""
    for path in place.iterdir() if place.exists() else ():
        if path.name != FOUND:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_project(place)
    with (place / "pyproject.toml").open("a") as file:
        file.writelines(_told(room))


def _told(room: Room) -> Iterator[str]:
    yield "\n[tool.mutmut]\n"
    for name, value in room.settings().items():
        yield f"{name} = {json.dumps(value)}\n"  # which TOML reads alike
