"""Evaluate a workspace's live playbooks now, as the button does."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.evaluation import evaluate_now


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, help="the workspace's slug")

    def handle(self, *, workspace: str, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=workspace).first()
        if tenant is None:
            raise CommandError(f"There is no workspace “{workspace}”.")
        run = evaluate_now(tenant, by=None, now=database_now())
        with tenant_context(tenant.pk):
            for found in run.evaluations.select_related("playbook").order_by("pk"):
                self.stdout.write(
                    f"{found.playbook.name}: {found.matched:,} match, {found.enrolled:,} enrolled,"
                    f" {found.released:,} stopped{f', held: {found.reason}' if found.reason else ''}"
                )
