"""`python -m paper_checks`, whatever is typed and whatever files hold: a line about it, or what the files deserve."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from fullscale.experiments.catalogue import EXPERIMENTS, runs_of
from fullscale.experiments.scale import REDUCED
from fullscale.sources import behind
from fullscale.sweep.run import Run
from fullscale.train import TRAINED_BY
from tests import ledger

from .contract import Main, copy_of, examples, obedient, told_by, tree
from .mutations import Group, altered, damaged, mistyped

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "paper_checks" / "evidence"
LINES: dict[str, tuple[Group, ...]] = {
    "readme": (("readme",), ("--file", "README.md")),
    "check": (("readme",), ("--check",), ("--file", "README.md")),
    "seal": (("seal",), ("runs",), ("--out", "evidence")),
}
OTHERS: tuple[Group, ...] = (("--help",), ("--no-check",), ("--tyro-print-completion", "tcsh"))
README, SEAL = ["readme", "--file", "README.md"], ["seal", "runs", "--out", "evidence"]
WRITTEN = "out = evidence/SEALS: is written, but"
BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"


@pytest.fixture(scope="module")
def asked() -> Iterator[Callable[[list[str], int | None], int]]:
    """The command line of paper_checks, as if it were in this process, on a disk full after so many calls of fsync."""
    with ledger.asked() as ask:

        def here(arguments: list[str], syncs: int | None) -> int:
            told = ask(*arguments, syncs=syncs)
            sys.stdout.write(told.out)
            sys.stderr.write(told.err)
            return told.code

        yield here


@pytest.fixture(scope="module")
def main(asked: Callable[[list[str], int | None], int]) -> Main:
    return lambda arguments: asked(arguments, None)


def record_of(run: Run) -> dict[str, Any]:
    """The committed record of a run, as if the code had not changed since."""
    there = json.loads((EVIDENCE / f"{run.stem}.json").read_text())
    there["code"]["behind"] = dict(behind(TRAINED_BY))
    for measurement in run.measurements:
        if own := there["measured"].get(measurement.kind):
            own["code"]["behind"] = dict(behind(type(measurement).__module__))
    return there


@pytest.fixture(scope="module")
def files(desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with a README, and with two runs of which there are records."""
    made = Path(shutil.copytree(desk, tmp_path_factory.mktemp("paper") / "made", symlinks=True))
    (made / "README.md").write_text(f"# Title\n{BEGIN}\n{END}\nbelow\n")
    there = [run for run in runs_of(EXPERIMENTS.values(), REDUCED) if (EVIDENCE / f"{run.stem}.json").exists()]
    for run in there[:2]:
        (made / "runs" / run.name).mkdir(parents=True)
        (made / "runs" / run.name / "record.json").write_text(json.dumps(record_of(run)))
    return made


@pytest.mark.parametrize("command", LINES)
@examples(10)
@given(st.data())
def test_a_mistyped_line_is_refused_in_one_line(command: str, files: Path, main: Main, data: DataObject) -> None:
    arguments = data.draw(mistyped(LINES[command], *OTHERS))
    # Else the README and the evidence of the project itself are meant.
    assume(any(word.startswith(("--file", "--out")) for word in arguments))
    with copy_of(files) as place:
        told = obedient(main, "paper_checks", arguments, place)
    assert told.code in {0, 1, 2}
    assert told.err.count("\n") == (told.code != 0)


@examples(10)
@given(st.data())
def test_a_damaged_readme_is_refused_or_says_what_the_ledger_says(files: Path, main: Main, data: DataObject) -> None:
    with copy_of(files) as place:
        assert told_by(main, README).code == 0
        whole = Path("README.md").read_bytes()
        content = data.draw(damaged(whole))
        Path("README.md").write_bytes(content)
        checked = obedient(main, "paper_checks", [*README, "--check"], place)
        assert Path("README.md").read_bytes() == content
        told = obedient(main, "paper_checks", README, place)
        after = Path("README.md").read_bytes().decode(errors="replace")
    assert (checked.code, told.code) in {(0, 0), (1, 0), (2, 2)}
    assert checked.code == 0 or content != whole
    if told.code == 0:
        assert content.count(BEGIN.encode()) == content.count(END.encode()) == 1
        before, (_, _, below) = content.decode(), whole.decode().partition(BEGIN)
        assert after.startswith(before.partition(BEGIN)[0] + BEGIN)
        assert after.endswith(END + before.partition(END)[2])
        assert after.partition(BEGIN)[2].partition(END)[0] == below.partition(END)[0]


@examples(6)
@given(st.data())
def test_a_strange_record_is_refused_or_sealed_as_it_reads(files: Path, main: Main, data: DataObject) -> None:
    path = next((files / "runs").glob("*/record.json")).relative_to(files)
    before = json.loads((files / path).read_text())
    of_measured = altered(before["measured"]).map(lambda found: before | {"measured": found})
    record = data.draw(altered(before) | of_measured)
    with copy_of(files) as place:
        path.write_text(json.dumps(record))
        if obedient(main, "paper_checks", SEAL, place).code == 0:
            sealed = json.loads(next(Path("evidence").glob(f"*{path.parent.name[-15:-7]}.json")).read_text())
            assert holds(record, sealed)
            assert sealed.keys() == before.keys()


def holds(whole: Any, part: Any) -> bool:
    """Whether all that the one says, the other says; what no record has is left out when it is sealed."""
    if isinstance(part, dict):
        return all(name in whole and holds(whole[name], inner) for name, inner in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return whole == part


@examples(6)
@given(st.data())
def test_evidence_that_was_touched_is_refused_until_it_is_as_it_was(files: Path, main: Main, data: DataObject) -> None:
    with copy_of(files) as place:
        assert told_by(main, SEAL).code == 0
        path = data.draw(st.sampled_from(sorted(Path("evidence").iterdir())))
        whole = path.read_bytes()
        path.write_bytes(content := data.draw(damaged(whole)))
        told = obedient(main, "paper_checks", SEAL, place)
        after = path.read_bytes()
    assert told.code == 2 if content != whole and path.name != "SEALS" else told.code == 2 or after == whole


@examples(3)
@given(st.integers(0, 12), st.booleans())
def test_evidence_on_a_full_disk_stays_as_it_was_or_is_told_to_be_written(
    files: Path,
    main: Main,
    asked: Callable[[list[str], int | None], int],
    syncs: int,
    anew: bool,  # noqa: FBT001
) -> None:
    with copy_of(files) as place:
        if not anew:
            next(Path("runs").iterdir()).rename("later")
            assert told_by(main, SEAL).code == 0
            Path("later").rename(Path("runs", next(run.name for run in (files / "runs").iterdir())))
        before = tree(place)
        told = told_by(lambda arguments: asked(arguments, syncs), SEAL)
        after = tree(place)
        assert told_by(main, SEAL).code == 0
        if told.code:
            assert told.err.count("\n") == 1
            unmade = {name: held for name, held in after.items() if name in before or held is not None}
            assert after == tree(place) if WRITTEN in told.err else unmade == before
