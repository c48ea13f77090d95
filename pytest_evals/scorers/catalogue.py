"""The built-in scorers by name, each as ``module:Class``: imported when first used."""

from collections.abc import Mapping

_HOMES = {
    "group": {"not": "Not", "all_of": "AllOf", "any_of": "AnyOf", "at_least": "AtLeast"},
    "json": {
        "is_json": "IsJson",
        "contains_json": "ContainsJson",
        "json_schema": "JsonSchema",
        "json_equals": "JsonEquals",
    },
    "limits": {
        "max_latency_s": "MaxLatency",
        "max_tokens": "MaxTokens",
        "max_cost_usd": "MaxCost",
    },
    "number": {"numeric": "Numeric"},
    "own": {"python": "Python"},
    "text": {
        "equals": "Equals",
        "equals_any": "EqualsAny",
        "contains": "Contains",
        "icontains": "IContains",
        "contains_any": "ContainsAny",
        "icontains_any": "IContainsAny",
        "contains_all": "ContainsAll",
        "icontains_all": "IContainsAll",
        "starts_with": "StartsWith",
        "ends_with": "EndsWith",
        "regex": "Regex",
    },
}

SCORERS: Mapping[str, str] = {
    name: f"pytest_evals.scorers.{module}:{cls}"
    for module, members in _HOMES.items()
    for name, cls in members.items()
}
