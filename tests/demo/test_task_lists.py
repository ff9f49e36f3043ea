"""The demo's CTA playbooks: offered for the types they are for, and applied to work that is there."""

from cs_platform.demo.task_lists import APPLIED, set_up_task_lists
from cs_platform.tenancy.context import tenant_context
from ctas.opening import open_cta
from ctas.playbooks import cta_playbooks
from playbooks.models import Enrollment
from tests import world
from tests.world import MONDAY, on


def test_two_are_live_and_one_is_applied_to_work_at_risk(db: None) -> None:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        at = world.account(csm=space.priya, ae=space.tom)
        for number in range(APPLIED + 1):
            facts = {"account": at, "name": f"Call {number}", "owner": space.priya, "due_on": on(number + 1)}
            open_cta(type="risk", by=space.priya, now=MONDAY, **facts)
    set_up_task_lists(space.tenant, now=MONDAY)

    with tenant_context(space.tenant.pk):
        assert [one.name for one in cta_playbooks().offered() if one.is_for("risk")] == ["Rescue checklist"]
        assert [one.name for one in cta_playbooks().offered() if one.is_for("activity")] == ["Quarterly review"]
        applied = Enrollment.objects.filter(playbook__key="rescue-checklist").select_related("cta")
        assert {one.cta.name for one in applied} == {f"Call {number}" for number in range(1, APPLIED + 1)}
        assert {one.cta.tasks.count() for one in applied} == {5}
