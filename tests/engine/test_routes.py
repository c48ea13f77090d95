"""Routes: who shares a limit with whom, and what is checked before the first call."""

import pytest

from pytest_evals.config import Settings
from pytest_evals.engine.deps import EngineDeps
from pytest_evals.engine.route import ModelRoute, RecordedCodeRoute
from pytest_evals.engine.routes import ModelRoutes
from pytest_evals.engine.threads import DaemonPool, UserLoop
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.errors import SettingsError
from pytest_evals.model import Model, Price
from tests.engine._fakes import (
    Lookup,
    _no_http,
    caller_with,
    dataset_of,
    provider_class,
    request_of,
    run,
    trials_of,
)


def routes_with(tmp_path, *, deps=None, providers=None, **settings):
    """Return routes over fake providers."""
    registry = Lookup(**(providers or {"fake": provider_class()}))
    fields = {"registry": registry, "http": _no_http, "environ": {}, **(deps or {})}
    return ModelRoutes(
        Settings(rootdir=tmp_path, **settings),
        EngineDeps(**fields),
        caller_with(),
        DaemonPool(1, "test-pool"),
        UserLoop(),
    )


def trial_with(model=None, path="d.evals.yaml", **fields):
    """Return a trial of a dataset."""
    model = model or Model(id="m", provider="fake")
    return trials_of(dataset_of(path=path, **fields), model)[0]


def test_equal_models_share_a_route_across_datasets(tmp_path):
    """One limit and one circuit breaker for one server's model."""
    routes = routes_with(tmp_path)
    first, second = (routes.route(trial_with(path=p), None) for p in ("a/x.yaml", "b/y.yaml"))
    assert first is second
    other = routes.route(
        trial_with(Model(id="m", provider="fake", params={"temperature": 1})), None
    )
    assert other is not first


def test_a_local_provider_has_a_route_in_each_folder(tmp_path):
    """Its files are found beside the dataset."""
    routes = routes_with(tmp_path, providers={"fake": provider_class(local=True)})
    a, b, c = (routes.route(trial_with(path=p), None) for p in ("a/x.yaml", "b/x.yaml", "a/z.yaml"))
    assert a is not b
    assert a is c


def test_the_models_own_limits_come_first(tmp_path):
    """Else those of the session count."""
    routes = routes_with(tmp_path, concurrency=7, max_retries=3, attempt_timeout=9.0)
    plain = routes.route(trial_with(), None)
    own = routes.route(
        trial_with(Model(id="n", provider="fake", concurrency=2, max_retries=0, timeout_s=4)), None
    )
    assert (plain.limits.model.max_calls, plain.retry.max_retries) == (7, 3)
    assert (own.limits.model.max_calls, own.retry.max_retries) == (2, 0)
    assert (plain.call_timeout(60), own.call_timeout(60), own.call_timeout(1)) == (9.0, 4, 1)


def test_models_on_one_server_share_its_limit(tmp_path):
    """Only with a limit per server."""
    providers = {"fake": provider_class(host="https://api.test/v1")}
    models = [Model(id=name, provider="fake") for name in "ab"]
    routes = routes_with(tmp_path, providers=providers, host_concurrency=3)
    first, second = (routes.route(trial_with(model), None) for model in models)
    assert first.limits.host is second.limits.host
    assert first.limits.host.max_calls == 3
    assert routes_with(tmp_path, providers=providers).route(trial_with(), None).limits.host is None


def test_a_worker_has_its_part_of_each_limit(tmp_path):
    """A limit below the number of workers is one over all processes."""
    share = WorkerShare(workers=4, rank=0, folder=tmp_path)
    routes = routes_with(tmp_path, deps={"share": share}, concurrency=10)
    route = routes.route(trial_with(), None)
    assert (route.limits.model.max_calls, route.limits.processes) == (3, ())
    few = routes.route(trial_with(Model(id="n", provider="fake", concurrency=2)), None)
    assert [limit.slots for limit in few.limits.processes] == [2]


def test_answers_of_opaque_code_expire(tmp_path):
    """They have the session's chain, unless the model says that they may be stored."""
    routes = routes_with(
        tmp_path, deps={"chain": "run-7"}, providers={"fake": provider_class(opaque=True)}
    )
    plain = routes.route(trial_with(), None)
    stored = routes.route(trial_with(Model(id="s", provider="fake", stored=True)), None)
    assert (plain.chain, stored.chain) == ("run-7", None)
    assert routes_with(tmp_path).route(trial_with(), None).chain is None


def test_a_judges_model_is_the_datasets_by_id_else_a_provider(tmp_path):
    """Or it is written out where the judge is."""
    listed = Model(id="j", provider="fake", params={"x": 1})
    trial = trial_with(models=(listed,))
    routes = routes_with(tmp_path)
    assert routes.route(trial, "j").model == listed
    assert routes.route(trial, "fake:other").model == Model(
        id="fake:other", provider="fake", model="other"
    )
    inline = Model(id="k", provider="fake")
    assert routes.route(trial, inline).model is inline
    with pytest.raises(SettingsError, match="no provider is called 'nope'"):
        routes.route(trial, "nope:x")


