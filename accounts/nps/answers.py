"""Answers: given in the survey, or brought in from another tool. Each is told on the account's timeline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from django.db.models import F

from accounts.models import Account, AccountUser, EndUser, NpsResponse, NpsShowing, TimelineEntry
from accounts.nps.scores import group_of
from accounts.nps.showings import last_showing
from cs_platform.tenancy.models import Doer

MAX_COMMENT = 2_000
SURVEY = "survey"
KEPT_PREFIX = "showing:"  # our own answers are known by the showing they answer; senders' ids never begin like this
QUOTED = 300  # characters of a comment that the timeline repeats


def record_answer(
    user_id: int, *, account_id: int | None, score: int, comment: str | None, since: date, now: datetime
) -> bool:
    """One answer for each showing: a repeat changes nothing, second thoughts change the same one.

    False when the survey was not shown to the user since that day.
    """
    showing = last_showing(user_id, since=since)
    if showing is None:
        return False
    NpsShowing.objects.select_for_update(no_key=True).get(pk=showing.pk)
    key = f"{KEPT_PREFIX}{showing.pk}"
    before = NpsResponse.objects.filter(external_id=key).first()
    if before is None:
        _first_answer(user_id, account_id, score, comment or "", key, now)
    else:
        _second_thoughts(before, score, before.comment if comment is None else comment, now)
    return True


def account_of(user_id: int, *, wanted: int | None = None) -> int | None:
    """The account an answer counts for: the one that was named if it is the user's, else where they were seen last."""
    ties = AccountUser.objects.filter(end_user_id=user_id, account__archived_at__isnull=True)
    if wanted is not None:
        ties = ties.filter(account_id=wanted)
    return ties.order_by(F("last_seen_at").desc(nulls_last=True), "pk").values_list("account_id", flat=True).first()


def _first_answer(user_id: int, account_id: int | None, score: int, comment: str, key: str, now: datetime) -> None:
    answer = NpsResponse.objects.create(
        end_user_id=user_id,
        account_id=account_id,
        score=score,
        comment=comment,
        answered_at=now,
        source=SURVEY,
        external_id=key,
    )
    TimelineEntry.objects.bulk_create(_told(answer, told_score(score, comment)))


def _second_thoughts(answer: NpsResponse, score: int, comment: str, now: datetime) -> None:
    if (answer.score, answer.comment) == (score, comment):
        return
    text = f"NPS comment: {quoted(comment)}" if answer.score == score else told_score(score, comment)
    answer.score, answer.comment = score, comment
    answer.save(update_fields=["score", "comment"])
    TimelineEntry.objects.bulk_create(_told(answer, text, at=now))


def told_score(score: int, comment: str) -> str:
    said = f"NPS answer {score} of 10, {group_of(score)}"
    return f"{said}: {quoted(comment)}" if comment else said


def quoted(text: str) -> str:
    return f"“{text[:QUOTED]}…”" if len(text) > QUOTED else f"“{text}”"


def _told(answer: NpsResponse, text: str, *, at: datetime | None = None) -> Iterator[TimelineEntry]:
    if answer.account_id is None:
        return
    yield TimelineEntry(
        account_id=answer.account_id,
        end_user_id=answer.end_user_id,
        at=at or answer.answered_at,
        kind="nps.answered",
        actor=f"user:{answer.end_user_id}",
        text=text,
        subject=f"nps:{answer.pk}",
    )


# Bringing in ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Brought:
    """An answer as another tool knows it: user and account by their external ids."""

    external_id: str
    user: str
    account: str | None
    score: int
    comment: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    external_id: str
    outcome: str  # created, updated, unchanged, refused
    id: int | None = None
    faults: tuple[tuple[str, str], ...] = ()  # name of the field, what to do


def bring_in(items: Sequence[Brought], *, by: Doer) -> list[Outcome]:
    """Each by its external id: a repeat changes nothing, other values change the answer. One bad item spoils no other.

    An id that stands twice among the items is taken as it stands last.
    """
    known = _Known.of(items)
    last = {item.external_id: item for item in items}
    good = {key: item for key, item in last.items() if not known.faults(item)}
    created = [_brought(item, known, by) for key, item in good.items() if key not in known.answers]
    changed = [
        answer for key, item in good.items() if (answer := known.answers.get(key)) and _takes(answer, item, known)
    ]
    NpsResponse.objects.bulk_create(created)
    NpsResponse.objects.bulk_update(changed, ["end_user", "account", "score", "comment", "answered_at"])
    TimelineEntry.objects.bulk_create(
        entry for answer in created for entry in _told(answer, told_score(answer.score, answer.comment))
    )
    outcomes = {str(answer.external_id): ("created", answer.pk) for answer in created}
    outcomes |= {str(answer.external_id): ("updated", answer.pk) for answer in changed}
    outcomes = {key: ("unchanged", answer.pk) for key, answer in known.answers.items()} | outcomes
    return [
        Outcome(item.external_id, "refused", faults=faults)
        if (faults := known.faults(item))
        else Outcome(item.external_id, *outcomes[item.external_id])
        for item in items
    ]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the items name, as it stands in the database: four questions however many items."""

    users: Mapping[str, int]
    accounts: Mapping[str, int]
    last_seen_at: Mapping[int, int]  # user -> the account where they were seen last
    answers: Mapping[str, NpsResponse]

    @classmethod
    def of(cls, items: Sequence[Brought]) -> Self:
        users = dict(_ids(EndUser, {item.user for item in items}))
        accounts = dict(_ids(Account, {item.account for item in items if item.account}))
        ties = AccountUser.objects.filter(end_user_id__in=users.values(), account__archived_at__isnull=True)
        seen = ties.order_by("end_user_id", F("last_seen_at").desc(nulls_last=True), "pk").distinct("end_user_id")
        keys = [item.external_id for item in items]
        answers = {str(one.external_id): one for one in NpsResponse.objects.filter(external_id__in=keys)}
        return cls(users, accounts, dict(seen.values_list("end_user_id", "account_id")), answers)

    def faults(self, item: Brought) -> tuple[tuple[str, str], ...]:
        wrong = []
        if item.external_id.startswith(KEPT_PREFIX):
            wrong.append(("external_id", f"Ids that begin with {KEPT_PREFIX} are the survey's own. Choose another."))
        if item.user not in self.users:
            wrong.append(("user", "There is no user with this external id. Send the user first."))
        if item.account is not None and item.account not in self.accounts:
            wrong.append(("account", "There is no account with this external id. Send the account first."))
        return tuple(wrong)

    def values(self, item: Brought) -> dict[str, Any]:
        user_id = self.users[item.user]
        account_id = self.accounts[item.account] if item.account else self.last_seen_at.get(user_id)
        return {
            "end_user_id": user_id,
            "account_id": account_id,
            "score": item.score,
            "comment": item.comment,
            "answered_at": item.answered_at,
        }


def _ids(model: Any, external_ids: set[str]) -> Any:
    return model.objects.filter(external_id__in=external_ids).values_list("external_id", "pk")


def _brought(item: Brought, known: _Known, by: Doer) -> NpsResponse:
    return NpsResponse(external_id=item.external_id, source=by.actor, **known.values(item))


def _takes(answer: NpsResponse, item: Brought, known: _Known) -> bool:
    """Whether the item says anything new; if so, the answer says it from now on."""
    values = known.values(item)
    if all(getattr(answer, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(answer, name, value)
    return True
