"""An evaluation settles lifecycles, health and segments before it asks playbooks, in this order."""

from accounts.fields import workspace_fields
from accounts.health.defining import MeasureWording, ScoreWording, save_measure, save_score
from accounts.lifecycle import save_rules
from accounts.models import Account, LifecycleRule, Segment
from accounts.rules.fields import Subject
from accounts.rules.grammar import Rule, parse
from accounts.segments.defining import Wording, create_segment
from cs_platform.tenancy.context import tenant_context
from playbooks.models import Enrollment
from tests.world import MONDAY, account, days, evaluate, live, playbook_json, workspace


def read(written: dict[str, object]) -> Rule:
    return parse(written, fields=workspace_fields(), subject=Subject.ACCOUNT)


def test_one_evaluation_carries_a_change_through_all_of_them(db: None) -> None:
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        where = {"tenant": home.tenant, "now": MONDAY}
        harbour = account(lifecycle="subscribed", user_count=12)
        save_rules(
            {LifecycleRule.Outcome.CHURNED: read({"field": "plan", "op": "is", "value": "Gone"})}, by=home.maya, **where
        )
        usage = save_score(None, wording=ScoreWording("Usage"), by=home.maya, **where)
        many = MeasureWording("Users", read({"field": "user_count", "op": "more", "value": 10}))
        save_measure(None, score=usage, wording=many, by=home.maya, **where)
        unwell = read({"all": [{"field": "health", "op": "less", "value": 60}]})
        segment = create_segment(scope="account", wording=Wording("Unwell", "", unwell), by=home.maya, **where)
        asked = {"field": f"segment:{segment.pk}", "op": "in"}
        playbook = live(playbook_json("rescue", rules={"account": asked}, on_unmatch="stop"), by=home.olga)

        evaluate(home.tenant, now=MONDAY + days(1))
        assert not Enrollment.objects.exists()
        Account.objects.filter(pk=harbour.pk).update(user_count=2)
        evaluate(home.tenant, now=MONDAY + days(2))
        assert Account.objects.get(pk=harbour.pk).health == 50
        assert Segment.objects.get().evaluated_at == MONDAY + days(2)
        assert Enrollment.objects.get().playbook == playbook

        Account.objects.filter(pk=harbour.pk).update(plan="Gone")
        evaluate(home.tenant, now=MONDAY + days(3))
        assert Account.objects.get(pk=harbour.pk).health is None
        assert not Segment.objects.get().memberships.filter(left_at=None).exists()
        assert Enrollment.objects.get().left_at == MONDAY + days(3)
