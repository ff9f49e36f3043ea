"""Celery's door to jobs: look now. It may run twice, or never."""

from celery import shared_task

from cs_platform.jobs.pump import run_jobs


@shared_task
def run_due_jobs() -> None:
    run_jobs()
