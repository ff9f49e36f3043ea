"""A rule as a filter of a table: read from its address, and built in a dialog."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.fields import workspace_fields
from accounts.rule_field import EditsRules, RuleField, people_of
from accounts.rules.fields import Subject
from accounts.rules.sql import Clock
from accounts.table.catalogue import Catalogue
from accounts.table.listing import Listing
from accounts.table.rule_filter import PARAMETER, RuleFilter, compact
from accounts.table.state import PASSING, TableState
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, target_id, trigger

ADD = "add"  # a parameter of the builder's address: it begins with one condition more, about this field
CHOSEN = "list:chosen"  # the browser event on which static/js/rules.js asks for another list


class FilterForm(EditsRules, forms.Form):
    rules = RuleField(Subject.ACCOUNT, required=False)


class UserFilterForm(EditsRules, forms.Form):
    rules = RuleField(Subject.USER, required=False)


FORMS: Mapping[Subject, type[FilterForm | UserFilterForm]] = {
    Subject.ACCOUNT: FilterForm,
    Subject.USER: UserFilterForm,
}


def filter_of(request: WorkspaceRequest, listing: Listing) -> RuleFilter:
    if not request.GET.get(PARAMETER):
        return RuleFilter()
    people = people_of(request.tenant.pk)
    return RuleFilter.read(request.GET, fields=workspace_fields(), people=people, subject=listing.subject)


def asked(request: WorkspaceRequest, listing: Listing) -> tuple[Catalogue, TableState, RuleFilter]:
    """What the address asks of the table."""
    rule = filter_of(request, listing)
    today = timezone.localdate(request.now)
    catalogue = _filtered(request, Catalogue.of(listing, request.membership, today=today), rule)
    return catalogue, TableState.of(request.GET, catalogue), rule


def _filtered(request: WorkspaceRequest, catalogue: Catalogue, rule: RuleFilter) -> Catalogue:
    clock = Clock.at(request.now, ZoneInfo(request.tenant.timezone))
    return rule.among(catalogue, tenant_id=request.tenant.pk, clock=clock)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ)
def edit_filter(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    """The builder for the list at this query string; done, it leads back to that list."""
    rule = filter_of(request, listing).rule
    form = FORMS[listing.subject](request.POST if request.method == "POST" else None, initial={"rules": rule})
    if ADD in request.GET:
        field: Any = form.fields["rules"]
        form.initial["rules"] = field.begun(rule, request.GET[ADD])
    if form.is_valid():
        rule = form.cleaned_data["rules"]
        return _show(request, _list(request, listing, compact(rule and rule.root)))
    template = "_filter_dialog" if target_id(request) == "dialog" else "filter"
    context = {
        "list": listing,
        "form": form,
        "back": _list(request, listing, request.GET.get(PARAMETER)),
        "here": request.get_full_path(),
    }
    status = 422 if form.is_bound and not form.is_editing else 200
    return render_page(request, f"accounts/{template}.html", context, status=status)


def _show(request: WorkspaceRequest, address: str) -> HttpResponse:
    """The page stays where it is: the dialog closes, and the list at that address takes the place of the former."""
    if request.headers.get("HX-Request") == "true":
        return close_dialog(trigger(HttpResponse(status=204), CHOSEN, {"address": address}))
    return HttpResponseRedirect(address)


def _list(request: WorkspaceRequest, listing: Listing, rule: str | None) -> str:
    """The list as it was, from its beginning, with this rule."""
    params = QueryDict(request.GET.urlencode(), mutable=True)
    for name in (*PASSING, PARAMETER, ADD):
        params.pop(name, None)
    if rule:
        params[PARAMETER] = rule
    return f"{reverse(f'{listing.key}:list', args=[request.tenant.slug])}?{params.urlencode(safe=':')}"
