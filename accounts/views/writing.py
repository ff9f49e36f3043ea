"""Starting a conversation from the page of an account or a user, and taking it back while that is still possible."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.letter_forms import LetterForm
from accounts.models import Account, Conversation
from accounts.views.loading import account_or_404, changed
from accounts.writing import CannotWrite, start
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires

FRAGMENTS = {"dialog": "accounts/_write_dialog.html"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def write(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`user` names one of the account's, where somebody comes from that user's page."""
    account = account_or_404(pk)
    form = _form(request, account)
    if request.method == "POST" and form.is_valid():
        try:
            made = start(account, form.written(), by=request.membership, now=request.now)
        except CannotWrite as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return close_dialog(_started(request, made, waits=form.waits))
    status = 422 if form.is_bound else 200
    return render_page(
        request, "accounts/write.html", {"account": account, "form": form}, fragments=FRAGMENTS, status=status
    )


def _form(request: WorkspaceRequest, account: Account) -> LetterForm:
    user = request.GET.get("user", "")
    to = int(user) if user.isascii() and user.isdecimal() and len(user) < 19 else None
    data = request.POST if request.method == "POST" else None
    return LetterForm(data, account=account, by=request.membership, now=request.now, to=to)


def _started(request: WorkspaceRequest, made: Conversation, *, waits: bool) -> HttpResponse:
    if waits:
        return changed(request, made.account_id, "It waits for review, and then leaves by itself")
    undo = reverse("accounts:take_back", args=[request.tenant.slug, made.pk])
    return changed(request, made.account_id, "Sends in a moment", undo=undo)


@require_POST
@requires(Ability.WORK_CTAS)
def take_back(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """What a person wrote, while it is pending."""
    made = get_object_or_404(Conversation.objects.filter(hand_id__isnull=False), pk=pk)
    acted = made.cancel(by=request.membership, now=request.now)
    return changed(request, made.account_id, "It will not be sent" if acted else "Too late: it is no longer pending")
