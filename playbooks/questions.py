"""Actions that wait for approval, as people read them: what would happen, on whom, who is asked and until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from accounts.actors import Actor, load_actors
from accounts.models import Account, AccountUser
from accounts.places import Place, older_than
from actions.base import Batch, Held, Run
from actions.people import AE, CSM, MEMBER, role_words
from actions.registry import action_for
from actions.variables import load_texts
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from playbooks.filling import Piece, Subject, fill_in, is_readable
from playbooks.models import ActionRun, Approval, Enrollment, Step

PAGE_SIZE = 50
COUNT_LIMIT = 999


@dataclass(frozen=True, slots=True)
class Question:
    approval: Approval
    run: ActionRun
    icon: str
    label: str
    says: str
    asked: str
    decided_by: str
    can_decide: bool

    @property
    def enrollment(self) -> Enrollment:
        return self.approval.enrollment


@dataclass(frozen=True, slots=True)
class QuestionPage:
    lines: Sequence[Question]
    next: Place | None


def load_questions(
    member: Membership, *, answered: bool = False, mine: bool = False, search: str = "", after: Place | None = None
) -> QuestionPage:
    """What waits, the next to expire first; or what was answered, the latest first."""
    column = "decided_at" if answered else "expires_at"
    found = _found(member, answered=answered, mine=mine, search=search)
    if after:
        found = found.filter(older_than(after, column) if answered else _later_than(after))
    order = ("-decided_at", "-pk") if answered else ("expires_at", "pk")
    rows = list(_with_subjects(found).order_by(*order)[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    last = Place(getattr(shown[-1], column), shown[-1].pk) if len(rows) > PAGE_SIZE else None
    return QuestionPage(as_questions(shown, member), last)


def count_asked(member: Membership, *, mine: bool) -> int:
    """Up to COUNT_LIMIT + 1."""
    return _found(member, answered=False, mine=mine, search="")[: COUNT_LIMIT + 1].count()


def load_question(approval: Approval, member: Membership) -> Question:
    (question,) = as_questions(list(_with_subjects(Approval.objects.filter(pk=approval.pk))), member)
    return question


def _found(member: Membership, *, answered: bool, mine: bool, search: str) -> QuerySet[Approval]:
    found: QuerySet[Approval] = Approval.objects.answered() if answered else Approval.objects.waiting()
    if mine:
        found = found.asked_of(member)  # type: ignore[attr-defined]
    if search:
        named = Q(enrollment__account__name__icontains=search) | Q(enrollment__playbook__name__icontains=search)
        found = found.filter(named)
    return found


def _with_subjects(found: QuerySet[Approval]) -> QuerySet[Approval]:
    people = ("enrollment__account__csm", "enrollment__account__ae")
    return found.select_related("enrollment__playbook", "enrollment__end_user", "enrollment__tenant", *people)


def _later_than(place: Place) -> Q:
    return Q(expires_at__gt=place.at) | Q(expires_at=place.at, pk__gt=place.id)


def with_runs(approvals: Sequence[Approval]) -> None:
    """Each gets the run it is about, with its step, as `asked_about`: nothing refers to runs in the database."""
    runs = ActionRun.objects.select_related("step").in_bulk([one.run_id for one in approvals])
    for one in approvals:
        one.asked_about = runs[one.run_id]  # type: ignore[attr-defined]


def as_questions(approvals: Sequence[Approval], member: Membership) -> list[Question]:
    """In a fixed number of queries, and one for each different step whose sentence looks something up."""
    with_runs(approvals)
    steps = {one.asked_about.step_id: one.asked_about.step for one in approvals}  # type: ignore[attr-defined]
    says = _sentences(approvals, steps)
    names = _names(approvals)
    actors = load_actors({one.decided_by for one in approvals if one.decided_by})
    shown = Approval.objects.waiting().filter(pk__in=[one.pk for one in approvals])
    mine = set(shown.decidable_by(member).values_list("pk", flat=True))
    return [_question(one, says, names, actors, can_decide=one.pk in mine) for one in approvals]


def _sentences(approvals: Sequence[Approval], steps: Mapping[int, Step]) -> dict[UUID, str]:
    """What each would do, by run: variables filled in where the account alone knows them, else as they are written."""
    found: dict[UUID, str] = {}
    for pk, step in steps.items():
        asking = [one for one in approvals if one.asked_about.step_id == pk]  # type: ignore[attr-defined]
        sentence = action_for(step.action).describe(step.config)
        found |= dict.fromkeys([one.run_id for one in asking], sentence)
        if is_readable(sentence):  # one that was shortened may end in half a variable
            found |= _filled(sentence, asking)
    return found


def _filled(sentence: str, asking: Sequence[Approval]) -> dict[UUID, str]:
    runs = [
        Run(one.run_id, one.enrollment_id, one.enrollment.account_id, one.enrollment.end_user_id, None, "UTC", None)
        for one in asking
    ]
    now = asking[0].asked_at
    batch = Batch(current_tenant_id(), {}, now, now.date(), actor="", playbook_name="", runs=runs)
    texts = load_texts(batch, {"says": sentence})
    filled = {run.id: texts.of(run) for run in runs}
    return {id: text["says"] for id, text in filled.items() if not isinstance(text, Held)}


def _question(
    approval: Approval,
    says: Mapping[UUID, str],
    names: Mapping[str, str],
    actors: Mapping[str, Actor],
    *,
    can_decide: bool,
) -> Question:
    run: ActionRun = approval.asked_about  # type: ignore[attr-defined]
    action = action_for(run.step.action)
    return Question(
        approval=approval,
        run=run,
        icon=action.icon,
        label=action.label,
        says=says[run.pk],
        asked=_asked(approval, names),
        decided_by=actors[approval.decided_by].name if approval.decided_by else "",
        can_decide=can_decide,
    )


def _names(approvals: Sequence[Approval]) -> dict[str, str]:
    """Of members who are asked by name."""
    emails = {one.asks.removeprefix(MEMBER) for one in approvals if one.asks.startswith(MEMBER)}
    if not emails:
        return {}
    found = (
        Membership.objects.active().in_tenant(current_tenant_id()).annotate(key=Lower("email")).filter(key__in=emails)
    )
    return {f"{MEMBER}{key}": name for key, name in found.values_list("key", "name")}


def _asked(approval: Approval, names: Mapping[str, str]) -> str:
    account = approval.enrollment.account
    holder = {CSM: account.csm, AE: account.ae}.get(approval.asks)
    return holder.name if holder else names.get(approval.asks) or role_words(approval.asks)


def reads(question: Question, texts: Mapping[str, str], *, now: datetime) -> list[tuple[str, Sequence[Piece]]]:
    """The texts of the action, filled in for whom it is about."""
    if not texts:
        return []
    enrollment = question.enrollment
    account: Account = enrollment.account
    ties = AccountUser.objects.filter(account=account, end_user__archived_at=None).order_by("-is_key_contact", "pk")
    contact = enrollment.end_user_id or ties.values_list("end_user_id", flat=True).first()
    subject = Subject(
        tenant=enrollment.tenant,
        account=account,
        timezone=enrollment.timezone,
        end_user_id=enrollment.end_user_id,
        recipient_id=contact,
        sender_id=account.csm_id,
    )
    filled = fill_in(texts, subject, now=now)
    return [(label, filled[label]) for label in texts]