def test_each_trial_of_user_code_has_a_provider_and_shared_limits(tmp_path):
    """The breaker of one counts the errors of all."""
    routes, trial = routes_with(tmp_path), trial_with()
    providers = [provider_class()(trial.model, None) for _ in range(2)]
    first, second = (routes.code_route(trial, lambda _, p=p: p) for p in providers)
    assert isinstance(first, ModelRoute)
    assert [first.provider, second.provider] == providers
    assert first.breaker is second.breaker
    assert first.limits is second.limits


def test_all_problems_are_reported_at_once(tmp_path):
    """Keys, prices and targets, before the first call."""
    providers = {
        "fake": provider_class(required_env=("FAKE_KEY",)),
        "other": provider_class(problem="no module called app"),
    }
    routes = routes_with(tmp_path, providers=providers, max_cost=1.0)
    trials = [trial_with(Model(id=name, provider=name)) for name in providers]
    with pytest.raises(SettingsError) as error:
        routes.prepare(trials)
    key, price, target = str(error.value).splitlines()
    assert key == (
        "missing API key: set FAKE_KEY (for fake), or leave the models out with --evals-model"
    )
    assert price.startswith("--evals-max-cost cannot be kept: no price is known for fake, other. ")
    assert target == "model 'other': no module called app"


def test_a_session_that_is_ready_passes(tmp_path):
    """A key that is set, a price that is given, a scripted model that needs neither."""
    providers = {
        "fake": provider_class(required_env=("FAKE_KEY",)),
        "played": provider_class(recorded=True),
    }
    routes = routes_with(
        tmp_path, providers=providers, max_cost=1.0, deps={"environ": {"FAKE_KEY": "k"}}
    )
    priced = Model(id="a", provider="fake", price=Price(input=1, output=1))
    routes.prepare([trial_with(priced), trial_with(Model(id="b", provider="played"))])


def test_a_replay_needs_no_key_no_price_and_no_code(tmp_path):
    """It calls nothing."""
    providers = {"fake": provider_class(required_env=("FAKE_KEY",), problem="no module")}
    routes = routes_with(tmp_path, providers=providers, max_cost=1.0, responses="replay")
    routes.prepare([trial_with()])


def test_replayed_datasets_and_user_code_need_no_model(tmp_path):
    """Their models under test are not called; their judges are."""
    from dataclasses import replace

    providers = {"fake": provider_class(required_env=("FAKE_KEY",))}
    routes_with(tmp_path, providers=providers, deps={"replays": {"d": None}}).prepare(
        [trial_with()]
    )
    routes_with(tmp_path, providers=providers).prepare(
        [replace(trial_with(), answered_by_code=True)]
    )
    with pytest.raises(SettingsError, match="missing API key"):
        routes_with(tmp_path, providers=providers).prepare([trial_with()])


def test_user_code_with_recorded_calls_has_the_other_kind_of_route(tmp_path):
    """Its key is the code's, its calls have the dataset's prices, and its route is its dataset's."""
    model = Model(id="app", provider="fake", options={"record_http": True})
    priced = Model(id="llm", provider="fake", model="big", price=Price(input=1, output=1))
    providers = {"fake": provider_class(required_env=("FAKE_KEY",))}
    routes = routes_with(tmp_path, providers=providers)
    route = routes.route(trial_with(model, models=(priced,)), None)
    assert isinstance(route, RecordedCodeRoute)
    assert (route.is_stored, route.has_call_prices, route.required_env) == (
        False,
        True,
        ("FAKE_KEY",),
    )
    assert set(route.prices) == {"big"}
    assert isinstance(route.code, providers["fake"])
    assert routes.route(trial_with(model, path="other.yaml"), None) is not route
    capped = routes_with(
        tmp_path, providers=providers, max_cost=1.0, deps={"environ": {"FAKE_KEY": "k"}}
    )
    capped.prepare([trial_with(model, models=(priced,))])
    with pytest.raises(SettingsError, match="no price is known for app"):
        capped.prepare([trial_with(model, path="unpriced.yaml")])
    capped.undo()
    off = Model(id="app", provider="fake", options={"record_http": False})
    assert isinstance(routes.route(trial_with(off), None), ModelRoute)


def test_each_trial_of_recorded_user_code_records_its_own_code(tmp_path):
    """The calls of both are recorded by one interceptor, each in front of its own provider."""
    model = Model(id="app", provider="fake", options={"record_http": True})
    routes, trial = routes_with(tmp_path), trial_with(model)
    codes = [provider_class(name)(model, None) for name in ("one", "two")]
    first, second = (routes.code_route(trial, lambda _, code=code: code) for code in codes)
    try:
        assert [first.code, second.code] == codes
        assert first.provider is not second.provider
        assert {type(route.provider).__name__ for route in (first, second)} == {"RecordingProvider"}
        texts = [run(route.provider.complete(request_of())).text for route in (first, second)]
        assert texts == ["one", "two"]
    finally:
        routes.undo()


def test_closing_closes_every_provider(tmp_path):
    """Also when one fails at it."""
    good, bad = provider_class(), provider_class()

    async def fail(self):
        raise ValueError

    bad.aclose = fail
    routes = routes_with(tmp_path, providers={"bad": bad, "good": good})
    for name in ("bad", "good"):
        route = routes.route(trial_with(Model(id=name, provider=name)), None)
        assert run(route.provider.complete(request_of())).text == "yes"
    run(routes.aclose())
    assert good.closed == 1
