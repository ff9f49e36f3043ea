"""Accounts and users in Quick Jump."""

from collections.abc import Iterable

from django.db.models.expressions import RawSQL
from django.urls import reverse

from accounts.models import Account, EndUser
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.web.jump import EACH, SHORTEST, Hit
from cs_platform.web.pages import WorkspaceRequest


class Accounts:
    label = "Accounts"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        """By the beginning of any of the first three words, or by its id elsewhere."""
        if len(text) < SHORTEST:
            return []
        present = Account.objects.present()
        found = present.beginning(text) | present.filter(external_id=text)
        rows = found.select_related("csm").order_by("name", "pk")[:EACH]
        return [_account(request, one) for one in rows]


def _account(request: WorkspaceRequest, account: Account) -> Hit:
    url = reverse("accounts:detail", args=[request.tenant.slug, account.pk])
    csm = account.csm.name if account.csm else "No CSM"
    return Hit(account.name, url, "building-2", detail=account.plan or "", aside=csm)


class Users:
    label = "Users"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        """By the beginning of the name, of its second word, or of the address."""
        if len(text) < SHORTEST:
            return []
        ids = RawSQL(
            "SELECT u.id FROM accounts_enduser u WHERE u.tenant_id = %s"
            " AND (u.words ^@ %s OR u.words_from_2 ^@ %s OR u.email ^@ %s)",
            [current_tenant_id(), text, text, text],
        )
        rows = EndUser.objects.filter(pk__in=ids, archived_at=None).order_by("name", "pk")[:EACH]
        return [_user(request, one) for one in rows]


def _user(request: WorkspaceRequest, user: EndUser) -> Hit:
    url = reverse("users:detail", args=[request.tenant.slug, user.pk])
    return Hit(str(user), url, "user", detail=user.email or "")
