"""What people do with a plan as a whole: make it, let it begin, close it, put it away; each with its way back.

Verbs are conditional updates that say whether it was them; what happens is told on the account's timeline.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.urls import reverse

from accounts.models import Account, TimelineEntry
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership, Tenant
from cs_platform.workspace.comments import write_comment
from cs_platform.workspace.models import Comment, Notification
from cs_platform.workspace.notifications import Message, notify, notify_each
from ctas.models import Cta
from ctas.telling import tell_of_opened
from ctas.telling import tell_owner as tell_owner_of_cta
from success_plans.custom_fields import CannotUse, checked_values, fields_of
from success_plans.models import Objective, PlanType, SuccessPlan

USUAL_TYPE = "Success plan"


class CannotPlan(ValueError):
    """The text says why and what to do instead; `field` is the part it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class OpenObjectives(StrEnum):
    """What becomes of objectives that are still open when their plan is closed."""

    CLOSE = "close"
    KEEP = "keep"
    LEAVE = "leave"


def usual_type(*, now: datetime) -> PlanType:
    """The first there is. A workspace that has none gets one as soon as a plan needs it."""
    found = PlanType.objects.filter(archived_at=None).order_by("pk").first()
    return found or PlanType.objects.create(name=USUAL_TYPE, created_at=now)


def create_plan(
    *, account: Account, name: str, type: PlanType | None = None, by: Doer, now: datetime, **fields: Any
) -> SuccessPlan:
    """A draft: nobody has work from it until it begins. Raises CannotPlan."""
    type = type or usual_type(now=now)
    _refuse_odd_dates(fields.get("start_on"), fields.get("due_on"))
    fields["values"] = typed_values(type, fields.get("values") or {}, present={})
    made = {"created_at": now, "created_by": by.actor}
    plan = SuccessPlan.objects.create(account=account, name=name, type=type, **fields, **made)
    plan.tell("created", f"Plan created: {name}", by=by, now=now)
    tell_owner(plan, by=by, now=now)
    return plan


def edit_plan(plan: SuccessPlan, *, by: Doer, now: datetime, **changes: Any) -> bool:
    """Raises CannotPlan. Another type keeps what the plan says in fields of the same key."""
    _refuse_odd_dates(changes.get("start_on", plan.start_on), changes.get("due_on", plan.due_on))
    type = changes.get("type", plan.type)
    if "values" in changes:
        changes["values"] = typed_values(type, changes["values"], present=plan.values)
    owner_id = plan.owner_id
    acted = plan.edit(by=by, now=now, **changes)
    if plan.owner_id != owner_id:
        tell_owner(plan, by=by, now=now)
    return acted


def typed_values(type: PlanType, given: dict[str, Any], *, present: dict[str, Any]) -> dict[str, Any]:
    try:
        return checked_values(fields_of(type.fields), given, present=present)
    except CannotUse as refusal:
        raise CannotPlan(str(refusal), f"values/{refusal.field}") from None


def _refuse_odd_dates(start_on: date | None, due_on: date | None) -> None:
    if start_on and due_on and due_on < start_on:
        raise CannotPlan("It ends before it starts. Choose a later due date or an earlier start.", "due_on")


def comment_on(plan: SuccessPlan, *, body: str, by: Doer, now: datetime) -> Comment:
    where = {"about": plan.name, "url": f"{plan.get_absolute_url()}?tab=timeline"}
    comment = write_comment(subject=plan.subject, body=body, by=by, now=now, **where)
    plan.tell("commented", f"Comment on {plan.name}", by=by, now=now)
    return comment


def tell_owner(plan: SuccessPlan, *, by: Doer, now: datetime) -> None:
    text = f"{plan.name} of {plan.account.name} is yours now"
    what = {"kind": Notification.Kind.ASSIGNMENT, "text": text, "url": plan.get_absolute_url(), "subject": plan.subject}
    notify(members=[plan.owner], by=by, now=now, **what)


def tell_of_started(plans: Iterable[SuccessPlan], *, by: Doer, now: datetime) -> None:
    """One notice for each owner, however many plans were started for them at once."""
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant_id())
    mine: dict[int, list[SuccessPlan]] = defaultdict(list)
    for plan in plans:
        if plan.owner_id:
            mine[plan.owner_id].append(plan)
    said = {owner: _of_started(theirs, slug) for owner, theirs in mine.items()}
    notify_each(said, kind=Notification.Kind.ASSIGNMENT, by=by, now=now)


def _of_started(plans: Sequence[SuccessPlan], slug: str) -> Message:
    first = plans[0]
    if len(plans) == 1:
        return Message(f"{first.name} is yours now", reverse("plans:detail", args=[slug, first.pk]), first.subject)
    text = f"{len(plans):,} success plans are yours now, the first: {first.name}"
    return Message(text, reverse("plans:list", args=[slug]) + "?owner=me&tab=" + first.status)


# --- its life ---------------------------------------------------------------------------------------------------------


