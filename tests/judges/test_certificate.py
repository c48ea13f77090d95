"""Certificates: what they are bound to, when a judge is advisory, and their files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.case import Case
from pytest_evals.certificate import (
    Certificate,
    CertificateThresholds,
    FalsePasses,
    Labels,
    Rate,
    advisory_reason,
    certificate_text,
    judge_error,
    read_certificate,
    unmet_thresholds,
)
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.judge.definitions import get_judge
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.storage.certificates import (
    certificate_path,
    read_certificates,
    write_certificate,
)
from pytest_evals.storage.labels import LabelRow, labels_digest, write_labels


def certificate(**changed):
    """Make a certificate that reaches every usual bar."""
    whole = {
        "judge": "helpful",
        "dataset": "d",
        "fingerprint": "f" * 16,
        "min_score": 0.7,
        "labels": Labels(digest="l" * 16, items=60, raters=("ann", "bob")),
        "metrics": {
            "precision": Rate(value=0.95, low=0.8, high=0.99, n=30),
            "recall": Rate(value=0.96, low=0.82, high=0.99, n=30),
            "kappa": Rate(value=0.9, n=60),
        },
        "confusion": {"pass": {"pass": 29, "fail": 1}, "fail": {"pass": 0, "fail": 30}},
        "dangerous": FalsePasses(count=0, n=30, upper=0.095),
    }
    return Certificate(**{**whole, **changed})


def reason(bars: bool | dict | None = True, **changed):  # noqa: FBT001, FBT002 - as it is written
    """Say why a judge is advisory."""
    given = {"fingerprint": "f" * 16, "min_score": 0.7, "certificate": certificate(), **changed}
    return advisory_reason(
        None if bars is None else CertificateThresholds.model_validate(bars), **given
    )


def test_a_judge_that_reaches_its_bars_has_a_vote():
    """And one that needs no certificate."""
    assert [reason(), reason(None, certificate=None)] == [None, None]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"certificate": None}, "it has no certificate"),
        ({"fingerprint": "0" * 16}, "its certificate is stale: the judge"),
        ({"min_score": 0.5}, "its certificate is for min_score 0.7, but it is used with min_score 0.5"),
        ({"min_score": None}, "used with no min_score"),
        ({"certificate": certificate(unusable="its labels have changed")}, "cannot be used: its labels"),
        ({"certificate": certificate(unscored=40)}, "20 labelled answers, required: at least 30"),
        ({"certificate": certificate(unscored=4)}, "4 of 60 answers could not be scored, allowed: at most 5%"),
        ({"certificate": certificate(dangerous=FalsePasses(count=1, n=30))}, "1 of 30 answers that people"),
        ({"certificate": certificate(dangerous=FalsePasses())}, "false passes cannot be measured"),
        ({"certificate": certificate(metrics={})}, "precision is unknown: it was not measured"),
        ({"bars": {"kappa": 0.95}}, "kappa is 0.900, required: at least 0.95"),
        ({"bars": {"precision": 0.9, "lower_ends": True}}, "the lower end of precision is 0.800"),
        ({"bars": {"kappa": 0.5, "lower_ends": True}}, "kappa has no interval"),
        ({"bars": {"min_labels": 61}}, "60 labelled answers, required: at least 61"),
    ],
)  # fmt: skip
def test_a_judge_without_a_good_certificate_is_advisory(changed, why):
    """With the reason."""
    assert why in reason(**changed)


def test_bars_that_are_left_out_are_not_asked_for():
    """A mapping with any of them replaces the standard ones."""
    poor = certificate(
        metrics={"kappa": Rate(value=0.7, n=60)}, dangerous=FalsePasses(count=9, n=30)
    )
    assert unmet_thresholds(CertificateThresholds.model_validate({"kappa": 0.6}), poor) == ()
    assert len(unmet_thresholds(CertificateThresholds.model_validate({}), poor)) == 3


@pytest.mark.parametrize(
    "bars", [{"precision": 0}, {"recall": 1.1}, {"precison": 0.9}, {"min_labels": 0}]
)
def test_bars_that_cannot_be_meant_are_refused(bars):
    """A bar that nothing misses, nothing reaches, or that is misspelt."""
    with pytest.raises(ValueError, match="validation error"):
        CertificateThresholds.model_validate(bars)


def test_the_file_is_sorted_and_read_back():
    """Without a time, one fact a line; what was found on reading is not kept."""
    text = certificate_text(certificate(unusable="x"))
    assert json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n" == text
    assert read_certificate(text) == certificate()


@given(st.floats(-1, 1), st.integers(1, 999))
def test_a_rate_is_kept_to_six_digits(value, n):
    """So that equal measurements are equal files."""
    rate = Rate.of(Estimate(value, value / 2, value, n, 1, 0.95, "m"))
    assert (rate.value, rate.n, Rate.model_validate_json(rate.model_dump_json())) == (
        round(value, 6), n, rate,
    )  # fmt: skip


def test_a_rate_that_does_not_exist_says_why():
    """It is neither 0 nor left out."""
    assert str(Rate.of(Absent("nothing was predicted"))) == "- (nothing was predicted)"


def test_the_judges_known_errors_come_from_the_confusion():
    """To correct a pass rate by; None where one side is missing."""
    found = judge_error(certificate())
    assert (found.sensitivity, found.specificity) == (29 / 30, 1.0)
    assert judge_error(certificate(confusion={"pass": {"pass": 3}})) is None


DEFINITION = {"model": "openai:j", "rubric": "Helps.", "min_score": 0.7}


def dataset(**judge):
    """Make a dataset with one judge."""
    written = {**DEFINITION, "requires_certificate": True, **judge}
    return Dataset(
        name="d", path="d.evals.yaml", cases=(Case(id="c"),), judges={"helpful": written}
    )


def printed(**judge):
    """Return a judge's fingerprint."""
    found = dataset(**judge)
    return get_judge(found, "helpful").fingerprint(found)


