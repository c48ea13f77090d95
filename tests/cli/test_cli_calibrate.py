"""`pytest-evals calibrate`: a judge beside people's labels, its certificate, and what that gates."""

import csv
import importlib.util
import json
from collections import Counter
from importlib.resources import files

import pytest

from pytest_evals.certificate import read_certificate
from pytest_evals.cli import main
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.certificates import certificate_path
from pytest_evals.storage.sqlite import SqliteRunStore
from tests._servers import LLAMA_ALIAS, Loopback, NoModelError, Say, llama_server

JUDGE = '''
import json
import re


def piece(text, name):
    """Return a piece of the material."""
    return re.search(rf"<{name}-(\\w+)>\\n(.*)\\n</{name}-\\1>", text, re.S)[2]


def reply(input, context):
    """Pass what says it is good; score what names a number; break on what says so."""
    answer = piece(context.messages[1]["content"], "answer")
    if "break" in answer:
        return "dunno"
    words = answer.split()
    if words[0].isdigit():
        return json.dumps({"reasoning": "counted", "score": int(words[0])})
    return json.dumps({"reasoning": "read", "reply": "yes" if words[0] == "good" else "no"})
'''

DATASET = """
name: d
models: [{id: m, provider: script}]
judges:
  good:
    type: closed_qa
    model: {provider: python, target: "judge.py:reply"}
    question: Is it good?
    requires_certificate: {precision: 0.8, recall: 0.8, max_dangerous: 1, min_labels: 4}
  scale:
    model: {provider: python, target: "judge.py:reply"}
    rubric: How many?
scorers: [{judge: {use: good}}]
cases:
  - {id: one, input: q1, script: [{kind: chat_response, content: good one}]}
  - {id: two, input: q2, metadata: {risk: high}, script: [{kind: chat_response, content: bad two}]}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a dataset whose judge is a function."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "judge.py").write_text(JUDGE)
    (tmp_path / "d.evals.yaml").write_text(DATASET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def calibrate(project, capsys):
    """Run the command; its status, output and error output."""

    def run(*words, judge="good", labels="l.csv"):
        more = ("--labels", labels) if labels else ()
        status = main(["calibrate", "d.evals.yaml", "--judge", judge, *more, *words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def write(project, rows, name="l.csv"):
    """Write labels: (case, answer, label, rater)."""
    with (project / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "input", "answer", "label", "rater"])
        writer.writerows([case, f"q {case}", answer, *said] for case, answer, *said in rows)


AGREED = [(f"c{i}", f"{'good' if i % 2 else 'bad'} {i}", "pass" if i % 2 else "fail", "ann")
          for i in range(10)]  # fmt: skip


def test_a_judge_that_agrees_is_certified(project, calibrate):
    """Exit 0, and a certificate beside the dataset that says what was measured."""
    write(project, AGREED)
    status, out, _ = calibrate()
    kept = read_certificate(certificate_path(project, "d", "good").read_text())
    assert (status, "CERTIFIED: the judge's verdicts count" in out) == (0, True)
    assert kept.confusion == {"pass": {"pass": 5, "fail": 0}, "fail": {"pass": 0, "fail": 5}}
    assert (kept.judge, kept.labels.path, kept.labels.items, kept.labels.raters) == (
        "good", "l.csv", 10, ("ann",),
    )  # fmt: skip
    assert (kept.metrics["precision"].value, kept.metrics["kappa"].value) == (1.0, 1.0)


def test_the_same_labels_give_the_same_file(project, calibrate):
    """Byte for byte; whatever their order."""
    path = certificate_path(project, "d", "good")
    write(project, AGREED)
    calibrate()
    first = path.read_bytes()
    path.unlink()
    write(project, AGREED[::-1])
    calibrate()
    assert path.read_bytes() == first


def test_a_judge_that_disagrees_is_not(project, calibrate):
    """Exit 1, with every bar that it misses, and the answers it passed wrongly."""
    rows = [*AGREED, ("x", "good x", "fail", "ann"), ("two", "good two", "fail", "ann")]
    write(project, rows)
    status, out, err = calibrate()
    assert status == 1
    assert "NOT CERTIFIED: precision is 0.714, required: at least 0.8; 2 of 7 answers" in out
    assert "false passes 2 of 7 answers that people failed" in out
    assert "1 of high risk\n             two, x\n" in out
    assert "advisory: shown, but not counted" in err


def test_answers_that_cannot_be_judged_are_counted(project, calibrate):
    """They are in no rate, and too many of them refuse the certificate."""
    write(project, [*AGREED, ("x", "break", "pass", "ann")])
    status, out, _ = calibrate()
    assert (status, "unscored     1 answers got no verdict" in out) == (1, True)
    assert "1 of 11 answers could not be scored, allowed: at most 5%" in out
    assert "gave no verdict in 3 replies" in out


def test_several_raters_are_one_voice_and_their_agreement_is_shown(project, calibrate):
    """Most of them decide; a tie goes against the answer; the latest of each counts."""
    rows = [(*row[:3], rater) for row in AGREED for rater in ("ann", "bob", "cy")]
    rows += [("t", "good t", "pass", "ann"), ("t", "good t", "fail", "bob")]
    rows += [("u", "good u", "fail", "ann"), ("u", "good u", "pass", "ann")]
    write(project, rows)
    _, out, _ = calibrate("--json")
    told = json.loads(out)["certificate"]
    assert told["confusion"] == {"pass": {"pass": 6, "fail": 0}, "fail": {"pass": 1, "fail": 5}}
    assert told["labels"]["raters"] == ["ann", "bob", "cy"]
    assert 0.8 < told["metrics"]["alpha"]["value"] < 1


def test_scales_are_compared_by_rank_and_distance(project, calibrate):
    """In the judge's own unit; verdicts come from the bar on both sides."""
    rows = [("c1", "1 x", "1"), ("c2", "2 x", "3"), ("c3", "4 x", "4"), ("c4", "5 x", "5")]
    text = "case,input,answer,value\n" + "".join(f"{c},q,{a},{v}\n" for c, a, v in rows)
    (project / "l.csv").write_text(text)
    status, out, _ = calibrate("--json", "--min-score", "0.75", judge="scale")
    told = json.loads(out)["certificate"]
    assert (status, told["metrics"]["mae"]["value"], told["metrics"]["spearman"]["value"]) == (
        1, 0.25, 1.0,
    )  # fmt: skip
    assert told["confusion"] == {"pass": {"pass": 2, "fail": 0}, "fail": {"pass": 0, "fail": 2}}
    assert (told["min_score"], told["metrics"]["spearman"]["n"]) == (0.75, 4)


