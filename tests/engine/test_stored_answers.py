"""Looking a call up in the store, saving its response, and saying why nothing fits."""

import pytest

from pytest_evals.engine.route import ModelRoute, RecordedCodeRoute
from pytest_evals.engine.stored_answers import CallIdentity, StoredAnswers
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.notes import Notes
from pytest_evals.model import Model
from pytest_evals.responses.memory import MemoryResponseStore
from tests.engine._fakes import MODEL, provider_class, request_of, route_to, run

REQUEST = request_of()
ROUTE = route_to(provider_class())
IDENTITY = CallIdentity.of(ROUTE, REQUEST, "answer")


def answers_with(store, mode="auto"):
    """Return stored answers over a store that writes at once."""

    async def write(answer):
        store.put(answer)

    return StoredAnswers(store, mode, write, Notes())


def save(answers, text="yes", route=ROUTE, identity=IDENTITY):
    """Store a response."""
    run(answers.save(route, REQUEST, identity, Response(text=text), 0.5))


@pytest.mark.parametrize(("mode", "found"), [("auto", True), ("replay", True), ("off", False)])
def test_modes_that_read(mode, found):
    """`off` neither reads nor writes."""
    store = MemoryResponseStore()
    save(answers_with(store))
    answer = answers_with(store, mode).find(ROUTE, IDENTITY)
    assert (answer is not None) is found
    if answer is not None:
        assert (answer.response.text, answer.cost_usd, answer.case) == ("yes", 0.5, "c0")


def test_off_stores_nothing():
    """Nor does a session without a store fail."""
    store = MemoryResponseStore()
    save(answers_with(store, "off"))
    assert store.get(IDENTITY.key) is None
    without = StoredAnswers(None, "auto", None, Notes())
    save(without)
    assert without.find(ROUTE, IDENTITY) is None


def test_refresh_uses_nothing_that_is_stored():
    """Neither what earlier sessions stored nor what this one did; a later one has the new."""
    store = MemoryResponseStore()
    save(answers_with(store), "old")
    answers = answers_with(store, "refresh")
    assert answers.find(ROUTE, IDENTITY) is None
    save(answers, "new")
    assert answers.find(ROUTE, IDENTITY) is None
    assert answers_with(store).find(ROUTE, IDENTITY).response.text == "new"


@pytest.mark.parametrize("mode", ["auto", "replay"])
@pytest.mark.parametrize(
    ("case", "model", "found"),
    [("c0", "m", True), ("c1", "m", False), ("c0", "other", False)],
)
def test_an_answer_of_version_1_serves_the_case_and_the_model_it_was_made_for(
    mode, case, model, found
):
    """Its key lacks what the target is told besides the request, so others may not share it."""
    fake = provider_class()

    class Named(fake):
        def identity(self, request):
            return {**super().identity(request), "context": {"case_id": request.case_id}}

    store = MemoryResponseStore()
    save(answers_with(store))
    route = route_to(Named, MODEL.model_copy(update={"id": model}))
    identity = CallIdentity.of(route, request_of(case_id=case), "answer")
    assert identity.key != IDENTITY.key == identity.older_key
    assert (answers_with(store, mode).find(route, identity) is not None) is found


def test_answers_of_user_code_are_reused_by_the_same_chain_only():
    """The code may have changed; a replay takes them anyway."""
    store = MemoryResponseStore()
    first, second = (route_to(provider_class(), chain=chain) for chain in ("run-1", "run-2"))
    answers = answers_with(store)
    save(answers, route=first)
    assert answers.find(first, IDENTITY) is not None
    assert answers.find(second, IDENTITY) is None
    assert answers.find(ROUTE, IDENTITY) is not None
    assert answers_with(store, "replay").find(second, IDENTITY) is not None


def test_recorded_user_code_is_never_looked_up_or_saved():
    """Its calls are stored in place of its response."""
    store = MemoryResponseStore()
    answers = answers_with(store)
    code = RecordedCodeRoute(
        model=MODEL, provider=ROUTE.provider, limits=ROUTE.limits, breaker=ROUTE.breaker,
        retry=ROUTE.retry, attempt_timeout_s=5, code=ROUTE.provider, prices={},
    )  # fmt: skip
    save(answers, route=code)
    assert store.get(IDENTITY.key) is None
    save(answers)
    assert answers.find(code, IDENTITY) is None


class BrokenStore:
    """Fails at everything."""

    def get(self, key):
        """Fail."""
        raise StoreError("the disk is gone")

    put = get

    def nearest(self, *where):
        """Fail."""
        raise StoreError("the disk is gone")


def test_a_failing_store_is_a_note_once_and_never_an_error():
    """The session goes on without it."""
    answers = answers_with(BrokenStore())
    for _ in range(3):
        assert answers.find(ROUTE, IDENTITY) is None
        save(answers)
    assert list(answers.notes) == [
        "stored answers could not be read: the disk is gone",
        "responses are not stored: the disk is gone",
    ]
    assert answers.explain_missing(ROUTE, REQUEST, IDENTITY).startswith("STALE: stored answers")


def test_what_changed_since_is_said():
    """The nearest stored answer tells which part is another."""
    store = MemoryResponseStore()
    answers = answers_with(store)
    assert "no answer of 'm' is stored" in answers.explain_missing(ROUTE, REQUEST, IDENTITY)
    save(answers)
    changed = request_of("another prompt")
    identity = CallIdentity.of(ROUTE, changed, "answer")
    assert "changed since the answer was stored" in answers.explain_missing(
        ROUTE, changed, identity
    )


def test_a_key_depends_on_all_that_can_change_the_answer_and_on_nothing_else():
    """Provider, version, content, sample, and whether a judge calls; not the model's id."""

    def key(request=REQUEST, role="answer", **model):
        route = route_to(provider_class(), Model(**{"id": "m", "provider": "fake", **model}))
        return CallIdentity.of(route, request, role).key

    others = [
        key(request_of("x")),
        key(request_of(sample=1)),
        key(role="judge:j"),
        key(version="2"),
        key(provider="other"),
    ]
    assert len({key(), *others}) == 6
    assert key() == key(id="renamed") == key(request_of(case_id="c9"))
    assert key(role="judge:a") == key(role="judge:b")


def test_parts_name_the_fields_of_a_body():
    """A changed temperature is said as such, not as a changed body."""
    identity = CallIdentity("k", {"url": "u", "body": {"temperature": 0, "model": "x"}}, "answer")
    parts = identity.parts(route_to(provider_class(), Model(id="m", provider="p", version="3")), 2)
    assert parts["provider"] == "p"
    assert (parts["sample"], parts["version"]) == ("2", "3")
    assert {"url", "temperature", "model"} < set(parts)
    assert isinstance(ROUTE, ModelRoute)
