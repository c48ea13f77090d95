"""``record_http``: which answer belongs to which trial, and what is stored at all."""

import json

import pytest

from pytest_evals.storage.sqlite import SqliteRunStore
from tests.recording.conftest import CANARY

APP = """
    import os, openai
    client = openai.OpenAI(base_url=os.environ["API_URL"] + "/v1", max_retries=2)
    def say(text, **more):
        asked = [{"role": "user", "content": text}]
        reply = client.chat.completions.create(model="gpt-x", messages=asked, **more)
        return reply.choices[0].message.content
"""
ONCE = f"{APP}    def answer(text): return say(text)\n"
REPLAY = "--evals-responses=replay"


def test_each_sample_has_an_answer_of_its_own(dataset, trials, api):
    """Sample 1 is not given what sample 0 was, and each gets its own again."""
    data = dataset(ONCE, samples=3)
    first = [t["answer"] for t in trials(data, passed=3)]
    assert 3 == len(set(first)) == len(api.asked)
    assert first == [t["answer"] for t in trials(data, REPLAY, passed=3)]


def test_asking_the_same_twice_gives_two_answers(dataset, trials, api):
    """The n-th equal question of a trial has the n-th answer, also in a replay."""
    data = dataset(f"{APP}    def answer(text): return say(text) + '/' + say(text)\n")
    first = trials(data)[0]["answer"]
    assert "You said| one| #1/You said| one| #2" == first
    assert first == trials(data, REPLAY)[0]["answer"]
    assert 2 == len(api.asked)


def test_equal_questions_of_two_cases_are_one_call(dataset, trials, api):
    """What another case asks in the same sample is not paid twice."""
    app = f"{APP}    def answer(text): return say('the same')\n"
    trials(dataset(app, cases="[{id: a, input: one}, {id: b, input: two}]"), passed=2)
    assert 1 == len(api.asked)


def test_a_call_that_failed_for_another_trial_is_made_again(dataset, trials, api):
    """Who waited for the same call of another trial does not share its failure."""
    app = f"{APP.replace('max_retries=2', 'max_retries=0')}    def answer(text): return say('x')\n"
    api.failures, api.pause_s = [500], 0.2
    data = dataset(app, cases="[{id: a, input: one}, {id: b, input: two}]")
    trials(data, passed=1, errors=1)
    assert 2 == len(api.asked)


def test_changed_code_runs_for_free_and_a_changed_prompt_is_asked(dataset, trials, api):
    """Only what is asked of the model decides."""
    trials(dataset(ONCE))
    changed = dataset(f"{APP}    def answer(text): return say(text).upper()\n")
    assert "YOU SAID| ONE| #1" == trials(changed, passed=1)[0]["answer"]
    assert 1 == len(api.asked)
    asked = dataset(f"{APP}    def answer(text): return say(text + '?')\n")
    assert "You said| one?| #2" == trials(asked, passed=1)[0]["answer"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "say(text + '?')",
            "*STALE: call 1 of the code, POST */chat/completions: the prompt changed*",
        ),
        ("say(text, temperature=0.5)", "*STALE: call 1 of the code*: `temperature` changed*"),
        ("say(text) + say('more')", "*STALE: call 2 of the code*: no answer of 'app' is stored*"),
    ],
)
def test_a_replay_says_what_changed_and_calls_nobody(change, told, dataset, evals, api):
    """Stale is told for what it is, though the code would hide it."""
    evals(dataset(ONCE))
    hidden = f"""{APP}
    def answer(text):
        try:
            return {change}
        except Exception:
            return "sorry"
    """
    result = evals(dataset(hidden), REPLAY)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])
    assert 1 == len(api.asked)


def test_what_the_sdk_tries_again_is_seen_and_the_success_stored(dataset, trials, api):
    """Each real attempt is a span; a refusal is never an answer."""
    api.failures = [429, 500]
    data = dataset(ONCE.replace("max_retries=2", "max_retries=3"))
    trials(data, passed=1)
    assert 3 == len(api.asked)
    assert "You said| one| #3" == trials(data, REPLAY, passed=1)[0]["answer"]