def test_a_scale_without_a_bar_is_measured_too(project, calibrate):
    """It has no verdicts that could be certified."""
    (project / "l.csv").write_text("case,input,answer,value\na,q,1 x,1\nb,q2,5 x,4\n")
    status, out, _ = calibrate("--json", judge="scale")
    told = json.loads(out)
    assert (status, told["certificate"]["metrics"]["mae"]["value"]) == (1, 0.5)
    assert (told["certificate"]["unscored"], told["certificate"]["confusion"]["pass"]["pass"]) == (
        0,
        0,
    )


@pytest.mark.parametrize(
    ("text", "judge", "words", "why"),
    [
        ("case,answer,label\nzzz,a,pass\n", "good", (), "l.csv:2: the dataset has no case 'zzz'"),
        ("case,label\none,pass\n", "good", (), "l.csv:2: the row has no `answer`; name the run"),
        ("case,answer,label\none,a,maybe\n", "good", (), "expected pass or fail"),
        ("case,answer,value\none,a,7\n", "scale", (), "outside the judge's scale 1 to 5"),
        ("case,answer,label\none,a,pass\n", "scale", (), "has no `min_score`"),
        ("case,answer,label\none,a,pass\n", "goood", (), "Did you mean 'good'?"),
        ("name,case,answer,label\nother,one,a,pass\n", "good", (), "no label is for judge 'good'"),
    ],
)
def test_labels_that_cannot_be_used_are_named(project, calibrate, text, judge, words, why):
    """Before anything is asked."""
    (project / "l.csv").write_text(text)
    status, _, err = calibrate(*words, judge=judge)
    assert (status, why in err) == (1, True), err
    assert not (project / "certificates").exists()


def test_labels_must_be_named(calibrate):
    """A file, or a run that people have scored."""
    status, _, err = calibrate(labels=None)
    assert (status, "--labels FILE" in err) == (1, True)


def test_a_bar_of_its_own_is_not_overruled(project, calibrate):
    """One certificate is for one bar."""
    text = (project / "d.evals.yaml").read_text().replace("rubric:", "min_score: 0.5\n    rubric:")
    (project / "d.evals.yaml").write_text(text)
    (project / "l.csv").write_text("case,answer,label\none,5 a,pass\n")
    status, _, err = calibrate("--min-score", "0.7", judge="scale")
    assert (status, "has its own `min_score` of 0.5" in err) == (1, True)


