"""Celery's door to errands: look now. It may run twice, or never."""

from celery import shared_task

from cs_platform.workspace.errands import run_errands


@shared_task
def run_due_errands() -> None:
    run_errands()
