"""What a process of its own does for a measurement. It starts without Django, so nothing is imported before `start`."""

import time


def start() -> None:
    import django

    django.setup()


def wait_for_others(number: int) -> None:
    """Long enough that each process takes one of these, and has started when all are done."""
    time.sleep(0.5)


def drain(tenant_id: int) -> None:
    """Apply until nothing is due, also where the next step waits for another process's batch."""
    from cs_platform.bench.apply import drain
    from cs_platform.tenancy.context import tenant_context
    from cs_platform.tenancy.models import Tenant
    from playbooks.models import ActionRun

    tenant = Tenant.objects.get(pk=tenant_id)
    while True:
        if drain(tenant):
            continue
        with tenant_context(tenant_id):
            if not ActionRun.objects.filter(state__in=("scheduled", "running")).exists():
                return
        time.sleep(0.005)
