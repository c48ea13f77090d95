"""The model of a judge as the dataset writes it: an id, ``provider:model``, or a mapping."""

from typing import Any

from pydantic import ValidationError

from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.model import MODEL_FIELDS, Model

_CONNECTION_OPTIONS = frozenset({"base_url", "api_key_env", "headers", "organization", "project"})
"""Options of the connection; they do not identify the model."""


def model_of(written: str | dict[str, Any]) -> str | Model:
    """Return a name unchanged, and a mapping as a Model.

    Raises:
        ValueError: the mapping is not a model.
    """
    if isinstance(written, str):
        return written
    fields: dict[str, Any] = {k: v for k, v in written.items() if k in MODEL_FIELDS}
    fields["options"] = {k: v for k, v in written.items() if k not in MODEL_FIELDS}
    if not isinstance(written.get("provider"), str):
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            "the model of a judge needs a `provider`, as in `{provider: openai, model: …}`"
        )
    name = written.get("model")
    fields.setdefault("id", f"{written['provider']}:{name}" if name else written["provider"])
    try:
        return Model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ValueError(f"the model of the judge, `{where}`: {message}") from None


def check_model(written: object) -> str | dict[str, Any]:
    """Return a model as it is written.

    Raises:
        ValueError: it is not a model.
    """
    if not isinstance(written, str | dict):
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            "the model of a judge must be `provider:model`, a model id, or a mapping with "
            f"`provider`, found {written!r}"
        )
    if isinstance(written, str) and not written.strip():
        raise ValueError("the `model` of the judge is blank; write `provider:model` or a model id")
    model_of(written)
    return written


def identity_of(written: str | dict[str, Any], dataset: Dataset) -> Json:
    """Return the identity of a model as JSON; equal for every notation of the same model.

    The address of the server, its key and its limits are not part of the identity.
    """
    model = model_of(written)
    if isinstance(model, str):
        named = [other for other in dataset.models if other.id == model]
        if not named:
            provider, _, name = model.partition(":")
            return {"provider": provider, "model": name or None}
        model = named[0]
    who: dict[str, Any] = {"provider": model.provider, "model": model.model}
    if model.params:
        who["params"] = model.params
    options = {key: value for key, value in model.options.items() if key not in _CONNECTION_OPTIONS}
    if options:
        who["options"] = options
    if model.version is not None:
        who["version"] = model.version
    return who
