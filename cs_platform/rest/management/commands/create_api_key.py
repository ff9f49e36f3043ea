"""A key for the REST API from the command line: for the first one, and for scripts that set a workspace up."""

from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.keys import issue_key
from cs_platform.tenancy.models import Tenant
from cs_platform.tenancy.roles import SCOPES


class Command(BaseCommand):
    help = "Create an API key and print its token, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="what the key is for, shown in the list of keys")
        parser.add_argument("--scopes", default="read", help=f"separated by commas: {', '.join(SCOPES)}")
        parser.add_argument("--days", type=int, help="until it expires; without, it does not")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = _tenant(options["workspace"])
        scopes = _scopes(options["scopes"])
        with tenant_context(tenant.pk):
            now = database_now()
            expires_at = now + timedelta(days=options["days"]) if options["days"] else None
            _key, token = issue_key(name=options["name"], scopes=scopes, by=None, now=now, expires_at=expires_at)
        self.stdout.write(token)


def _tenant(slug: str) -> Tenant:
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise CommandError(f"There is no workspace {slug}.")
    return tenant


def _scopes(text: str) -> list[str]:
    scopes = [scope.strip() for scope in text.split(",") if scope.strip()]
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise CommandError(f"Choose scopes from: {', '.join(SCOPES)}.")
    return scopes
