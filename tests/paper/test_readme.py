"""The README's claims: `python -m paper_checks readme` writes them, and `--check` tells when they are stale."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger import Ask, Told

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
FRAME = f"# Title\r\n\r\nabove\n{BEGIN}\n{END}\n\nbelow, without a line end"


def readme(file: Path, *flags: str) -> list[str]:
    return ["readme", "--file", str(file), *flags]


@pytest.fixture(scope="module")
def written(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A README with the claims of the ledger."""
    file = tmp_path_factory.mktemp("readme") / "README.md"
    file.write_bytes(FRAME.encode())
    assert [ask(*readme(file)), ask(*readme(file, "--check"))] == [Told(0, "", "")] * 2
    assert [path.name for path in file.parent.iterdir()] == ["README.md"]
    return file.read_bytes().decode()


def test_the_readme_of_the_project_is_not_stale() -> None:
    command = [sys.executable, "-m", "paper_checks", "readme", "--check"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_what_stands_around_the_claims_is_kept(written: str) -> None:
    above, _, rest = written.partition(BEGIN)
    _, _, below = rest.partition(END)
    assert f"{above}{BEGIN}\n{END}{below}" == FRAME


def test_a_readme_changed_by_one_digit_is_stale_until_it_is_written_again(
    ask: Ask, tmp_path: Path, written: str
) -> None:
    file = tmp_path / "README.md"
    digit = re.search(r"\d", written.partition(BEGIN)[2])
    assert digit is not None
    place = written.index(BEGIN) + len(BEGIN) + digit.start()
    stale = written[:place] + str(9 - int(digit[0])) + written[place + 1 :]
    file.write_bytes(stale.encode())
    checked = ask(*readme(file, "--check"))
    assert (checked.code, checked.out) == (1, "")
    assert checked.err == f"paper_checks: {file} is stale: run `python -m paper_checks readme`\n"
    assert file.read_bytes().decode() == stale
    assert ask(*readme(file)) == Told(0, "", "")
    assert file.read_bytes().decode() == written


def test_what_is_no_readme_with_claims_is_told_in_one_line_and_kept(ask: Ask, tmp_path: Path) -> None:
    contents = {
        "no markers": b"# Title\n",
        "one marker": f"{BEGIN}\n".encode(),
        "wrong order": f"{END}\n{BEGIN}\n".encode(),
        "twice": f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n".encode(),
        "begins twice": f"{BEGIN}\n{BEGIN}\n{END}\n".encode(),
        "no text": b"\xff\xfe",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [*(tmp_path / name for name in contents), tmp_path / "missing", tmp_path]
    commands = [readme(file, *flags) for file in files for flags in ([], ["--check"])]
    told = [ask(*words) for words in (*commands, ["readme", "--checks"], [], ["write"])]
    assert {one.code for one in told} == {2}
    assert {one.out for one in told} == {""}
    assert all(one.err.startswith("paper_checks: ") and one.err.count("\n") == 1 for one in told)
    assert all(f"file = {file}: " in one.err for file, one in zip(files, told[:-3:2], strict=True))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents


def cells(row: str) -> list[str]:
    return [cell.strip(" *") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_the_numbers_add_up(written: str) -> None:
    rows = [cells(line) for line in written.splitlines() if line.startswith("|")]
    counted = [[int(number) for number in row[1:]] for row in rows if row[-1].isdigit() and len(row) == 8]
    *sections, total = counted
    assert len(sections) >= 6
    assert all(sum(row[:-1]) == row[-1] for row in counted)
    assert [sum(column) for column in zip(*sections, strict=True)] == total
    claims = [row for row in rows if len(row) == 6][2:]
    assert len(claims) == total[-1]
    assert sum(row[4] == "NOT RUN" for row in claims) == total[-2]
    bullets = re.findall(r"^- \*\*(.+?)\*\*: ", written, re.MULTILINE)
    assert bullets == [row[0] for row in claims if row[4] == "contradicted"]
    assert len(bullets) == total[4]


def test_every_row_of_a_table_has_all_cells(written: str) -> None:
    widths = {len(cells(line)) for line in written.splitlines() if line.startswith("|")}
    assert widths == {6, 8}
