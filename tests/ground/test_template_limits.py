"""template_limits: what a template may take is bounded, and ordinary templates are not affected."""

import resource
from time import monotonic

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground import template_limits
from pytest_evals.ground.errors import TemplateError
from pytest_evals.ground.template_limits import MAX_CHARACTERS
from pytest_evals.ground.templates import evaluate, render

LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}"
END = "{% endfor %}{% endfor %}"
DOUBLE = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}"
HOSTILE = [
    f"{LOOP}{END}",
    f"{LOOP}x{END}",
    f"{LOOP}{{{{ j }}}}{END}",
    f"{{% set x %}}{LOOP}{'y' * 9000}{END}{{% endset %}}",
    "{% for i in range(99) recursive %}{{ loop(range(99)) if loop.depth < 9 }}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% for i in range(9999) %}{{ range(99999) | sort | list | length }}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * 'x' }}",
    "{{ [1] * 10**10 }}",
    "{{ 7 ** (10**9) }}",
    "{% set ns = namespace(n=9) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    f"{DOUBLE}{{% set ns.x = ns.x ~ ns.x %}}{{% endfor %}}",
    f"{DOUBLE}{{% set ns.x = ns.x + ns.x %}}{{% endfor %}}",
    f"{DOUBLE}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}{{{{ ns.x }}}}",
    f"{DOUBLE}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}{{{{ ns.x | tojson }}}}",
    f"{DOUBLE}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}{{{{ '%s' % [ns.x] }}}}",
    f"{DOUBLE}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}{{{{ '{{}}'.format(ns.x) }}}}",
    f"{DOUBLE}{{% set ns.x %}}{{{{ ns.x }}}}{{{{ ns.x }}}}{{% endset %}}{{% endfor %}}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%1000000000s' | format('x') }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ 'x'.ljust(10**10) }}",
    "{{ 'x'.zfill(10**10) }}",
    "{{ ('\\t' * 9999).expandtabs(99999) }}",
    "{{ ('x' * 99999).replace('x', 'y' * 99999) }}",
    "{{ ('x' * 99999) | replace('x', 'y' * 99999) }}",
    "{{ ('x' * 99999).replace('', 'y' * 99999) }}",
    "{{ ('x' * 99999).join(range(99999) | map('string')) }}",
    "{{ range(99999) | join('x' * 99999) }}",
    "{{ ('x' * 9999).translate({120: 'y' * 9999}) }}",
    "{{ 'x' | center(10**10) }}",
    "{{ ('\\n' * 99999) | indent(99999) }}",
    "{{ ('x' * 99999) | wordwrap(1, wrapstring='y' * 99999) }}",
    "{{ [1] | batch(10**10, 'x') | list }}",
    "{{ [1] | tojson(indent=10**10) }}",
    "{{ 1.5 | round(10**10, 'ceil') }}",
    "{{ [[1]] | sum(start=[]) }}",
    "{{ lipsum(n=99999) }}",
]


@pytest.fixture
def short(monkeypatch):
    """Wait half a second for what only the deadline ends."""
    monkeypatch.setattr(template_limits, "MAX_SECONDS", 0.5)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("template", HOSTILE)
def test_a_hostile_template_ends_soon(template):
    """With a TemplateError, within the time limit, and with little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = monotonic()
    with pytest.raises(TemplateError, match=r"the template|the filter"):
        render(template, {})
    assert monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000


@pytest.mark.parametrize(
    "template", ["{{ 'x' * 10**10 }}", "{{ range(99999) | join('x' * 99999) }}"]
)
def test_single_expressions_have_the_same_limits(template):
    """`evaluate` compiles them in another way."""
    with pytest.raises(TemplateError, match="creates more than 50,000,000 characters"):
        evaluate(template, {})


def test_the_limits_are_those_of_one_rendering(monkeypatch):
    """Each rendering begins with the full budget."""
    monkeypatch.setattr(template_limits, "MAX_STEPS", 150)
    for _ in range(5):
        assert render("{% for i in range(100) %}x{% endfor %}", {}) == "x" * 100
    with pytest.raises(TemplateError, match="more than 150 steps"):
        render("{% for i in range(200) %}x{% endfor %}", {})


def test_a_large_input_is_no_problem():
    """Ten million characters can be rendered several times."""
    text = "x" * (MAX_CHARACTERS // 5)
    assert len(render("{{ a }} {{ a | upper }}", {"a": text})) == 2 * len(text) + 1


FEATURES = """\
{%- macro hello(name='you') %}hello {{ name }}{% endmacro -%}
{%- set ns = namespace(total=0) -%}
{%- for item in items -%}
{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }} {{ item ~ '!' ~ 1 }}
{%- set ns.total = ns.total + loop.index -%}
{%- else %}none{% endfor -%}
{{ hello() }} {{ hello('me') }} {{ ns.total }}
{%- for key, value in table.items() %} {{ key }}={{ value }}{% endfor %}
{{ '%s-%5.2f' % ('a', 1.5) }} {{ '{:>5}|{!r}'.format('b', 'c') }} {{ items | join(', ') }}
{{ items | map('upper') | list }} {{ 'a,b'.split(',') }} {{ 'x'.center(5) }} {{ 2 ** 10 }}
{{ items | batch(2, '-') | list }} {{ table | tojson(indent=2) }} {{ [1, 2] | sum }} {{ 7 % 4 }}
{%- for n in tree recursive %}({{ n.v }}{{ loop(n.c) }}){% endfor %}
{%- call(x) hello2() %}<{{ x }}>{% endcall %}
{%- filter upper %}shout{% endfilter %}{% set b %}block{% endset %}{{ b }}
"""
PRELUDE = "{% macro hello2() %}{{ caller(1) }}{{ caller(2) }}{% endmacro -%}\n"


@given(
    st.lists(st.text(max_size=4), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)
def test_ordinary_templates_render_as_without_limits(items, table):
    """Loops, macros, calls, filters, formats and blocks give the text that Jinja2 gives."""
    tree = [{"v": 1, "c": [{"v": 2, "c": []}]}, {"v": 3, "c": []}]
    variables = {"items": items, "table": table, "tree": tree}
    plain = jinja2.Environment(undefined=jinja2.StrictUndefined)
    plain.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    assert render(PRELUDE + FEATURES, variables) == plain.from_string(PRELUDE + FEATURES).render(
        variables
    )
