"""The demo's saved lists: shared, and each of them finds what it is called."""

from datetime import timedelta

from django.utils import timezone

from cs_platform.demo.views import save_views
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import query_of
from tests.visitor import Visitor, text
from tests.world import MONDAY, account, apply_now, live, playbook_json, raise_risk, workspace


def test_all_are_shared_and_find_what_they_are_called(db: None) -> None:
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        playbook = live(playbook_json("onboarding", name="Onboarding", steps=[raise_risk(30)]), now=MONDAY)
        account("Unwell", health=4)
        account("Renewing", renewal_on=timezone.localdate() + timedelta(days=29))
        account("Renewed", renewal_on=timezone.localdate() + timedelta(days=31))
        apply_now(playbook, account("Newcomer", health=90), now=MONDAY)
        save_views(space.tenant, now=MONDAY)
        found = {view.name: text(Visitor(space.priya).page(f"accounts/?{query_of(view)}")) for view in _views()}

    assert {name for name, page in found.items() if ">Unwell</a>" in page} == {"At risk"}
    assert {name for name, page in found.items() if ">Newcomer</a>" in page} == {"Onboarding"}
    assert [name for name, page in found.items() if ">Renewing</a>" in page] == ["Renewing in 30 days"]
    assert not any(">Renewed</a>" in page for page in found.values())
    assert all("Changed" not in page and "--at: " in page for page in found.values())


def _views() -> list[SavedView]:
    return list(SavedView.objects.filter(is_shared=True))
