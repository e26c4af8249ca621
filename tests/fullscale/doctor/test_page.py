"""The page and the picture: well-formed, at home without a network, and showing what stands in the report."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from fullscale import pictures
from fullscale.doctor import wording
from fullscale.doctor.advice import advise
from fullscale.doctor.page import page
from fullscale.doctor.report import Linear, Report, Row, Source, Way

TITLE = "nets:net(name='<b>', drop=0.5)"
VOID = {"meta", "link", "br", "img", "input", "hr"}


def bn(index: int, predicted: float | None, measured: float | None = None, **others: Any) -> Row:
    linear = Linear(f"conv{index}", 1152, 12.5, 0.375, 0.625, 0.0123)
    way = Way("block.drop", exact=True, shift=predicted, stderr=0.0, linear=linear, eq10=0.7)
    made = Row(
        index,
        f"stage.{index}.bn",
        "BatchNorm2d",
        channels=32,
        ways=(way,),
        predicted=predicted,
        stderr=0.0,
        exact=True,
        worst_channel=17,
        worst_shift=0.125,
        moving_var=2.0,
        real_var=measured and 2 * measured,
        trained=True,
    )
    return replace(made, **others)


def report(*rows: Row, safe: bool = False, notes: tuple[str, ...] = ()) -> Report:
    last = Source("fc.drop", "Dropout", "bernoulli", 0.25, "element", safe=True)
    return Report(rows, (Source("block.drop", "Dropout", "bernoulli", 1.0, "element", safe), last), notes, 64, 16)


WHOLE = report(
    bn(1, 0.95, 0.96),
    bn(2, 0.5, 0.4),
    bn(3, 0.75, stderr=0.004, exact=False),
    bn(4, None, notes=("is called 2 times a pass: its statistics mix them",)),
    bn(5, 1.0, 0.8, ways=(), worst_channel=None, worst_shift=None),
    notes=("odd.bn is called <never>: it is not examined",),
)


class Parsed(HTMLParser):
    """The text of each element of some kinds, all tags, and what is not closed where it was opened."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.unbalanced: list[str] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.items: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.unbalanced += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "li":
            self.items.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        elif "li" in self.open:
            self.items[-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def row(self, bn: str) -> list[str]:
        """The cells of a BN, in one line each."""
        (cells,) = (row for row in self.rows if f" {bn}" in row[0])
        return [" ".join(cell.split()) for cell in cells]


@pytest.fixture(scope="module")
def source() -> str:
    return page(WHOLE, TITLE, 1.1)


@pytest.fixture(scope="module")
def parsed(source: str) -> Parsed:
    return Parsed(source)


def test_every_tag_is_closed_where_it_was_opened(parsed: Parsed) -> None:
    assert parsed.unbalanced == []


def test_it_asks_nothing_of_a_network_and_runs_nothing(source: str, parsed: Parsed) -> None:
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "iframe", "img", "object"}
    assert re.findall(r"https?:|//\w|@import|url\((?!#)", source) == []
    assert [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")] == []
    assert len(source.encode()) < 200_000


def test_every_label_and_reference_finds_its_end(source: str, parsed: Parsed) -> None:
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {attributes["aria-labelledby"] for _, attributes in parsed.tags if "aria-labelledby" in attributes}
    references = {attributes["xlink:href"] for _, attributes in parsed.tags if "xlink:href" in attributes}
    assert labels
    assert references
    assert labels | {reference.removeprefix("#") for reference in references if reference} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(ids)


def test_a_screen_reader_a_phone_the_dark_and_a_printer_are_thought_of(source: str, parsed: Parsed) -> None:
    tags = dict(parsed.tags)
    assert tags["html"]["lang"] == "en"
    assert tags["svg"]["role"] == "img"
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in parsed.tags if tag == "th")
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert 'name="viewport" content="width=device-width' in source
    for media in ("(prefers-color-scheme: dark)", "(max-width:", "print"):
        assert f"@media {media}" in source


def test_the_picture_has_the_colours_of_the_page(source: str) -> None:
    drawing = source[source.index("<svg") : source.index("</svg>")]
    assert "currentColor" in drawing
    assert not re.search(r"#000000|#ffffff|font-family|font:|<style|<metadata", drawing)
    for words in ("predicted: local", "measured: real", "shift ratio"):
        assert words in drawing


def test_names_are_text_and_no_markup(source: str, parsed: Parsed) -> None:
    assert "<b>" not in source
    assert "<never>" not in source
    assert TITLE in parsed.text
    assert "odd.bn is called <never>: it is not examined" in parsed.items


def test_every_bn_has_a_row_the_most_harmed_first(parsed: Parsed) -> None:
    names = [row[0].split()[1] for row in parsed.rows[1:]]
    assert names == [row.bn for row in WHOLE.by_harm]
    assert names[0] == "stage.2.bn"
    assert set(names) == {row.bn for row in WHOLE.rows}


