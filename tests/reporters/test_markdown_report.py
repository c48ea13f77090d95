"""The Markdown report: what it says, that it fits, and that no answer becomes more than text."""

import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser

import cmarkgfm
import hypothesis.strategies as st
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from markdown_it import MarkdownIt

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.markdown import LIMIT, render_markdown
from pytest_evals.reporters.markup import code, prose
from pytest_evals.reporters.mdtables import table_head, table_row
from pytest_evals.reporters.sections.headline import MARKER
from pytest_evals.reporters.truncate import TextSection, truncate_document, utf16_length
from tests.reporters.text_makers import HOSTILE, errored, report, trial

OURS = {
    "h2", "h3", "p", "ul", "li", "code", "pre", "em", "strong", "blockquote", "details",
    "summary", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
WRITTEN = st.text(
    st.sampled_from("ab1 \n\t`|\\<>[]()!*_~#@:/.-=+&;\"'\r\x00\u202e") | st.characters(exclude_categories=["Cs"]),
    max_size=40,
) | st.sampled_from(HOSTILE)  # fmt: skip


class Elements(HTMLParser):
    """Reads the elements of a page, and the text that stands in no code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple]] = []
        self.comments: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        """Note an element."""
        self.tags.append((tag, tuple(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag) -> None:
        """See that it ends what was begun."""
        assert tag == self._open.pop()

    def handle_comment(self, data) -> None:
        """Note a comment."""
        self.comments.append(data)

    def handle_data(self, data) -> None:
        """Note words that stand in no code."""
        if "code" not in self._open:
            self.words += data


def rendered(text: str) -> Elements:
    """Render Markdown as GitHub does, before GitHub's own cleaning."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return Elements(cmarkgfm.github_flavored_markdown_to_html(text, options))


def full(text: str) -> Report:
    """Make a report with a text in every place where a stranger's text can stand."""
    case, model = text or "x", text or "y"
    extra = {"model": model, "tags": (text or "t",), "reason": text}
    before = [
        *(trial(case, "before " + text, sample=i, **extra) for i in range(3)),
        trial("fixed", text, passed=False, **extra),
        trial("edited", text, **extra),
    ]
    now = [
        *(trial(case, text, passed=False, sample=i, **extra) for i in range(3)),
        trial("fixed", text, **extra),
        trial("edited", text, case_digest="f" * 16, **extra),
        trial("new", text, passed=False, **extra),
        trial("none", None, **extra, **errored(text)),
    ]
    return report(now, before=before, notes=[text], gates=["pass@1 >= 0.9", "no regressions"])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_answer_becomes_an_element(text: str) -> None:
    """Rendered, a report has the elements it has for plain words, wherever the text stands."""
    told, plain = rendered(render_markdown(full(text))), rendered(render_markdown(full("plain")))
    assert OURS >= {tag for tag, _ in told.tags}
    assert _without_code(plain) == _without_code(told)
    assert [" pytest-evals "] == told.comments


def _without_code(page: Elements) -> list:
    return [one for one in page.tags if one[0] != "code"]


@settings(max_examples=150, deadline=None)
@given(text=WRITTEN)
def test_no_text_becomes_an_element(text: str) -> None:
    """The same for any text; outside of code stands nothing that GitHub would look up."""
    told = rendered(render_markdown(full(text)))
    allowed = {("th", (("align", "right"),)), ("td", (("align", "right"),))}
    attributes = {one for one in told.tags if one[1] and one[0] not in {"code", "pre"}}
    assert OURS >= {tag for tag, _ in told.tags}
    assert allowed >= attributes
    assert [" pytest-evals "] == told.comments
    assert None is re.search(r"@|://|www\.|#\d|GH-\d|:[a-z]+:|\$(?!\d)", told.words)


@settings(max_examples=300, deadline=None)
@given(text=WRITTEN)
def test_code_and_prose_in_a_cell(text: str) -> None:
    """In a table's cell a text stays in its cell, for two renderers."""
    for made in (code(text), prose(text)):
        table = f"{table_head(['a', 'b'])}\n{table_row([f'x {made}', 'y'])}\n"
        page = MarkdownIt("gfm-like", {"linkify": False}).render(table)
        for tags in (rendered(table).tags, Elements(page).tags):
            counts = Counter(tag for tag, _ in tags)
            assert (2, 2, 2) == (counts["tr"], counts["th"], counts["td"])
            assert {"table", "thead", "tbody", "tr", "th", "td", "code"} >= set(counts)


def test_a_text_in_code_is_what_it_was() -> None:
    """Pipes, backslashes and ticks are shown as they were written."""
    written = r"a | b \| c `d` ``e`` \\"
    made = code(written)
    for text in (f"{table_head(['h'])}\n{table_row([made])}\n", f"- {made}\n"):
        assert written in cmarkgfm.github_flavored_markdown_to_html(text)


@settings(max_examples=300, deadline=None)
@given(text=WRITTEN)
def test_what_is_rendered_is_what_was_written(text: str) -> None:
    """In a list and in a cell, for two renderers; spaces and invisible characters apart."""
    limit = 12 * len(text) + 20  # an escape is longer than its character
    shown = " ".join(neutral(text).split())
    for made in (code(text, limit), prose(text, limit)):
        for page in (f"- {made}\n", f"{table_head(['h'])}\n{table_row([made])}\n"):
            for html in (
                cmarkgfm.github_flavored_markdown_to_html(page),
                MarkdownIt("gfm-like", {"linkify": False}).render(page),
            ):
                words = unescape(re.sub(r"<[^>]+>", "", html)).split()
                told = " ".join(words if "<table>" not in html else words[1:])
                assert told == (shown or ("(empty)" if made == "(empty)" else ""))


@pytest.mark.parametrize("name", ["a_b", "1.5", "x-y", "a*b", "#12", "a|b", "[x]", "1. a", "c:\\d"])
def test_no_id_gets_a_backslash(name: str) -> None:
    """An id is what it is in the source too; in a cell a pipe alone needs one."""
    assert code(name) == f"`{name}`"
    assert prose(name) in {name, f"`{name}`"} or name == "1. a"
    assert table_row([code(name)]).count("\\") == code(name).count("\\") + name.count("|")


def test_the_verdict_comes_first() -> None:
    """Marker, verdict, counts, gates, then what regressed with both answers and the reason."""
    before = [trial("refund", "You have 30 days.", sample=i) for i in range(5)]
    now = [trial("refund", f"No idea.\nSorry {i}.", passed=False, sample=i) for i in range(5)]
    steady = [trial(f"c{j}", sample=i) for j in range(20) for i in range(5)]
    made = report(now + steady, before=before + steady, gates=["pass@1 >= 0.9", "no regressions"])
    text = render_markdown(made)
    assert text.startswith(f"{MARKER}\n## ")
    assert "## ⚠️ Evals: investigate\n\n100 of 105 scored trials passed; 5 failed." in text
    assert "Against the baseline: 1 regressed; 20 still passing." in text
    parts = re.findall(r"^#+ .*", text, re.MULTILINE)
    assert ["### Regressed: 1", "### Models and costs"] == parts[2:4]
    assert "`refund` for `gpt` · passed 5 of 5 before, 0 of 5 now" in text
    assert (
        "```diff\n- You have 30 days.\n+ No idea.\n+ Sorry 0.\n"
        "! contains: the output does not contain 'fine'\n```" in text
    )


@pytest.mark.parametrize(
    ("trials", "gates", "title"),
    [
        ([trial("a")], [], "✅ Evals: passed"),
        ([trial("a", passed=False)], [], "❌ Evals: failed"),
        ([trial("a")], ["pass@1 >= 0.5"], "✅ Evals: accept"),
        ([trial("a", passed=False)], ["pass@1 >= 0.5"], "❌ Evals: reject"),
        ([trial("a"), trial("b", None)], ["pass@1 >= 0.5"], "✅ Evals: accept"),
        (
            [trial("a"), trial("b", passed=False)],
            ["pass@1 >= 0.5 where case=a"],
            "❌ Evals: reject",
        ),
        ([], [], "⚠️ Evals: incomplete"),
    ],
    ids=["passed", "failed", "accept", "reject", "error allowed", "not covered", "nothing"],
)
def test_the_verdict_in_words(trials, gates, title) -> None:
    """It is never better than what the trials say."""
    assert title == render_markdown(report(trials, gates=gates)).splitlines()[1].removeprefix("## ")


def test_flaky_fixed_slices_and_costs() -> None:
    """Samples that disagree, what was fixed, tags and costs each have their place."""
    before = [trial("b", "no", passed=False), *(trial("a", sample=i) for i in range(2))]
    now = [
        *(trial("a", passed=bool(i), sample=i, tags=("en",)) for i in range(2)),
        trial("b", "yes", tags=("de",)),
    ]
    text = render_markdown(report(now, before=before))
    assert "- `a` for `gpt`: passed 2 of 2 before, 1 of 2 now; contains: the output does" in text
    assert "| `en` | `gpt` | 1 | 1 of 2 (50%) |" in text
    assert "| `gpt` | 2 of 3 |" in text
    assert "$0.0030" in text


def test_errors_by_kind() -> None:
    """Trials without an answer are counted by model and reason, the most frequent first."""
    text = render_markdown(report([trial(f"c{i}", None) for i in range(3)]))
    assert (
        "### No answer, or no score: 3\n\n- 3 trials of `gpt`: overloaded: come back later (`c0`, `c1`, `c2`)"
        in text
    )


def test_it_fits_a_comment() -> None:
    """Of thousands of failures with long answers the worst are shown, and what was cut is said."""
    trials = [
        trial(f"case-{i:05}", "\U0001f600 wörter " * 200, passed=False, tags=(f"t{i % 900}",))
        for i in range(3000)
    ]
    text = render_markdown(report(trials))
    assert 0.8 * LIMIT < utf16_length(text) <= LIMIT
    assert "### Failing: 3,000" in text
    assert re.search(r"\*2,9\d\d more cases did not fit here\.\*", text)
    assert re.search(r"\*\d+ more tags did not fit here\.\*", text)
    assert "<summary>Run 20261121-051500-3f9a</summary>" in text
    assert OURS >= {tag for tag, _ in rendered(text).tags}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(0, 400), max_size=30), min_size=1, max_size=8),
    limit=st.integers(1500, 6000),
)
def test_fit_never_exceeds_its_limit(sizes, limit) -> None:
    """Whatever the items, the document fits, and every section stands with what it left out."""
    sections = [
        TextSection(f"### s{i}", ["ä" * n for n in items], "items", folded="f" if i % 2 else "")
        for i, items in enumerate(sizes)
    ]
    text = truncate_document(sections, limit)
    assert utf16_length(text) <= limit
    for i, items in enumerate(sizes):
        part = text.partition(f"### s{i}\n" if items else f"### s{i}")[2].partition("### s")[0]
        left = re.search(r"\*([\d,]+) (?:more )?items did not fit", part)
        shown = sum(
            line.count("ä") == n
            for line, n in zip(re.findall("ä+", part), [n for n in items if n], strict=False)
        )
        assert len([n for n in items if n]) <= shown + int(left[1].replace(",", "") if left else 0)