def test_no_write_writes_nothing(project, calibrate):
    """It only shows."""
    write(project, AGREED)
    assert calibrate("--no-write")[0] == 0
    assert not (project / "certificates").exists()


EVALS = ("-p", "no:cacheprovider", "--evals", "d.evals.yaml")


def test_from_a_run_to_a_certificate_to_a_gated_run(pytester, project, monkeypatch, capsys):
    """A run, its human scores, the certificate, and a run in which the judge has a vote."""
    monkeypatch.chdir(project)
    first = pytester.runpytest_subprocess(*EVALS, f"--rootdir={project}", str(project))
    outcomes = first.parseoutcomes()
    assert outcomes.get("errors", 0) + outcomes.get("failed", 0) == 2, first.outlines
    for trial, label in (("one[m]", "pass"), ("two[m]", "fail")):
        words = ["score", "latest", trial, "--rater", "ann", "--name", "good", "--label", label]
        assert main(words) == 0
    base = ["calibrate", "d.evals.yaml", "--judge", "good", "--run", "latest"]
    assert main(base) == 1
    assert "2 labelled answers, required: at least 4" in capsys.readouterr().out
    text = (project / "d.evals.yaml").read_text().replace("min_labels: 4", "min_labels: 2")
    (project / "d.evals.yaml").write_text(text)
    assert main(base) == 0
    second = pytester.runpytest_subprocess(*EVALS, f"--rootdir={project}", str(project))
    assert second.parseoutcomes() == {"passed": 1, "failed": 1}
    (project / "d.evals.yaml").write_text(text.replace("Is it good?", "Is it so?"))
    third = pytester.runpytest_subprocess(*EVALS, f"--rootdir={project}", str(project))
    assert third.parseoutcomes().get("passed") is None


def test_a_recorded_answer_is_judged_with_its_tools(project, capsys):
    """The trial's own exchanges are played, not its text alone."""
    from pytest_evals.exchange import Exchange, Request, Response
    from pytest_evals.message import ToolCall
    from pytest_evals.result import Outcome, TrialResult
    from pytest_evals.run_record import DatasetInfo, Run, RunStatus

    text = DATASET.replace("type: closed_qa", "type: goal_success").replace(
        "question: Is it good?", "goal: It is cancelled."
    )
    (project / "d.evals.yaml").write_text(text)
    (project / "judge.py").write_text(
        "import json\n"
        "def reply(input, context):\n"
        "    done = 'cancel(' in context.messages[1]['content']\n"
        "    return json.dumps({'reasoning': '', 'outcome': 'reached' if done else 'missed'})\n"
    )
    store = SqliteRunStore(project / ".evals" / "evals.sqlite")
    info = DatasetInfo(name="d", path="d.evals.yaml", digest="x")
    begun = Run(id="20261121-051500-3f9a", started_at=1.0, datasets=(info,))
    store.begin(begun)
    for case, calls in (("one", (ToolCall(name="cancel"),)), ("two", ())):
        response = Response(text="Done.", tool_calls=calls)
        exchange = Exchange(request=Request(messages=(), case_id=case), response=response)
        result = TrialResult(
            id=f"d.evals.yaml::{case}[m]", dataset="d", case_id=case, model_id="m", sample=0,
            outcome=Outcome.PASSED, exchanges=(exchange,),
        )  # fmt: skip
        store.append(begun.id, result.model_dump_json(), result)
        said = HumanScore(rater="a", name="good", label="reached" if calls else "missed", at=1.0)
        store.label(begun.id, result.id, said)
    store.seal(begun.model_copy(update={"status": RunStatus.COMPLETE}))
    store.close()
    main(["calibrate", "d.evals.yaml", "--judge", "good", "--run", "latest", "--json"])
    told = json.loads(capsys.readouterr().out)["certificate"]
    assert told["confusion"] == {"pass": {"pass": 1, "fail": 0}, "fail": {"pass": 0, "fail": 1}}
    assert told["labels_confusion"]["reached"] == {"missed": 0, "reached": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("one,,,pass", None),
        ("one,m,0,pass", None),
        ("two,,,fail", "the run has 2 trials of case 'two'"),
        ("two,m,1,fail", None),
        ("on,,,pass", "no such trial of case 'on'. Did you mean 'one'?"),
        ("one,other,,pass", "no such trial of case 'one'"),
        ("three,,,pass", "is of case 'three', which is gone"),
        ("silent,,,pass", "has no whole answer to judge"),
    ],
)
def test_rows_without_an_answer_mean_a_recorded_trial(project, capsys, row, why):
    """By case, and by model and sample where there are several."""
    from pytest_evals.exchange import Exchange, Request, Response
    from pytest_evals.result import Outcome, TrialResult
    from pytest_evals.run_record import DatasetInfo, Run

    text = DATASET + "  - {id: silent, input: q, script: [{kind: chat_response, content: good}]}\n"
    (project / "d.evals.yaml").write_text(text)
    store = SqliteRunStore(project / ".evals" / "evals.sqlite")
    info = DatasetInfo(name="d", path="d.evals.yaml", digest="x")
    run = Run(id="20261121-051500-3f9a", started_at=1.0, datasets=(info,))
    store.begin(run)
    for case, sample in (("one", 0), ("two", 0), ("two", 1), ("three", 0), ("silent", 0)):
        response = None if case == "silent" else Response(text="good" if case == "one" else "bad")
        exchange = Exchange(request=Request(messages=()), response=response)
        result = TrialResult(
            id=f"d.evals.yaml::{case}[m-{sample}]", dataset="d", case_id=case, model_id="m",
            sample=sample, outcome=Outcome.PASSED, exchanges=(exchange,),
        )  # fmt: skip
        store.append(run.id, result.model_dump_json(), result)
    store.close()
    (project / "l.csv").write_text(f"case,model,sample,label\n{row}\n")
    words = ["calibrate", "d.evals.yaml", "--judge", "good", "--run", "latest"]
    assert main([*words, "--labels", "l.csv", "--json"]) == 1
    told = capsys.readouterr()
    if why is None:
        counts = json.loads(told.out)["certificate"]["confusion"]
        assert sum(counts[said][said] for said in ("pass", "fail")) == 1
    else:
        assert "l.csv:2: " in told.err
        assert why in told.err


