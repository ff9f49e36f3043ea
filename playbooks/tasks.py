"""Celery's door to the engine: look now. Every task may run twice, or never."""

from celery import shared_task

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.models import Heartbeat, WorkDue
from playbooks.pump import pump


@shared_task
def apply_due_runs() -> None:
    pump(WorkDue.Queue.APPLY)
    Heartbeat.beat(part="worker", now=database_now())


@shared_task
def deliver_due_runs() -> None:
    pump(WorkDue.Queue.DELIVER)


@shared_task
def evaluate_due_workspaces() -> None:
    pump(WorkDue.Queue.EVALUATE)
