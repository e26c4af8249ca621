"""The page of a complete run: well-formed, at home without a network, and never a victim of a failure."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from theory import EQUATIONS

ROOT = Path(__file__).parents[2]
VOID = {"meta", "link", "br", "hr", "img", "input", "source", "area", "base", "col", "embed", "track", "wbr"}


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@dataclass
class Page(HTMLParser):
    """What the tests ask of a page."""

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.unbalanced += self.opened

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.opened or self.opened.pop() != tag:
            self.unbalanced.append(f"/{tag} in line {self.getpos()[0]}")

    def all(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    def of(self, claim: str) -> str:
        found = re.search(rf'<article[^>]* id="claim-{claim}">.*?</article>', self.source, re.DOTALL)
        assert found is not None
        return " ".join(re.sub(r"<[^>]*>", " ", found[0].replace("<wbr>", "")).split())

    def drawings(self) -> list[str]:
        return re.findall(r"<svg.*?</svg>", self.source, re.DOTALL)


@pytest.fixture(scope="module")
def pages(pages_folder: Path) -> dict[str, Page]:
    files = [path for path in pages_folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["failed.html", "passed.html"]
    return {path.stem: Page(path.read_text()) for path in files}


@pytest.fixture
def page(pages: dict[str, Page]) -> Page:
    return pages["passed"]


def test_every_tag_is_closed_where_it_was_opened(page: Page) -> None:
    assert page.unbalanced == []
    assert Page("<p><b>both</p></b>").unbalanced != []  # the control


def test_it_asks_nothing_of_a_network_and_runs_nothing(page: Page) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image"}
    assert re.findall(r"https?:|//\w|@import|url\((?!#)", page.source) == []
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert len(page.source.encode()) < 5_000_000


def test_every_link_and_label_finds_its_end(page: Page) -> None:
    ids = page.all("id")
    targets = page.all("href") + page.all("xlink:href")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    assert {target for target in targets if target[:1] != "#" or target[1:] not in ids} == set()
    assert {label for labels in page.all("aria-labelledby") for label in labels.split()} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page.source)) <= set(ids)
    assert {"#claims", "#figures", "#equations", "#method"} <= set(targets)


def test_a_screen_reader_finds_its_way(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in page.tags if tag == "th")
    assert dict(page.tags)["html"]["lang"] == "en"


def test_every_equation_is_there_as_mathml_with_its_text(page: Page) -> None:
    ids, texts = set(page.all("id")), set(page.all("alttext"))
    assert {f"equation-{name}" for name in EQUATIONS} <= ids
    assert {equation.text() for equation in EQUATIONS.values()} <= texts
    ends = [equation.derivation.result for equation in EQUATIONS.values()]
    assert sum(tag == "math" for tag, _ in page.tags) > 2 * len(ends)


def test_what_claims_say_is_text(page: Page) -> None:
    assert "1 &lt; 2 &amp; &lt;script&gt;" in page.of("P-1")
    assert "seven &lt; eight comparisons" in page.source


def test_the_cases_of_a_test_are_counted_and_controls_told_apart(page: Page) -> None:
    assert "test_p.py::test_p 2 passed PROVED holds" in page.of("P-1")
    assert "test_p.py::test_fails 1 passed control that the checks can fail" in page.of("P-1")


def test_what_was_not_run_or_only_reported_says_so(page: Page) -> None:
    assert "N-1 NOT RUN Fig. 4" in page.of("N-1")
    assert "to decide Train forty nets." in page.of("N-1")
    assert "not a reproduction" in page.of("R-1")
    assert "not a reproduction" not in page.of("P-1")


def test_a_failed_check_is_told_at_the_top_and_at_its_claim(pages: dict[str, Page]) -> None:
    assert "The ledger is true" in pages["passed"].source
    assert "The ledger is true" not in pages["failed"].source
    assert "The ledger is false" in pages["failed"].source
    assert "P-1 LEDGER FALSE" in pages["failed"].of("P-1")
    assert "LEDGER FALSE" not in pages["failed"].of("R-1")


def test_figures_are_the_same_each_time_and_take_the_colour_of_the_page(pages: dict[str, Page]) -> None:
    drawings = pages["passed"].drawings()
    assert len(drawings) > 4  # of the simulator, and of what was trained
    assert drawings == pages["failed"].drawings()
    for drawing in drawings:
        assert "currentColor" in drawing
        assert re.findall(r"#0[0-3]0[0-3]0[0-3]\b", drawing) == []
        assert "<title" in drawing
        assert "<desc" in drawing


def test_the_points_of_each_figure_are_told_how_far_off_their_curves_they_are(pages: dict[str, Page]) -> None:
    told = re.findall(r"The farthest of (\d+) points is (\d+\.\d) standard errors off", pages["passed"].source)
    assert len(told) == 4
    assert all(int(points) > 20 and 1 < float(distance) < 5 for points, distance in told)


REQUIRE = """
import json, sys
from pathlib import Path
from paper_checks.report import require_writable

told = {}
for path in sys.argv[1:]:
    try:
        require_writable(Path(path))
    except ValueError as error:
        told[path] = str(error)
print(json.dumps(told))
"""


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_where_no_page_can_be_written_one_line_says_why_and_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    refused = {
        str(tmp_path): "is a folder",
        str(tmp_path / "file" / "page.html"): "is not a folder",
        str(tmp_path / "file" / "deep" / "page.html"): "is not a folder",
        str(tmp_path / "circle" / "page.html"): "cannot be written",
        str(tmp_path / ("x" * 300) / "page.html"): "cannot be written",
        str(tmp_path / "two\nlines" / ("x" * 300)): "cannot be written",
        "/dev/null": "is not a file",
        "/proc/page.html": "cannot be written",
    }
    allowed = [str(tmp_path / "file"), str(tmp_path / "page.html"), str(tmp_path / "new" / "folder" / "page.html")]
    before = snapshot(tmp_path)
    told = json.loads(run(REQUIRE, *refused, *allowed).stdout)
    assert snapshot(tmp_path) == before
    assert set(told) == set(refused)
    for path, why in refused.items():
        assert told[path].startswith(f"report = {' '.join(path.split())}: ")
        assert why in told[path]
        assert "\n" not in told[path]


def test_pytest_refuses_such_a_page_before_the_first_check(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "paper_checks", "--report", str(tmp_path), "-p", "no:cacheprovider"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == pytest.ExitCode.USAGE_ERROR
    assert process.stderr.split() == f"ERROR: report = {tmp_path}: is a folder; name a file".split()
    assert snapshot(tmp_path) == {}


WRITE_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from paper_checks import report
from paper_checks.bookkeeping import Book

report.as_html = lambda *_: "x" * 1001  # the whole page takes its time
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    report.write_report(Path(sys.argv[1]), Book({}), "one in a million")
except ValueError as error:
    print(error)
"""


def test_a_page_that_cannot_be_finished_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    before = snapshot(tmp_path)
    page = tmp_path / "page.html"
    assert run(WRITE_ON_A_FULL_DISK, str(page)).stdout == f"out = {page}: cannot be written: File too large\n"
    assert snapshot(tmp_path) == before
