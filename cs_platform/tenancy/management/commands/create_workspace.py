"""The first thing in a new installation: a workspace and its owner, who then invites the team."""

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.founding import CannotFound, Founded, found_workspace
from cs_platform.tenancy.models import User


class Command(BaseCommand):
    help = "Create a workspace and its owner; prints where the owner begins."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", required=True, help="its part of the address: small letters, digits, hyphens")
        parser.add_argument("--name", required=True, help="the company, as people read it")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="who may do everything, and invites others")
        parser.add_argument("--owner-name", default="", help="their name; it can be changed in their profile")
        parser.add_argument("--timezone", default="UTC", help="where its days begin, for example Europe/Berlin")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("slug", "name", "owner", "owner_name", "timezone")}
        try:
            founded = found_workspace(**asked, now=database_now())
        except CannotFound as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{founded.owner.tenant.name} stands. {_begin(founded)}")


def _begin(founded: Founded) -> str:
    if not founded.is_new_login:
        return f"{founded.owner.email} signs in at {settings.BASE_URL}/ as usual."
    days = settings.PASSWORD_RESET_TIMEOUT // 86_400
    return (
        f"{founded.owner.email} chooses a password here, within {days} days, once: {_password_link(founded.owner.user)}"
    )


def _password_link(user: User) -> str:
    known = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return settings.BASE_URL + reverse("account_reset_password_from_key", kwargs=known)
