"""The ledger by sections of the paper: as tables for the terminal, and as Markdown for the README."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from paper_checks.backing import in_short
from paper_checks.bookkeeping import Book
from paper_checks.ledger import Claim, Evidence, Verdict

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.HOLDS_IF: "cyan",
    Verdict.OPEN: "dim",
    Verdict.UNDERSPECIFIED: "yellow",
    Verdict.CONTRADICTED: "red",
}
NOT_RUN = str(Evidence.NOT_RUN)
STANDINGS = (*map(str, Verdict), NOT_RUN)
MEANING = (
    "The numbers count claims. A green run means that this ledger is true: every claim stands where the ledger says, "
    "which for some is contradicted, and for some not run."
)

BEYOND, WHOLE = "Beyond the paper", "The paper as a whole"
HEADINGS = {
    "1": "Section 1: introduction",
    "2": "Section 2: preliminaries",
    "3": "Section 3: theory",
    "4": "Section 4: experiments on the shift",
    "5": "Section 5: strategies",
    "6": "Section 6: guidelines",
    "7": "Section 7: conclusion",
}
# Where the paper puts what it numbers apart from its sections.
SECTIONS_OF: Mapping[str, Mapping[str, Iterable[int]]] = {
    "Eq": {"2": range(1, 5), "3": range(5, 13), "5": (13,)},
    "Fig": {"1": (1,), "3": (2, 3), "4": (4, 5, 6)},
    "Table": {"3": (1,), "4": (2, 3), "5": (4, 5)},
}
PLACE = re.compile(r"(Section|Eq|Fig|Table)s?\.? (\d+)|(Abstract)|(beyond)")


def section_of(claim: Claim) -> str:
    """The part of the paper that a claim stands in: that of the first place which the claim names."""
    place = PLACE.search(claim.where)
    if place is None:
        return WHOLE
    kind, number, abstract, beyond = place.groups()
    if beyond:
        return BEYOND
    if abstract:
        return HEADINGS["1"]
    if kind == "Section":
        return HEADINGS.get(number, WHOLE)
    homes = (section for section, numbers in SECTIONS_OF[kind].items() if int(number) in numbers)
    return HEADINGS.get(next(homes, ""), WHOLE)


def by_section(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """The claims under the headings of the paper, in its order."""
    found: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        found[section_of(claim)].append(claim)
    return {heading: found[heading] for heading in (*HEADINGS.values(), BEYOND, WHOLE) if heading in found}


def contradicted(claims: Iterable[Claim]) -> list[Claim]:
    """The claims that do not hold, in the paper's order."""
    held = (claim for section in by_section(claims).values() for claim in section)
    return [claim for claim in held if claim.verdict is Verdict.CONTRADICTED]


def waits(claim: Claim) -> bool:
    """Whether nothing but a training run, which has not been made, can tell."""
    return set(claim.evidence) == {Evidence.NOT_RUN}


def standing(claim: Claim) -> str:
    """Where a claim stands, in a word or two: its verdict, or that it was not run."""
    return NOT_RUN if waits(claim) else str(claim.verdict)


def reason_of(claim: Claim) -> str:
    """What the claim's `because` tells: a condition, an experiment, or a reason."""
    if waits(claim):
        return "to decide"
    return "if" if claim.verdict is Verdict.HOLDS_IF else "because"


def evidence_of(claim: Claim) -> str:
    """The kinds of evidence, in words."""
    return ", ".join(str(kind) for kind in claim.evidence)


