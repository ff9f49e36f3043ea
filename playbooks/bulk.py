"""Apply a playbook to many accounts, users or CTAs, or stop it on them: verbs of bulk edits."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, subject_of
from accounts.bulk.writing import lock_present, refuse_absent
from accounts.models import Account, AccountUser
from accounts.reach import OUT_OF_REACH, reached_by
from accounts.table.lists import USERS
from cs_platform.jobs import bulk
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from ctas.bulk.verbs import GONE
from ctas.models import Cta
from playbooks.enrollment import Application, enroll
from playbooks.models import Enrollment, Playbook
from playbooks.task_lists import apply_to_ctas, remove_from_ctas, why_not
from playbooks.under_way import UNDER_WAY
from playbooks.undo import STOPPABLE, stop_together

MOST_PLAYBOOKS = 500
ACTIVE_ALREADY = "It is active here already."
AT_NO_ACCOUNT = "They belong to no account."


class PlaybookForm(VerbForm):
    playbook = forms.ChoiceField(label="Playbook", error_messages={"invalid_choice": "Choose one of the playbooks."})
    statuses: tuple[str, ...] = (Playbook.Status.LIVE,)
    audience: str = Playbook.Audience.ACCOUNTS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = Playbook.objects.filter(status__in=self.statuses, audience=self.audience)
        found = found.order_by("name", "pk").values_list("pk", "name")[:MOST_PLAYBOOKS]
        none = (
            f"No playbook for {Playbook.Audience(self.audience).label.lower()} is live. Set one live under Playbooks."
        )
        self.offer("playbook", [(str(pk), name) for pk, name in found], none=none)

    def config(self) -> dict[str, Any]:
        return {"playbook": int(self.cleaned_data["playbook"])}


class StopForm(PlaybookForm):
    note = forms.CharField(required=False, max_length=1_000, help_text="Visible to your whole team.")
    statuses = (Playbook.Status.LIVE, Playbook.Status.PAUSED)

    def config(self) -> dict[str, Any]:
        return super().config() | {"note": self.cleaned_data["note"]}


def _playbook(config: Config) -> Playbook:
    found: Playbook | None = Playbook.objects.select_related("version", "tenant").filter(pk=config["playbook"]).first()
    if found is None:
        raise JobRefused("The playbook is not here any more.")
    return found


def _live(config: Config) -> Playbook:
    playbook = _playbook(config)
    if playbook.status != Playbook.Status.LIVE:
        raise JobRefused(f"{playbook.name} is not live any more. Set it live, then apply it.")
    return playbook


class ApplyPlaybook(BulkVerb):
    key = "apply_playbook"
    label = "Apply playbook"
    icon = "workflow"
    ability = Ability.RUN_PLAYBOOKS
    form: ClassVar[type[VerbForm]] = PlaybookForm
    subject, place = "account_id", 0  # whom an enrollment is of, in its row and in its pair

    def describe(self, config: Config) -> str:
        return f"Apply {_playbook(config).name}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        """As by hand: whatever its rules say. A user has it at each of their accounts."""
        playbook = _live(task.config)
        present = lock_present(ids, self.listing)
        application = Application(task.tenant, playbook, applied_by=task.person, now=task.now)
        named = self.pairs(present)
        pairs = _within_reach(task, named)
        placed: dict[int, list[int]] = {}
        for pk, id in Enrollment.objects.filter(pk__in=enroll(application, pairs)).values_list("pk", self.subject):
            placed.setdefault(id, []).append(pk)
        refused = dict.fromkeys(present, AT_NO_ACCOUNT)
        refused |= {id: OUT_OF_REACH for pair in named if (id := pair[self.place]) is not None}
        refused |= {id: ACTIVE_ALREADY for pair in pairs if (id := pair[self.place]) is not None}
        items = [Item(subject_of(id, self.listing), {"enrollments": pks}) for id, pks in placed.items()]
        left = {id: why for id, why in refused.items() if id not in placed}
        return Done(items, left | refuse_absent(ids, present, self.listing))

    def pairs(self, ids: Sequence[int]) -> list[tuple[int, int | None]]:
        """Of account and user."""
        return [(id, None) for id in ids]

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """Stops them, which takes back what their actions did."""
        ids = {pk: item.subject for item in items for pk in item.before["enrollments"]}
        open_still = Enrollment.objects.filter(pk__in=ids, state__in=STOPPABLE).values_list("pk", flat=True)
        stopped = set(open_still)
        _stop(task, stopped, "Bulk edit undone")
        return {subject: "It was stopped before." for pk, subject in ids.items() if pk not in stopped}


def _within_reach(task: Task, pairs: list[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    """Those at accounts that the role of whoever asked for it reaches. A key reaches all its scope lets it."""
    member = Membership.objects.in_tenant(task.tenant.pk).filter(pk=task.member_id).first() if task.member_id else None
    if member is None:
        return pairs
    accounts = {account for account, _ in pairs}
    mine = Account.objects.filter(reached_by(member, Ability.RUN_PLAYBOOKS), pk__in=accounts)
    reached = set(mine.values_list("pk", flat=True))
    return [pair for pair in pairs if pair[0] in reached]


class StopPlaybook(BulkVerb):
    key = "stop_playbook"
    label = "Stop a playbook"
    icon = "octagon-x"
    ability = Ability.RELEASE_EVALUATIONS  # a stop of many (TRUST §4.1)
    form: ClassVar[type[VerbForm]] = StopForm
    subject = "account_id"

    def describe(self, config: Config) -> str:
        return f"Stop {_playbook(config).name}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        mine = Enrollment.objects.filter(playbook_id=task.config["playbook"], **{f"{self.subject}__in": ids})
        under_way = list(mine.filter(state__in=UNDER_WAY).values_list("pk", self.subject))
        _stop(task, {pk for pk, _id in under_way}, task.config["note"])
        return Done([Item(subject_of(id, self.listing), {}) for id in sorted({id for _pk, id in under_way})])

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        return {item.subject: "A stopped playbook runs only when it is applied again." for item in items}


class UserPlaybookForm(PlaybookForm):
    audience = Playbook.Audience.USERS


class UserStopForm(StopForm):
    audience = Playbook.Audience.USERS


class ApplyUserPlaybook(ApplyPlaybook):
    form = UserPlaybookForm
    listing = USERS
    subject, place = "end_user_id", 1

    def pairs(self, ids: Sequence[int]) -> list[tuple[int, int | None]]:
        ties = AccountUser.objects.filter(end_user_id__in=ids, account__archived_at=None).order_by("pk")
        return list(ties.values_list("account_id", "end_user_id"))


class StopUserPlaybook(StopPlaybook):
    form = UserStopForm
    listing = USERS
    subject = "end_user_id"


class CtaPlaybookForm(PlaybookForm):
    audience = Playbook.Audience.CTAS


class ApplyToCtas(bulk.BulkVerb):
    """A list of tasks on many CTAs. Undoing it removes what it set up, but for what people did since."""

    key = "apply_playbook"
    label = "Apply playbook"
    icon = "workflow"
    ability = Ability.WORK_CTAS
    form = CtaPlaybookForm

    def describe(self, config: Config) -> str:
        return f"Apply {_playbook(config).name}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        playbook = _live(task.config)
        made = apply_to_ctas(playbook, ids, by=task.person, now=task.now)
        left = Cta.objects.present().filter(pk__in=set(ids).difference(made))
        refused = dict.fromkeys(ids, GONE) | {cta.pk: why_not(playbook, cta) for cta in left}
        items = [Item(f"cta:{id}", {"enrollment": pk}) for id, pk in made.items()]
        return Done(items, {id: why for id, why in refused.items() if id not in made})

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        subjects = {item.before["enrollment"]: item.subject for item in items}
        removed = remove_from_ctas(subjects, tenant=task.tenant, by=task.person, now=task.now)
        return {subject: "It was removed before." for pk, subject in subjects.items() if pk not in removed}


def _stop(task: Task, ids: set[int], note: str) -> None:
    if ids:
        stop_together(sorted(ids), tenant=task.tenant, by=task.person, note=note, now=task.now)
