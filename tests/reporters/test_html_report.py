"""The HTML report as text: what stands in it without a script, what is packed, and what is not."""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pytest_evals.certificate import Certificate, FalsePasses, Labels, Rate
from pytest_evals.ground.errors import ReportError
from pytest_evals.reporters.html import HtmlReporter
from tests.reporters.page_makers import busy_trial, details, page, sampled, shop, unpacked
from tests.reporters.text_makers import HOSTILE, report, trial


def words_of(text: str) -> str:
    """Return what a reader sees without a script, in one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def test_the_verdict_stands_first() -> None:
    """The decision, what it rests on, and what regressed, before anything else."""
    told = words_of(page(shop()))
    first = told[: told.index("Gates")]
    assert "Reject" in first
    assert "2 of 6 gates failed; 1 inconclusive." in first
    assert "1 regressed and 0 fixed against main:b.jsonl." in first
    assert "pass@1 >= 0.9 on gpt: the value is 60%." in first
    assert "Regressed: refund gpt, 5/5 → 0/5" in first
    assert "24 passed 6 tolerated" in first


def test_without_gates_the_trials_are_the_verdict() -> None:
    """How many passed, and how many did not."""
    told = words_of(page(report([trial("a"), trial("b", passed=False), trial("c", None)])))
    assert "1 of 3 trials passed" in told
    assert "1 failed and 1 errored." in told
    assert "All 2 trials passed" in words_of(page(report([trial("a"), trial("b")])))
    assert "No trial was recorded" in words_of(page(report([])))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("interrupted", "The run was interrupted: 1 of 9 planned trials were run."),
        ("running", "The run was never finished: 1 of 9 planned trials were run."),
        ("narrowed", "Only a part was selected: 1 of 9 planned trials were run."),
    ],
)
def test_what_was_not_run_is_never_green(status: str, told: str) -> None:
    """A run that is not whole says so first, in another colour."""
    made = report([trial("a")])
    info = made.run.datasets[0].model_copy(update={"planned": 9})
    run = made.run.model_copy(update={"status": status, "datasets": (info,)})
    text = page(type(made)(run, made.evaluations, made.trials))
    assert told in words_of(text)
    assert 'class="hero warn"' in text


def test_a_failure_beside_the_gates_is_not_green() -> None:
    """Gates that pass do not hide a trial that no gate covers."""
    trials = [trial("a"), trial("b", passed=False)]
    text = page(report(trials, gates=["pass@1 >= 0.5 where case=a"]))
    assert "Reject" in words_of(text)
    assert "1 trial failed and no gate covers it" in words_of(text)
    assert 'class="hero bad"' in text


def test_an_allowed_error_is_green() -> None:
    """`max_error_rate` is 1 here; the error is still counted as one."""
    text = page(report([trial("a"), trial("b", None)], gates=["pass@1 >= 0.5"]))
    assert "Accept" in words_of(text)
    assert 'class="hero good"' in text


def test_gates_with_their_numbers() -> None:
    """The value, its interval and its samples; a drawing with the same numbers in words."""
    text = page(shop())
    told = words_of(text)
    assert "failed pass@1 >= 0.9 gpt 15 samples, 3 cases 60%" in told
    assert 'aria-label="value 0.6, required &gt;= 0.9"' in text
    assert told.index("failed pass@1") < told.index("passed pass@1")


def test_answers_that_changed_are_marked() -> None:
    """What went is struck out, what came is marked, and the reason stands below."""
    before = [*sampled("a", [1] * 3, answer="within 30 days of delivery, sample")]
    now = [*sampled("a", [0] * 3, answer="within 14 days of delivery, sample")]
    text = page(report(now, gates=["no regressions"], before=before))
    assert "within <del>30</del><ins>14</ins> days of delivery" in text
    assert "the output does not contain &#39;fine&#39;" in text


def test_the_matrix_stands_without_a_script() -> None:
    """Worst cases first, every sample of every model, and how many cases there are."""
    told = words_of(page(shop()))
    rows = told[told.index("case gpt claude") :]
    assert rows.startswith("case gpt claude refund about refund? money 0/5 5/5 vat about vat? ")
    many = report([trial(f"case-{i}") for i in range(50)])
    text = page(many)
    assert "30 of 50 cases" in words_of(text)
    assert 30 == text.count('class="case"')


def test_models_with_their_metrics() -> None:
    """A row a model, as they were declared, with intervals and the change against the baseline."""
    told = words_of(page(shop()))
    assert "model pass@1 vs. baseline pass@5 pass^5 score" in told
    assert "-33.3 pts -100.0 to +67.8" in told
    assert "By tag (pass@1)" in told
    assert "Other metrics metric gpt claude consistency 86.7%" in told


def test_drawings_of_what_there_is() -> None:
    """Curves where there are samples, cost and latency where they are known, nothing else."""
    text = page(shop())
    assert "How often samples pass" in text
    assert "Latency" in text
    assert "Scores" not in words_of(text[text.index('id="charts"') :])
    assert 'id="charts"' not in page(report([trial("a", None)]))


def test_judges_with_certificates_are_drawn() -> None:
    """Their agreement with people, with intervals and the confusion table."""
    certificate = Certificate(
        judge="helpful",
        dataset="shop",
        fingerprint="f" * 16,
        labels=Labels(digest="0" * 16, items=50, raters=("ann", "bob")),
        metrics={"precision": Rate(value=0.96, low=0.8, high=0.99, n=25)},
        confusion={"pass": {"pass": 24, "fail": 0}, "fail": {"pass": 1, "fail": 25}},
        dangerous=FalsePasses(count=1, n=26),
    )
    made = report([trial("a")])
    text = page(type(made)(made.run, made.evaluations, made.trials, (certificate,)))
    told = words_of(text)
    assert "Judge helpful against people" in told
    assert "precision 0.96 (0.80 to 0.99)" in told
    assert "people fail 1 25" in told
    assert "1 of 26" in told


def test_everything_of_a_trial_is_packed() -> None:
    """The drawer's material: conversation, calls, scores, judges, trace, facts, rerun, place."""
    (one,) = details(page(report([busy_trial()])))
    talk = one["talk"][0]
    assert ["system words", "question words"] == [message["text"] for message in talk["asked"]]
    assert "answer words" == talk["answer"]["text"]
    assert '{"what": "words"}' == talk["answer"]["calls"][0]["arguments"]
    assert [0, 1] == [span["depth"] for span in talk["answer"]["trace"]]
    assert [0.0, 0.25] == [span["start"] for span in talk["answer"]["trace"]]
    assert ["fail", "info"] == [score["verdict"] for score in one["scores"]]
    assert "no certificate words" == one["scores"][1]["why"]
    assert "reply words" == one["judges"][0]["answer"]["text"]
    assert ["Tokens of answers", "17 (12 in, 5 out, 3 cached)"] in one["facts"]
    assert "pytest --evals 'shop.yaml::busy[gpt-0] words'" == one["rerun"]
    assert "printed words" == one["output"]


