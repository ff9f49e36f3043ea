"""What leaves the house: so many calls to somebody who takes a moment for each, by one worker process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings

from accounts.models import Account
from cs_platform.bench.data import make_workspace
from cs_platform.bench.playbooks import RULES
from cs_platform.bench.profiles import NOW
from cs_platform.chaos.hooks import TAKE, MoodyHooks
from cs_platform.connectors.managing import connect
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.delivery import deliver_round
from playbooks.enrollment import Application, enroll
from playbooks.models import ActionRun
from playbooks.turns import Turn
from playbooks.versions import import_playbook, set_live

CALLS, STEPS = 100, 10
ANSWER_SECONDS = 0.2
TURN = Turn.at(NOW)


def deliver_many() -> tuple[float, bool]:
    """Seconds on the wall, and whether all were made: ten steps, each about ten accounts."""
    tenant = make_workspace("outside", CALLS // STEPS)
    with _server() as server:
        _enroll(tenant, server.url)
        began = time.perf_counter()
        while deliver_round(tenant, TURN):
            """Until nothing is due."""
        seconds = time.perf_counter() - began
    with tenant_context(tenant.pk):
        made = ActionRun.objects.filter(state=ActionRun.State.APPLIED).count()
    return seconds, made == len(server.taken()) == CALLS


@contextmanager
def _server() -> Iterator[MoodyHooks]:
    server, trusted = MoodyHooks(), settings.OUTBOUND_TRUSTED
    server.mood, server.slow_seconds = TAKE, ANSWER_SECONDS
    server.start()
    settings.OUTBOUND_TRUSTED = [server.host]
    try:
        yield server
    finally:
        settings.OUTBOUND_TRUSTED = trusted
        server.stop()


def _enroll(tenant: Tenant, url: str) -> None:
    with tenant_context(tenant.pk):
        by = tenant.memberships.order_by("pk")[0]
        rested = NOW - timedelta(hours=1)  # so that no bucket is empty
        connect(kind="segment", key="outside", name="Outside", url=url, secret="write-key", by=by, now=rested)
        config = {"connector": "outside", "event": "Applied"}
        steps = [{"key": f"step-{n}", "day": 1, "action": "segment_track", "config": config} for n in range(STEPS)]
        rules = {"account": RULES[0]["account"]}
        data = {"key": "outside", "name": "Outside", "rules": rules, "steps": steps}
        playbook = import_playbook(data, by=None, now=NOW)
        set_live(playbook, by=None, now=NOW)
        playbook.refresh_from_db()
        accounts = Account.objects.order_by("pk").values_list("pk", flat=True)
        enroll(Application(tenant, playbook, applied_by="person:1", now=NOW), [(id, None) for id in accounts])
