"""The history of an account's or a user's values, in a drawer."""

from typing import Any

from django.http import Http404

from accounts.changes import label_of_field, load_history
from accounts.models import Account, EndUser
from accounts.places import Place
from accounts.views.loading import account_or_404, user_or_404
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import WorkspaceRequest


def account_drawer(request: WorkspaceRequest, pk: int) -> Fragment:
    return _drawer(request, account_or_404(pk), "changes")


def user_drawer(request: WorkspaceRequest, pk: int) -> Fragment:
    return _drawer(request, user_or_404(pk), "user_changes")


def _drawer(request: WorkspaceRequest, subject: Account | EndUser, name: str) -> Fragment:
    field = request.GET.get("field", "").replace("\x00", "")
    label = label_of_field(subject, field)
    if field and not label:
        raise Http404("There is no such field.")
    here = page_address(request, **{name: subject.pk})
    context: dict[str, Any] = {
        "subject": subject,
        "label": label,
        "field": field,
        "history": load_history(subject, field=field, after=Place.read(request.GET.get("before", ""))),
        "all": here,
        "here": f"{here}&field={field}" if field else here,
        "close": page_address(request),
        "is_first": "before" not in request.GET,
    }
    return Fragment("accounts/_changes.html", context)
