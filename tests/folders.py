"""What is in a folder, and the project in another one."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_HERE = {"data", "dist", "mutants", "runs"}


def names(folder: Path) -> set[str]:
    """Name what is in it."""
    return {path.name for path in folder.iterdir()}


def copy_project(place: Path) -> Path:
    """Copy the project as it is now, without what is made from it, into what is there."""
    unneeded = shutil.ignore_patterns(".*", "__pycache__", "report")

    def left_out(folder: str, there: list[str]) -> set[str]:
        return unneeded(folder, there) | (MADE_HERE if Path(folder) == ROOT else set())

    return shutil.copytree(ROOT, place, ignore=left_out, dirs_exist_ok=True)
