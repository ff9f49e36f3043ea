"""The cockpit, as a list, a board or a calendar; and opening a CTA by hand."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Account
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, target_id, toast, trigger
from cs_platform.web.saved_views import opening, view_bar
from ctas.board import By, load_board
from ctas.cockpit import (
    DUE_LABELS,
    LISTS_ONLY,
    Asked,
    Due,
    Grouping,
    Look,
    Order,
    Tab,
    load_counts,
    load_page,
    load_pending,
)
from ctas.forms import NewCtaForm, suggested_accounts
from ctas.group_sizes import load_sizes
from ctas.lists import Kind, Lists, current_lists
from ctas.looks.cards import Cards
from ctas.looks.days import Days
from ctas.looks.lines import Lines
from ctas.models import CLOSED, Cta
from ctas.month import load_month
from ctas.opening import open_cta
from ctas.own_days import OwnDays, own_day, own_days
from ctas.panels import new_cta_parts

FRAGMENTS = {"cockpit": "ctas/_cockpit.html"}
CHANGED = "account:changed"
PAGE = "cockpit"  # of saved views
TABS = {
    Tab.MINE: "My CTAs",
    Tab.TASKS: "My tasks",
    Tab.TEAM: "Team",
    Tab.SNOOZED: "Snoozed",
    Tab.CLOSED: "Closed",
    Tab.CONVERSATIONS: "Pending conversations",
}
GROUPINGS = {
    Grouping.DUE: "Due date",
    Grouping.ACCOUNT: "Account",
    Grouping.TYPE: "Type",
    Grouping.STATUS: "Status",
    Grouping.PRIORITY: "Priority",
    Grouping.OWNER: "Owner",
    Grouping.PLAYBOOK: "Playbook",
    Grouping.PLAN: "Success plan",
}
ORDERS = {Order.DUE: "Due date", Order.PRIORITY: "Priority", Order.NEWEST: "Newest"}
LOOKS = {Look.LIST: ("List", "list"), Look.BOARD: ("Board", "columns-3"), Look.CALENDAR: ("Calendar", "calendar")}
BYS = {By.STATUS: "Status", By.DUE: "Due date"}
MOST_TWINS = 5


@require_safe
@requires(Ability.READ)
def cockpit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if address := opening(request, PAGE):
        return HttpResponseRedirect(address)
    return render_beside(request, "ctas/cockpit.html", lambda: _shown(request), fragments=FRAGMENTS)


def _shown(request: WorkspaceRequest) -> dict[str, Any]:
    asked, lists = Asked.of(request.GET), current_lists()
    today = own_days(request.tenant, now=request.now)
    counts = load_counts(asked, member=request.membership, today=today)
    address = page_address(request)
    here = f"{address}{'&' if '?' in address else '?'}"
    context = {
        "asked": asked,
        "views": view_bar(request, PAGE),
        "tabs": [(_tab(asked, tab), tab, label, counts.get(tab)) for tab, label in TABS.items()],
        "title_count": counts.get(asked.tab),
        "looks": _looks(request, asked),
        "here": here,
        "filters": _filters(asked, lists),
        "chips": _chips(request, asked, lists),
        "kept": _kept(request),
    }
    return context | _look(request, asked, lists, here=here, today=today)


def _look(request: WorkspaceRequest, asked: Asked, lists: Lists, *, here: str, today: OwnDays) -> dict[str, Any]:
    member = request.membership
    if asked.tab is Tab.CONVERSATIONS:
        return _pages(request, asked, load_pending(asked))
    if asked.look is Look.BOARD and asked.tab is not Tab.TASKS:
        by = By(request.GET["by"]) if request.GET.get("by") in set(By) else By.STATUS
        columns = load_board(asked, by, member=member, today=today, lists=lists)
        bys = [(_address(request, by=one), label, one is by) for one, label in BYS.items()]
        cards = Cards(request, asked, lists, here=here, days=today)
        shown = [(one, cards.of(one.rows), _column(request, by, one.key)) for one in columns]
        return {"columns": shown, "bys": bys, "by": BYS[by]}
    if asked.look is Look.CALENDAR:
        month = load_month(asked, member=member, today=today, lists=lists)
        day_address = _address(request, look=Look.LIST, month=None) + "&day="
        days = Days(request, asked, lists, here=here, days=today, day_address=day_address)
        months = {"before": month.before, "after": month.after, "today": days.today}
        return {
            "month": month,
            "weeks": [map(days.day, week) for week in month.weeks],
            "months": {name: _address(request, month=f"{day:%Y-%m}") for name, day in months.items()},
            "undated": _address(request, look=Look.LIST, month=None, due=Due.NONE),
        }
    page = load_page(asked, member=member, today=today, lists=lists)
    sizes = load_sizes(page, asked, member=member, today=today, lists=lists)
    lines = Lines(request, asked, lists, here=here, days=today)
    return _pages(request, asked, page) | {
        "groups": [(group, size, lines.of(group.rows)) for group, size in zip(page.groups, sizes, strict=True)],
        "groupings": [(_address(request, group=one), label, one is asked.grouping) for one, label in GROUPINGS.items()],
        "grouping_label": GROUPINGS[asked.grouping],
        "orders": [(_address(request, order=one), label, one is asked.order) for one, label in ORDERS.items()],
        "order_label": ORDERS[asked.order],
    }


def _pages(request: WorkspaceRequest, asked: Asked, page: Any) -> dict[str, Any]:
    return {
        "page": page,
        "next": _address(request, after=page.next) if page.next else "",
        "first": _address(request) if asked.after else "",
    }


def _tab(asked: Asked, tab: Tab) -> str:
    kept = {"tab": tab, "group": asked.grouping}
    if asked.look is not Look.LIST and tab not in LISTS_ONLY:
        kept["look"] = asked.look
    return "?" + "&".join(f"{name}={value}" for name, value in kept.items())


def _looks(request: WorkspaceRequest, asked: Asked) -> list[tuple[str, str, str, bool]]:
    """A board of tasks would have no columns."""
    if asked.tab in LISTS_ONLY:
        return []
    offered = [look for look in LOOKS if look is not Look.BOARD or asked.tab is not Tab.TASKS]
    return [(_address(request, look=look), *LOOKS[look], look is asked.look) for look in offered]


def _column(request: WorkspaceRequest, by: By, key: str) -> str:
    """The list of what stands in a column."""
    return _address(request, look=Look.LIST, **{"stage" if by is By.STATUS else "due": key})


def _address(request: WorkspaceRequest, **changes: Any) -> str:
    """This list from its beginning, with some parameters changed; None takes one away."""
    params = request.GET.copy()
    for name in ("after", "cta", "history"):
        params.pop(name, None)
    for name, value in changes.items():
        params.pop(name, None)
        if value is not None:
            params[name] = str(value)
    return f"?{params.urlencode(safe=':')}"


def _kept(request: WorkspaceRequest) -> list[tuple[str, str]]:
    """The list as hidden fields of what is done to all of it."""
    passing = ("after", "cta", "history")
    return [(name, value) for name, values in request.GET.lists() if name not in passing for value in values]


# Filters --------------------------------------------------------------------------------------------------------------


def _filters(asked: Asked, lists: Lists) -> list[tuple[str, str, Sequence[tuple[str, str]], Sequence[str]]]:
    """(parameter, its label, what can be chosen, what is)"""
    stages = lists.stages(*CLOSED) if asked.tab is Tab.CLOSED else lists.stages("open")
    found: list[tuple[str, str, Sequence[tuple[str, str]], Sequence[str]]] = [
        ("type", "Type", lists.choices(Kind.TYPE), asked.types),
        ("stage", "Status", [(entry.key, entry.name) for entry in stages], asked.stages),
        ("priority", "Priority", lists.choices(Kind.PRIORITY), asked.priorities),
        ("reason", "Reason", lists.choices(Kind.REASON), asked.reasons),
    ]
    if asked.tab is not Tab.CLOSED and asked.look is not Look.CALENDAR:
        found.insert(0, ("due", "Due", list(DUE_LABELS.items()), asked.dues))
    return found


def _chips(request: WorkspaceRequest, asked: Asked, lists: Lists) -> list[tuple[str, str, str]]:
    """(what, which, the address without it)"""
    chosen: list[tuple[str, str, str]] = [
        ("due", "Due", ", ".join(DUE_LABELS[due] for due in asked.dues)),
        ("day", "Due", f"{asked.day:%-d %b %Y}" if asked.day else ""),
        ("type", "Type", _names(lists, Kind.TYPE, asked.types)),
        ("stage", "Status", _names(lists, Kind.STATUS, asked.stages)),
        ("priority", "Priority", _names(lists, Kind.PRIORITY, asked.priorities)),
        ("reason", "Reason", _names(lists, Kind.REASON, asked.reasons)),
        ("account", "Account", _account_name(asked.account_id)),
    ]
    return [(label, words, _address(request, **{name: None})) for name, label, words in chosen if words]


def _names(lists: Lists, kind: str, keys: Sequence[str]) -> str:
    return ", ".join(lists.find(kind, key).name for key in keys)


def _account_name(pk: int | None) -> str:
    return Account.objects.filter(pk=pk).values_list("name", flat=True).first() or "" if pk else ""


# A new one ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def new(request: WorkspaceRequest, slug: str) -> HttpResponse:
    today = own_day(request.membership, request.tenant, now=request.now)
    posted = request.POST if request.method == "POST" else None
    initial = {name: request.GET[name] for name in ("account", "type", "due_on") if name in request.GET}
    form = NewCtaForm(posted, member=request.membership, today=today, initial=initial)
    if posted is None or not form.is_valid():
        return _dialog(request, form, status=422 if form.is_bound else 200)
    cta = _open(request, form)
    if form.cleaned_data["another"] and target_id(request) == "dialog":
        kept = {name: form.cleaned_data[name] for name in ("type", "priority", "reason", "another")}
        fresh = NewCtaForm(member=request.membership, today=today, initial=kept | {"account": cta.account.name})
        return trigger(toast(_dialog(request, fresh), f"Opened: {cta.name}"), CHANGED, {})
    if request.headers.get("HX-Request") == "true":
        return trigger(close_dialog(toast(HttpResponse(status=204), f"Opened: {cta.name}")), CHANGED, {})
    messages.success(request, f"Opened: {cta.name}")
    return HttpResponseRedirect(f"{reverse('ctas:cockpit', args=[slug])}?cta={cta.pk}")


def _open(request: WorkspaceRequest, form: NewCtaForm) -> Cta:
    cta = open_cta(by=request.membership, now=request.now, **form.facts)
    for part in form.parts:
        part.opened(cta, form.cleaned_data, by=request.membership, now=request.now)
    return cta


def _dialog(request: WorkspaceRequest, form: NewCtaForm, *, status: int = 200) -> HttpResponse:
    fragments = {"dialog": "ctas/_new_dialog.html"}
    return render_page(request, "ctas/new.html", {"form": form}, fragments=fragments, status=status)


@require_safe
@requires(Ability.READ)
def suggest_accounts(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Options for what has been typed so far; only names that repeat are offered by their id."""
    found = suggested_accounts(request.GET.get("account", "").replace("\x00", "").strip()[:100])
    names = [account.name for account in found]
    options = [(one.external_id if names.count(one.name) > 1 else one.name, one.name) for one in found]
    return render_page(request, "ctas/_account_options.html", {"options": options})


@require_safe
@requires(Ability.READ)
def twins(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """What is open on this account already, for the same type, and what suits account and type: reasons, playbooks,
    plans.
    """
    names = ("account", "type", "reason", "playbook")
    given = {name: request.GET.get(name, "").replace("\x00", "")[:500] for name in names}
    name, lists = given["account"].strip(), current_lists()
    found = Cta.objects.open().filter(Q(account__name=name) | Q(account__external_id=name), type=given["type"])
    if given["reason"]:
        found = found.filter(reason=given["reason"])
    context = {
        "twins": list(found.select_related("owner").order_by("due_on", "pk")[:MOST_TWINS]) if name else [],
        "reasons": lists.reasons(given["type"]),
        "reason": given["reason"],
        "playbook": given["playbook"],
        "offers": [one for part in new_cta_parts() for one in part.offers(account=name, type=given["type"])],
        "asked": [*lists.find(Kind.TYPE, given["type"]).to_create],
    }
    return render_page(request, "ctas/_twins.html", context)
