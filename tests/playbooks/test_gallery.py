"""The templates to begin with are finished as they stand, in any workspace."""

import pytest

from accounts.fields import workspace_fields
from playbooks import drafts
from playbooks.gallery import Template, find_template, templates
from tests.world import MONDAY, Workspace


def test_there_is_one_for_each_of_the_usual_jobs() -> None:
    assert len(templates()) >= 10
    assert {"onboarding", "renewal", "low-adoption", "trial", "churned"} < {one.key for one in templates()}


@pytest.mark.parametrize("template", templates(), ids=lambda one: one.key)
def test_a_template_has_nothing_to_mend(inside: Workspace, template: Template) -> None:
    draft = drafts.begin(name=template.name, content=template.content, by=inside.maya, now=MONDAY)

    assert drafts.problems_of(draft.draft or {}, fields=workspace_fields()) == []
    assert template.summary.endswith(".")


@pytest.mark.parametrize(("scale", "value"), [(100, 75), (10, 7.5)])
def test_good_health_means_the_same_on_every_scale(scale: int, value: float) -> None:
    template = find_template("expansion")
    assert template is not None

    conditions = template.content_for(scale)["rules"]["account"]["all"]
    assert next(one["value"] for one in conditions if one["field"] == "health") == value
    assert next(one["value"] for one in conditions if one["field"] == "user_count") == 20
    assert template.content["rules"]["account"]["all"][1]["value"] == 75  # what others begin with is untouched