def test_a_row_may_say_otherwise_what_its_case_asks(project, calibrate):
    """Its own input, reference and variables stand in the place of the case's."""
    (project / "judge.py").write_text(
        "import json\n"
        "def reply(input, context):\n"
        "    said = context.messages[1]['content']\n"
        "    yes = 'Is it so in Rome?' in said and 'MINE' in said\n"
        "    return json.dumps({'reasoning': '', 'reply': 'yes' if yes else 'no'})\n"
    )
    text = DATASET.replace("Is it good?", "Is it so in {{ city }}?")
    text = text.replace("input: q1", "input: q1, variables: {city: Oslo}")
    text = text.replace("input: q2", "input: q2, variables: {city: Oslo}")
    (project / "d.evals.yaml").write_text(text)
    header = "case,input,answer,variables.city,label\n"
    (project / "l.csv").write_text(f"{header}one,MINE,a,Rome,pass\none,,a,,fail\n")
    _, out, _ = calibrate("--json")
    assert json.loads(out)["certificate"]["confusion"] == {
        "pass": {"pass": 1, "fail": 0},
        "fail": {"pass": 0, "fail": 1},
    }


def test_a_judge_that_does_not_answer_certifies_nothing(project, calibrate, monkeypatch):
    """What it did answer is stored, and only the rest is asked for again."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    good = {"choices": [{"message": {"content": '{"reasoning": "r", "reply": "yes"}'}}]}
    down = Say(status=503, body={"error": {"message": "down"}}, headers=(("retry-after", "999"),))
    with Loopback().running() as server:
        model = f"{{provider: openai, model: j, base_url: '{server.url}/v1', max_retries: 0}}"
        text = DATASET.replace('{provider: python, target: "judge.py:reply"}', model)
        (project / "d.evals.yaml").write_text(text)
        write(project, AGREED[:4])
        server.say(Say(body=good), Say(body=good), down)
        status, _, err = calibrate("--concurrency", "1")
        assert (status, "the judge gave no answer 2 times" in err) == (1, True), err
        assert not (project / "certificates").exists()
        asked = len(server.seen)
        server.say(Say(body=good))
        status, out, _ = calibrate("--concurrency", "1")
    assert len(server.seen) == asked + 2
    assert (status, "2 of 2 answers that people fail were passed" in out) == (1, True)


JUDGEKEEPER = importlib.util.find_spec("judgekeeper")
REPLAY = '''
import csv
import json
import re
from importlib.resources import files


def piece(text, name):
    return re.search(rf"<{name}-(\\w+)>\\n(.*)\\n</{name}-\\1>", text, re.S)[2].strip()


FOLDER = files("judgekeeper") / "demo_data" / "fields" / "FIELD"
with (FOLDER / "results-quick.csv").open(newline="", encoding="utf-8") as file:
    SAID = {
        (row["input"].strip(), row["output"].strip(), row["run"]): row
        for row in csv.DictReader(file)
    }


def reply(input, context):
    """Say what the recorded judge said in its run of this number."""
    text = context.messages[1]["content"]
    key = piece(text, "question"), piece(text, "answer"), str(context.sample + 1)
    row = SAID[key]
    verdict = "yes" if row["verdict"] == "pass" else "no"
    return json.dumps({"reasoning": row["reason"], "reply": verdict})
'''


@pytest.mark.skipif(JUDGEKEEPER is None, reason="not installed: pip install judgekeeper==0.1.3")
@pytest.mark.parametrize("field", ["support", "coding", "health"])
def test_recorded_judges_agree_with_people_as_an_independent_count_says(project, calibrate, field):
    """Three recorded runs of a judge over real labelled answers, by majority, beside sklearn."""
    from sklearn.metrics import cohen_kappa_score, precision_score, recall_score

    folder = files("judgekeeper") / "demo_data" / "fields" / field
    labels = _table(folder / "labels.csv")
    verdicts: dict[str, list[bool]] = {}
    for row in _table(folder / "results-quick.csv"):
        verdicts.setdefault(row["id"], []).append(row["verdict"] == "pass")
    truth = [row["human_label"] == "pass" for row in labels]
    said = [sum(verdicts[row["id"]]) * 2 > len(verdicts[row["id"]]) for row in labels]
    (project / "judge.py").write_text(REPLAY.replace("FIELD", field))
    text = DATASET.replace("Is it good?", "q\n    repeats: 3\n    aggregate: majority")
    (project / "d.evals.yaml").write_text(text)
    with (project / "l.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["case", "input", "answer", "label"])
        writer.writerows([r["id"], r["input"], r["output"], r["human_label"]] for r in labels)
    _, out, _ = calibrate("--json")
    told = json.loads(out)["certificate"]
    metrics = told["metrics"]
    counts = Counter(zip(truth, said, strict=True))
    assert told["confusion"] == {
        "pass": {"pass": counts[True, True], "fail": counts[True, False]},
        "fail": {"pass": counts[False, True], "fail": counts[False, False]},
    }
    assert told["dangerous"]["count"] == counts[False, True]
    assert [metrics[name]["value"] for name in ("precision", "recall", "kappa")] == pytest.approx(
        [precision_score(truth, said), recall_score(truth, said), cohen_kappa_score(truth, said)],
        abs=1e-6,
    )
    agreed = [max(sum(v), len(v) - sum(v)) / len(v) for v in verdicts.values()]
    assert metrics["self_consistency"]["value"] == pytest.approx(
        sum(agreed) / len(agreed), abs=1e-6
    )


def _table(path):
    """Read a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Egypt": "Cairo", "Peru": "Lima",
    "Norway": "Oslo", "Spain": "Madrid", "Cuba": "Havana",
}  # fmt: skip


