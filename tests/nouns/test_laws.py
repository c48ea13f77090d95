"""Laws of every noun: frozen, documented field by field, unchanged by a round trip through JSON."""

import dataclasses
import pickle
from importlib import import_module
from inspect import isclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_evals.case import Case, Samples, ScorerSpec, Source
from pytest_evals.certificate import Certificate
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.ground.canonical import Frozen, field_docs, to_json
from pytest_evals.message import Message, ToolCall
from pytest_evals.model import Model, Price
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Counts, DatasetInfo, GitInfo, Run, RunStatus
from pytest_evals.score import Score, ScoreError
from pytest_evals.script import Script
from pytest_evals.span import Span

MODULES = (
    "case",
    "certificate",
    "dataset",
    "exchange",
    "matrix",
    "message",
    "model",
    "result",
    "run_record",
    "score",
    "script",
    "shard",
    "span",
)

NOUNS = [
    member
    for module in MODULES
    for member in vars(import_module(f"pytest_evals.{module}")).values()
    if isclass(member) and member.__module__ == f"pytest_evals.{module}"
    if issubclass(member, Frozen) or dataclasses.is_dataclass(member)
]

TEXT = st.text(max_size=6)
NUMBER = st.floats(0, 1e6)
COUNT = st.none() | st.integers(0, 10**9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
MAPPING = st.dictionaries(TEXT, JSON, max_size=2)


def tuples(items: st.SearchStrategy, size: int = 2) -> st.SearchStrategy:
    """Return short tuples of a strategy's values."""
    return st.lists(items, max_size=size).map(tuple)


CALLS = st.builds(
    ToolCall, name=TEXT, arguments=MAPPING | TEXT, result=JSON, captured=st.booleans()
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    content=TEXT,
    tool_calls=tuples(CALLS),
)
USAGES = st.builds(Usage, **dict.fromkeys(Usage.model_fields, COUNT))
SPANS = st.builds(Span, id=TEXT.filter(bool), name=TEXT, start_s=NUMBER, attributes=MAPPING)
ERRORS = st.builds(ErrorInfo, type=st.sampled_from(["timeout", "script_unused"]), message=TEXT)
RESPONSES = st.builds(
    Response,
    text=TEXT,
    tool_calls=tuples(CALLS),
    usage=USAGES,
    cost_usd=st.none() | NUMBER,
    latency_s=st.none() | NUMBER,
    trace=tuples(SPANS),
    data=JSON,
    metadata=MAPPING,
)
REQUESTS = st.builds(Request, messages=tuples(MESSAGES), input=JSON, variables=MAPPING)
EXCHANGES = st.builds(
    Exchange,
    request=REQUESTS,
    response=st.none() | RESPONSES,
    error=st.none() | ERRORS,
    cost_usd=st.none() | NUMBER,
    attempts=tuples(ERRORS),
)
SCORES = st.builds(
    Score, name=TEXT, type=TEXT, value=st.none() | NUMBER, passed=st.none() | st.booleans()
) | st.builds(ScoreError, name=TEXT, type=TEXT, message=TEXT, metadata=MAPPING)
SOURCES = st.builds(Source, path=TEXT, line=st.integers(0, 10**6))
RESULTS = st.builds(
    TrialResult,
    outcome=st.sampled_from(Outcome),
    scores=tuples(SCORES),
    error=st.none() | ERRORS,
    exchanges=tuples(EXCHANGES),
    metadata=MAPPING,
    source=st.none() | SOURCES,
    started_at=NUMBER,
)
EVENTS = st.lists(
    st.fixed_dictionaries({"kind": st.just("chat_response"), "content": TEXT})
    | st.fixed_dictionaries({"kind": st.just("tool_call"), "name": st.just("t"), "result": JSON})
    | st.fixed_dictionaries({"kind": st.just("error"), "message": TEXT}),
    max_size=3,
)
SCRIPTS = (EVENTS | st.lists(EVENTS, min_size=1, max_size=2)).map(Script.model_validate)
SPECS = st.builds(ScorerSpec, type=st.just("contains"), argument=JSON, weight=st.floats(0.1, 9))
CASES = st.builds(
    Case,
    id=st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True),
    input=JSON,
    variables=MAPPING,
    expected=JSON,
    scorers=tuples(SPECS),
    script=st.none() | SCRIPTS,
    samples=st.none() | st.integers(1, 9) | st.just(Samples(min=1, max=3)),
    source=st.none() | SOURCES,
)
MODELS = st.builds(
    Model,
    id=TEXT,
    provider=TEXT,
    params=MAPPING,
    price=st.builds(Price, input=NUMBER, output=NUMBER),
)
DATASETS = st.builds(
    Dataset,
    name=st.just("d"),
    models=tuples(MODELS),
    cases=tuples(CASES),
    scorers=tuples(SPECS),
    prompt=st.none() | TEXT.map(lambda text: {"messages": [{"role": "user", "content": text}]}),
)
RUNS = st.builds(
    Run,
    status=st.sampled_from(RunStatus),
    started_at=NUMBER,
    datasets=tuples(st.builds(DatasetInfo, name=TEXT, path=TEXT, digest=TEXT, gates=tuples(JSON))),
    counts=st.builds(Counts, passed=st.integers(0, 9), unneeded=st.integers(0, 9)),
    git=st.none() | st.builds(GitInfo, commit=TEXT, branch=st.none() | TEXT),
    options=MAPPING,
)
ANY_NOUN = st.one_of(
    CASES, DATASETS, EXCHANGES, MESSAGES, MODELS, RESULTS, RUNS, SCORES, SCRIPTS, SPANS, SPECS
)


