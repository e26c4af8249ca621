"""The page in a real browser: on a telephone and on a desk, in light and in dark, on screen and on paper."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.paper.browser import Browser, Tab, program, running

TELEPHONE, DESK = 390, 1400
SHEET = 718  # A4 without margins of 1 cm
LIGHT, DARK = "light", "dark"
LOOK = Path(__file__).with_name("look.js").read_text()
ELSEWHERE = "http://127.0.0.1:9/x"
# What leads through the page, which on paper nothing does.
SCREEN_ONLY = "nav, .skip"

Show: TypeAlias = Callable[..., Tab]

pytestmark = pytest.mark.skipif(program() is None, reason="no browser is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(pages_folder: Path) -> Path:
    return pages_folder / "failed.html"  # the one that has every badge


@pytest.fixture(
    scope="module", params=product((TELEPHONE, DESK), (LIGHT, DARK)), ids=lambda seen: f"{seen[0]}-{seen[1]}"
)
def tab(browser: Browser, page: Path, request: pytest.FixtureRequest) -> Iterator[Tab]:
    with browser.opened(page, *request.param) as tab:
        tab.run(f"{LOOK} openAll()")
        yield tab


@pytest.fixture(scope="module")
def bare(page: Path) -> str:
    return page.read_text().partition("<section")[0]  # so that what the controls add is soon shown


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    with ExitStack() as tabs:

        def show(html: str, scheme: str = LIGHT, width: int = TELEPHONE) -> Tab:
            file = tmp_path / "page.html"
            file.write_text(html)
            tab = tabs.enter_context(browser.opened(file, width, scheme))
            tab.run(f"{LOOK} openAll()")
            return tab

        yield show


def test_it_does_not_scroll_sideways(tab: Tab) -> None:
    assert tab.run("stickingOut()") == []


def test_what_sticks_out_is_found_unless_something_around_it_scrolls(show: Show, bare: str) -> None:
    wide = '<div style="width: 1000px">{}</div>'.format
    scrolling = f'<div class="scroll">{wide("scrolling")}</div>'
    html = bare + scrolling + wide("open") + f"<details>{wide('closed')}</details>"
    told = " ".join(show(html).run("stickingOut()"))
    assert [text in told for text in (">open<", ">closed<", ">scrolling<")] == [True, True, False]
    assert show(bare + scrolling).run("stickingOut()") == []
    assert show(html, width=DESK).run("stickingOut()") == []


def test_the_console_stays_empty(tab: Tab) -> None:
    assert tab.complaints == []


def test_it_asks_for_nothing_but_itself(tab: Tab, page: Path) -> None:
    assert tab.requests == [page.as_uri()]


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        ("<script>missing()</script>", "ReferenceError: missing is not defined"),
        ("<script>console.warn('something odd')</script>", "something odd"),
        (f'<img src="{ELSEWHERE}">', "net::ERR"),
    ],
)
def test_errors_warnings_and_requests_are_heard(show: Show, bare: str, addition: str, complaint: str) -> None:
    tab = show(bare + addition)
    (told,) = tab.complaints
    assert complaint in told
    assert (ELSEWHERE in tab.requests) == (ELSEWHERE in addition)


def test_all_text_stands_out_from_what_is_behind_it(tab: Tab) -> None:
    assert tab.run("faint()") == []


@pytest.mark.parametrize(
    ("element", "style", "scheme"),
    [
        ("<p>faint</p>", "p { color: #777 }", LIGHT),
        ('<p><a href="#main">faint</a></p>', "a { color: #0059a8 }", DARK),
        ('<span class="badge holds">faint</span>', ".holds { color: #777 }", LIGHT),
        ('<div class="card">faint</div>', ":root { --card: #fff }", DARK),
        ("<svg><text y='20'>faint</text></svg>", "svg text { fill: #777 }", LIGHT),
        ("<div><p>faint</p></div>", "div { opacity: 0.4 }", LIGHT),
    ],
)
def test_faint_text_is_found(show: Show, bare: str, element: str, style: str, scheme: str) -> None:
    assert show(bare + element, scheme).run("faint()") == []
    faint = show(f"{bare}{element}<style>{style}</style>", scheme).run("faint()")
    assert any(told.endswith(": faint") for told in faint)


def brightness(tab: Tab) -> float:
    return tab.run("luminance(ground(document.body))")


def test_dark_is_dark(tab: Tab) -> None:
    dark = tab.run("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (brightness(tab) < 0.05) == dark
    assert (brightness(tab) > 0.9) != dark


def test_without_colours_of_its_own_dark_would_not_be(show: Show, bare: str) -> None:
    light_only = bare.replace("(prefers-color-scheme: dark)", "(width < 0)")
    assert brightness(show(light_only, DARK)) > 0.9


def lost_on_paper(tab: Tab) -> Counter[str]:
    texts = f"shown('{SCREEN_ONLY}').map(text => text.data)"
    tab.run("openAll()")
    on_screen = Counter(tab.run(texts))
    tab.run("openAll(false)")
    tab.show(LIGHT, "print")
    return on_screen - Counter(tab.run(texts))


def test_paper_has_all_that_the_screen_has_though_it_be_closed(browser: Browser, page: Path) -> None:
    with browser.opened(page, SHEET) as tab:
        tab.run(LOOK)
        assert not lost_on_paper(tab)


@pytest.mark.parametrize(
    "style",
    [
        "details::details-content { content-visibility: hidden }",
        "p { display: none }",
        "p { visibility: hidden }",
        "p { opacity: 0 }",
    ],
)
def test_what_paper_would_lose_is_found(show: Show, bare: str, style: str) -> None:
    some = "<details><summary>more</summary><p>lost</p></details>"
    assert not lost_on_paper(show(bare + some))
    assert lost_on_paper(show(f"{bare}{some}<style>@media print {{ {style} }}</style>"))["lost"] == 1
