"""A table as a job reads it: from a query string, long after the request, and strictly.

On a page a filter that means nothing any more filters nothing, and the reader sees it. A job would then do its work on
things nobody meant, so here it is refused.
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.http import QueryDict

from accounts.fields import workspace_fields
from accounts.rule_field import people_of
from accounts.rules.sql import Clock
from accounts.table.catalogue import Catalogue
from accounts.table.columns import ANY
from accounts.table.listing import Listing
from accounts.table.rule_filter import PARAMETER, RuleFilter
from accounts.table.state import TableState
from cs_platform.tenancy.models import Membership, Tenant


class CannotAsk(ValueError):
    """The text says which filter, and what to do."""


def asked_table(
    listing: Listing, query: str, *, tenant: Tenant, member: Membership | None, now: datetime
) -> tuple[Catalogue, TableState]:
    """`member` is who “me” stands for; nobody's accounts are an API key's."""
    if "\0" in unquote(query):
        raise CannotAsk("The list's address holds a character that no text can have. Open the list anew.")
    params = QueryDict(query)
    me = member or Membership(tenant=tenant)
    zone = ZoneInfo(tenant.timezone)
    catalogue = Catalogue.of(listing, me, today=now.astimezone(zone).date())
    return strictly(params, catalogue, tenant=tenant, clock=Clock.at(now, zone))


def strictly(params: QueryDict, catalogue: Catalogue, *, tenant: Tenant, clock: Clock) -> tuple[Catalogue, TableState]:
    """From its beginning. Raises CannotAsk where a part of it means nothing any more."""
    catalogue = _with_rule(params, catalogue, tenant=tenant, clock=clock)
    state = TableState.of(params, catalogue)
    _refuse_unknown(params, state)
    return catalogue, replace(state, after=None, before=None)


def _with_rule(params: QueryDict, catalogue: Catalogue, *, tenant: Tenant, clock: Clock) -> Catalogue:
    if not params.get(PARAMETER):
        return catalogue
    subject = catalogue.listing.subject
    rule = RuleFilter.read(params, fields=workspace_fields(), people=people_of(tenant.pk), subject=subject)
    if rule.problems:
        raise CannotAsk(f"The rule of this list does not hold any more: {' '.join(rule.problems)}")
    return rule.among(catalogue, tenant_id=tenant.pk, clock=clock)


def _refuse_unknown(params: QueryDict, state: TableState) -> None:
    for key, values in params.lists():
        facet = state.facets.get(key)
        known = {choice.key for value in values for choice in facet.chosen([value])} | {ANY} if facet else set()
        is_gone = ":" in key and facet is None  # the filter of a playbook or trait that is not there any more
        if is_gone or (facet and not known.issuperset(values)):
            label = facet.label if facet else key
            raise CannotAsk(f"The filter “{label}” of this list means nothing any more. Choose it again.")