def test_a_row_shows_what_the_report_says(parsed: Parsed) -> None:
    seen = ["1152", "12.5", "0.375", "0.625", "0.0123", "0.700"]
    noise = "after block.drop (drop 0.5)"
    assert parsed.row("stage.2.bn") == [f"2 stage.2.bn {noise}", "0.500", "0.400", "0.800", "17: 0.125", *seen]
    assert parsed.rows[0][-1] == "Eq. 10"
    assert parsed.row("stage.3.bn") == [f"3 stage.3.bn {noise}", "0.750 ± 0.004", "-", "-", "17: 0.125", *seen]
    assert parsed.row("stage.4.bn") == [f"4 stage.4.bn {noise}", "-", "-", "-", "17: 0.125", *seen]
    assert parsed.row("stage.5.bn") == ["5 stage.5.bn", "1.000", "0.800", "0.800", *"-------"]
    assert "Eq. 10 what the paper's formula would say of the strongest noise alone" in parsed.text


def test_where_eq_10_does_not_apply_no_number_is_given_for_it() -> None:
    row = bn(1, 0.8)
    apart = replace(row, ways=(replace(row.ways[0], eq10=None),))
    assert Parsed(page(report(apart), TITLE, 1.1)).row("stage.1.bn")[-2:] == ["0.0123", "-"]


def test_the_harmed_are_marked_and_the_worst_of_them_advised(parsed: Parsed) -> None:
    marked = [attributes.get("class") == "ill" for tag, attributes in parsed.tags if tag == "tr"]
    assert marked == [False, True, True, True, False, False]  # the heading, then by harm: 2, 3, 5
    assert "3 of 5 BNs are above 1.1; the most harmed, stage.2.bn, has 2.500." in parsed.text
    assert list(advise(WHOLE.rows[1], WHOLE, 1.1)) == parsed.items[:-2]


def test_rows_are_told_apart_without_comparing_all_that_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    many = report(*(bn(i, 0.5) for i in range(1, 20)))
    monkeypatch.setattr(Row, "__eq__", lambda *_: pytest.fail("rows were compared"))
    parsed = Parsed(page(many, TITLE, 1.1))
    assert sum(attributes.get("class") == "ill" for tag, attributes in parsed.tags if tag == "tr") == 19


UNKNOWN = bn(4, None)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            report(bn(1, 0.99), UNKNOWN),
            "No BN that could be examined is above 1.05; the most harmed, stage.1.bn, has 1.010."
            " 1 of 2 BNs could not be examined: stage.4.bn.",
        ),
        (
            report(UNKNOWN, bn(1, 1.0)),
            "No BN that could be examined is above 1.05; the most harmed, stage.1.bn, has 1.000."
            " 1 of 2 BNs could not be examined: stage.4.bn.",
        ),
        (
            replace(report(bn(1, 0.5)), unexamined=("odd", "odder")),
            "1 of 3 BNs is above 1.05; the most harmed, stage.1.bn, has 2.000."
            " 2 of 3 BNs could not be examined: odd, odder.",
        ),
        (replace(report(UNKNOWN), unexamined=("odd",)), "2 of 2 BNs could not be examined: stage.4.bn, odd."),
        (replace(report(), unexamined=("odd",)), "1 of 1 BN could not be examined: odd."),
        (
            replace(report(bn(1, 0.9), UNKNOWN), unexamined=("stage.1.bn",)),
            "1 of 2 BNs is above 1.05; the most harmed, stage.1.bn, has 1.111."
            " 2 of 2 BNs could not be examined: stage.4.bn, stage.1.bn.",
        ),
        (
            Report((bn(1, 1.0, ways=()),), (), (), 64, 16, unexamined=("odd",)),
            "Nothing to find: no noise is drawn in training, so training and test have the same variance.",
        ),
        (
            Report((bn(1, None, ways=()),), (), (), 64, 16),
            "Nothing to find: no noise is drawn in training, so training and test have the same variance."
            " 1 of 1 BN could not be examined: stage.1.bn.",
        ),
        (report(bn(1, None, 0.5)), "1 of 1 BN is above 1.05; the most harmed, stage.1.bn, has 2.000."),
        (report(replace(UNKNOWN, moving_var=None)), "No BN is above 1.05; the most harmed, stage.4.bn, has 1.000."),
    ],
)
def test_of_what_could_not_be_examined_no_number_is_told(found: Report, told: str) -> None:
    assert wording.verdict(found, 1.05) == told
    assert told in Parsed(page(found, TITLE, 1.05)).text


