"""Choosing the parent of an account, in a dialog."""

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.facts import CannotBeParent, set_parent
from accounts.models import Account
from accounts.views.loading import account_or_404, changed
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires

CHOICES_SHOWN = 10
SEARCH_LIMIT = 100
FRAGMENTS = {"dialog": "accounts/_parent_dialog.html", "parents": "accounts/_parent_choices.html"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def edit_parent(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    if request.method != "POST":
        return _dialog(request, account)
    try:
        parent = _chosen(request.POST.get("parent", ""))
        set_parent(account, parent=parent, by=request.membership, now=request.now)
    except CannotBeParent as refusal:
        return _dialog(request, account, error=str(refusal))
    return close_dialog(changed(request, account.pk, "Parent account saved"))


def _chosen(text: str) -> Account | None:
    """Nothing: no parent. Another workspace's id is as unknown as one that never was."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    parent = Account.objects.present().filter(pk=number).first() if text else None
    if text and parent is None:
        raise CannotBeParent("Choose one of your accounts.")
    return parent


def _dialog(request: WorkspaceRequest, account: Account, *, error: str = "") -> HttpResponse:
    search = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:SEARCH_LIMIT]
    found = Account.objects.present().beginning(search) if search else Account.objects.none()
    context = {
        "account": account,
        "search": search,
        "error": error,
        "choices": found.exclude(pk=account.pk).order_by("name", "pk")[:CHOICES_SHOWN],
        "parent": Account.objects.filter(pk=account.parent_id).first() if account.parent_id else None,
    }
    return render_page(request, "accounts/parent.html", context, fragments=FRAGMENTS, status=422 if error else 200)
