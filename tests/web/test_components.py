"""Components get attributes and print markup: nothing lost, nothing unescaped, nothing taken from the page around."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.template import engines
from django.test import RequestFactory
from django_cotton.compiler_regex import CottonCompiler

from .test_templates import TEMPLATES

NOW = datetime(2026, 11, 19, 8, 0, tzinfo=UTC)
COMPONENTS = sorted(path.stem for path in (TEMPLATES / "cotton").glob("*.html"))


class NoteForm(forms.Form):
    note = forms.CharField(widget=forms.Textarea, required=False, help_text="Your team sees it.")
    due = forms.DateField()
    again = forms.BooleanField(required=False)


def draw(source: str, **context: Any) -> str:
    """The markup of a template, on one line."""
    request = RequestFactory().get("/")
    request.now = NOW  # type: ignore[attr-defined]
    template = engines["django"].from_string(CottonCompiler().process(source))
    return " ".join(template.render(context, request).split())


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_renders_with_nothing_given(name: str) -> None:
    given = ':field="field"' if name == "field" else ""

    assert "<" in draw(f"<c-{name.replace('_', '-')} {given} />", field=NoteForm()["due"]) or name == "form_errors"


def test_a_name_that_is_markup_stays_text() -> None:
    markup = draw('<c-avatar name="{{ name }}" /><c-logo :name="name" />', name="<b>Eve</b>")

    assert "<b>" not in markup


def test_attributes_a_button_passes_on_are_escaped() -> None:
    markup = draw('<c-button :aria-describedby="words" hx-get="/x">Go</c-button>', words='"><script>')

    assert "<script>" not in markup
    assert 'hx-get="/x"' in markup


def test_attributes_that_are_false_are_left_out() -> None:
    markup = draw('<c-button :disabled="off" :autofocus="on">Go</c-button>', off=False, on=True)

    assert "disabled" not in markup
    assert " autofocus>" in markup


def test_a_component_sees_no_variable_of_the_page() -> None:
    assert "leaked" not in draw("<c-badge>Active</c-badge>", title="leaked", icon="leaked")


def test_a_button_with_an_address_is_a_link() -> None:
    assert draw('<c-button href="/next">Next</c-button>').startswith('<a class="btn')


def test_no_score_is_said_in_words() -> None:
    assert "No score" in draw('<c-health :score="None" />')


def test_a_score_comes_with_its_word_and_its_change() -> None:
    markup = draw('<c-health :score="46.4" :delta="-12" />')

    assert 'class="health risk"' in markup
    assert "46<span" in markup
    assert "−12" in markup


def test_a_track_has_one_pip_per_action() -> None:
    marks = ["done", "failed", "next", "to come", "<script>"]

    assert draw('<c-track :marks="marks" />', marks=marks).count("<i") == len(marks)


def test_a_playbook_cell_opens_its_history_with_and_without_htmx() -> None:
    run = SimpleNamespace(state="active", percent=78, applied_on=date(2026, 9, 9), marks=["done"], url="?history=7")
    markup = draw('<c-track-cell :run="run" label="Renewal runway" />', run=run)

    assert 'href="?history=7" hx-get="?history=7" hx-target="#drawer"' in markup
    assert "<b>78%</b><span>9 Sep</span>" in markup
    assert "Renewal runway, open history" in markup


def test_a_playbook_that_was_never_applied_is_said_to_screen_readers() -> None:
    assert "Not applied" in draw('<c-track-cell :run="None" label="Onboarding" />')


def test_a_field_is_described_by_its_hint() -> None:
    markup = draw('<c-field :field="form.note" />', form=NoteForm())

    assert 'aria-describedby="id_note_helptext"' in markup
    assert '<span class="hint" id="id_note_helptext">Your team sees it.</span>' in markup
    assert "optional" in markup


def test_a_field_is_described_by_its_error_once_it_has_one() -> None:
    markup = draw('<c-field :field="form.due" />', form=NoteForm({"due": "soon"}))

    assert 'aria-describedby="id_due_error"' in markup
    assert 'aria-invalid="true"' in markup
    assert 'id="id_due_error"' in markup
    assert " autofocus" in markup


def test_a_check_box_stands_inside_its_label() -> None:
    markup = draw('<c-field :field="form.again" label="Again" />', form=NoteForm())

    assert '<label class="row"><input type="checkbox" name="again" class="check" id="id_again"> Again</label>' in markup
