"""User-written texts: what they can say, and everything they cannot do."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_platform.common.message_templates import (
    FILTERS,
    LINE_LIMIT,
    SOURCE_LIMIT,
    VALUE_LIMIT,
    MissingValue,
    TemplateError,
    parse,
    single_line,
    unknown_variables,
)

VALUES: dict[str, Any] = {
    "account.name": "Harbourline",
    "account.plan": None,
    "account.nick": "",
    "account.renewal_on": date(2026, 9, 2),
    "account.seen": datetime(2026, 9, 2, 7, 5, tzinfo=UTC),
    "account.seats": 12000,
    "account.traits.a b": "spaced",
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello", "Hello"),
        ("{{ account.name }}!", "Harbourline!"),
        ("{{account.name}}", "Harbourline"),
        ('{{ account.plan | default: "Free" }}', "Free"),
        ('{{ account.nick | default: "Free" }}', "Free"),
        ('{{ account.name | default: "x" }}', "Harbourline"),
        ("{{ account.name | upcase }}", "HARBOURLINE"),
        ("{{ account.name | downcase | capitalize }}", "Harbourline"),
        ("{{ account.name | truncate: 5 }}", "Harb…"),
        ("{{ account.renewal_on }}", "2 Sep 2026"),
        ('{{ account.renewal_on | date: "%d %B" }}', "02 September"),
        ("{{ account.seen }}", "2 Sep 2026, 07:05"),
        ("{{ account.seats }}", "12,000"),
        ('{{ account.traits["a b"] }}', "spaced"),
        ("100 % { sure }", "100 % { sure }"),
        ("a <b> & c", "a <b> & c"),
    ],
)
def test_it_renders(source: str, text: str) -> None:
    assert parse(source).render(VALUES) == text


@pytest.mark.parametrize("source", ["Hello {{ account.plan }},", "{{ account.nick | upcase }}", "{{ nothing.at_all }}"])
def test_a_missing_value_without_default_raises_and_never_says_hello_comma(source: str) -> None:
    with pytest.raises(MissingValue):
        parse(source).render(VALUES)


def test_it_names_all_that_is_missing_once() -> None:
    with pytest.raises(MissingValue) as missing:
        parse("{{ a.b }} {{ a.b }} {{ c.d }} {{ account.name }}").render(VALUES)

    assert missing.value.names == ["a.b", "c.d"]


def test_the_variables_it_uses_are_known_without_rendering() -> None:
    assert parse('{{ a.b }} {{ c.d | default: "x" }}').variables == {"a.b", "c.d"}


def test_an_unknown_variable_is_named_with_the_nearest_known_one() -> None:
    (sentence,) = unknown_variables(parse("{{ account.nmae }}"), {"account.name", "user.name"})

    assert sentence == "There is no variable {{ account.nmae }} here. Did you mean {{ account.name }}?"


@pytest.mark.parametrize(
    "source",
    [
        "{% if account.name %}x{% endif %}",
        "{% for a in (1..1000000) %}x{% endfor %}",
        "{% include 'secrets' %}",
        "{% assign a = 1 %}",
        "{%",
        "{{",
        "{{ }}",
        '{{ "text" }}',
        "{{ 1 }}",
        "{{ (1..1000000) }}",
        "{{ a[b.c] }}",
        "{{ a[0] }}",
        "{{ a.b if c else d }}",
        "{{{{ a }}}}",
        '{{ a.b | replace: "a", "aaaaaaaaaa" }}',
        "{{ a.b | append: a.b }}",
        "{{ a.b | safe }}",
        "{{ a.b | default: c.d }}",
        '{{ a.b | default: "x", allow_false: true }}',
        "{{ a.b | default }}",
        "{{ a.b | truncate: 99999999 }}",
        '{{ a.b | date: "%9999999d" }}',
        '{{ a.b | date: "%s" }}',
        "x" * (SOURCE_LIMIT + 1),
        "nul \x00",
        "half a pair \ud800",
        "{{ a.b }}" * 51,
    ],
)
def test_it_refuses(source: str) -> None:
    with pytest.raises(TemplateError):
        parse(source)


@pytest.mark.parametrize(
    "name", ["account.__class__", "account.name.__class__.__mro__", "account.name.format", "self", "settings"]
)
def test_there_is_no_attribute_to_walk(name: str) -> None:
    template = parse(f"{{{{ {name} }}}}")

    assert unknown_variables(template, VALUES)
    with pytest.raises(MissingValue):
        template.render(VALUES)


@given(st.text(max_size=300))
def test_whatever_is_written_it_renders_or_is_refused(source: str) -> None:
    try:
        parse(source).render(VALUES)
    except (TemplateError, MissingValue):
        return


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    text = parse('{{ a.b | default: "-" }}').render({"a.b": value})

    assert text == (value[:VALUE_LIMIT] or "-")


@given(st.sampled_from([name for name in FILTERS if name not in ("default", "truncate", "date")]), st.text())
def test_no_filter_makes_a_text_much_longer(name: str, value: str) -> None:
    text = parse(f'{{{{ a.b | {name} | default: "-" }}}}').render({"a.b": value})

    assert len(text) <= 3 * len(value) + 1  # a capital may take several letters: ß, ŉ


@given(st.text())
def test_a_single_line_has_no_line_break_and_no_control_character(text: str) -> None:
    line = single_line(text)

    assert len(line.splitlines()) <= 1
    assert len(line) <= LINE_LIMIT
    assert not set(line) & set("\r\n\x00\x1b\u2028")
