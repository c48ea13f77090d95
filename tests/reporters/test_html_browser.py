"""The HTML report in a real browser: filters, drawer, keyboard, colours, print, and what it hides.

Every page is watched: an error on its console, or a request for anything but itself, fails the
test.
"""

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.report import Report
from pytest_evals.reporters.html import HtmlReporter
from tests.reporters.page_makers import busy_trial, shop
from tests.reporters.text_makers import HOSTILE, report, trial

pytestmark = [pytest.mark.heavy, pytest.mark.browser]

ROOT = Path(__file__).parents[2]

Open = Callable[..., Any]

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Return what opens a report's page; what it does wrong meanwhile fails the test."""
    pages, wrong = [], []

    def open_page(made: Report | Path, address: str = "", **options: Any) -> Any:
        path = made if isinstance(made, Path) else tmp_path / f"report-{len(pages)}.html"
        if not isinstance(made, Path):
            HtmlReporter().write(made, path)
        page = browser.new_page(**options)
        pages.append(page)
        page.on("console", lambda one: wrong.append(f"console: {one.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda one: (wrong.append(f"dialog: {one.message}"), one.dismiss()))
        asked = path.as_uri()
        page.on(
            "request",
            lambda one: None if one.url.startswith((asked, "data:,")) else wrong.append(one.url),
        )
        page.goto(asked + address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-searchable]", state="attached")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert [] == wrong


def cases(page: Any) -> list[str]:
    """Return the names of the cases in the matrix."""
    return page.locator("#grid .case").all_text_contents()


def title(page: Any) -> str:
    """Return the open drawer's title, once its details are there."""
    page.wait_for_selector("#drawer[open] .facts")
    return " ".join(page.locator("#drawer-title").inner_text().split())


def test_filters_find_what_they_say(look: Open) -> None:
    """Model, tag, status, change, scorer and text, alone and together; they count what is left."""
    page = look(shop())
    found = page.locator("#found")
    assert ["refund", "vat", "hours"] == cases(page)
    assert "3 of 3 cases, 30 of 30 trials" == found.inner_text()
    page.select_option("[name=status]", "tolerated")
    assert "2 of 3 cases, 6 of 30 trials" == found.inner_text()
    page.select_option("[name=tag]", "tax")
    assert ["vat"] == cases(page)
    page.click("#clear")
    page.select_option("[name=diff]", "regressed")
    assert ["refund"] == cases(page)
    page.select_option("[name=model]", "claude")
    assert "No case fits these filters." in page.locator("#grid").inner_text()
    page.click("#clear")
    page.fill("[name=q]", "NO refunds 3")
    assert ["refund"] == cases(page)
    assert "1 of 3 cases, 1 of 30 trials" == found.inner_text()
    page.fill("[name=q]", "nobody said this")
    assert "0 of 3 cases, 0 of 30 trials" == found.inner_text()


def test_the_scorer_that_failed_is_a_filter(look: Open) -> None:
    """Where there are several, trials are found by the one that failed them."""
    page = look(report([busy_trial("words"), trial("a", passed=False), trial("b")]))
    page.select_option("[name=scorer]", "contains")
    assert ["a"] == cases(page)
    page.select_option("[name=scorer]", "helpful words")
    assert ["busy words"] == cases(page)


def test_the_search_reads_whole_answers(look: Open) -> None:
    """Also what stands far down in one, and what a scorer said of it."""
    long = trial("long", "word " * 5000 + "Needle")
    page = look(report([long, trial("b", passed=False, reason="a Haystack is no answer")]))
    page.fill("[name=q]", "needle")
    assert ["long"] == cases(page)
    page.fill("[name=q]", "HAYSTACK")
    assert ["b"] == cases(page)


def test_the_order_can_be_chosen(look: Open) -> None:
    """Worst first, as planned, by name."""
    page = look(shop())
    page.select_option("[name=sort]", "planned")
    assert ["refund", "hours", "vat"] == cases(page)
    page.select_option("[name=sort]", "name")
    assert ["hours", "refund", "vat"] == cases(page)
    page.select_option("[name=sort]", "spread")
    assert "vat" == cases(page)[0]


def test_filters_stand_in_the_address(look: Open) -> None:
    """An address with filters opens so; filters change the address; going back follows it."""
    page = look(shop(), "#tag=tax&status=tolerated&q=fine")
    assert ["vat"] == cases(page)
    assert "tax" == page.input_value("[name=tag]")
    assert "fine" == page.input_value("[name=q]")
    page.select_option("[name=model]", "gpt")
    assert page.url.endswith("#q=fine&model=gpt&tag=tax&status=tolerated")
    page.evaluate("location.hash = 'tag=shop'")
    page.locator("#grid .case").nth(1).wait_for(state="detached")
    assert ["hours"] == cases(page)
    page.evaluate("location.hash = 'tag=no+such+tag'")
    page.locator("#grid .case").nth(2).wait_for()
    assert "3 of 3 cases, 30 of 30 trials" == page.locator("#found").inner_text()


def test_a_trial_has_an_address(look: Open) -> None:
    """A link opens its drawer; closing takes it from the address again."""
    page = look(shop(), "#trial=shop.yaml%3A%3Avat%5Bgpt-2%5D")
    assert "vat gpt · sample 2 tolerated" == title(page)
    page.click("#close")
    assert "#" not in page.url
    page.click(".worse a")
    assert "refund gpt · sample 0 tolerated" == title(page)
    assert "trial=shop.yaml" in page.url


def test_the_drawer_shows_the_whole_trial(look: Open) -> None:
    """Messages, calls, answer, scores, judges, trace, facts, the command to rerun."""
    page = look(report([busy_trial("words")]))
    page.click("#grid button")
    title(page)
    for fold in page.locator("#drawer details").all():
        fold.evaluate("one => { one.open = true; }")
    told = page.locator("#drawer").inner_text()
    for words in (
        "Score 0.25",
        "17 (12 in, 5 out, 3 cached)",
        "system words",
        "question words",
        '{"what": "words"}',
        '{"found": "words"}',
        "answer words",
        "reason words",
        "Advisory, not counted: no certificate words",
        "judge this: words",
        "reply words",
        "agent words agent_turn",
        "100 ms",
        "printed words",
        "pytest --evals 'shop.yaml::busy[gpt-0] words'",
        "gpt · asked · 250 ms · 17 tokens · $0.0010 · served by served words",
    ):
        assert words in " ".join(told.split()), words


def test_the_drawer_compares_with_the_baseline(look: Open) -> None:
    """What changed in the case stands in its trials, word by word."""
    page = look(shop(), "#trial=shop.yaml%3A%3Arefund%5Bgpt-0%5D")
    title(page)
    told = page.locator("#drawer").inner_text()
    assert "Regressed: passed 5/5 before, 0/5 now." in told
    assert page.locator("#drawer ins").count() > 0


def test_everything_can_be_done_with_the_keyboard(look: Open) -> None:
    """Arrows move between squares, Enter opens, arrows go on, Escape closes and comes back."""
    page = look(shop())
    page.focus("#grid button[tabindex='0']")
    assert 1 == page.locator("#grid button[tabindex='0']").count()

    def here(label: str) -> bool:
        """Wait until the focus is on what has a label: a dialog gives it back in its own time."""
        focused = "label => document.activeElement.getAttribute('aria-label') === label"
        return bool(page.wait_for_function(focused, arg=label))

    assert here("refund, gpt, sample 0: tolerated")
    page.keyboard.press("ArrowRight")
    assert here("refund, gpt, sample 1: tolerated")
    page.keyboard.press("ArrowDown")
    assert here("vat, gpt, sample 1: passed")
    page.keyboard.press("End")
    assert here("vat, claude, sample 4: passed")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert here("refund, gpt, sample 0: tolerated")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert "solid" == page.evaluate(outline)
    page.keyboard.press("Enter")
    assert "refund gpt · sample 0 tolerated" == title(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#drawer').innerText.includes('sample 1')")
    assert "refund gpt · sample 1 tolerated" == title(page)
    page.keyboard.press("Escape")
    assert here("refund, gpt, sample 1: tolerated")
    assert not page.locator("#drawer[open]").count()


def test_light_and_dark(look: Open) -> None:
    """As the system has it, until it is chosen."""
    ground = "getComputedStyle(document.body).backgroundColor"
    page = look(shop(), color_scheme="dark")
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert ("rgb(19, 21, 24)", "rgb(248, 248, 246)") == (dark, light)
    page.click("#theme")
    assert dark == page.evaluate(ground)
    assert "Dark" == page.inner_text("#theme")


def problems(page: Any) -> list[str]:
    """Return what axe finds wrong with a page as it stands."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe is not installed (pip install axe-playwright-python)")
    if not page.evaluate("'axe' in window"):
        page.evaluate((Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(
        "tags => axe.run(document, { runOnly: { type: 'tag', values: tags } })", AXE_RULES
    )
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (375, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(375, "light", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_violation(look: Open, scheme: str, width: int) -> None:
    """Neither in the page with everything folded out nor in the drawer."""
    made = shop(notes=["a note"])
    page = look(made, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert [] == problems(page)
    page.locator("#grid button").first.click()
    title(page)
    page.wait_for_timeout(200)
    assert [] == problems(page)


EXAMPLES = {
    "csv": "All 3 trials passed",
    "judge": "Investigate",
    "python_app": "All 8 trials passed",
    "quickstart": "22 of 24 trials passed",
}
"""What each says first."""


@pytest.mark.parametrize(
    "name",
    [
        "judge",
        "quickstart",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in sorted(EXAMPLES.keys() - {"judge", "quickstart"})
        ),
    ],
)
def test_reports_of_the_examples(look: Open, tmp_path: Path, name: str) -> None:
    """Each is written by a session of its own, says what became of it, and axe is content."""
    left = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=left)
    report = f"--evals-html={tmp_path / 'report.html'}"  # an example may be a rootdir of its own
    command = [sys.executable, "-m", "pytest", "--evals", name, report]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout
    page = look(tmp_path / "report.html")
    assert EXAMPLES[name] == page.inner_text("h1")
    page.locator("#grid button").first.click()
    title(page)
    page.keyboard.press("Escape")
    assert [] == problems(page)


def test_a_phone_shows_all_of_it(look: Open) -> None:
    """Nothing is wider than the screen, in the page and in the drawer."""
    page = look(shop(), viewport={"width": 375, "height": 700})
    wide = "document.documentElement.scrollWidth"
    assert 375 == page.evaluate(wide)
    page.locator("#grid button").first.click()
    title(page)
    assert 375 >= page.evaluate("document.getElementById('drawer').scrollWidth")


def test_without_a_script_the_summary_stands(look: Open) -> None:
    """Verdict, gates, metrics and the worst cases; no control that would do nothing."""
    page = look(shop(), java_script_enabled=False)
    told = page.locator("body").inner_text()
    for words in ("Reject", "pass@1 >= 0.9", "Regressed", "vs. baseline", "3 of 3 cases"):
        assert words in told
    assert ["refund", "vat", "hours"] == cases(page)
    assert not page.locator("form").is_visible()
    assert not page.locator("#theme").is_visible()


def test_it_prints(look: Open) -> None:
    """On white, without controls, with everything that stands in the page."""
    page = look(shop(), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert not page.locator("form").is_visible()
    assert page.locator("#grid").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_hostile_words_do_nothing(look: Open) -> None:
    """In every field, in the page and in every drawer: nothing runs, nothing is asked for."""
    every = [busy_trial(f"{place} {words}") for place, words in enumerate(HOSTILE)]
    page = look(report(every, gates=["pass@1 >= 0.5"], before=[trial("a")], notes=HOSTILE))
    told = ""
    for place in range(len(HOSTILE)):
        page.locator(f"#grid button[data-trial='{place}']").click()
        page.wait_for_selector("#drawer[open] .facts")
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        told += page.locator("#drawer").inner_text()
        page.keyboard.press("Escape")
    assert 0 == page.locator("#drawer img, #drawer a, #drawer script, main img, iframe").count()
    assert not {"\u202e", "\u2066", "\u200b", "\x1b", "\x07"} & set(told)
    assert "\\x1b[31mred\\x07 \\u202eright to left" in told
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in told


def test_the_policy_stops_what_would_get_out(browser: Any, tmp_path: Path) -> None:
    """Even a script of ours could load nothing and reach nobody."""
    path = tmp_path / "report.html"
    HtmlReporter().write(shop(), path)
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    reached = page.evaluate(
        """() => Promise.all([
          fetch('http://127.0.0.1:9/').then(() => 'fetched', () => 'refused'),
          new Promise((done) => {
            document.addEventListener('securitypolicyviolation', (one) => done(one.violatedDirective));
            const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';
          }),
          new Promise((done) => {
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            document.body.append(script);
            setTimeout(() => done(window.ran === undefined), 50);
          }),
        ])"""
    )
    page.close()
    assert "refused" == reached[0]
    assert reached[1] in {"connect-src", "img-src"}
    assert reached[2] is True


def test_pages_of_cases(look: Open) -> None:
    """Many cases come page by page, and the page stands in the address."""
    page = look(report([trial(f"case-{place:03}") for place in range(120)]))
    assert "Page 1 of 3" == page.inner_text("#page")
    page.click("#after")
    assert "case-050" == cases(page)[0]
    assert page.url.endswith("#page=2")
    page.fill("[name=q]", "case-00")
    assert 10 == len(cases(page))
    assert not page.locator("nav.pages").is_visible()


@pytest.mark.slow
def test_ten_thousand_trials(browser: Any, tmp_path: Path) -> None:
    """The file, the time until it can be used and the filters stay within what is promised."""
    path = ROOT / "benchmarks" / "report.py"
    spec = spec_from_file_location("benchmark_of_reports", path)
    assert spec is not None
    assert spec.loader is not None
    bench = module_from_spec(spec)
    spec.loader.exec_module(bench)
    page = tmp_path / "report.html"
    HtmlReporter().write(bench.report(10_000), page)
    load, filters = bench.measure(page, browser)
    assert page.stat().st_size / 1e6 < bench.BARS["size"]
    assert load < bench.BARS["load"]
    assert statistics.median(filters) < bench.BARS["filter"]
