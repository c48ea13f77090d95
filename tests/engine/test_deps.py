"""What a host provides: small defaults, and a registry is all that a Protocol asks for."""

import os

from pytest_evals.engine.deps import EngineDeps, MemberLookup
from pytest_evals.registry import Registry
from tests.engine._fakes import Lookup, _no_http, dataset_of


def test_defaults_do_nothing():
    """No store, no redaction, no other worker, no plugin, the process's environment."""
    deps = EngineDeps(registry=Lookup(), http=_no_http)
    assert (deps.store, deps.trial_hooks, deps.chain, deps.replays) == (None, None, "", {})
    assert deps.environ is os.environ
    assert deps.share.part(7) == 7
    assert deps.redactor.redact_json('"plain"') == '"plain"'


def test_the_registry_is_a_lookup():
    """The engine knows no more of it than the Protocol says."""
    registry: MemberLookup = Registry.builtin()
    assert registry.provider("script") is not None
    assert registry.provider("nope") is None
    assert registry.parse_model("openai:gpt").provider == "openai"
    dataset = dataset_of()
    assert [b.type for b in registry.scorers_of(dataset, dataset.cases[0])] == ["contains"]
    methods = [name for name in vars(MemberLookup) if not name.startswith("_")]
    assert all(callable(getattr(registry, name)) for name in methods)
    assert sorted(methods) == ["parse_model", "provider", "scorers_of"]