@pytest.mark.parametrize(
    "judge",
    [
        {"rubric": "Helps!"},
        {"model": "openai:k"},
        {"model": "anthropic:j"},
        {"model": {"provider": "openai", "model": "j", "version": "2"}},
        {"model": {"provider": "openai", "model": "j", "params": {"seed": 1}}},
        {"params": {"temperature": 0}},
        {"scale": [0, 10]},
        {"examples": [{"answer": "a", "score": 5}]},
        {"criteria": [{"id": "a", "description": "A."}]},
        {"reference": "{{ expected }}"},
        {"repeats": 3},
        {"output": "text"},
        {"transcript": True},
        {"type": "pairwise", "model": "openai:j"},
    ],
)
def test_everything_a_judgement_depends_on_is_in_the_fingerprint(judge):
    """A changed judge is another judge."""
    assert printed(**judge) != printed()


@pytest.mark.parametrize(
    "judge",
    [
        {"min_score": 0.9},
        {"revise": {"max": 2}},
        {"requires_certificate": {"kappa": 0.5}},
        {"attempts": 5},
        {"scale": [1, 5]},
        {"model": {"provider": "openai", "model": "j", "base_url": "http://127.0.0.1:1/v1"}},
        {"model": {"id": "x", "provider": "openai", "model": "j", "price": {"input": 1, "output": 1}}},
    ],
)  # fmt: skip
def test_what_changes_no_judgement_is_not_in_the_fingerprint(judge):
    """The bar, what is done with a judgement, where a server is and what it costs."""
    assert printed(**judge) == printed()


def test_the_bar_of_a_panel_and_its_rule_are_in_the_fingerprint():
    """As are its members and their weights."""
    panels = [
        {"panel": ["a:x", "b:y"]},
        {"panel": ["a:x", "b:z"]},
        {"panel": ["a:x", "b:y"], "rule": "mean"},
        {"panel": ["a:x", {"model": "b:y", "weight": 2}]},
    ]
    found = []
    for panel in panels:
        written = {k: v for k, v in DEFINITION.items() if k != "model"} | panel
        made = Dataset(name="d", path="d", judges={"helpful": written})
        found.append(get_judge(made, "helpful").fingerprint(made))
    assert len(set(found)) == len(panels)


def advisory(bench, certificates, reply=None, **judge):
    """Score with a judge that needs a certificate."""
    bench.judges = dataset(**judge).judges
    bench.certificates = certificates
    bench.reply(reply or {"reasoning": "so", "score": 1})
    return bench.score({"judge": {"use": "helpful"}})


