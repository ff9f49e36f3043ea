"""Loading and answering, shared by the views of the account page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from accounts.models import Account
from cs_platform.web.pages import WorkspaceRequest, toast, trigger

CHANGED = "account:changed"  # the browser event on which pages reload the parts that show an account


def account_or_404(pk: int) -> Account:
    """Of the workspace in force; another's id is as unknown as one that never was."""
    return get_object_or_404(Account.objects.present().select_related("csm", "ae"), pk=pk)


def changed(request: WorkspaceRequest, account_id: int, text: str) -> HttpResponse:
    """The answer to a form: parts of the page reload themselves, or without scripts the page as a whole."""
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text), CHANGED, {})
    messages.success(request, text)
    return redirect("accounts:detail", request.tenant.slug, account_id)