@given(ANY_NOUN)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_round_trip_through_json_changes_nothing(noun):
    """The noun read from its JSON is equal, also where default values are omitted."""
    whole, text = to_json(noun)
    assert whole is noun
    assert type(noun).model_validate_json(text) == noun
    assert type(noun).model_validate_json(noun.model_dump_json()) == noun


@given(RESULTS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_round_trip_through_pickle_changes_nothing(result):
    """Cached properties are no part of a noun."""
    assert result.response is None or result.usage is not None
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_lone_surrogate_becomes_visible():
    """A text that UTF-8 cannot encode is replaced in the noun and in its JSON alike."""
    noun, text = to_json(Response(text="a\ud800", data={"\ud801": ["\ud802"]}))
    assert noun == Response(text="a\\ud800", data={"\\ud801": ["\\ud802"]})
    assert Response.model_validate_json(text) == noun


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_each_field_has_a_docstring(noun):
    """Meaning, unit and range stand beside the field; the schema and the pages show them."""
    fields = getattr(noun, "model_fields", None) or [f.name for f in dataclasses.fields(noun)]
    assert set(fields) == set(fields) & set(field_docs(noun))


@pytest.mark.parametrize(
    "noun", [noun for noun in NOUNS if issubclass(noun, Frozen)], ids=lambda noun: noun.__name__
)
def test_unknown_fields_are_rejected(noun):
    """A misspelt field is an error, never ignored."""
    with pytest.raises(ValidationError) as caught:
        noun.model_validate({**dict.fromkeys(noun.model_fields), "no_such_field": 1})
    problems = [(e["loc"], e["type"]) for e in caught.value.errors()]
    assert (("no_such_field",), "extra_forbidden") in problems


@pytest.mark.parametrize(
    "noun",
    [
        Source("f.yaml"),
        Samples(min=1, max=2),
        ScorerSpec(type="is_json"),
        Case(id="a"),
        Dataset(name="d", path="d.yaml"),
        Usage(),
        Response(),
        Message(role="user"),
        ToolCall(name="t"),
        Model(id="m", provider="script"),
        Score(name="a", type="b"),
        ScoreError(name="a", type="b", message="c"),
        Script(),
        Span(id="1", name="s"),
        Run(id="r", started_at=0),
        Certificate.model_validate(
            {"judge": "j", "dataset": "d", "fingerprint": "f", "labels": {"digest": "0"}}
        ),
    ],
    ids=lambda noun: type(noun).__name__,
)
def test_nouns_are_frozen(noun):
    """No attribute can be set."""
    names = getattr(type(noun), "model_fields", None) or [f.name for f in dataclasses.fields(noun)]
    name = next(iter(names))
    with pytest.raises((ValidationError, dataclasses.FrozenInstanceError)):
        setattr(noun, name, getattr(noun, name))


def test_a_changed_copy_has_no_cached_values():
    """A digest or response that the original has computed is computed again."""
    case = Case(id="a", input="x")
    assert case.digest != case.model_copy(update={"input": "y"}).digest
    assert case.model_copy(update={"input": "y"}).digest == Case(id="a", input="y").digest
    assert case.model_copy() == case