def test_an_error_reaches_the_code_and_is_not_stored(dataset, evals, trials, api):
    """The code's own exception is what is reported; next time it is asked again."""
    api.failures = [404]
    data = dataset(ONCE)
    result = evals(data)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*target 'app.py:answer' raised NotFoundError*not now*"])
    assert "You said| one| #2" == trials(data, passed=1)[0]["answer"]


def test_audio_is_handed_on_and_said_not_to_be_stored(dataset, evals, api):
    """A binary answer reaches the code whole; a replay has none."""
    app = f"""{APP}
    def answer(text):
        speech = client.audio.speech.create(model="tts", voice="alloy", input=text)
        return str(len(speech.read()))
    """
    data = dataset(app, model="record_http: ['" + api.url + "/v1']")
    result = evals(data)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*'app': POST */v1/audio/speech: audio/mpeg is passed on*not stored*"]
    )
    evals(data, REPLAY).assert_outcomes(errors=1)
    assert 1 == len(api.asked)


def test_an_upload_is_the_same_in_spite_of_its_boundary(dataset, trials, api):
    """Multipart bodies are compared without the boundary, which is drawn anew each time."""
    app = f"""{APP}
    def answer(text):
        sound = ("a.wav", text.encode())
        return client.audio.transcriptions.create(model="w", file=sound).text
    """
    data = dataset(app, model="record_http: ['" + api.url + "/v1']")
    assert "heard #1" == trials(data)[0]["answer"]
    assert "heard #1" == trials(data, REPLAY, passed=1)[0]["answer"]
    assert 1 == len(api.asked)


def test_threads_of_the_code_belong_to_its_trial(dataset, trials, api):
    """Threads and pools that the code starts are told apart like the code itself."""
    app = f"""{APP}
    import threading
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(2)
    def answer(text):
        said = []
        one = threading.Thread(target=lambda: said.append(say(text + " thread")))
        one.start(); one.join()
        return "/".join([*said, *pool.map(say, [text + " x", text + " y"])])
    """
    cases = "[{id: a, input: one}, {id: b, input: two}]"
    data = dataset(app, cases=cases, samples=2)
    first = [t["answer"] for t in trials(data, passed=4)]
    assert first == [t["answer"] for t in trials(data, REPLAY, passed=4)]
    assert 12 == len(api.asked)


