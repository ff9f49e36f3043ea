"""A survey that is on, at Harbourline, whose user Ines has been there for a year. Stories begin on Monday."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from accounts.api.survey_limits import USERS, WORKSPACES
from accounts.models import Account, EndUser, NpsSurvey
from accounts.nps.survey import change_survey
from tests.world import MONDAY, Workspace, account, days, user

ORIGIN = "https://app.harbourline.example"


@dataclass(slots=True)
class Scene:
    home: Workspace
    at: Account
    ines: EndUser
    survey: NpsSurvey

    def changed(self, **settings: object) -> None:
        self.survey = change_survey(by=self.home.jonah, now=MONDAY, **settings)


@pytest.fixture
def scene(inside: Workspace) -> Scene:
    at = account("Harbourline Logistics", created_at=MONDAY - days(365))
    ines = user("Ines Falk", at, now=MONDAY - days(365))
    return Scene(inside, at, ines, change_survey(is_on=True, origins=[ORIGIN], by=inside.jonah, now=MONDAY))


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    for buckets in (USERS, WORKSPACES):
        buckets.clear()
    yield
    for buckets in (USERS, WORKSPACES):
        buckets.clear()
