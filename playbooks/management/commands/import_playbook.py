"""Read playbooks from JSON files, the form that export writes; --live publishes them and lets evaluations enroll."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.definition import DefinitionErrors
from playbooks.versions import NotPossible, import_playbook, set_live


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--workspace", required=True, help="the workspace's slug")
        parser.add_argument("--live", action="store_true")

    def handle(self, *, files: list[Path], workspace: str, live: bool, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=workspace).first()
        if tenant is None:
            raise CommandError(f"There is no workspace “{workspace}”.")
        with tenant_context(tenant.pk):
            for file in files:
                self._import(file, live)

    def _import(self, file: Path, live: bool) -> None:
        now = database_now()
        try:
            playbook = import_playbook(json.loads(file.read_text()), by=None, now=now)
            if live:
                set_live(playbook, by=None, now=now)
        except DefinitionErrors as errors:
            lines = "\n".join(f"  {problem.path}: {problem.message}" for problem in errors.problems)
            raise CommandError(f"{file}:\n{lines}") from None
        except (NotPossible, OSError, json.JSONDecodeError) as error:
            raise CommandError(f"{file}: {error}") from None
        self.stdout.write(f"{playbook.name}: {'live' if live else 'drafted'}")