def activate(plan: SuccessPlan, *, by: Doer, now: datetime) -> bool:
    """Its drafts become work: from now on they are in the cockpit of their owners."""
    changes = {"status": SuccessPlan.Status.ACTIVE, "activated_at": plan.activated_at or now}
    with transaction.atomic():
        if not plan.work({"status": SuccessPlan.Status.DRAFT}, changes, by=by, now=now):
            return False
        opened = _owners_of(ctas_of(plan).draft())
        ctas_of(plan).begin()
        plan.tell("activated", f"Plan begun: {plan.name}", by=by, now=now)
        tell_of_opened(opened, by=by, now=now)
        return True


def _owners_of(ctas: Any) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for owner_id, pk, name in ctas.exclude(owner=None).order_by("pk").values_list("owner_id", "pk", "name"):
        found[owner_id].append((pk, name))
    return found


def withdraw(plan: SuccessPlan, *, by: Doer, now: datetime) -> bool:
    """A draft again: its open objectives leave the cockpit. CTAs of other types that joined stay what they are."""
    with transaction.atomic():
        if not plan.work({"status": SuccessPlan.Status.ACTIVE}, {"status": SuccessPlan.Status.DRAFT}, by=by, now=now):
            return False
        ctas_of(plan).filter(type=Cta.Type.OBJECTIVE).withdraw()
        plan.tell("withdrawn", f"Plan is a draft again: {plan.name}", by=by, now=now)
        return True


def close_plan(
    plan: SuccessPlan, *, objectives: OpenObjectives, outcome: str = Cta.Status.WON, by: Doer, now: datetime
) -> bool:
    """Open objectives are closed with it (their tasks cancelled), stay open in it, or leave it and go on alone."""
    changes = {"status": SuccessPlan.Status.CLOSED, "closed_at": now, "closed_by": by.actor}
    with transaction.atomic():
        if not plan.work({"status": SuccessPlan.Status.ACTIVE}, changes, by=by, now=now):
            return False
        for objective in list(open_objectives(plan)):
            if objectives is OpenObjectives.CLOSE:
                objective.cta.close_with_tasks(status=outcome, by=by, now=now)
            elif objectives is OpenObjectives.LEAVE:
                _take_out(objective, by=by, now=now)
        plan.tell("closed", f"Plan closed: {plan.name}", by=by, now=now)
        return True


def reopen_plan(plan: SuccessPlan, *, by: Doer, now: datetime) -> bool:
    """Its objectives stay as they are: whoever wants one back reopens it."""
    changes = {"status": SuccessPlan.Status.ACTIVE, "closed_at": None, "closed_by": ""}
    if not plan.work({"status": SuccessPlan.Status.CLOSED}, changes, by=by, now=now):
        return False
    plan.tell("reopened", f"Plan reopened: {plan.name}", by=by, now=now)
    return True


def archive_plan(plan: SuccessPlan, *, by: Doer, now: datetime) -> bool:
    """With its own objectives, which are nothing without it; CTAs of other types that joined stay with their owners."""
    with transaction.atomic():
        if not plan.work({}, {"archived_at": now}, by=by, now=now):
            return False
        ctas_of(plan).present().filter(type=Cta.Type.OBJECTIVE).update(archived_at=now)
        plan.tell("archived", f"Plan archived: {plan.name}", by=by, now=now)
        return True


def restore_plan(plan: SuccessPlan, *, by: Doer, now: datetime) -> bool:
    """With what left together with it."""
    with transaction.atomic():
        held = SuccessPlan.objects.archived().filter(pk=plan.pk).select_for_update().first()
        if held is None:
            return False
        ctas_of(plan).filter(archived_at=held.archived_at).update(archived_at=None)
        SuccessPlan.objects.filter(pk=plan.pk).update(archived_at=None, touched_at=now, touched_by=by.member)
        plan.archived_at = None
        plan.tell("restored", f"Plan restored: {plan.name}", by=by, now=now)
        return True


# --- objectives that come and go --------------------------------------------------------------------------------------

MOST_OBJECTIVES = 100


def ctas_of(plan: SuccessPlan) -> Any:
    return Cta.objects.filter(pk__in=Objective.objects.filter(plan=plan).values("cta"))


def open_objectives(plan: SuccessPlan) -> Any:
    rows = plan.objectives.filter(cta__status=Cta.Status.OPEN, cta__archived_at=None)
    return rows.select_related("cta", "plan").order_by("position", "pk")


def add_objective(
    plan: SuccessPlan,
    *,
    name: str,
    category: str = "",
    weight: int = 1,
    start_on: date | None = None,
    by: Doer,
    now: datetime,
    **fields: Any,
) -> Objective:
    """A CTA of its own: a draft as long as the plan is one. Raises CannotPlan."""
    status = Cta.Status.DRAFT if plan.status == SuccessPlan.Status.DRAFT else Cta.Status.OPEN
    made = {"created_at": now, "created_by": by.actor, "status": status, "type": Cta.Type.OBJECTIVE}
    with transaction.atomic():
        position = _next_place(plan)
        _touch(plan, by=by, now=now)
        cta = Cta.objects.create(account_id=plan.account_id, name=name, **made, **fields)
        _tell_of(cta, "planned", f"Objective added to {plan.name}: {name}", by=by, now=now)
        if status == Cta.Status.OPEN:
            tell_owner_of_cta(cta, by=by, now=now)
        return _place(plan, cta, position, by=by, now=now, category=category, weight=weight, start_on=start_on)