def test_an_advisory_judge_is_shown_and_does_not_vote(bench):
    """Its score says why."""
    scored = advisory(bench, {})
    assert (scored.advisory, scored.passed, scored.value) == (True, False, 0.0)
    assert scored.metadata["advisory"] == "it has no certificate"


def test_a_certified_judge_votes(bench):
    """As long as it is the judge that was certified."""
    good = certificate(fingerprint=printed())
    assert advisory(bench, {"helpful": good}).advisory is False
    assert advisory(bench, {"helpful": good}, rubric="Else.").advisory is True


def test_the_error_of_an_advisory_judge_has_no_vote_either(bench):
    """It is still an error, and shown."""
    scored = advisory(bench, {}, "dunno")
    assert (scored.kind, scored.advisory) == ("error", True)


@pytest.mark.parametrize(
    ("group", "answer", "expected"),
    [
        ("all_of", "no", (False, False)),
        ("all_of", "30 days", (None, True)),
        ("any_of", "30 days", (True, False)),
        ("any_of", "no", (None, True)),
    ],
)
@pytest.mark.parametrize(
    "reply", [{"reasoning": "", "score": 5}, {"reasoning": "", "score": 1}, "dunno"]
)
def test_a_group_votes_where_an_advisory_part_cannot_change_its_verdict(
    bench, group, answer, expected, reply
):
    """Whatever that part says, also where it errs."""
    bench.judges = dataset().judges
    bench.reply(reply)
    scored = bench.score({group: [{"contains": "30 days"}, {"judge": {"use": "helpful"}}]}, answer)
    passed, no_vote = expected
    assert (scored.kind, scored.advisory) == ("score", no_vote)
    if not no_vote:
        assert scored.passed is passed


def rows():
    """Make two labels."""
    return [
        LabelRow(case="c", answer="a", label="pass"),
        LabelRow(case="c", answer="b", label="fail"),
    ]


def test_a_certificate_is_found_beside_its_dataset(tmp_path):
    """In a file named after both; written again, nothing changes."""
    path = write_certificate(tmp_path, certificate())
    assert path == certificate_path(tmp_path, "d", "helpful")
    assert path == tmp_path / "certificates" / "d" / "helpful.json"
    assert read_certificates(tmp_path, dataset()) == {"helpful": certificate()}
    before = path.stat().st_mtime_ns
    write_certificate(tmp_path, certificate())
    assert path.stat().st_mtime_ns == before


def test_labels_that_have_changed_make_it_unusable(tmp_path):
    """Another word for one answer is enough; another note, order or format is not."""
    write_labels(tmp_path / "l.csv", rows())
    labels = Labels(digest=labels_digest(rows()), path="l.csv", items=2)
    write_certificate(tmp_path, certificate(labels=labels))

    def unusable():
        return read_certificates(tmp_path, dataset())["helpful"].unusable

    assert unusable() is None
    write_labels(tmp_path / "l.csv", [row.model_copy(update={"note": "n"}) for row in rows()[::-1]])
    assert unusable() is None
    write_labels(tmp_path / "l.csv", [rows()[0], rows()[1].model_copy(update={"label": "pass"})])
    assert unusable() == "its labels (l.csv) have changed since"
    (tmp_path / "l.csv").write_text("nonsense")
    assert unusable().startswith("its labels cannot be read: l.csv:1: unknown column 'nonsense'")
    (tmp_path / "l.csv").unlink()
    assert unusable() is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"judge": 1}', "nope"])
def test_a_broken_file_is_no_certificate(tmp_path, text):
    """The judge is advisory and says so; nothing fails."""
    path = certificate_path(tmp_path, "d", "helpful")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = read_certificates(tmp_path, dataset())["helpful"]
    assert "helpful.json cannot be read" in found.unusable
    why = advisory_reason(
        CertificateThresholds(), fingerprint="", min_score=None, certificate=found
    )
    assert why.startswith("its certificate cannot be used")


def test_another_judges_certificate_is_not_taken(tmp_path):
    """Copied under this name."""
    path = certificate_path(tmp_path, "d", "helpful")
    path.parent.mkdir(parents=True)
    path.write_text(certificate_text(certificate(judge="other")))
    assert "that of judge 'other'" in read_certificates(tmp_path, dataset())["helpful"].unusable
