"""The users table: one address for the page and its rows."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.fields import workspace_fields
from accounts.rule_field import people_of
from accounts.rules.describe import describe
from accounts.rules.fields import Subject
from accounts.rules.sql import Clock
from accounts.table.rule_filter import PARAMETER, RuleFilter
from accounts.user_table import SEEN, SORTS, Asked, count_matching, load_page, offered_columns, offered_roles
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, requires

FRAGMENTS = {"results": "accounts/users/_results.html"}


@require_safe
@requires(Ability.READ)
def user_table(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_beside(request, "accounts/users/table.html", lambda: _listed(request), fragments=FRAGMENTS)


def _listed(request: WorkspaceRequest) -> dict[str, Any]:
    clock = Clock.at(request.now, ZoneInfo(request.tenant.timezone))
    rule = _rule(request)
    asked = Asked.of(request.GET, rule=rule.rule)
    page = load_page(asked, clock=clock)
    return {
        "asked": asked,
        "page": page,
        "count": count_matching(asked, clock=clock),
        "next": asked.address(after=page.next) if page.next else "",
        "start": asked.address() if request.GET.get("after") else "",
        "heads": [_head(asked, key, label) for key, label in [("name", "User"), *asked.columns]],
        "chips": list(_chips(asked, rule)),
        "offered": [(key, label, key in dict(asked.columns)) for key, label in offered_columns()],
        "roles": offered_roles(),
        "seen": SEEN,
        "kept_by_search": list(asked.kept("q")),
        "kept_by_filters": list(asked.kept("role", "seen", "email", "key")),
        "kept_by_columns": list(asked.kept("column")),
        "problems": rule.problems,
    }


def _rule(request: WorkspaceRequest) -> RuleFilter:
    """`?filter=` holds a rule about users, as playbooks and segments store it."""
    if not request.GET.get(PARAMETER):
        return RuleFilter()
    people = people_of(request.tenant.pk)
    return RuleFilter.read(request.GET, fields=workspace_fields(), people=people, subject=Subject.USER)


def _head(asked: Asked, key: str, label: str) -> dict[str, str]:
    if key not in SORTS:
        return {"label": label, "address": "", "sorted": ""}
    here = asked.sort == key
    descending = not asked.descending if here else key in ("last_seen", "created")
    way = "descending" if asked.descending else "ascending"
    address = asked.address(sort=f"-{key}" if descending else key)
    return {"label": label, "address": address, "sorted": way if here else ""}


def _chips(asked: Asked, rule: RuleFilter) -> Any:
    if asked.account:
        yield "Account", asked.account.name, asked.address(account=None)
    if asked.role:
        yield "Role", asked.role, asked.address(role=None)
    if asked.seen:
        yield "Seen", SEEN[asked.seen], asked.address(seen=None)
    if asked.email:
        yield "Email", "known" if asked.email == "yes" else "not known", asked.address(email=None)
    if asked.key:
        yield "Key contact", "yes", asked.address(key=None)
    if rule.rule:
        yield "Rule", describe(rule.rule, people=rule.people), asked.address(filter=None)
