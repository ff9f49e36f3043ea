"""Settings are taken as browsers and pages need them, or refused with what to write instead."""

import pytest

from accounts.models import NpsSurvey
from accounts.nps.survey import (
    THEME,
    CannotUse,
    change_survey,
    checked_accent,
    checked_origins,
    complete_theme,
    the_survey,
)
from tests.world import MONDAY, Workspace


def test_a_workspace_begins_with_a_survey_that_is_off(inside: Workspace) -> None:
    assert not the_survey().is_on
    assert not NpsSurvey.objects.exists()


def test_what_is_not_named_stays(inside: Workspace) -> None:
    change_survey(question="Would you?", by=inside.jonah, now=MONDAY)
    change_survey(is_on=True, origins=["https://a.example"], by=inside.jonah, now=MONDAY)
    survey = the_survey()
    assert (survey.question, survey.is_on, survey.follow_up) == (
        "Would you?",
        True,
        "What is the main reason for your score?",
    )


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        (" HTTPS://App.Example.com/ ", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(text: str, origin: str) -> None:
    assert checked_origins([text, text, ""]) == [origin]


@pytest.mark.parametrize(
    "text",
    [
        "app.example.com",
        "http://app.example.com",
        "https://*.example.com",
        "https://app.example.com/path",
        "https://app.example.com?x=1",
        "https://user@app.example.com",
        "https://app.example.com:99999",
        "https://app.example.com:x",
        "https://[::1",
        "javascript:alert(1)",
        "null",
        "https://",
        "https://a..b",
        "https://" + "a" * 300,
        "https://\u2028.example",
        "https://app.example.com\\@evil.example",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(CannotUse):
        checked_origins([text])


def test_too_many_origins_are_refused() -> None:
    with pytest.raises(CannotUse, match="20"):
        checked_origins(f"https://a{n}.example" for n in range(21))


@pytest.mark.parametrize("text", ["red", "#12345", "#12345g", "#1234567", "#123456;}", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(CannotUse, match="hexadecimal"):
        checked_accent(text)


@pytest.mark.parametrize("stored", [{}, None, [], {"accent": 5}, {"unknown": "x"}])
def test_a_theme_is_always_whole(stored: object) -> None:
    assert complete_theme(stored) == THEME
