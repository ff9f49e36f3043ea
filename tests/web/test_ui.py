import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone

from cs_platform.web.templatetags import ui

TODAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 19, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cents", "said"),
    [(18_400_000, "$184,000"), (0, "$0"), (-120_000, "−$1,200"), (150, "$2"), (None, "–")],
)
def test_money_is_said_without_cents(cents: int | None, said: str) -> None:
    assert ui.money(cents) == said


@pytest.mark.parametrize(
    ("cents", "said"),
    [
        (198_000_000, "$1.98M"),
        (4_200_000, "$42k"),
        (999_900, "$9,999"),
        (12_345_678_900, "$123M"),
        (200_000_000_000, "$2B"),
        (-4_200_000, "−$42k"),
        (None, "–"),
    ],
)
def test_totals_are_said_short(cents: int | None, said: str) -> None:
    assert ui.money_short(cents) == said


@pytest.mark.parametrize(("number", "said"), [(3, "+3"), (-12, "−12"), (0, "0"), (None, ""), (2.5, "+2.5")])
def test_changes_carry_a_sign(number: float | None, said: str) -> None:
    assert ui.signed(number) == said


@pytest.mark.parametrize(
    ("top", "delta", "said"), [(10, 2, ">+2.0<"), (10, -0.5, ">−0.5<"), (100, 12, ">+12<"), (100, -4, ">−4<")]
)
def test_a_change_of_health_has_as_many_decimals_as_the_score(top: int, delta: float, said: str) -> None:
    assert said in ui.gauge(8, top, delta)


def test_a_day_of_this_year_needs_no_year() -> None:
    assert ui.day(date(2026, 12, 8), TODAY) == "8 Dec"


def test_a_day_of_another_year_has_it() -> None:
    assert ui.day(date(2027, 1, 6), TODAY) == "6 Jan 2027"


def test_no_day_is_a_dash() -> None:
    assert ui.day(None, TODAY) == "–"


def test_what_is_due_names_the_weekday() -> None:
    assert ui.weekday(date(2026, 11, 17), TODAY) == "Tue 17 Nov"


@pytest.mark.parametrize(
    ("day", "said"), [(17, "17 Nov"), (18, "Yesterday"), (19, "Today"), (20, "Tomorrow"), (21, "21 Nov")]
)
def test_a_moment_of_the_day_itself_and_of_those_beside_it_says_so(day: int, said: str) -> None:
    moment = datetime(2026, 11, day, 6, 2, tzinfo=UTC)

    assert ui.moment(moment, TODAY) == f"{said}, 06:02"
    assert ui.uncap(ui.moment(moment, TODAY)) == f"{said.lower() if said[0].isalpha() else said}, 06:02"
    assert ui.moment(moment) == f"{day} Nov 2026, 06:02"


def test_tomorrow_is_a_day_of_the_workspace_whatever_the_day_is_for_the_clock() -> None:
    said = Template("sends {{ at|moment:today|uncap }}")
    night = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    with timezone.override("Pacific/Auckland"):
        context = Context({"at": night + timedelta(hours=12), "today": timezone.localdate(night)})
        assert said.render(context) == "sends tomorrow, 00:30"


def test_no_page_says_on_tomorrow() -> None:
    """A moment may be a word, so it stands where both can: no preposition before it."""
    pages = (settings.BASE_DIR / "templates").rglob("*.html")

    assert [path.name for path in pages if re.search(r"\bon \{\{[^}]*\|moment", path.read_text())] == []


def test_days_are_counted_from_today() -> None:
    assert ui.days_from(date(2026, 12, 8), TODAY) == 19
    assert ui.days_from(date(2026, 11, 17), TODAY) == -2


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(days=1), "yesterday"),
        (timedelta(days=6), "6 d ago"),
        (timedelta(days=7), "12 Nov"),
        (timedelta(minutes=-3), "just now"),
    ],
)
def test_what_is_under_a_week_old_is_said_relative(before: timedelta, said: str) -> None:
    assert ui.ago(NOW - before, NOW) == said


def test_never_seen_is_said() -> None:
    assert ui.ago(None, NOW) == "never"


def test_yesterday_is_a_day_of_the_zone_not_of_the_clock() -> None:
    with timezone.override("Pacific/Auckland"):
        assert ui.ago(datetime(2026, 11, 17, 10, 0, tzinfo=UTC), NOW) == "3 d ago"


@pytest.mark.parametrize(("score", "word"), [(75, "good"), (74.9, "watch"), (50, "watch"), (49, "risk"), (None, "")])
def test_a_score_has_a_word(score: float | None, word: str) -> None:
    assert ui.band(score) == word


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Priya Raman", "PR"), ("Anna Maria van Dyk", "AD"), ("Cher", "CH"), ("", ""), ("& Sons", "SO")],
)
def test_initials_are_of_the_first_and_the_last_word(name: str, letters: str) -> None:
    assert ui.initials(name) == letters


def test_a_name_keeps_its_colour() -> None:
    assert ui.hue("Priya Raman") == 10


def test_an_icon_points_into_the_sprite() -> None:
    assert 'href="/static/icons.svg#flag"' in ui.icon("flag", "sm")


def test_what_a_sentence_names_stands_out_and_the_rest_is_escaped() -> None:
    assert ui.named("“Stage” goes from <A> to “B&C”") == "<b>Stage</b> goes from &lt;A&gt; to <b>B&amp;C</b>"
    assert ui.named(ui.variables("“Hi {{ user.name }}” is not sent")) == (
        '<b>Hi <span class="var">user.name</span></b> is not sent'
    )
    assert ui.named("Nothing in it") == "Nothing in it"


def test_a_sentence_shows_its_variables_as_what_stands_there_later_and_escapes_the_rest() -> None:
    said = 'Send “{{ account.name | default: "you" }} <b>” to {{ user.email }}'
    assert ui.variables(said) == (
        'Send “<span class="var">account.name</span> &lt;b&gt;” to <span class="var">user.email</span>'
    )
    assert ui.variables("Nothing in it") == "Nothing in it"
