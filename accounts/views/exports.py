"""Export of a table as a CSV file."""

from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from accounts.exports import TooManyExports, start_export
from accounts.table.asked import CannotAsk, asked_table
from accounts.table.listing import Listing
from accounts.table.page import load_totals
from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

PREFIX = "bulk"
# What the forms about a list call their own; the rest of what they bring are the list's parameters.
OWN = ("ids", "all", "verb", "step", "query", "bom", "csrfmiddlewaretoken")


class ExportForm(forms.Form):
    bom = forms.BooleanField(
        label="For Excel", required=False, initial=True, help_text="A mark at the start lets it read accents right."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def export_table(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    """Of the list at this query string."""
    query = request.POST["query"] if "query" in request.POST else list_query(request)
    form = ExportForm(request.POST if request.method == "POST" else None)
    try:
        if form.is_valid():
            bom = form.cleaned_data["bom"]
            asker: Any = {"tenant": request.tenant, "by": request.membership, "now": request.now}
            return started(request, start_export(query, bom=bom, listing=listing, **asker))
        return _dialog(request, listing, query, form)
    except (CannotAsk, TooManyExports) as refusal:
        context = {"list": listing, "refusal": str(refusal)}
        return _shown(request, context, status=422 if form.is_bound else 200)


def list_query(request: WorkspaceRequest) -> str:
    """The parameters of the list, wherever the form has put them."""
    params = QueryDict(request.GET.urlencode(), mutable=True)
    for name, values in request.POST.lists():
        if name not in OWN and not name.startswith(f"{PREFIX}-"):
            params.setlist(name, values)
    for name in OWN:
        params.pop(name, None)
    return params.urlencode()


def _dialog(request: WorkspaceRequest, listing: Listing, query: str, form: ExportForm) -> HttpResponse:
    _catalogue, state = asked_table(listing, query, tenant=request.tenant, member=request.membership, now=request.now)
    context = {
        "list": listing,
        "form": form,
        "query": query,
        "columns": [column.label for column in state.columns],
        "count": load_totals(state, tenant_id=request.tenant.pk, exact=True).count,
    }
    return _shown(request, context, status=200)


def _shown(request: WorkspaceRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    template = "_export_dialog" if target_id(request) == "dialog" else "export"
    return render_page(request, f"accounts/{template}.html", context, status=status)
