"""The built-in scorers by name, each as ``module:Class``: imported when first used."""

from collections.abc import Mapping

_HOMES = {
    "bfcl": {"bfcl_calls": "BfclCalls"},
    "choices": {"multiple_choice": "MultipleChoice", "label": "Label", "set_match": "SetMatch"},
    "cite": {"must_cite": "MustCite"},
    "command": {"command": "Command"},
    "embedding": {"embedding_similarity": "EmbeddingSimilarity"},
    "expect": {"expect": "Expect"},
    "formats": {
        "is_yaml": "IsYaml",
        "is_xml": "IsXml",
        "is_html": "IsHtml",
        "is_sql": "IsSql",
        "is_python": "IsPython",
        "matches_model": "MatchesModel",
    },
    "group": {"not": "Not", "all_of": "AllOf", "any_of": "AnyOf", "at_least": "AtLeast"},
    "json": {
        "is_json": "IsJson",
        "contains_json": "ContainsJson",
        "json_schema": "JsonSchema",
        "json_equals": "JsonEquals",
    },
    "judge.classifier": {"classifier": "Classifier"},
    "judge.closed": {"closed_qa": "ClosedQa"},
    "judge.context": {
        "context_faithfulness": "ContextFaithfulness",
        "context_recall": "ContextRecall",
        "context_relevance": "ContextRelevance",
    },
    "judge.factuality": {"factuality": "Factuality"},
    "judge.goal": {"goal_success": "GoalSuccess"},
    "judge.pairwise": {"pairwise": "Pairwise"},
    "judge.relevance": {"answer_relevance": "AnswerRelevance"},
    "judge.rubric": {"judge": "RubricJudge"},
    "judge.steps": {"g_eval": "GEval"},
    "language": {"language": "Language"},
    "length": {"word_count": "WordCount", "char_count": "CharCount"},
    "limits": {
        "max_latency_s": "MaxLatency",
        "max_tokens": "MaxTokens",
        "max_cost_usd": "MaxCost",
    },
    "mathematics": {"math_equal": "MathEqual"},
    "metrics": {
        "exact_match": "ExactMatch",
        "token_f1": "TokenF1",
        "bleu": "Bleu",
        "chrf": "Chrf",
        "rouge_1": "Rouge1",
        "rouge_2": "Rouge2",
        "rouge_l": "RougeL",
        "meteor": "Meteor",
    },
    "number": {"numeric": "Numeric"},
    "response_status": {"finish_reason": "FinishReason", "expected_error": "ExpectedError"},
    "python_function": {"python": "Python"},
    "pii": {"no_pii": "NoPii", "contains_pii": "ContainsPii"},
    "refusal": {"is_refusal": "IsRefusal"},
    "similarity": {"levenshtein": "Levenshtein", "similarity": "Similarity"},
    "spans": {
        "span": "HasSpan",
        "span_order": "SpanOrder",
        "no_error_spans": "NoErrorSpans",
        "max_span_duration_s": "MaxSpanDuration",
        "valid_trace": "ValidTrace",
    },
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
    "toolargs": {
        "tool_args": "ToolArgs",
        "valid_tool_call": "ValidToolCall",
        "tool_call_f1": "ToolCallF1",
    },
    "tools": {
        "tool_called": "ToolCalled",
        "tool_sequence": "ToolSequence",
        "forbidden_tools": "ForbiddenTools",
        "required_tool_calls": "RequiredToolCalls",
        "max_tool_calls": "MaxToolCalls",
        "max_turns": "MaxTurns",
        "no_tool_error": "NoToolError",
        "no_loops": "NoLoops",
    },
    "webhook": {"webhook": "Webhook"},
}

SCORERS: Mapping[str, str] = {
    name: f"pytest_evals.scorers.{module}:{cls}"
    for module, members in _HOMES.items()
    for name, cls in members.items()
}