def test_notes_of_the_model_and_of_bns_are_listed(parsed: Parsed) -> None:
    assert parsed.items[-2:] == [WHOLE.notes[0], "stage.4.bn: is called 2 times a pass: its statistics mix them"]
    every = report(bn(1, 0.9, notes=("is odd",)), bn(2, 0.9, notes=("is odd",)))
    assert Parsed(page(every, TITLE, 1.05)).items[-1] == "every BN: is odd"


def test_what_is_safe_is_named(parsed: Parsed) -> None:
    assert "Safe, since no BN comes after it (Section 5): fc.drop (drop 0.2)." in parsed.text


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (report(), "Nothing to find: no BN module is called"),
        (Report((bn(1, 1.0, ways=()),), (), (), 64, 16), "Nothing to find: no noise is drawn in training"),
        (report(bn(1, 1.0, 0.5, ways=()), safe=True), "Nothing to find: all noise comes after the last BN"),
        (report(bn(1, 0.99)), "No BN is above 1.05; the most harmed, stage.1.bn, has 1.010."),
    ],
)
def test_where_nothing_is_wrong_it_says_so(found: Report, told: str) -> None:
    source = page(found, TITLE, 1.05)
    parsed = Parsed(source)
    assert parsed.unbalanced == []
    assert told in parsed.text
    assert "What would help" not in source
    assert ("<svg" in source) == bool(found.rows)


def test_where_the_most_harmed_inherits_the_one_with_noise_of_its_own_is_advised_too() -> None:
    found = report(bn(1, 0.6, 0.55), bn(2, 1.0, 0.4, ways=()), bn(3, 0.7, 0.65))
    parsed = Parsed(page(found, TITLE, 1.1))
    assert parsed.items == [*advise(found.rows[1], found, 1.1), *advise(found.rows[0], found, 1.1)]


class TestPicture:
    def lines(self, figure: Any) -> dict[str, Any]:
        (axes,) = figure.axes
        handles, labels = axes.get_legend_handles_labels()
        return {label.partition(":")[0]: handle for handle, label in zip(handles, labels, strict=True)}

    def test_it_draws_what_was_predicted_and_what_was_measured_with_gaps(self) -> None:
        figure: Any = pictures.doctor(WHOLE, TITLE)
        drawn = self.lines(figure)
        predicted, _, (bars,) = drawn["predicted"]
        local, nan = [1 / 0.95, 2.0, 1 / 0.75, math.nan, 1.0], math.nan
        assert list(predicted.get_ydata()) == pytest.approx(local, nan_ok=True)
        assert list(drawn["measured"].get_ydata()) == pytest.approx([1 / 0.96, 2.5, nan, nan, 1.25], nan_ok=True)
        assert list(predicted.get_xdata()) == [1, 2, 3, 4, 5]
        low, high = bars.get_segments()[2][:, 1]
        assert high - low == pytest.approx(2 * 0.004 / 0.75**2)  # the error of 1 / predicted
        assert figure.axes[0].get_ylim()[0] == 1
        assert figure.axes[0].get_yscale() == "linear"

    def test_a_prediction_above_one_is_its_own_ratio_and_so_is_its_error(self) -> None:
        above = replace(bn(1, 1.25), stderr=0.004)
        _, _, (bars,) = self.lines(pictures.doctor(report(above), TITLE))["predicted"]
        low, high = bars.get_segments()[0][:, 1]
        assert (low + high) / 2 == pytest.approx(1.25)
        assert high - low == pytest.approx(2 * 0.004)

    def test_a_title_is_no_mathematics(self) -> None:
        assert "make('$a^$')" in pictures.svg(pictures.doctor(report(bn(1, 0.9)), "m:make('$a^$')"))

    def test_where_nothing_was_measured_no_curve_says_so(self) -> None:
        assert list(self.lines(pictures.doctor(report(bn(1, 0.9), bn(2, 0.8)), TITLE))) == ["predicted"]

    def test_many_bns_have_more_room_and_large_ratios_a_logarithm(self) -> None:
        few, many = (pictures.doctor(report(*(bn(i, 0.9) for i in range(1, n + 1)))) for n in (5, 160))
        assert many.get_figwidth() == 2 * few.get_figwidth()
        large: Any = pictures.doctor(report(bn(1, 0.9), bn(2, 0.01)))
        assert large.axes[0].get_yscale() == "log"

    @pytest.mark.parametrize("predicted", [None, 0.0])
    def test_a_report_without_a_number_can_be_drawn(self, predicted: float | None) -> None:
        assert pictures.svg(pictures.doctor(report(bn(1, predicted)))).count("<svg") == 1

    def test_saving_writes_the_same_text(self, tmp_path: Any) -> None:
        figure = pictures.doctor(WHOLE, TITLE)
        pictures.save(figure, tmp_path / "shift.svg")
        assert (tmp_path / "shift.svg").read_text() == pictures.svg(figure)
