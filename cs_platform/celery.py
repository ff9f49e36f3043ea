"""Celery only says "look now": tasks carry ids or nothing, and may run twice or never (docs/architecture.md)."""

import os

from celery import Celery
from celery.signals import beat_init, worker_init

from cs_platform.common.garbage import settle_in
from cs_platform.tenancy.alone import serve_alone
from cs_platform.tenancy.checks import refuse_unsafe_role

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cs_platform.settings")

# Not the ticks' interval: a worker whose clock is ahead of beat's by more than that would refuse every tick for ever.
# Two hours are enough for clocks that differ; what piles up in them is drained in seconds, since a tick finds nothing.
TICKS_EXPIRE = 7200
HOUR = 3600.0

app = Celery("cs_platform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def schedule_ticks(sender: Celery, **_: object) -> None:
    """Beat only ticks; `expires` keeps ticks from piling up behind a stopped worker."""
    from django.conf import settings

    pump = settings.PUMP_SECONDS
    ticks = {
        "playbooks.tasks.apply_due_runs": pump,
        "playbooks.tasks.deliver_due_runs": pump,
        "playbooks.tasks.evaluate_due_workspaces": min(5.0, pump),  # somebody may have asked for it
        "accounts.tasks.take_in_received_calls": pump,
        "accounts.tasks.forget_what_is_old": HOUR,
        "cs_platform.workspace.tasks.run_due_errands": pump,
        "cs_platform.jobs.tasks.run_due_jobs": min(2.0, pump),  # somebody is looking at its bar
    }
    for task, seconds in ticks.items():
        queue = settings.CELERY_TASK_ROUTES.get(task, {}).get("queue", settings.CELERY_TASK_DEFAULT_QUEUE)
        sender.conf.beat_schedule[task] = {
            "task": task,
            "schedule": seconds,
            "options": {"expires": TICKS_EXPIRE, "queue": queue},
        }


@worker_init.connect  # type: ignore[misc]
def work_alone(**_: object) -> None:
    serve_alone()
    settle_in()


@worker_init.connect  # type: ignore[misc]
@beat_init.connect  # type: ignore[misc]
def refuse_to_start(**_: object) -> None:
    """Only SystemExit ends a worker here: whatever else a receiver raises, Celery logs and goes on."""
    try:
        refuse_unsafe_role()
    except Exception as error:
        raise SystemExit(str(error)) from error
