"""Loading and answering, shared by the views of the account page and the user page.

A CSM may work on every account of the workspace: TRUST's "own and team" needs teams, and as long as a workspace is not
divided into any, it is one. Where teams are, the two functions that load an account or a user are the place to ask.
"""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from accounts.models import Account, EndUser
from cs_platform.tenancy.models import Membership
from cs_platform.web.pages import WorkspaceRequest, toast, trigger

CHANGED = "account:changed"  # the browser event on which pages reload the parts that show an account


def account_or_404(pk: int) -> Account:
    """Of the workspace in force; another's id is as unknown as one that never was."""
    return get_object_or_404(Account.objects.present().select_related("csm", "ae"), pk=pk)


def user_or_404(pk: int) -> EndUser:
    return get_object_or_404(EndUser, pk=pk, archived_at=None)


def team(request: WorkspaceRequest) -> Sequence[Membership]:
    return list(Membership.objects.in_tenant(request.tenant.pk).active().order_by("name", "pk"))


def changed(request: WorkspaceRequest, account_id: int, text: str, *, undo: str | None = None) -> HttpResponse:
    """The answer to a form: parts of the page reload themselves, or without scripts the page as a whole."""
    return told(request, text, "accounts:detail", account_id, undo=undo)


def told(request: WorkspaceRequest, text: str, page: str, pk: int, *, undo: str | None = None) -> HttpResponse:
    """The same for any page that shows what was changed."""
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text, undo=undo), CHANGED, {})
    messages.success(request, text)
    return redirect(page, request.tenant.slug, pk)