def test_the_command_to_rerun_has_the_options_it_needs() -> None:
    """Models and samples that were chosen on the command line are chosen again."""
    made = report([trial("a")])
    run = made.run.model_copy(update={"options": {"model": ["a b"], "samples": 3}})
    (one,) = details(page(type(made)(run, made.evaluations, made.trials)))
    expected = "pytest --evals 'shop.yaml::a[gpt-0]' --evals-model='a b' --evals-samples=3"
    assert expected == one["rerun"]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    """In every field: no markup of theirs, no control character, no turned direction."""
    made = report([busy_trial(words)], gates=["pass@1 >= 0.5"], before=[trial("a")], notes=[words])
    text = page(made)
    assert not re.search(r"<(img|script>alert|/details></summary)", text)
    assert "<!--" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\u2066\u2028]", text)
    for packed in (details(text), unpacked(text, "index")):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\u2066\u2028]", flat(packed))


def flat(value: object) -> str:
    """Return all texts of a JSON value."""
    if isinstance(value, dict):
        return "".join(f"{key}{flat(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "".join(map(flat, value))
    return str(value)


@given(st.text(max_size=80))
@settings(max_examples=40, deadline=None)
def test_any_text_comes_out_as_a_page(words: str) -> None:
    """Whatever a model says, the page is UTF-8, and is taken apart again as it was put together."""
    text = page(report([busy_trial(words)]))
    assert text.encode("utf-8", "backslashreplace")
    assert 1 == len(details(text))
    assert text.count("<script") == text.count("</script>") == 3


def test_nothing_but_our_script_and_style_may_run() -> None:
    """The policy names both by what is in them, and lets nothing out."""
    text = page(shop())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    told = policy[1].replace("&#39;", "'")
    for name in ("script", "style"):
        inside = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert inside
        digest = b64encode(sha256(inside[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in told
    assert told.startswith("default-src 'none';")
    assert "connect-src 'none'" in told
    assert not re.search(r'\b(?:src|href)="(?!#|data:,)', text)
    assert not re.search(r"<[^>]*\sstyle=|<[^>]*\son\w+=", text)


def test_very_long_texts_are_cut_and_said_to_be() -> None:
    """A megabyte of answer leaves its beginning and how much more there was."""
    text = page(report([trial("a", "x" * 1_000_000)]))
    (one,) = details(text)
    assert one["talk"][0]["answer"]["text"].endswith("… 960,000 more characters")
    assert "One long text is shortened in this page" in text
    assert len(text) < 200_000


@pytest.mark.parametrize(("room", "most"), [(300_000, 1_200_000), (2_000_000, 2_400_000)])
def test_the_page_keeps_its_size(monkeypatch: pytest.MonkeyPatch, room: int, most: int) -> None:
    """Where long texts would fill it they are cut, those of trials that passed first."""
    monkeypatch.setattr("pytest_evals.reporters.htmlparts.collect.ROOM", room)
    random = Random(7)
    every = [
        trial(f"case-{place}", "".join(random.choices("abcdefghij ", k=5000)), passed=place % 2 > 0)
        for place in range(1000)
    ]
    text = page(report(every))
    kept = [len(one["talk"][0]["answer"]["text"]) for one in details(text)]
    assert 1000 == len(kept)
    assert len(text) < most
    assert 5000 == kept[0]
    assert sum(kept[0::2]) > sum(kept[1::2])


def test_several_datasets_are_told_apart() -> None:
    """Each has its table of models, and its name before its cases."""
    made = report([trial("a"), trial("a", dataset="other", passed=False)])
    told = words_of(page(made))
    assert "other · a" in told
    assert "shop · a" in told


def test_equal_reports_are_equal_files(tmp_path: Path) -> None:
    """Nothing of the clock or the machine enters it."""
    for name in ("one.html", "two.html"):
        HtmlReporter().write(shop(), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_an_old_file_stays_where_a_new_one_cannot_be_written(tmp_path: Path) -> None:
    """A report is whole or not there."""
    path = tmp_path / "a-file" / "report.html"
    path.parent.write_text("not a folder")
    with pytest.raises(ReportError):
        HtmlReporter().write(shop(), path)
    assert "not a folder" == path.parent.read_text()
