"""What is in a folder."""

from pathlib import Path


def names(folder: Path) -> set[str]:
    """Name what is in it."""
    return {path.name for path in folder.iterdir()}