def join_plan(plan: SuccessPlan, cta: Cta, *, by: Doer, now: datetime, **place: Any) -> Objective:
    """The CTA keeps its type, its state and everything that happened to it. Raises CannotPlan."""
    with transaction.atomic():
        _refuse_to_join(plan, cta)
        position = _next_place(plan)
        _touch(plan, by=by, now=now)
        _tell_of(cta, "joined", f"CTA joined {plan.name}: {cta.name}", by=by, now=now)
        return _place(plan, cta, position, by=by, now=now, **place)


def _refuse_to_join(plan: SuccessPlan, cta: Cta) -> None:
    if cta.account_id != plan.account_id:
        raise CannotPlan("The CTA is on another account. A plan holds the CTAs of its own.", "cta")
    held = Objective.objects.filter(cta=cta).select_related("plan").first()
    if held and held.plan_id == plan.pk:
        raise CannotPlan("It is in this plan already.", "cta")
    if held:
        raise CannotPlan(f"It is in {held.plan.name}. Take it out of that plan first.", "cta")


def leave_plan(objective: Objective, *, by: Doer, now: datetime) -> bool:
    """The CTA goes on without the plan; a draft becomes work, since nobody would see it otherwise."""
    with transaction.atomic():
        if not _take_out(objective, by=by, now=now):
            return False
        _touch(objective.plan, by=by, now=now)
        return True


def _take_out(objective: Objective, *, by: Doer, now: datetime) -> bool:
    deleted, _per_table = Objective.objects.filter(pk=objective.pk).delete()
    if not deleted:
        return False
    Cta.objects.filter(pk=objective.cta_id).begin()
    _tell_of(objective.cta, "left", f"CTA left {objective.plan.name}: {objective.cta.name}", by=by, now=now)
    return True


def _next_place(plan: SuccessPlan) -> int:
    """Under a lock of the plan, so that two who add at once do not stand in one place. Raises CannotPlan."""
    held = SuccessPlan.objects.present().filter(pk=plan.pk).select_for_update(no_key=True).first()
    if held is None:
        raise CannotPlan("The plan is archived. Restore it first.")
    places = list(plan.objectives.values_list("position", flat=True))
    if len(places) >= MOST_OBJECTIVES:
        raise CannotPlan(f"A plan can have {MOST_OBJECTIVES} objectives. Close it and start another, or split it.")
    return max(places, default=-1) + 1


def _place(plan: SuccessPlan, cta: Cta, position: int, *, by: Doer, now: datetime, **place: Any) -> Objective:
    made = {"joined_at": now, "joined_by": by.actor, "position": position}
    found: Objective = Objective.objects.create(plan=plan, cta=cta, **made, **place)
    return found


def _touch(plan: SuccessPlan, *, by: Doer, now: datetime) -> None:
    plan.work({}, {}, by=by, now=now)


def _tell_of(cta: Cta, verb: str, text: str, *, by: Doer, now: datetime) -> None:
    about = {"account_id": cta.account_id, "end_user_id": cta.end_user_id, "subject": f"cta:{cta.pk}"}
    TimelineEntry.objects.create(at=now, kind=f"cta.{verb}", actor=by.actor, text=text, **about)


# --- people -----------------------------------------------------------------------------------------------------------

MOST_STAKEHOLDERS = 50


def add_stakeholder(plan: SuccessPlan, *, by: Doer, now: datetime, **who: Any) -> Any:
    """A user of the account by `end_user`, or somebody by `name`. Raises CannotPlan."""
    person = who.get("end_user")
    if person and not person.account_users.filter(account_id=plan.account_id).exists():
        raise CannotPlan(f"{person} is no user of this account.", "end_user")
    if person and plan.stakeholders.filter(end_user=person).exists():
        raise CannotPlan(f"{person} is a stakeholder already.", "end_user")
    if plan.stakeholders.count() >= MOST_STAKEHOLDERS:
        raise CannotPlan(f"A plan can have {MOST_STAKEHOLDERS} stakeholders.")
    name = str(person) if person else (who.get("name") or "").strip()
    if not name:
        raise CannotPlan("Choose a user of the account or write a name.", "name")
    _touch(plan, by=by, now=now)
    plan.tell("stakeholder", f"Stakeholder added to {plan.name}: {name}", by=by, now=now)
    return plan.stakeholders.create(added_at=now, **who | {"name": name})


def remove_stakeholder(stakeholder: Any, *, by: Doer, now: datetime) -> bool:
    plan = stakeholder.plan
    if not plan.stakeholders.filter(pk=stakeholder.pk).delete()[0]:
        return False
    _touch(plan, by=by, now=now)
    plan.tell("stakeholder", f"Stakeholder removed from {plan.name}: {stakeholder.name}", by=by, now=now)
    return True


def active_members() -> Any:
    return Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
