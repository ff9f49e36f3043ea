"""The plans of an account, on its page; and the plan of a CTA, in its drawer."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Account
from cs_platform.tenancy.models import Doer
from cs_platform.web.drawers import Fragment
from cs_platform.web.pages import WorkspaceRequest
from ctas.models import Cta
from ctas.panels import Offer
from success_plans.listing import rows_of
from success_plans.models import Objective, SuccessPlan
from success_plans.planning import join_plan

SHOWN = 20
OFFERED, OFFERED_PLANS = 30, "plans-offered"  # how many, and where
UNDER_WAY = (SuccessPlan.Status.ACTIVE, SuccessPlan.Status.DRAFT)


def plans_under_way(account_id: int) -> Any:
    plans = SuccessPlan.objects.present().filter(account=account_id, status__in=UNDER_WAY)
    return plans.order_by("status", F("due_on").asc(nulls_last=True), "pk")


class PlansPanel:
    key: ClassVar[str] = "plans"
    label: ClassVar[str] = "Success plans"
    beside: ClassVar[bool] = True

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        """Those under way first, then the closed, the last one first."""
        open_plans = list(plans_under_way(account.pk).select_related("owner", "type", "account")[:SHOWN])
        closed = SuccessPlan.objects.present().filter(account=account, status=SuccessPlan.Status.CLOSED)
        past = list(closed.select_related("owner", "type", "account").order_by("-closed_at", "-pk")[:SHOWN])
        rows = rows_of([*open_plans, *past], today=timezone.localdate(request.now))
        return Fragment("plans/_panel.html", {"rows": rows, "account": account, "count": len(open_plans)})


class PlanOfNewCta:
    """Which plan a new CTA joins. An objective needs one."""

    def offers(self, *, account: str, type: str) -> Iterable[Offer]:
        named = Account.objects.present().filter(Q(name=account) | Q(external_id=account)).order_by("pk")
        found = named.first() if account else None
        names = plans_under_way(found.pk).values_list("name", flat=True)[:OFFERED] if found else ()
        yield OFFERED_PLANS, [(name, name) for name in names]

    def fields(self) -> Mapping[str, forms.Field]:
        hint = "Under way on the account. An objective needs one."
        listed = forms.TextInput(attrs={"list": OFFERED_PLANS, "autocomplete": "off"})
        plan = forms.CharField(required=False, max_length=500, label="Success plan", help_text=hint, widget=listed)
        return {"plan": plan}

    def problems(self, given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        account, name = given.get("account"), given.get("plan")
        if account and name and len(found := _named(account, name)) != 1:
            yield "plan", _not_one(account, name, found)
        elif given.get("type") == Cta.Type.OBJECTIVE and not name:
            yield "plan", "An objective belongs to a success plan: name one of the account."

    def opened(self, cta: Cta, given: Mapping[str, Any], *, by: Doer, now: datetime) -> None:
        """An objective of a plan that has not begun is a draft, as if it had been added there."""
        if not given["plan"]:
            return
        [plan] = _named(cta.account, given["plan"])
        join_plan(plan, cta, by=by, now=now)
        if plan.status == SuccessPlan.Status.DRAFT and cta.type == Cta.Type.OBJECTIVE:
            Cta.objects.filter(pk=cta.pk).withdraw()


def _named(account: Account, name: str) -> list[SuccessPlan]:
    return list(plans_under_way(account.pk).filter(name__iexact=name)[:2])


def _not_one(account: Account, name: str, found: list[SuccessPlan]) -> str:
    if found:
        return f"{account.name} has several plans called {name}. Take the CTA in on the plan you mean."
    known = ", ".join(plan.name for plan in plans_under_way(account.pk)[:5])
    return f"{account.name} has no plan {name} under way." + (f" There is: {known}." if known else "")


class PlanOfCta:
    """Where a CTA is an objective: of which plan. Where it could be one: which plans it could join."""

    def fragment(self, request: WorkspaceRequest, cta: Cta) -> Fragment | None:
        objective = Objective.objects.filter(cta=cta).select_related("plan").first()
        if objective and objective.plan.archived_at is None:
            return Fragment("plans/_of_cta.html", {"objective": objective})
        offered = [] if objective else list(plans_under_way(cta.account_id)[:SHOWN])
        return Fragment("plans/_of_cta.html", {"offered": offered, "cta": cta}) if offered else None
