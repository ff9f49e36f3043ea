"""The test button: somebody asks, a worker sends one message of its own, and the page says what was answered."""

from datetime import datetime

from cs_platform.connectors.base import NotNow, Rejected, Revoked, Sent, Unknown
from cs_platform.connectors.models import Connector
from cs_platform.connectors.outgoing import note_refusal
from cs_platform.connectors.providers import Call
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.context import current_tenant_id, tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue

SECONDS = 10.0


def ask_for_test(connector: Connector, *, now: datetime) -> None:
    Connector.objects.present().filter(pk=connector.pk).update(test_asked_at=now)
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


def run_tests(tenant: Tenant, *, now: datetime) -> int:
    """Asked for, taken up and written down in transactions of their own; the call is in none."""
    with tenant_context(tenant.pk):
        calls = [(connector.pk, _call(connector, tenant, now)) for connector in _taken_up()]
    for pk, call in calls:
        outcome = call.deliver(seconds=SECONDS) if isinstance(call, Call) else call
        with tenant_context(tenant.pk):
            _write_down(pk, outcome, now)
    return len(calls)


def _taken_up() -> list[Connector]:
    asked = Connector.objects.present().filter(test_asked_at__isnull=False)
    found = list(asked.select_for_update(no_key=True, skip_locked=True).order_by("pk"))
    Connector.objects.filter(pk__in=[connector.pk for connector in found]).update(test_asked_at=None)
    return found


def _call(connector: Connector, tenant: Tenant, now: datetime) -> Call | Revoked:
    message = connector.provider.test_message(workspace=tenant.name, now=now)
    try:
        secrets = connector.secrets(now=now)
    except CannotOpen as error:
        return Revoked(str(error))
    id = f"test-{connector.pk}-{int(now.timestamp())}"
    return connector.provider.call(message, url=connector.url, secrets=secrets, id=id, now=now)


def _write_down(pk: int, outcome: object, now: datetime) -> None:
    rows = Connector.objects.filter(pk=pk)
    rows.update(tested_at=now, test_worked=isinstance(outcome, Sent), test_result=_words(outcome)[:300])
    if isinstance(outcome, Revoked):
        note_refusal(rows.get(), [outcome.reason], now=now)


def _words(outcome: object) -> str:
    match outcome:
        case Sent():
            return "It answered as it should."
        case NotNow(reason) | Rejected(reason) | Revoked(reason) | Unknown(reason):
            return reason
    return ""
