"""The report and the survey's settings: what stands there, what is refused, and that no comment is ever markup."""

import csv
import io
from typing import Any

import pytest
from django.http import HttpResponse

from accounts.api.nps_serializers import NpsSurveyEditsSerializer, ThemeSerializer
from accounts.models import EndUser, NpsResponse, Segment, SegmentMembership
from accounts.nps.report import PAGE_SIZE
from accounts.nps.survey import the_survey
from accounts.nps_forms import NpsSurveyForm, initial_of
from accounts.nps_panel import last_answers
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, account, days, user

from .conftest import ORIGIN, Scene

XSS = '<script>alert(1)</script><img src=x onerror=alert(1)>"\' hx-get="/evil" {{ 7|add:7 }}'
FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\tx", "\rx"]


@pytest.fixture
def maya(scene: Scene) -> Visitor:
    return Visitor(scene.home.maya)


def said(who: EndUser, score: int, comment: str = "", *, ago: float = 0) -> NpsResponse:
    tie = who.account_users.first()
    at = tie.account if tie else None
    return NpsResponse.objects.create(
        end_user=who, account=at, score=score, comment=comment, answered_at=MONDAY - days(ago), source="survey"
    )


# --- report -----------------------------------------------------------------------------------------------------------


def test_an_empty_report_says_what_would_be_here(scene: Scene, maya: Visitor) -> None:
    page = text(maya.page("nps/"))
    assert "Nobody has answered yet" in page
    assert "No answer yet" in page


def test_the_report_shows_score_groups_months_and_answers(scene: Scene, maya: Visitor) -> None:
    said(scene.ines, 3, "Slow", ago=40)
    said(scene.ines, 10, "Much better")
    said(user("Ben", scene.at), 7)
    page = text(maya.page("nps/"))
    assert "<dd>+50</dd>" in page
    assert page.index("Much better") < page.index("Slow")
    assert "<polyline" not in page or "By month" in page


def test_filters_narrow_the_answers(scene: Scene, maya: Visitor) -> None:
    calyx = account("Calyx")
    said(scene.ines, 2, "Too slow")
    said(user("Cora", calyx), 9, "Swift")
    segment = Segment.objects.create(scope="account", name="Fans", created_at=MONDAY)
    SegmentMembership.objects.create(segment=segment, account=calyx, entered_at=MONDAY)
    for query, seen, unseen in (
        ("group=detractors", "Too slow", "Swift"),
        (f"segment={segment.pk}", "Swift", "Too slow"),
        (f"account={calyx.pk}", "Swift", "Too slow"),
        ("q=SWIFT", "Swift", "Too slow"),
    ):
        page = text(maya.page(f"nps/?{query}"))
        assert seen in page, query
        assert unseen not in page, query
    assert "No answer matches" in text(maya.page("nps/?q=nothing"))


def test_filters_hand_on_what_is_chosen_for_all_reports(scene: Scene, maya: Visitor) -> None:
    for n in range(PAGE_SIZE + 1):
        said(scene.ines, 9, f"answer-{n}-", ago=n)
    part = text(maya.fragment(f"nps/?months=3&csm=7&account={scene.at.pk}", "results"))

    form = part[part.index('id="nps-filters"') : part.index("</form>")]
    assert '<input type="hidden" name="months" value="3"><input type="hidden" name="csm" value="7">' in form
    assert f'href="{maya.at("nps/")}?months=3&amp;csm=7"' in form  # without the account
    assert f'href="?months=3&amp;csm=7&amp;account={scene.at.pk}&amp;older=' in part


@pytest.mark.parametrize(
    "query", ["group=x", "segment=x", "segment=9" * 9, "account=-1", "older=x", "older=9~9", "q=%00", "q=%", "q=\\"]
)
def test_an_address_that_means_nothing_is_no_error(scene: Scene, maya: Visitor, query: str) -> None:
    assert maya.page(f"nps/?{query}").status_code == 200


def test_more_answers_are_a_fragment_away(scene: Scene, maya: Visitor) -> None:
    for n in range(PAGE_SIZE + 1):
        said(scene.ines, 9, f"answer-{n}-", ago=n)
    page = text(maya.page("nps/"))
    assert f"answer-{PAGE_SIZE}-" not in page
    address = page.partition('hx-get="?older=')[2].partition('"')[0]
    more = maya.fragment(f"nps/?older={address}", "older")
    assert not is_whole(more)
    assert f"answer-{PAGE_SIZE}-" in text(more)
    assert "answer-0-" not in text(more)


