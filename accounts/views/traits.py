"""Editing the custom traits of one account."""

from django.db import transaction
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from accounts.cards import custom_definitions, shown_traits
from accounts.forms import TraitsForm
from accounts.models import Account
from accounts.traits import set_trait
from accounts.views.loading import account_or_404, changed, team
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def edit_traits(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = account_or_404(pk)
    form = traits_form(request, account)
    if not form.is_valid():
        context = {"account": account, "form": form, "traits": shown_traits(account)}
        fragments = {"traits": "accounts/_traits.html"}
        return render_page(request, "accounts/traits.html", context, fragments=fragments, status=422)
    with transaction.atomic():
        for definition, value in form.changes():
            set_trait(account, definition, value=value, by=request.membership, now=request.now)
    return changed(request, account.pk, "Traits saved")


def traits_form(request: WorkspaceRequest, account: Account) -> TraitsForm:
    data = request.POST if request.method == "POST" else None
    return TraitsForm(data, subject=account, definitions=custom_definitions(), members=team(request))
