"""The list of plans, and making one."""

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Account
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.pages import WorkspaceRequest, requires
from cs_platform.web.saved_views import ALL, opening, view_bar
from success_plans.forms import NewPlanForm, present_types, show_refusal
from success_plans.listing import COUNT_LIMIT, MORE, SORTS, TABS, Asked, count_matching, load_page, tab_counts
from success_plans.models import PlanTemplate, SuccessPlan
from success_plans.planning import CannotPlan, active_members, create_plan
from success_plans.templates import start_by_hand
from success_plans.views.loading import dialog, moved_on

FRAGMENTS = {"results": "plans/_results.html"}
HEADS = (("name", "Plan"), ("", "Standing"), ("", "Progress"), ("", "Objectives"), ("due", "Due"), ("", "Owner"))


@require_safe
@requires(Ability.READ)
def plan_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if address := opening(request, "plans"):
        return HttpResponseRedirect(address)
    return render_beside(request, "plans/list.html", lambda: _listed(request), fragments=FRAGMENTS)


def _listed(request: WorkspaceRequest) -> dict[str, Any]:
    asked, today = Asked.of(request.GET), timezone.localdate(request.now)
    page = load_page(asked, member=request.membership, today=today)
    counts, members = tab_counts(member=request.membership), active_members()
    return {
        "asked": asked,
        "page": page,
        "count": count_matching(asked, member=request.membership, today=today),
        "limit": COUNT_LIMIT,
        "next": asked.address(after=page.next) if page.next else "",
        "start": asked.address() if request.GET.get("after") else "",
        "presets": [_tab(asked, tab, counts.get(tab, 0)) for tab in TABS],
        "heads": [_head(asked, key, label) for key, label in HEADS],
        "chips": list(_chips(asked, members)),
        "members": members,
        "types": present_types(),
        "more": MORE,
        "views": view_bar(request, "plans"),
        "kept_by_search": list(asked.kept("q")),
        "kept_by_filters": list(asked.kept("owner", "type", "due")),
    }


def _tab(asked: Asked, tab: str, count: int) -> dict[str, Any]:
    """Of the filters in force; a view that was opened is left."""
    counted = f"{count}" if 0 < count <= COUNT_LIMIT else f"{COUNT_LIMIT:,}+" if count else ""
    address = asked.address(tab=tab, view=ALL)
    return {"label": TABS[tab], "count": counted, "address": address, "current": tab == asked.tab}


def _head(asked: Asked, key: str, label: str) -> dict[str, str]:
    if key not in SORTS:
        return {"label": label, "address": "", "sorted": ""}
    here = asked.sort == key
    way = "descending" if asked.descending else "ascending"
    address = asked.address(sort=f"-{key}" if here and not asked.descending else key)
    return {"label": label, "address": address, "sorted": way if here else ""}


def _chips(asked: Asked, members: Any) -> Any:
    if asked.owner == "me":
        yield "Owner", "me", asked.address(owner=None)
    elif asked.owner:
        name = next((one.name for one in members if str(one.pk) == asked.owner), "somebody who left")
        yield "Owner", name, asked.address(owner=None)
    if asked.type:
        yield "Type", asked.type.name, asked.address(type=None)
    if asked.account_id:
        account = Account.objects.filter(pk=asked.account_id).first()
        yield "Account", account.name if account else "nobody knows", asked.address(account=None)
    if asked.due:
        yield "Plans", MORE[asked.due], asked.address(due=None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def new_plan(request: WorkspaceRequest, slug: str) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    initial = {name: request.GET[name] for name in ("account", "template") if name in request.GET}
    today = timezone.localdate(request.now)
    form = NewPlanForm(data, member=request.membership, today=today, initial=initial)
    if form.is_valid():
        try:
            plan = _made(request, form)
            return moved_on(request, plan, f"Plan created: {plan.name}. It is a draft until you let it begin.")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return dialog(request, "plans/_new_dialog.html", {"title": "New success plan"}, form=form)


def _made(request: WorkspaceRequest, form: NewPlanForm) -> SuccessPlan:
    facts = dict(form.cleaned_data)
    template: PlanTemplate | None = facts.pop("template")
    by: dict[str, Any] = {"by": request.membership, "now": request.now}
    if template is None:
        return create_plan(**facts, **by)
    facts.pop("type")
    facts["start_on"] = facts["start_on"] or form.today
    return start_by_hand(template, **facts, **by)