def test_a_page_of_answers_takes_as_many_questions_as_one(
    scene: Scene, maya: Visitor, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        said(user(f"User {n}", scene.at), 9)
    with django_assert_max_num_queries(17):
        maya.page("nps/")


def test_a_comment_is_never_markup(scene: Scene, maya: Visitor) -> None:
    said(scene.ines, 1, XSS)
    scene.changed(question=XSS, thanks=XSS)
    for path in ("nps/", "nps/survey/", f"accounts/{scene.at.pk}/"):
        page = maya.page(path).content.decode()
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'hx-get="/evil"' not in page


# --- file -------------------------------------------------------------------------------------------------------------


def rows(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


def test_the_file_holds_what_the_page_lists(scene: Scene, maya: Visitor) -> None:
    said(scene.ines, 9, 'Quick, "really"\nquick')
    said(scene.ines, 2, "Slow", ago=9)
    response = maya.page("nps/answers.csv?group=promoters")
    [row] = rows(response)
    assert response["Content-Disposition"].startswith("attachment")
    assert (row["score"], row["group"], row["comment"]) == ("9", "promoter", 'Quick, "really"\nquick')
    assert (row["user"], row["account"]) == ("Ines Falk", "Harbourline Logistics")


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(scene: Scene, maya: Visitor, formula: str) -> None:
    said(user(f"{formula} Ltd", scene.at), 9, formula)
    [row] = rows(maya.page("nps/answers.csv"))
    assert (row["comment"], row["user"]) == (f"'{formula}", f"'{formula} Ltd")


# --- account and user -------------------------------------------------------------------------------------------------


def test_the_account_page_tells_what_its_users_said(scene: Scene, maya: Visitor) -> None:
    said(scene.ines, 9, "Quick")
    page = text(maya.page(f"accounts/{scene.at.pk}/"))
    assert '<h2>NPS <span class="n">+100</span></h2>' in page
    assert "Quick" in page


def test_the_user_page_tells_what_they_said_the_last_first(scene: Scene, maya: Visitor) -> None:
    said(scene.ines, 2, "Slow", ago=100)
    last = said(scene.ines, 9, XSS)
    assert last_answers(scene.ines)[0] == last
    page = maya.page(f"users/{scene.ines.pk}/").content.decode()
    assert page.index("<b>9</b> promoter") < page.index("<b>2</b> detractor")
    assert "<script>alert" not in page


# --- settings ---------------------------------------------------------------------------------------------------------


def sent(**more: Any) -> dict[str, Any]:
    plain = initial_of(the_survey()) | {"origins": ORIGIN, "is_on": "on"}
    return {name: value for name, value in (plain | more).items() if value is not False}


def test_settings_are_saved(scene: Scene, maya: Visitor) -> None:
    response = maya.submit("nps/survey/", **sent(question="Would you?", accent="#AA0011", months_between=6))
    assert response.status_code == 302
    survey = the_survey()
    assert (survey.question, survey.months_between, survey.theme["accent"]) == ("Would you?", 6, "#aa0011")
    assert survey.is_on


def test_it_is_switched_off(scene: Scene, maya: Visitor) -> None:
    maya.submit("nps/survey/", **sent(is_on=False, origins=""))
    assert not the_survey().is_on


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"origins": ""}, "Name at least one origin"),
        ({"origins": "http://app.example.com"}, "Only https is possible"),
        ({"origins": "https://a.example/x"}, "Leave out what comes after the host"),
        ({"accent": "red"}, "six hexadecimal digits"),
        ({"question": ""}, "This field is required"),
        ({"question": "x" * 201}, "at most 200 characters"),
        ({"months_between": "0"}, "greater than or equal to 1"),
        ({"max_showings": "many"}, "Enter a whole number"),
        ({"position": "top"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_used_is_said_and_the_form_kept(
    scene: Scene, maya: Visitor, wrong: dict[str, Any], words: str
) -> None:
    response = maya.submit("nps/survey/", **sent(thanks="Merci", **wrong))
    assert response.status_code == 422
    assert words in text(response)
    assert "Merci" in text(response)
    assert the_survey().thanks != "Merci"


def test_a_csm_sees_the_settings_and_cannot_change_them(scene: Scene) -> None:
    priya = Visitor(scene.home.priya)
    assert "Owners, admins and managers can change this" in text(priya.page("nps/survey/"))
    assert priya.submit("nps/survey/", **sent()).status_code == 403


def test_the_form_and_the_api_take_the_same_settings() -> None:
    fields = set(NpsSurveyEditsSerializer().fields) - {"theme"} | set(ThemeSerializer().fields)
    assert set(NpsSurveyForm.base_fields) == fields
