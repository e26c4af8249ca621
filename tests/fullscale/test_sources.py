"""Which code numbers depend on: comments and layout change nothing, what is imported far away does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscale import sources
from fullscale.sources import behind, changes, digest

PACKAGE = {
    "__init__.py": "",
    "near.py": "from fullscale import far\nimport json\n\nSIZE = 1 + 1\n",
    "far.py": '"""Says something."""\n\n\ndef double(x):\n    def inner():\n        from fullscale.deep.below import one\n        return one\n    return 2 * x\n',  # noqa: E501
    "apart.py": "from fullscale.near import SIZE\n",
    "deep/__init__.py": "from fullscale.deep.beside import two\n",
    "deep/below.py": "one = 1\n",
    "deep/beside.py": "two = 2\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "fullscale"
    for name, text in PACKAGE.items():
        (place / name).parent.mkdir(exist_ok=True, parents=True)
        (place / name).write_text(text)
    monkeypatch.setattr(sources, "HERE", place)
    behind.cache_clear()
    yield place
    behind.cache_clear()


def rewritten(package: Path, name: str, before: str, after: str) -> str:
    """The digest of what is behind "near" once a file has other text."""
    text = (package / name).read_text()
    assert before in text
    (package / name).write_text(text.replace(before, after))
    behind.cache_clear()
    return digest(behind("fullscale.near"))


def test_all_that_is_imported_counts_however_far_and_wherever_and_nothing_else(package: Path) -> None:
    (package / "deep/unused.py").write_text("three = 3\n")
    there = ["__init__.py", "deep/__init__.py", "deep/below.py", "deep/beside.py", "far.py", "near.py"]
    assert list(behind("fullscale.near")) == there
    assert list(behind("fullscale.deep.below")) == [
        "__init__.py",
        "deep/__init__.py",
        "deep/below.py",
        "deep/beside.py",
    ]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("near.py", "1 + 1", "1+1  # two"),
        ("near.py", "\n\nSIZE", "\n\n\n# the size\nSIZE"),
        ("near.py", "1 + 1\n", '1 + 1\n"""of what there is"""\n'),
        ("far.py", "Says something.", "Says something else."),
        ("far.py", "(x):\n", '(x):\n    """Double."""\n'),
        ("apart.py", "SIZE", "far"),
    ],
)
def test_words_and_layout_and_what_is_not_imported_change_nothing(
    package: Path, name: str, before: str, after: str
) -> None:
    was = digest(behind("fullscale.near"))
    assert rewritten(package, name, before, after) == was


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("near.py", "1 + 1", "1 + 2"),
        ("near.py", "1 + 1", "1 - 1"),
        ("near.py", "1 + 1", "1 + 1.0"),
        ("near.py", "1 + 1\n", '1 + 1\nNAME = "x"\n'),
        ("far.py", "2 * x", "3 * x"),
        ("deep/below.py", "1", "None"),
        ("deep/beside.py", "2", "'2'"),
    ],
)
def test_another_meaning_is_another_digest_and_is_named(package: Path, name: str, before: str, after: str) -> None:
    was = behind("fullscale.near")
    assert rewritten(package, name, before, after) != digest(was)
    assert changes(was, behind("fullscale.near")) == [name]


def test_a_file_that_comes_or_goes_is_a_change() -> None:
    assert changes({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == ["a", "c"]


def test_what_trains_depends_on_the_nets_and_not_on_the_pictures_or_the_doctor() -> None:
    files = behind("fullscale.training")
    assert {"training.py", "nets/wrn.py", "noise.py", "placement.py", "data/in_memory.py", "recipes.py"} <= files.keys()
    assert not [name for name in files if name.startswith(("doctor", "commands", "sweep", "pictures", "measure"))]


def test_a_measurement_depends_on_its_own_code_and_not_on_that_of_others() -> None:
    shift, adjust = behind("fullscale.measurements.shift"), behind("fullscale.measurements.adjust")
    assert {"measure.py", "statistics.py", "taps.py", "specimen.py"} <= shift.keys()
    assert "adjust.py" in adjust
    assert "adjust.py" not in shift
    assert "measure.py" not in adjust