@pytest.mark.real_model
@pytest.mark.slow
def test_a_small_real_model_as_a_judge_is_not_certified(project, calibrate, monkeypatch, tmp_path):
    """It is asked in earnest, by a schema that its server enforces, and is wrong too often."""
    monkeypatch.setenv("OPENAI_API_KEY", "none-is-needed")
    wrong = [*list(CAPITALS.values())[1:], "Paris"]
    rows = [(land, f"The capital is {city}.", "pass", "ann") for land, city in CAPITALS.items()]
    rows += [
        (land, f"The capital is {city}.", "fail", "ann")
        for land, city in zip(CAPITALS, wrong, strict=True)
    ]
    write(project, rows)
    try:
        with llama_server(tmp_path / "llama.log") as url:
            model = (
                f"{{provider: openai, model: {LLAMA_ALIAS}, base_url: '{url}/v1', "
                "params: {temperature: 0, max_tokens: 60}}\n    attempts: 1"
            )
            text = DATASET.replace('{provider: python, target: "judge.py:reply"}', model)
            question = "Is the city that the answer names the capital of the country?"
            (project / "d.evals.yaml").write_text(text.replace("Is it good?", question))
            status, out, _ = calibrate("--json", "--concurrency", "2")
    except NoModelError as error:
        pytest.skip(str(error))
    told = json.loads(out)
    assert (status, told["certified"], told["certificate"]["labels"]["items"]) == (1, False, 16)
    assert told["missed"]
    assert certificate_path(project, "d", "good").is_file()
