"""An accent is one letter, however it is encoded: composed or as a mark of its own."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(alphabet="aé ñ.ö가å1", min_size=1, max_size=8).map(lambda text: text.strip() or "é")
FORMS = ("NFC", "NFD")


def form(value, name):
    """Return a value with every text in a form."""
    if isinstance(value, str):
        return unicodedata.normalize(name, value)
    if isinstance(value, dict):
        return {form(key, name): form(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [form(item, name) for item in value]
    return value


SCORERS = {
    "contains": lambda text: {"contains": text},
    "icontains": lambda text: {"icontains": text},
    "contains_all": lambda text: {"contains_all": [text]},
    "contains_any": lambda text: {"contains_any": [text, "zz"]},
    "equals": lambda text: {"equals": text},
    "exact_match": lambda text: {"exact_match": {"reference": text}},
    "starts_with": lambda text: {"starts_with": text},
    "ends_with": lambda text: {"ends_with": text},
    "regex": lambda text: {"regex": text.replace(".", "[.]")},
    "levenshtein": lambda text: {"levenshtein": {"reference": text, "max": 1}},
    "similarity": lambda text: {"similarity": {"reference": text}, "threshold": 0.9},
    "json_equals": lambda text: {"json_equals": {text: text}},
    "token_f1": lambda text: {"token_f1": {"reference": text}, "threshold": 0.9},
    "rouge_l": lambda text: {"rouge_l": {"reference": text}, "threshold": 0.9},
}
ANSWERS = {"json_equals": lambda text: f'{{"{text}": "{text}"}}'}


@pytest.mark.parametrize("name", SCORERS)
def test_a_spelling_of_accents_changes_no_verdict(name, bench):
    """Of the output, of the expected text, or of both."""

    @given(TEXTS, TEXTS)
    def check(text, answer):
        for said in {text, answer}:
            written = ANSWERS.get(name, str)(said)
            verdicts = {
                (v.passed, v.value)
                for a in FORMS
                for b in FORMS
                for v in [bench.score(form(SCORERS[name](text), a), form(written, b))]
            }
            assert len(verdicts) == 1, verdicts

    check()
