"""A CTA on each of many accounts, from the accounts table."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django import forms

from accounts.bulk.verbs import BulkVerb, subject_of
from accounts.bulk.writing import lock_present, refuse_absent
from accounts.models import Account
from cs_platform.jobs.bulk import Config, Done, Task, VerbForm
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.holidays import load_holidays, working_day
from cs_platform.workspace.models import Comment
from ctas import models
from ctas.bulk.selection import today_of
from ctas.bulk.verbs import FURTHEST, MOST_MEMBERS
from ctas.bulk.writing import CTAS, lock, tell_of_ctas, write
from ctas.entry_fields import EntryField
from ctas.forms import LONG_TEXT
from ctas.lists import Kind, current_lists
from ctas.models import Cta
from ctas.telling import Agent, tell_of_opened
from ctas.working import missing_to_open

HOLDERS = {"csm": "The CSM of each account", "ae": "The AE of each account"}
WORKED_ON = "Somebody has worked on it since: it stays."
NOBODY = "It has no {role}, and CTAs of this type need an owner."


class OpenForm(VerbForm):
    name = forms.CharField(max_length=500, label="What needs doing")
    type = EntryField(Kind.TYPE)
    reason = EntryField(Kind.REASON, required=False)
    priority = EntryField(Kind.PRIORITY)
    owner = forms.ChoiceField(required=False, error_messages={"invalid_choice": "Choose an active member, csm or ae."})
    days = forms.IntegerField(
        required=False, min_value=0, max_value=FURTHEST, label="Due in days", help_text="Left empty: no due date."
    )
    on_weekends = forms.BooleanField(
        required=False,
        label="Due dates may fall on weekends and holidays",
        help_text="Otherwise they move to the next working day.",
    )
    comment = forms.CharField(required=False, max_length=LONG_TEXT, widget=forms.Textarea(attrs={"rows": 2}))
    skip = forms.BooleanField(
        required=False, initial=True, label="Leave out accounts that have an open one of this name"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lists = current_lists()
        self.initial.setdefault("owner", "csm")
        self.initial.setdefault("type", self.lists.default(Kind.TYPE, Cta.Type.ACTIVITY))
        self.initial.setdefault("priority", self.lists.default(Kind.PRIORITY, Cta.Priority.MEDIUM))
        members = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
        named = [(str(pk), name) for pk, name in members.values_list("pk", "name")[:MOST_MEMBERS]]
        self.fields["owner"].choices = [*HOLDERS.items(), ("", "Nobody"), *named]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        type, reason = given.get("type", ""), given.get("reason")
        if reason and type and reason not in {entry.key for entry in self.lists.reasons(type)}:
            self.add_error("reason", "CTAs of this type do not have this reason. Choose another one, or none.")
        asked = {**given, "due_on": given.get("days") is not None}
        for name in missing_to_open(asked, type=type, lists=self.lists) if type else ():
            field = "days" if name == "due_on" else name
            if field not in self.errors:
                self.add_error(field, "CTAs of this type need one.")
        return given

    def config(self) -> dict[str, Any]:
        owner = self.cleaned_data["owner"]
        return self.cleaned_data | {"owner": int(owner) if owner.isdecimal() else owner or None}


class OpenCtas(BulkVerb):
    key = "open_cta"
    label = "Create CTA"
    icon = "square-check-big"
    ability = Ability.WORK_CTAS
    form = OpenForm

    def describe(self, config: Config) -> str:
        return f"Create the CTA “{config['name']}”"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        present = lock_present(ids, self.listing)
        refused = refuse_absent(ids, present, self.listing)
        lists = current_lists()
        needs_owner = "owner" in lists.find(Kind.TYPE, task.config["type"]).to_create
        due_on = _due_on(task)
        there = _having(task.config["name"], present) if task.config["skip"] else set()
        ctas = []
        accounts = Account.objects.filter(pk__in=set(present) - there).only("tenant_id", *HOLDERS)
        for account in accounts.order_by("pk"):
            owner = _owner(account, task.config["owner"])
            if owner is None and needs_owner:
                refused[account.pk] = NOBODY.format(role=str(task.config["owner"]).upper())
            else:
                ctas.append(_cta(account, owner, due_on, task))
        Cta.objects.bulk_create(ctas)
        tell_of_ctas(ctas, task, "cta.opened", "CTA opened")
        _tell_owners(ctas, task)
        return Done([Item(subject_of(cta.account_id, self.listing), {"cta": cta.pk}) for cta in ctas], refused)

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """Archived, unless somebody has begun with it."""
        made = {item.before["cta"]: item for item in items}
        ctas = lock(Cta.objects.present().filter(pk__in=made))
        begun = _begun(ctas.values())
        ours = [cta for pk, cta in ctas.items() if pk not in begun]
        write(CTAS, {cta.pk: {"archived_at": task.now.isoformat()} for cta in ours}, task)
        tell_of_ctas(ours, task, "cta.archived", "CTA archived")
        return {made[pk].subject: WORKED_ON for pk in begun}


def _having(name: str, account_ids: Sequence[int]) -> set[int]:
    return set(Cta.objects.open().filter(account__in=account_ids, name=name).values_list("account", flat=True))


def _owner(account: Account, owner: Any) -> int | None:
    holder: int | None = getattr(account, f"{owner}_id") if owner in HOLDERS else owner
    return holder


def _due_on(task: Task) -> date | None:
    """As of what a playbook opens: nobody works on a Sunday unless the form says so."""
    days = task.config["days"]
    if days is None:
        return None
    today = today_of(task.tenant, task.now)
    due_on = today + timedelta(days=days)
    return due_on if task.config.get("on_weekends") else working_day(due_on, load_holidays(since=today))


def _cta(account: Account, owner: int | None, due_on: date | None, task: Task) -> Cta:
    said = task.config
    return Cta(
        tenant_id=task.tenant.pk,
        account=account,
        owner_id=owner,
        due_on=due_on,
        created_at=task.now,
        created_by=task.actor,
        **{name: said[name] for name in ("name", "type", "reason", "priority", "comment")},
    )


def _tell_owners(ctas: Sequence[Cta], task: Task) -> None:
    """Whoever asked for it knows."""
    mine: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for cta in ctas:
        if cta.owner_id and cta.owner_id != task.member_id:
            mine[cta.owner_id].append((cta.pk, cta.name))
    if mine:
        tell_of_opened(mine, by=Agent(task.person), now=task.now)


def _begun(ctas: Collection[Cta]) -> set[int]:
    """Those that somebody has touched or closed, given a task, or said something about."""
    worked_on = {cta.pk for cta in ctas if cta.touched_at or cta.status != Cta.Status.OPEN}
    with_tasks = models.Task.objects.present().filter(cta__in=[cta.pk for cta in ctas])
    about = Comment.objects.filter(subject__in=[cta.subject for cta in ctas], archived_at=None)
    said = {int(subject.partition(":")[2]) for subject in about.values_list("subject", flat=True)}
    return worked_on | set(with_tasks.values_list("cta", flat=True)) | said
