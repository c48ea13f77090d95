"""The stores of a session: opened once, closed once, and never the end of a session."""

from pathlib import Path

import pytest

from pytest_evals import Case, Dataset, Model, run
from pytest_evals.ground.errors import SettingsError, StoreError
from pytest_evals.responses.cassette import CassetteStore
from pytest_evals.responses.layered import LayeredResponseStore


def test_answers_are_opened_once(make_session):
    """Whoever asks first."""
    stores = make_session().stores
    assert stores.answers({"d"}) is stores.answers({"d"})


def test_off_opens_nothing(make_session, tmp_path):
    """Also no folder is made."""
    assert make_session(responses="off").stores.answers({"d"}) is None
    assert not (tmp_path / ".evals").exists()


def test_a_sanity_run_is_not_stored(make_session, tmp_path):
    """`latest` must not mean it."""
    assert make_session(sanity=True).stores.open_runs() is None


def test_a_store_that_cannot_be_opened_is_an_error(make_session, tmp_path):
    """Unless the session stores nothing; a replay, which calls nobody, only notes it."""
    (tmp_path / ".evals").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="--evals-store=none"):
        make_session().stores.open_runs()
    without = make_session(store=Path("none"))
    assert without.stores.open_runs() is None
    assert without.stores.answers({"d"}) is None
    assert list(without.notes) == []
    replay = make_session(responses="replay")
    assert replay.stores.open_runs() is None
    (note,) = replay.notes
    assert note.startswith("this run is not saved: ")


def test_a_replay_needs_a_store(make_session, tmp_path):
    """Without any place to replay from, it is an error."""
    (tmp_path / ".evals").write_text("a file where the folder should be")
    with pytest.raises(StoreError):
        make_session(responses="replay").stores.answers({"d"})


def test_a_cassette_stands_before_the_store(make_session, tmp_path):
    """A folder holds one file per dataset, so it needs one dataset."""
    stores = make_session(cassette=tmp_path / "cassettes").stores
    with pytest.raises(SettingsError, match="2 datasets"):
        stores.answers({"a", "b"})
    answers = stores.answers({"a"})
    assert isinstance(answers, LayeredResponseStore)
    stores.finish_cassette({"a"}, complete=True)


def test_a_cassette_that_workers_recorded_is_merged(make_session, tmp_path):
    """The process that records the run opens it at the end, if it has made no call itself."""
    session = make_session(cassette=tmp_path / "c.jsonl")
    journals = session.state.settings.store_path.parent / "journals"
    worker = CassetteStore(tmp_path / "c.jsonl", journals=journals, merge=False)
    worker.close()
    session.stores.finish_cassette({"a"}, complete=True)
    assert [] == list(session.notes)


def test_a_script_is_told_in_its_own_words(tmp_path):
    """``run`` has no command line."""
    (tmp_path / "s.sqlite").write_bytes(b"no database at all")
    case = Case(id="a", input="q", scorers=[{"type": "contains", "value": "x"}])
    model = Model(id="m", provider="python", options={"target": "app.py:answer"})
    (tmp_path / "app.py").write_text("def answer(text): return 'x'")
    made = Dataset(name="d", path="d", models=[model], cases=[case])
    with pytest.raises(StoreError, match='store="none"'):
        run(made, rootdir=tmp_path, store="s.sqlite")
