"""The year before the demo's sixty days: told as an integration tells it, and over when the export begins."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from accounts.ingest import ingest_calls
from accounts.models import Account
from accounts.renewals import all_of, renewal_rates
from accounts.revenue import retention
from accounts.sources import EXPORTS
from cs_platform.demo.past import as_signed, tell_the_past
from cs_platform.tenancy.context import tenant_context
from tests.world import workspace

FIRST = date(2026, 9, 23)
NOW = datetime(2026, 9, 23, tzinfo=UTC)


def told_of(id: str, **traits: Any) -> dict[str, Any]:
    known = {"name": id, "mrr": "1,200.50", "createdAt": "2024-05-01T00:00:00Z", "contract": "annual"}
    moment = "2026-08-24T06:00:00Z"
    return {
        "type": "group",
        "messageId": id,
        "userId": f"u-{id}",
        "groupId": id,
        "traits": {"status": "subscribed", "renewal_date": None, **known, **traits},
        "timestamp": moment,
        "sentAt": moment,
    }


def test_the_past_has_renewals_and_losses_and_ends_as_the_export_begins(db: None) -> None:
    space = workspace("orbiton")
    export = [
        *(told_of(f"acc_{at}", renewal_date=str(date(2027, 1, 4) + timedelta(days=15 * at))) for at in range(12)),
        *(told_of(f"gone_{at}", status="churned", mrr=300) for at in range(6)),
        told_of("new", createdAt="2026-08-01T00:00:00Z"),
        told_of("trial", status="trialing"),
    ]
    tell_the_past(export, tenant=space.tenant, first=FIRST, shift=timedelta(0))

    with tenant_context(space.tenant.pk):
        before = set(Account.objects.values_list("external_id", "lifecycle", "mrr_cents", "renewal_on"))
        ingest_calls(export, tenant=space.tenant, source=EXPORTS, now=NOW)
        after = set(Account.objects.values_list("external_id", "lifecycle", "mrr_cents", "renewal_on"))
        assert before == {one for one in after if one[0] not in ("new", "trial")}
        assert len(after) == 20

        fell = all_of(renewal_rates(tenant=space.tenant, over=12, now=NOW))
        assert fell.renewed > 0
        assert fell.left > 0
        [*_earlier, now] = retention(tenant=space.tenant, over=12, now=NOW)
        assert (now.whole.gross_share or 100) < 100


def test_some_of_those_told_of_near_their_renewal_have_signed() -> None:
    near = [told_of(f"acc_{at}", renewal_date="2026-09-10") for at in range(100)]
    far = told_of("acc_1", renewal_date="2026-12-10")
    signed = [call for call in map(as_signed, near) if call["traits"]["renewal_date"] == "2027-09-10"]

    assert 30 < len(signed) < 60
    assert as_signed(far) == far
    assert as_signed("no call") == "no call"
