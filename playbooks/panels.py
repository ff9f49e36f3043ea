"""The playbooks of an account, on its page: those under way first, then the past ones, with the note of a stop.

And in the drawer of a CTA: the playbook that opened it, which answers "why do I have this?", and the list of tasks
that is applied to it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet

from accounts.actors import load_actors
from accounts.models import Account
from accounts.reach import reaches
from accounts.rules.describe import counted
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability, Role, allows
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import WorkspaceRequest
from ctas.models import Cta
from ctas.panels import Offer
from ctas.playbooks import cta_playbooks
from playbooks.history import summaries
from playbooks.left_out import left_out_on
from playbooks.library import Words
from playbooks.models import ActionRun, Enrollment
from playbooks.on_ctas import WORKABLE, count_tasks, offered, task_marks, tasks_of
from playbooks.progress import UNDER_WAY, track_state
from playbooks.task_lists import applied_to

PAST_SHOWN = 20


def enrollments_of(account_id: int) -> QuerySet[Enrollment]:
    """CTA playbooks are shown on their CTA; what a dry run recorded, while that lasts."""
    found = Enrollment.objects.filter(account_id=account_id, cta=None).select_related("playbook", "version", "end_user")
    return found.exclude(is_dry=True, state=Enrollment.State.STOPPED)  # type: ignore[no-any-return]


def in_panel_order(account_id: int) -> tuple[list[Enrollment], list[Enrollment]]:
    """Under way, then past: the newest first in both."""
    newest_first = enrollments_of(account_id).order_by("-activated_at", "-pk")
    past = newest_first.exclude(state__in=UNDER_WAY)
    return list(newest_first.filter(state__in=UNDER_WAY)), list(past[: PAST_SHOWN + 1])


class PlaybooksPanel:
    key: ClassVar[str] = "playbooks"
    label: ClassVar[str] = "Playbooks"
    beside: ClassVar[bool] = False

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        active, past = in_panel_order(account.pk)
        here = page_address(request)
        context = {
            "account": account,
            "may_run": reaches(request.membership, Ability.RUN_PLAYBOOKS, account),
            "active": summaries(active),
            "past": summaries(past[:PAST_SHOWN]),
            "left_out": left_out_on(account.pk, tenant=request.tenant, now=request.now),
            "more": len(past) > PAST_SHOWN,
            "count": f"{len(active) + PAST_SHOWN}+" if len(past) > PAST_SHOWN else len(active) + len(past),
            "here": here + ("&" if "?" in here else "?"),
        }
        return Fragment("playbooks/_panel.html", context)


class OpenedBy:
    def fragment(self, request: WorkspaceRequest, cta: Cta) -> Fragment | None:
        if cta.origin_run_id is None:
            return None
        runs = ActionRun.objects.filter(pk=cta.origin_run_id)
        run = runs.select_related("step", "enrollment__playbook", "enrollment__version").first()
        if run is None:
            return None
        [one] = summaries([run.enrollment])
        history = page_address(request, history=run.enrollment.pk, cta=cta.pk)
        may_run = reaches(request.membership, Ability.RUN_PLAYBOOKS, cta.account)
        context = {"one": one, "run": run, "history": history, "may_run": may_run, "why": _why(run.enrollment)}
        return Fragment("playbooks/_opened_by.html", context)


def _why(enrollment: Enrollment) -> str:
    """The conditions that matched when it was applied, in words, or who applied it whatever they say."""
    if enrollment.applied_by.startswith("evaluation:"):
        return f"It matched: {Words.load().rules(enrollment.version.definition)}"
    actor = load_actors({enrollment.applied_by})[enrollment.applied_by]
    return f"Applied by {actor.name}, whatever its rules say"


class OnCta:
    """The list of tasks that is applied here, or the offer to apply one."""

    def fragment(self, request: WorkspaceRequest, cta: Cta) -> Fragment | None:
        enrollment = applied_to(cta.pk)
        if enrollment is None:
            may = cta.status in WORKABLE and allows(Role(request.membership.role), Ability.WORK_CTAS)
            return Fragment("playbooks/_apply_to_cta.html", {}) if may and offered(type=cta.type).exists() else None
        count_tasks([enrollment])
        tasks = tasks_of(enrollment)
        context = {
            "enrollment": enrollment,
            "marks": task_marks(tasks),
            "next": min((task.due_on for task in tasks if task.due_on and task.status == "open"), default=None),
            "track_state": track_state(enrollment.state),
            "is_workable": cta.status in WORKABLE,
            "history": page_address(request, history=enrollment.pk, cta=cta.pk),
        }
        return Fragment("playbooks/_on_cta.html", context)


class PlaybookOfNewCta:
    """The list of tasks a new CTA begins with."""

    def __init__(self) -> None:
        self.source = cta_playbooks()
        self.offered = {one.key: one for one in self.source.offered()}

    def offers(self, *, account: str, type: str) -> Iterable[Offer]:
        if self.offered:
            yield "id_playbook", self._choices(type)

    def _choices(self, type: str = "") -> list[tuple[str, str]]:
        suiting = {key: one for key, one in self.offered.items() if not type or one.is_for(type)}
        return [("", "None"), *((key, f"{one.name}, {counted(one.tasks, 'task')}") for key, one in suiting.items())]

    def fields(self) -> Mapping[str, forms.Field]:
        if not self.offered:
            return {}
        hint, choices = "Its tasks are set up at once. You can edit them after.", self._choices()
        return {
            "playbook": forms.ChoiceField(required=False, label="Apply a playbook", help_text=hint, choices=choices)
        }

    def problems(self, given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        key, type = given.get("playbook"), given.get("type")
        if key and type and not self.offered[key].is_for(type):
            yield "playbook", "This playbook is not for CTAs of this type."

    def opened(self, cta: Cta, given: Mapping[str, Any], *, by: Doer, now: datetime) -> None:
        if key := given.get("playbook"):
            self.source.apply(key, cta, by=by, now=now)
