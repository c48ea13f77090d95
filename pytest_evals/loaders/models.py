"""The models of a dataset: ``provider:model``, or a mapping with options of the provider."""

from collections.abc import Iterable

from pydantic import ValidationError

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import suggest
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.explain import explain, value_at
from pytest_evals.loaders.report import Report
from pytest_evals.loaders.text import clip, show
from pytest_evals.model import MODEL_FIELDS, Model


def read_model(
    document: Document, loc: Loc, *, providers: Iterable[str], report: Report
) -> Model | None:
    """Return the model at a location; None if it is invalid.

    The registry checks the provider and its options.

    Args:
        document: the file.
        loc: the location of the model.
        providers: the names of all providers, for suggestions.
        report: collects the problems.
    """
    raw = value_at(document.data, loc)
    if isinstance(raw, str) and raw.strip() == raw and raw:
        provider, _, name = raw.partition(":")
        fields: dict[str, Json] = {"id": raw, "provider": provider, "model": name or None}
    elif isinstance(raw, dict):
        fields = {key: value for key, value in raw.items() if key in MODEL_FIELDS}
        fields["options"] = {key: value for key, value in raw.items() if key not in MODEL_FIELDS}
        if "provider" not in raw:
            report.at(document, loc, _no_provider(raw, providers))
            return None
        if "id" not in raw:
            name = raw.get("model") or ""
            fields["id"] = f"{raw['provider']}:{name}" if name else str(raw["provider"])
    else:
        report.at(
            document,
            loc,
            f"expected a model (`provider:model`, or a mapping with `provider`), found {show(raw)}",
        )
        return None
    try:
        model = Model.model_validate(fields)
    except ValidationError as error:
        report.findings(document, loc, explain(error, raw, Model))
        return None
    if not model.id or not model.id.isprintable() or "::" in model.id or set("[]") & set(model.id):
        report.at(
            document,
            (*loc, "id"),
            f"the id of a model is part of test names: it must not be empty or contain [ ] or "
            f"`::`, found {clip(model.id)}; set another `id`",
        )
        return None
    return model


def _no_provider(raw: dict[str, Json], providers: Iterable[str]) -> str:
    """Return the message for a model without a provider."""
    names = tuple(providers)
    shorthand = raw.get("model")
    if isinstance(shorthand, str) and shorthand.partition(":")[0] in names:
        provider, _, model = shorthand.partition(":")
        return f"`provider` is missing here; write `provider: {provider}` and `model: {model}`"
    wrong = next((key for key in raw if key not in MODEL_FIELDS and key in names), None)
    if wrong is not None:
        return f"`provider` is missing here; write `provider: {wrong}`"
    return f"`provider` is missing here.{suggest('', names)}"
