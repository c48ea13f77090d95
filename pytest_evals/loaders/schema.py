"""The JSON Schema of a dataset file, for editors: completion, descriptions, errors while typing.

It is built from the models and their docstrings, plus the shorthands of the file format. The loader
checks more (duplicate ids, missing files), and accepts numbers that are written as strings.
Scorers and providers are passed as classes.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pytest_evals.case import COMMON_SCORER_KEYS
from pytest_evals.dataset import Dataset, Defaults
from pytest_evals.model import MODEL_FIELDS

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ScorerClass(Protocol):
    """The part of a scorer class that the schema needs."""

    shorthand: ClassVar[str | None]

    @classmethod
    def model_json_schema(cls) -> Schema:
        """Return the schema of the options."""
        ...


class ProviderClass(Protocol):
    """The part of a provider class that the schema needs."""

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - the name in Provider
        """The model keys that belong to this provider."""
        ...


def dataset_schema(
    scorers: Mapping[str, ScorerClass], providers: Mapping[str, ProviderClass]
) -> Schema:
    """Return the JSON Schema (draft 2020-12) of the YAML and JSON form of a dataset.

    Args:
        scorers: the classes of all scorers, by name.
        providers: the classes of all providers, by name.
    """
    nouns: list[tuple[type[BaseModel], Any]] = [(Dataset, "validation"), (Defaults, "validation")]
    _, generated = models_json_schema(nouns)
    defs: Schema = _tidy(generated["$defs"])
    for unused in ("Source", "Script"):
        del defs[unused]
    common = defs.pop("ScorerSpec")["properties"]
    common = {key: common[key] for key in common if key in COMMON_SCORER_KEYS - {"type"}}
    model = defs.pop("Model")["properties"]
    dataset = defs.pop("Dataset")
    defs["Prompt"] = _prompt(dataset["properties"]["prompt"])
    defs["Script"] = _script()
    defs["ScriptEvent"] = {
        "anyOf": [_ref(name) for name in ("ChatResponseEvent", "ToolCallEvent", "ErrorEvent")]
    }
    defs["Case"] = _case(defs["Case"])
    defs["Defaults"]["properties"]["tags"] = defs["Case"]["properties"]["tags"]
    defs["Cases"] = _cases()
    defs["Include"] = _include()
    _add_scorers(defs, scorers, common)
    _add_models(defs, providers, model)
    return {
        "$schema": DIALECT,
        "title": "pytest_evals dataset",
        **_dataset(dataset),
        "$defs": dict(sorted(defs.items())),
    }


def _dataset(schema: Schema) -> Schema:
    """Convert the schema of a dataset to its file format."""
    properties = schema["properties"]
    del properties["path"]
    properties["models"]["items"] = _ref("Model")
    properties["scorers"]["items"] = _ref("Scorer")
    properties["prompt"] = _ref("Prompt")
    properties["cases"] = _ref("Cases")
    properties["defaults"] = _ref("Defaults")
    properties["$schema"] = {
        "type": "string",
        "description": "The location of this schema, for editors.",
    }
    return {
        "description": schema["description"],
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {"description": "Free keys, for example for YAML anchors."}},
        "required": ["cases"],
        "additionalProperties": False,
    }


def _case(schema: Schema) -> Schema:
    """Convert the schema of a case to its file format."""
    properties = schema["properties"]
    del properties["source"]
    del schema["required"]
    properties["id"] |= {
        "pattern": r"^[^\s\[\]]+$",
        "description": properties["id"]["description"] + " Without one, it is derived.",
    }
    tag = {"type": "string", "pattern": r"^[^\s,;]+$"}
    properties["tags"] = {
        "description": properties["tags"]["description"],
        "anyOf": [tag, {"type": "array", "items": tag}],
    }
    properties["scorers"]["items"] = _ref("Scorer")
    properties["script"]["anyOf"][0] = _ref("Script")
    schema["not"] = {
        "description": "A case has either an input or turns.",
        "required": ["input", "turns"],
        "properties": {"input": {"not": {"type": "null"}}, "turns": {"minItems": 1}},
    }
    return schema


def _cases() -> Schema:
    """Return the schema of the cases: a file or a list."""
    return {
        "description": "The cases: a list, or the path of a file (CSV, JSON Lines, ...).",
        "anyOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [_ref("Case"), _ref("Include")]},
            },
        ],
    }


def _include() -> Schema:
    """Return the schema of an included file."""
    return {
        "title": "Include",
        "description": "The cases of another file, relative to this one, below the rootdir.",
        "type": "object",
        "properties": {"$include": {"type": "string", "minLength": 1}},
        "required": ["$include"],
        "additionalProperties": False,
    }


def _prompt(schema: Schema) -> Schema:
    """Return the schema of a prompt: a text, a file, or messages."""
    messages = {"type": "array", "items": _ref("Message"), "minItems": 1}
    return {
        "title": "Prompt",
        "description": f"A Jinja2 template, messages with templates, or `file://` and a path. "
        f"{schema['description']}",
        "anyOf": [
            {"type": "string", "minLength": 1},
            messages,
            {
                "type": "object",
                "properties": {"messages": messages},
                "required": ["messages"],
                "additionalProperties": False,
            },
        ],
    }


def _script() -> Schema:
    """Return the schema of scripted responses, in short and long form."""
    events = {"type": "array", "items": _ref("ScriptEvent")}
    samples = {"type": "array", "items": events}
    either = {"anyOf": [events, samples]}
    long: Schema = {
        "samples": {**samples, "description": "One list of events for each sample."},
        "events": {**events, "description": "The events of every sample."},
        "models": {
            "type": "object",
            "additionalProperties": either,
            "description": "The same for single models, by model id.",
        },
        "source_model": {
            "type": ["string", "null"],
            "description": "The model of the recorded events; any other is rejected.",
        },
        "allow_unused": {
            "type": "boolean",
            "description": "Whether unused events are allowed at the end of the conversation.",
        },
    }
    return {
        "title": "Script",
        "description": "Scripted responses: events, or a list of events for each sample; either of "
        "them by model id; or the long form.",
        "anyOf": [
            events,
            samples,
            {
                "type": "object",
                "properties": long,
                "additionalProperties": False,
                "not": {"required": ["samples", "events"]},
            },
            {
                "type": "object",
                "propertyNames": {"not": {"enum": sorted(long)}},
                "additionalProperties": either,
            },
        ],
    }


def _add_scorers(defs: Schema, scorers: Mapping[str, ScorerClass], common: Schema) -> None:
    """Add the schema of a scorer: a name, a shorthand, or the long form."""
    defs["ScorerKeys"] = {"properties": common}
    shared = _refs("ScorerKeys", common)
    bare: list[str] = []
    shorthands: list[Schema] = []
    for name, cls in sorted(scorers.items()):
        options = _options(defs, f"scorer.{name}", cls)
        properties, required = options.get("properties", {}), options.get("required", [])
        if not required:
            bare.append(name)
        defs[f"scorer.{name}"] = {
            "description": options.get("description", ""),
            "properties": {"type": {"const": name}, **properties, **shared},
            "required": ["type", *required],
            "additionalProperties": False,
        }
        argument = _argument(cls, _refs(f"scorer.{name}", properties), options)
        shorthands.append(
            {
                "properties": {
                    name: {"description": options.get("description", ""), **argument},
                    **shared,
                },
                "required": [name],
                "additionalProperties": False,
            }
        )
    defs["Scorer"] = {
        "title": "Scorer",
        "description": "An assertion: its name, a shorthand (`contains: x`) or the long form "
        "(`{type: contains, value: x, weight: 2}`).",
        "anyOf": [
            {"type": "string", "enum": bare},
            {"type": "object", "anyOf": shorthands},
            {"type": "object", "anyOf": [_ref(f"scorer.{name}") for name in sorted(scorers)]},
        ],
    }


def _argument(cls: ScorerClass, refs: Schema, options: Schema) -> Schema:
    """Return the schema of the value of a scorer name: the shorthand value, or its options.

    Args:
        cls: the scorer.
        refs: references to its options.
        options: their schema.
    """
    required = options.get("required", [])
    mapping = {
        "type": "object",
        "properties": refs,
        "required": required,
        "additionalProperties": False,
    }
    field = None if cls.shorthand is None else _alias(cls, cls.shorthand)
    choices: list[Schema] = [mapping]
    if field is None:
        choices += [] if required else [{"const": True}]
    elif _admits_mapping(options["properties"][field]):
        choices = [refs[field]]
    elif not set(required) - {field}:
        choices = [refs[field], mapping]
    if not required:
        choices.append({"type": "null"})
    return {"anyOf": choices} if len(choices) > 1 else choices[0]


def _alias(cls: ScorerClass, field: str) -> str:
    """Return the name of an option in files."""
    fields: Mapping[str, Any] = getattr(cls, "model_fields", {})
    return (fields[field].alias or field) if field in fields else field


def _admits_mapping(schema: Schema) -> bool:
    """Whether a schema accepts a mapping."""
    if "$ref" in schema:
        return True
    if "anyOf" in schema:
        return any(_admits_mapping(choice) for choice in schema["anyOf"])
    kinds = schema.get("type")
    if kinds is None:
        return not {"enum", "const"} & schema.keys()
    return kinds == "object" or "object" in kinds


def _add_models(defs: Schema, providers: Mapping[str, ProviderClass], model: Schema) -> None:
    """Add the schema of a model: ``provider:model``, or a mapping for each provider."""
    common = {key: model[key] for key in model if key in MODEL_FIELDS}
    defs["ModelKeys"] = {"properties": common}
    shared = _refs("ModelKeys", {key: common[key] for key in common if key != "provider"})
    for name, cls in sorted(providers.items()):
        options = _options(defs, f"provider.{name}", cls.Options)
        defs[f"provider.{name}"] = {
            "description": options.get("description", ""),
            "properties": {
                "provider": {"const": name},
                **options.get("properties", {}),
                **shared,
            },
            "required": ["provider", *options.get("required", [])],
            "additionalProperties": False,
        }
    names = "|".join(re.escape(name) for name in sorted(providers))
    defs["Model"] = {
        "title": "Model",
        "description": "A model: `provider:model`, or a mapping with `provider` and its options.",
        "anyOf": [
            {"type": "string", "pattern": f"^({names})(:.+)?$"},
            {"type": "object", "anyOf": [_ref(f"provider.{name}") for name in sorted(providers)]},
        ],
    }


def _options(defs: Schema, prefix: str, cls: Any) -> Schema:
    """Return the schema of the fields of a class; add its references to the definitions."""
    template = f"#/$defs/{prefix}.{{model}}"
    schema: Schema = _tidy(cls.model_json_schema(ref_template=template))
    for name, inner in schema.pop("$defs", {}).items():
        defs[f"{prefix}.{name}"] = inner
    if hasattr(cls, "written_parts") and "of" in schema.get("properties", {}):
        of = schema["properties"]["of"]
        of.update({"items": _ref("Scorer")} if of.get("type") == "array" else _ref("Scorer"))
    return schema


def _ref(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def _refs(name: str, properties: Schema) -> Schema:
    """Return a reference to each property of a definition."""
    return {key: {"$ref": f"#/$defs/{name}/properties/{key}"} for key in properties}


def _tidy(schema: Any, *, named: bool = False) -> Any:
    """Remove generated titles, defaults of None, and reST markup.

    Args:
        schema: the schema from pydantic.
        named: whether its keys are names of properties, and not keywords of JSON Schema.
    """
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy: Schema = {}
    for key, value in schema.items():
        if not named:
            if key == "title" or (key == "default" and value is None):
                continue
            if key == "default":
                tidy[key] = value
                continue
            if key == "description" and isinstance(value, str):
                tidy[key] = " ".join(value.replace("``", "`").split())
                continue
        tidy[key] = _tidy(value, named=not named and key in {"properties", "$defs"})
    return tidy
