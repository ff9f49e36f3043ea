"""A year of net promoter scores for the demo: brought in from the tool before ours, then asked by our own survey.

Chance is seeded by the user, so that every load of the demo tells the same story.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from accounts.models import AccountUser
from accounts.nps.answers import Brought, bring_in, record_answer
from accounts.nps.scores import group_of
from accounts.nps.showings import record_showing
from accounts.nps.survey import change_survey
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant

ASKED_FOR = timedelta(days=330)
OLD_ENOUGH = timedelta(days=30)
BETWEEN = timedelta(days=120)
ANSWERING, ANSWERING_AGAIN, COMMENTING = 0.2, 0.35, 0.5
BATCH = 1_000
HEALTH_OF_UNKNOWN = 7.0
COMMENTS = {
    "promoter": (
        "Saves our team about a day every week.",
        "The reports are what our board meeting is built on now.",
        "Support answered within ten minutes, twice.",
        "Easy to roll out, nobody needed a training.",
        "We moved three spreadsheets into it and never looked back.",
    ),
    "passive": (
        "Does what it should. The mobile app could be faster.",
        "Good, but I would like more control over notifications.",
        "Solid, though the search does not always find what I need.",
        "Happy so far. Permissions are harder than they have to be.",
    ),
    "detractor": (
        "Exports time out for anything larger than a month.",
        "We pay for seats nobody uses and cannot change it ourselves.",
        "The last update moved everything, and nobody told us.",
        "Onboarding took three months and we still miss the integration we bought it for.",
        "Too slow on Mondays.",
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    user_id: int
    external_id: str
    account_id: int
    account: str
    score: int
    comment: str
    at: datetime

    @property
    def brought(self) -> Brought:
        key = f"before-{self.user_id}-{self.at:%Y%m%d}"
        return Brought(key, self.external_id, self.account, self.score, self.comment, self.at)


def ask_users(tenant: Tenant, *, ours_since: datetime, now: datetime) -> int:
    """Returns how many answers there are."""
    with tenant_context(tenant.pk):
        change_survey(
            is_on=True,
            question="How likely are you to recommend Halyard to a friend or colleague?",
            origins=["https://app.halyard.example"],
            by=_admin(tenant),
            now=now,
        )
        answers = sorted(_answers(now), key=lambda answer: (answer.at, answer.user_id))
        _bring_in(tenant, [answer for answer in answers if answer.at < ours_since])
        for answer in answers:
            if answer.at >= ours_since:
                _give(answer, tenant)
    return len(answers)


def _bring_in(tenant: Tenant, answers: Sequence[Answer]) -> None:
    admin = _admin(tenant)
    for begin in range(0, len(answers), BATCH):
        bring_in([answer.brought for answer in answers[begin : begin + BATCH]], by=admin)


def _admin(tenant: Tenant) -> Membership:
    return Membership.objects.in_tenant(tenant.pk).get(role="admin")


def _give(answer: Answer, tenant: Tenant) -> None:
    today = answer.at.astimezone(ZoneInfo(tenant.timezone)).date()
    record_showing(answer.user_id, now=answer.at, today=today)
    said = {"account_id": answer.account_id, "score": answer.score, "comment": answer.comment}
    record_answer(answer.user_id, **said, since=today, now=answer.at)  # type: ignore[arg-type]


def _answers(now: datetime) -> Iterator[Answer]:
    ties = AccountUser.objects.filter(end_user__archived_at__isnull=True).select_related("end_user", "account")
    fields = ("end_user__external_id", "end_user__created_at", "account__external_id", "account__health")
    tenants = ("tenant_id", "end_user__tenant_id", "account__tenant_id")
    for tie in ties.only("last_seen_at", "end_user_id", "account_id", *fields, *tenants).order_by("pk"):
        last = min(tie.last_seen_at or now, now - timedelta(hours=1))
        begin = max(tie.end_user.created_at + OLD_ENOUGH, now - ASKED_FOR)
        if begin < last and _chance("answers", tie.pk) < ANSWERING:
            at = begin + (last - begin) * _chance("when", tie.pk)
            yield _answer(tie, at, "now")
            if at - BETWEEN > begin and _chance("again", tie.pk) < ANSWERING_AGAIN:
                yield _answer(tie, at - BETWEEN, "then")


def _answer(tie: AccountUser, at: datetime, which: str) -> Answer:
    health = HEALTH_OF_UNKNOWN if tie.account.health is None else tie.account.health
    score = round(min(10.0, max(0.0, health + 1.4 + 7 * (_chance(which, tie.pk) - 0.5))))
    comments = COMMENTS[group_of(score)]
    said = _chance(f"{which} comment", tie.pk)
    comment = comments[int(said / COMMENTING * len(comments))] if said < COMMENTING else ""
    user, account = tie.end_user, tie.account
    return Answer(user.pk, user.external_id, account.pk, account.external_id, score, comment, at)


def _chance(what: str, id: int) -> float:
    digest = blake2b(f"{what} {id}".encode(), digest_size=4).digest()  # of crc32 neighbouring ids are not independent
    return int.from_bytes(digest) / 2**32
