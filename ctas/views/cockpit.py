"""The cockpit, and opening a CTA by hand."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import page_address, render_beside
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, target_id, toast, trigger
from ctas.cockpit import Asked, Grouping, Tab, load_counts, load_page, load_pending
from ctas.forms import NewCtaForm, suggested_accounts
from ctas.models import Cta
from ctas.opening import open_cta

FRAGMENTS = {"cockpit": "ctas/_cockpit.html"}
CHANGED = "account:changed"
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
    Grouping.PRIORITY: "Priority",
    Grouping.OWNER: "Owner",
    Grouping.PLAYBOOK: "Playbook",
}


@require_safe
@requires(Ability.READ)
def cockpit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_beside(request, "ctas/cockpit.html", lambda: _listed(request), fragments=FRAGMENTS)


def _listed(request: WorkspaceRequest) -> dict[str, Any]:
    asked, today = Asked.of(request.GET), timezone.localdate(request.now)
    pending = asked.tab is Tab.CONVERSATIONS
    page = load_pending(asked) if pending else load_page(asked, member=request.membership, today=today)
    counts = load_counts(asked, member=request.membership, today=today)
    here = page_address(request)
    return {
        "asked": asked,
        "page": page,
        "next": _address(request, after=page.next) if page.next else "",
        "first": _address(request) if asked.after else "",
        "tabs": [(tab, label, counts.get(tab)) for tab, label in TABS.items()],
        "title_count": counts.get(asked.tab),
        "groupings": [(_address(request, group=one), label, one is asked.grouping) for one, label in GROUPINGS.items()],
        "grouping_label": GROUPINGS[asked.grouping],
        "here": here + ("&" if "?" in here else "?"),
        "types": Cta.Type.choices,
        "priorities": Cta.Priority.choices,
        "chips": _chips(request, asked),
    }


def _address(request: WorkspaceRequest, **changes: Any) -> str:
    """This list from its beginning, with some parameters changed."""
    params = request.GET.copy()
    for name in ("after", "cta", "history"):
        params.pop(name, None)
    for name, value in changes.items():
        params[name] = str(value)
    return f"?{params.urlencode()}"


def _chips(request: WorkspaceRequest, asked: Asked) -> list[tuple[str, str, str]]:
    """(what, which, the address without it)"""
    labels = {"type": dict(Cta.Type.choices), "priority": dict(Cta.Priority.choices)}
    chosen = {"type": asked.types, "priority": asked.priorities}
    chips = []
    for name, values in chosen.items():
        if values:
            params = request.GET.copy()
            params.pop(name)
            words = ", ".join(labels[name][value] for value in values)
            chips.append((name.capitalize(), words, f"?{params.urlencode()}"))
    return chips


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def new(request: WorkspaceRequest, slug: str) -> HttpResponse:
    today = timezone.localdate(request.now)
    posted = request.POST if request.method == "POST" else None
    initial = {name: request.GET[name] for name in ("account", "type") if name in request.GET}
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
    facts = {name: value for name, value in form.cleaned_data.items() if name != "another"}
    return open_cta(by=request.membership, now=request.now, **facts)


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
