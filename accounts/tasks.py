"""Celery's door to data-in: look now. Every task may run twice, or never."""

from celery import shared_task

from accounts.ingest.draining import drain
from accounts.retention import forget_old
from cs_platform.tenancy.clock import database_now


@shared_task
def take_in_received_calls() -> None:
    drain()


@shared_task
def forget_what_is_old() -> None:
    forget_old(now=database_now())