def verdict_counts(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have which verdict; those that wait for training are counted apart."""
    found = Counter(standing(claim) for claim in claims)
    return {name: found[name] for name in STANDINGS if found[name]}


def counts(book: Book) -> str:
    """How many claims have which verdict, in one line."""
    refuted = [claim_id for claim_id in book.claims if book.refuted(claim_id)]
    unsettled = [claim_id for claim_id in book.claims if book.unsettled(claim_id)]
    told = ", ".join(f"{number} {name}" for name, number in verdict_counts(book.claims.values()).items())
    ending = f"; THE LEDGER IS FALSE about {', '.join(refuted)}" if refuted else ""
    ending += f"; NOT CHECKED: {', '.join(unsettled)}" if unsettled else ""
    return f"{len(book.claims)} claims: {told}{ending}"


def claim_table(book: Book, *, only_checked: bool = False) -> Group:
    """Every claim in one row under the heading of its section: id and place, what it says and why, where it stands."""
    shown = [claim for claim in book.claims.values() if not only_checked or book.of(claim.id)]
    widest = max((len(claim.id) for claim in shown), default=0)
    parts: list[Text | Table] = []
    for heading, claims in by_section(shown).items():
        parts += [Text(f"\n{heading}\n", style="bold underline"), _section_table(book, claims, widest)]
    return Group(*parts)


def _section_table(book: Book, claims: Iterable[Claim], widest: int) -> Table:
    # The outer columns have fixed widths, so that ids are never wrapped and the sections' tables line up.
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False, expand=True)
    table.add_column(width=widest)
    table.add_column(ratio=1)
    table.add_column(width=max(map(len, STANDINGS)))
    for claim in claims:
        table.add_row(
            Text.assemble(claim.id, "\n", (claim.where, "dim")),
            Text.assemble(claim.says, *((f"\n{told}", "dim") for told in _told(claim))),
            Text.assemble(_standing_in(book, claim), *((f"\n{kind}", "dim") for kind in claim.evidence)),
        )
    return table


def _told(claim: Claim) -> Iterable[str]:
    """What is told below what a claim says."""
    return filter(None, [f"{reason_of(claim)}: {claim.because}" if claim.because else "", in_short(claim)])


def _standing_in(book: Book, claim: Claim) -> tuple[str, str]:
    if book.refuted(claim.id):
        return "LEDGER FALSE", "bold white on red"
    if book.unsettled(claim.id):
        return "not checked", "bold"
    return str(claim.verdict), STYLES[claim.verdict]


def readme_block(claims: Iterable[Claim]) -> str:
    """The ledger as Markdown: counts by section, what is contradicted, and every claim in a fold."""
    claims = list(claims)
    listed = [_bullet(claim) for claim in contradicted(claims)] or ["- nothing"]
    return "\n".join(
        [
            *(MEANING, ""),
            *(*_counts_in_markdown(claims), ""),
            *("**Contradicted**, and by what:", "", *listed, ""),
            *("<details>", f"<summary>All {len(claims)} claims</summary>", ""),
            *(*_ledger_in_markdown(claims), "", "</details>"),
        ]
    )


def _bullet(claim: Claim) -> str:
    return f"- **{_plain(claim.id)}**: {_plain(claim.says)} *Because:* {_plain(claim.because)}"


def _counts_in_markdown(claims: Sequence[Claim]) -> Iterable[str]:
    yield _row("", *STANDINGS, "all")
    yield _row("---", *["---:"] * (len(STANDINGS) + 1))
    for heading, held in by_section(claims).items():
        yield _row(heading, *_numbers(held))
    yield _row("**all**", *(f"**{number}**" for number in _numbers(claims)))


def _numbers(claims: Sequence[Claim]) -> list[str]:
    found = verdict_counts(claims)
    return [*(str(found.get(name, 0)) for name in STANDINGS), str(len(claims))]


def _ledger_in_markdown(claims: Iterable[Claim]) -> Iterable[str]:
    yield _row("claim", "where", "says", "evidence", "stands", "because")
    yield _row(*["---"] * 6)
    for held in by_section(claims).values():
        for claim in held:
            why = " ".join(filter(None, [claim.because, in_short(claim)]))
            told = (claim.id, claim.where, claim.says, evidence_of(claim), standing(claim), why)
            yield _row(*map(_plain, told))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup, in one line."""
    return re.sub(r"([\\`*_|<>\[\]~$])", r"\\\1", " ".join(text.split()))
