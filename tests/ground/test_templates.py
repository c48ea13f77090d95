"""templates: rendering, values of single expressions, undefined variables, the sandbox."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import TemplateError
from pytest_evals.ground.templates import (
    check,
    evaluate,
    is_template,
    render,
    unknown_variables,
)


@given(st.text().filter(lambda text: not is_template(text)))
def test_a_text_without_template_syntax_is_unchanged(text):
    """Every function leaves it alone, also text with single braces or percent signs."""
    assert render(text, {}) == evaluate(text, {}) == text
    assert unknown_variables(text, ()) == []


@given(st.text())
def test_values_are_inserted_unchanged(text):
    """No HTML escaping, and template syntax in a value is not rendered."""
    assert render("<{{ input }}>", {"input": text}) == f"<{text}>"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ items }}", [1, 2]),
        ("  {{ items[0] + 1 }}\n", 2),
        ("{{ items | length }}", 2),
        ("{{- items -}}", [1, 2]),
        ("n {{ items[0] }}", "n 1"),
        ("{{ items[0] }}{{ items[1] }}", "12"),
        ("{% if items %}yes{% endif %}", "yes"),
        ('{{ {"a": "é"} | json }}', '{"a": "é"}'),
    ],
)
def test_evaluate(template, expected):
    """A template that is one expression has the expression's value; any other has a text."""
    assert evaluate(template, {"items": [1, 2]}) == expected


@pytest.mark.parametrize("function", [render, evaluate])
@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{ inptu }}",
            "the template uses `inptu`, which this case does not define. Did you mean 'input'?",
        ),
        ("{{ b }} {{ a }}", "the template uses `a`, `b`, which this case does not define."),
        ("{{ input.name }}", "the template cannot be rendered: "),
        ("a\n{{ b c }}", "the template's syntax is wrong (its line 2): "),
        ("{{ 1 // 0 }}", "the template cannot be rendered: ZeroDivisionError: "),
        ("{{ input.__class__.__mro__ }}", "the template uses something that the sandbox forbids: "),
        ("{{ items.append(1) }}", "the template uses something that the sandbox forbids: "),
    ],
)
def test_errors_name_their_cause(function, template, message):
    """Whatever goes wrong is a TemplateError with a sentence for the user."""
    with pytest.raises(TemplateError) as caught:
        function(template, {"input": "x", "items": []})
    assert str(caught.value).startswith(message)


def test_the_sandbox_leaves_values_unchanged():
    """A template cannot modify a list that it is given."""
    items: list[int] = []
    with pytest.raises(TemplateError):
        render("{{ items.append(1) }}", {"items": items})
    assert items == []


def test_check_needs_no_values():
    """Only the names are compared; local variables of the template are not undefined."""
    template = "{% for item in items %}{{ item }}{{ tone }}{% endfor %}"
    check(template, ["items", "tone"])
    assert unknown_variables(template, ["items"]) == ["tone"]
    with pytest.raises(TemplateError, match="uses `tone`, which this case does not define"):
        check(template, ["items"])


def test_check_reports_syntax_errors():
    """A template that cannot be compiled is reported before anything is rendered."""
    with pytest.raises(TemplateError, match="syntax is wrong"):
        check("{% for %}", ["items"])


def test_jinja_is_imported_for_templates_only():
    """A text without template syntax does not load Jinja2."""
    code = (
        "import sys; from pytest_evals.ground.templates import render; render('plain {', {}); "
        "assert 'jinja2' not in sys.modules; render('{{ 1 }}', {}); assert 'jinja2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text(alphabet="{}%#a ", max_size=12))
def test_braces_can_be_text(text):
    """Whatever is between ``raw`` and ``endraw`` is as it was written."""
    written = "{% raw %}" + text + "{% endraw %}"
    assert render(written, {}) == text
    check(written, ())


@given(st.text(alphabet="{}%#a ", max_size=12))
def test_no_brace_is_lost(text):
    """A text is no template, or an error that says how to write it, or it has an end."""
    try:
        rendered = render(text, {"a": 1})
    except TemplateError as error:
        said = str(error)
    else:
        assert is_template(text) or rendered == text
        assert not text.endswith(("{{", "{%", "{#"))
        return
    assert "{% raw %}" in said or "syntax" not in said