def test_a_thread_that_was_there_before_is_told_of(dataset, evals, api):
    """Whose its calls are nobody can know: they are not stored, and not made in a replay."""
    app = f"""{APP}
    import queue, threading
    asked, said = queue.Queue(), queue.Queue()
    def work():
        while True:
            try:
                said.put(say(asked.get()))
            except openai.BadRequestError as error:
                said.put(error.body["message"])
    threading.Thread(target=work, daemon=True).start()
    def answer(text):
        asked.put(text)
        return said.get()
    """
    data = dataset(app, scorers=[{"contains": "You said"}])
    result = evals(data)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*'app': POST * a thread that was there before*not stored*"])
    result = evals(data, REPLAY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not made in this replay*"])
    assert 1 == len(api.asked)


def test_fifty_at_once_get_their_own(dataset, trials, api):
    """Trials side by side, on threads and on the event loop, are not mixed up."""
    app = f"""{APP}
    import asyncio
    async def one(text):
        asked = [{{"role": "user", "content": text}}]
        async with openai.AsyncOpenAI(base_url=os.environ["API_URL"] + "/v1") as other:
            reply = await other.chat.completions.create(model="gpt-x", messages=asked)
        return reply.choices[0].message.content
    async def answer(text):
        both = await asyncio.gather(one(text + " p"), asyncio.to_thread(say, text + " q"))
        return "/".join(both)
    """
    api.pause_s = 0.05
    cases = json.dumps([{"id": f"c{i}", "input": f"<{i}>"} for i in range(50)])
    data = dataset(app, cases=cases)
    first = {t["case"]: t["answer"] for t in trials(data, "--evals-concurrency=50", passed=50)}
    assert 100 == len(api.asked)
    for i in range(50):
        parts = first[f"c{i}"].split("/")
        assert [f"<{i}> p", f"<{i}> q"] == [part.split("|")[1].strip() for part in parts]
    again = trials(data, "--evals-concurrency=50", REPLAY, passed=50)
    assert first == {t["case"]: t["answer"] for t in again}


def test_a_call_the_code_gives_up_is_not_stored(dataset, trials, api):
    """A cancelled request leaves nothing behind that a replay could take for an answer."""
    app = """
    import asyncio, os, openai
    async def answer(text):
        asked = [{"role": "user", "content": text}]
        async with openai.AsyncOpenAI(base_url=os.environ["API_URL"] + "/v1") as client:
            call = client.chat.completions.create(model="gpt-x", messages=asked)
            try:
                await asyncio.wait_for(call, 0.3)
            except TimeoutError:
                return "gave up"
    """
    api.pause_s = 1.0
    data = dataset(app)
    assert "gave up" == trials(data, passed=1)[0]["answer"]
    trials(data, REPLAY, errors=1)


def test_no_stored_byte_holds_the_key(dataset, evals, api, pytester):
    """Store, cassette and reports: the application's key is in none, not even where it asks for it."""
    app = f"""{APP}
    def answer(text): return say(text + client.api_key)
    """
    files = ("--evals-cassette=c.jsonl", "--evals-json=o.json", "--evals-html=o.html")
    evals(dataset(app), *files).assert_outcomes(passed=1)
    assert CANARY in api.asked[0][1]["authorization"]
    written = [path for path in pytester.path.rglob("*") if path.is_file()]
    assert {"c.jsonl", "o.json", "o.html", "evals.sqlite"} <= {path.name for path in written}
    assert [] == [str(path) for path in written if CANARY.encode() in path.read_bytes()]


def test_calls_are_counted_priced_and_told(dataset, trials, api, pytester):
    """Tokens and cost are those of the calls, by the prices of the dataset's models."""
    data = dataset(f"{APP}    def answer(text): return say(text) + say(text)\n")
    path = pytester.path / data
    priced = "{id: m, provider: openai, model: gpt-x, price: {input: 1, output: 2}}"
    path.write_text(path.read_text().replace("models: [", f"models: [{priced}, "))
    for mode in ("auto", "replay"):
        trial = trials(data, "--evals-model=app", f"--evals-responses={mode}", passed=1)[0]
        assert (20, 10) == (trial["usage"]["input_tokens"], trial["usage"]["output_tokens"])
        assert pytest.approx(40e-6) == trial["cost_usd"]
    assert 2 == len(api.asked)


@pytest.mark.parametrize(
    ("cap", "told"),
    [
        ("--evals-max-tokens=20", "*call 3 of the code*: the budget is spent: 30 of 20 tokens*"),
        (
            "--evals-max-cost=0.00003",
            "*call 3 of the code*: the budget is spent: 4e-05 of 3e-05 USD*",
        ),
    ],
)
def test_a_budget_stops_calls_within_the_code(cap, told, dataset, evals, api):
    """The third call of a trial is not made when the first two have spent the budget."""
    app = f"{APP}    def answer(text): return say(text + '1') + say(text + '2') + say(text + '3')\n"
    data = dataset(app, model="record_http: true, price: {input: 1, output: 2}")
    result = evals(data, cap)
    assert 2 == len(api.asked)
    result.stdout.fnmatch_lines([told, "*1 not run in*"])
    assert 1 == result.ret


def test_spans_show_the_calls(dataset, evals, api, pytester):
    """Each call is a step of the trial's trace: its model, its tokens, stored or asked."""
    data = dataset(f"{APP}    def answer(text): return say(text) + say(text)\n")
    api.failures = [429]
    evals(data).assert_outcomes(passed=1)
    evals(data).assert_outcomes(passed=1)
    runs = SqliteRunStore(pytester.path / ".evals/evals.sqlite", write=False)
    after, before = (
        [
            (span.kind, span.name, span.attributes["answer"], span.attributes.get("input_tokens"))
            for result in runs.results(run.id)
            for span in result.exchanges[0].response.trace
        ]
        for run in runs.runs(limit=2)
    )
    runs.close()
    asked, stored = ("llm_call", "gpt-x", "asked", 10), ("llm_call", "gpt-x", "stored", 10)
    assert [("llm_call", "gpt-x", "none", None), asked, asked] == before
    assert [stored, stored] == after


def test_refresh_asks_again_and_off_keeps_nothing(dataset, trials, api):
    """The modes mean for the calls what they mean for answers."""
    data = dataset(ONCE)
    assert "You said| one| #1" == trials(data, "--evals-responses=off")[0]["answer"]
    assert "You said| one| #2" == trials(data)[0]["answer"]
    assert "You said| one| #3" == trials(data, "--evals-responses=refresh")[0]["answer"]
    assert "You said| one| #3" == trials(data, REPLAY)[0]["answer"]


def test_turns_of_a_conversation_are_apart(dataset, trials, api):
    """The same question in a later turn is another one, and replays as such."""
    app = f"{APP}    def answer(text): return say('hello')\n"
    data = dataset(app, cases="[{id: a, turns: [one, two]}]")
    assert "You said| hello| #2" == trials(data, passed=1)[0]["answer"]
    assert "You said| hello| #2" == trials(data, REPLAY, passed=1)[0]["answer"]


@pytest.mark.slow
def test_a_cassette_under_workers(dataset, evals_process, api, pytester):
    """Two workers record into one file, which alone replays all."""
    data = dataset(ONCE, cases="[{id: a, input: one}, {id: b, input: two}]", samples=2)
    args = ("-n", "2", "--evals-cassette=c.jsonl", data)
    evals_process(*args).assert_outcomes(passed=4)
    (pytester.path / ".evals/evals.sqlite").unlink()
    evals_process(*args, REPLAY).assert_outcomes(passed=4)
    assert 4 == len(api.asked)
    places = [json.loads(x) for x in (pytester.path / "c.jsonl").read_text().splitlines()]
    want = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert want == [(x["case"], x.get("sample", 0)) for x in places]


def test_a_call_no_longer_made_leaves_the_cassette(dataset, evals, api, pytester):
    """When all was asked again, a line is kept for each call that is still made."""
    args = ("--evals-cassette=c.jsonl", "app.evals.yaml")
    dataset(f"{APP}    def answer(text): return say(text) + say('more')\n")
    evals(*args)
    assert 2 == len((pytester.path / "c.jsonl").read_text().splitlines())
    dataset(ONCE)
    evals(*args)
    assert 1 == len((pytester.path / "c.jsonl").read_text().splitlines())


def test_stored_answers_of_the_code_itself_contradict(dataset, evals, api):
    """`stored: true` would not run the code: told before anything is asked."""
    result = evals(dataset(ONCE, model="record_http: true, stored: true"))
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "Leave one of them out" in result.stderr.str() + result.stdout.str()
    assert 0 == len(api.asked)


@pytest.mark.parametrize("written", ["['ftp://x']", "[1]", "'api.openai.com'", "maybe"])
def test_an_address_that_is_none_is_told_at_its_line(written, dataset, evals):
    """A mistake in the dataset, not in the middle of a session."""
    result = evals(dataset(ONCE, model=f"record_http: {written}"))
    result.stdout.fnmatch_lines(["*app.evals.yaml:2:*"])
    assert 0 != result.ret


def test_nothing_stays_in_the_way(dataset, evals, api):
    """After the session httpx and threads are as they were."""
    import threading

    import httpx

    before = (httpx.HTTPTransport.handle_request, threading.Thread.start)
    evals(dataset(ONCE)).assert_outcomes(passed=1)
    assert before == (httpx.HTTPTransport.handle_request, threading.Thread.start)
    evals(dataset(f"{APP}    no such code"))
    assert before == (httpx.HTTPTransport.handle_request, threading.Thread.start)
