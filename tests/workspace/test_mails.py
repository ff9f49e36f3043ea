"""Mail to the team: the daily one once a day, what is wanted at once at once, and nothing twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from cs_platform.connectors.base import NotNow, Outcome, Rejected, Sent, Unknown
from cs_platform.connectors.smtp import Letter
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.errands import run_errands
from cs_platform.workspace.models import Notification, OutgoingMail
from cs_platform.workspace.notifications import Choice, Kind, Mail, choices, choose, notify
from ctas.models import Cta
from ctas.opening import open_cta
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, on

SIX, SEVEN = datetime(2026, 11, 3, 6, 59, tzinfo=UTC), datetime(2026, 11, 3, 7, 0, tzinfo=UTC)


@dataclass
class Post:
    """The mail server: what it took, and what it says next."""

    taken: list[Letter] = field(default_factory=list)
    says: list[Outcome] = field(default_factory=list)

    def send(self, letter: Letter) -> Outcome:
        self.taken.append(letter)
        return self.says.pop(0) if self.says else Sent("ok")

    def round(self, now: datetime) -> list[Letter]:
        before = len(self.taken)
        run_errands(clock=lambda: now, send=self.send)
        return self.taken[before:]

    def of(self, member: Membership) -> list[Letter]:
        return [letter for letter in self.taken if letter.to_email == member.email]


@pytest.fixture
def post(inside: Workspace) -> Iterator[Post]:
    return Post()


def tell(home: Workspace, kind: str = Kind.MENTION, *, now: datetime = MONDAY, text: str = "Look here") -> None:
    url = f"/w/{home.tenant.slug}/jobs/"
    notify(members=[home.tom], kind=kind, text=text, url=url, by=home.priya, now=now)


def test_the_daily_mail_says_what_is_late_due_and_new(inside: Workspace, post: Post) -> None:
    calyx = account("Calyx")
    made = {"account": calyx, "type": "risk", "owner": inside.tom, "by": inside.priya, "now": MONDAY}
    late = open_cta(name="Call them", due_on=on(1), **made)
    late.add_task(title="Find the number", owner=inside.tom, due_on=on(3), by=inside.priya, now=MONDAY)
    open_cta(name="Much later", due_on=on(20), **made)
    snoozed = open_cta(name="Snoozed", due_on=on(1), **made)
    snoozed.snooze(until=on(10), by=inside.tom, now=MONDAY)
    Notification.objects.all().delete()  # what became his meanwhile
    tell(inside, Kind.FAILURE, text="Rescue failed on Calyx")
    post.round(SEVEN)

    [letter] = post.of(inside.tom)
    assert letter.subject == "Tuesday 3 November: 1 CTA late, 1 task due today, 1 failure"
    assert "CTA LATE (1)\n\n- Call them (Calyx)\n  http" in letter.body
    assert "TASK DUE TODAY (1)\n\n- Find the number (Calyx)\n" in letter.body
    assert "- Priya Raman: Rescue failed on Calyx" in letter.body
    assert "later" not in letter.body
    assert "Snoozed" not in letter.body
    told = Notification.objects.get(kind="due")
    assert (told.member_id, told.text) == (inside.tom.pk, "1 CTA late, 1 task due today")
    assert post.of(inside.priya) == [], "nothing to say to her"

    post.round(SEVEN + days(1))
    assert Notification.objects.filter(kind="due", read_at=None).count() == 1, "yesterday's is no news any more"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.DUE])
def test_every_kind_can_be_in_the_daily_mail(inside: Workspace, post: Post, kind: Kind) -> None:
    choose(inside.tom, {kind: Choice(in_app=True, mail=Mail.DAILY)})
    tell(inside, kind, text="Something happened")
    post.round(SEVEN)

    [letter] = post.of(inside.tom)
    assert "- Priya Raman: Something happened" in letter.body


def test_it_comes_once_a_day_in_each_ones_own_morning(inside: Workspace, post: Post) -> None:
    Membership.objects.filter(pk=inside.tom.pk).update(timezone="America/New_York")
    tell(inside, Kind.FAILURE)
    for moment in (SIX, SEVEN, SEVEN + timedelta(hours=4)):
        assert post.round(moment) == []
    noon = SEVEN + timedelta(hours=5)  # seven in New York
    assert len(post.round(noon)) == 1
    tell(inside, Kind.FAILURE, now=noon)

    assert post.round(noon + timedelta(hours=8)) == []
    assert len(post.round(noon + days(1))) == 1
    assert OutgoingMail.objects.filter(kind="digest", member=inside.tom).count() == 2


def test_what_somebody_wants_at_once_comes_in_one_mail(inside: Workspace, post: Post) -> None:
    tell(inside, text="First")
    tell(inside, text="Second")
    [letter] = post.round(MONDAY)

    assert letter.subject == "First, and 1 more"
    assert letter.to_email == inside.tom.email
    assert post.round(MONDAY + timedelta(minutes=20)) == []
    assert set(Notification.objects.values_list("mailed_at", flat=True)) == {MONDAY}


def test_what_was_read_meanwhile_is_not_mailed(inside: Workspace, post: Post) -> None:
    tell(inside)
    Notification.objects.update(read_at=MONDAY)

    assert post.round(MONDAY) == []


def test_nobody_who_left_gets_mail(inside: Workspace, post: Post) -> None:
    tell(inside)
    Membership.objects.filter(pk=inside.tom.pk).update(deactivated_at=MONDAY)

    assert post.round(SEVEN) == []


@pytest.mark.parametrize(
    ("outcome", "again", "state"),
    [
        (NotNow("busy"), 1, "sent"),
        (Rejected("no such mailbox"), 0, "refused"),
        (Unknown("it hung up"), 0, "uncertain"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_provably_did_not_leave_is_tried_again(
    inside: Workspace, post: Post, outcome: Outcome, again: int, state: str
) -> None:
    post.says = [outcome]
    tell(inside)
    post.round(MONDAY)

    assert len(post.round(MONDAY + timedelta(minutes=30))) == again
    assert OutgoingMail.objects.get(kind="notice").state == state


def test_a_mail_whose_worker_died_on_the_way_is_not_sent_again(inside: Workspace, post: Post) -> None:
    def die(_: Letter) -> Outcome:
        raise SystemExit

    tell(inside)
    with pytest.raises(SystemExit):
        run_errands(clock=lambda: MONDAY, send=die)

    assert OutgoingMail.objects.get(kind="notice").state == "sending"
    assert post.round(MONDAY + timedelta(minutes=30)) == []
    assert OutgoingMail.objects.get(kind="notice").state == "uncertain"


def test_a_mail_is_stopped_with_one_click_and_without_signing_in(inside: Workspace, post: Post) -> None:
    tell(inside)
    [letter] = post.round(MONDAY)
    link = re.fullmatch(r"<https?://[^/]+(/mail/stop/.+)>", letter.message()["List-Unsubscribe"])
    assert link
    assert letter.message()["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    client = Client(enforce_csrf_checks=True)
    assert "Stop these mails?" in text(client.get(link[1]))
    assert choices(inside.tom)[Kind.MENTION].mail == Mail.NOW, "looking changes nothing"
    assert "Stopped" in text(client.post(link[1], {"List-Unsubscribe": "One-Click"}))

    assert choices(inside.tom)[Kind.MENTION] == Choice(in_app=True, mail=Mail.OFF)
    assert choices(inside.tom)[Kind.HELD].mail == Mail.OFF
    assert choices(inside.tom)[Kind.FAILURE].mail == Mail.DAILY
    assert client.post(f"{link[1][:-3]}xyz/").status_code == 404


def test_a_daily_mail_nobody_wants_is_none(inside: Workspace, post: Post, cta: Cta) -> None:
    Cta.objects.update(due_on=on(1))
    Notification.objects.all().delete()
    choose(inside.tom, {kind: Choice(in_app=True, mail=Mail.OFF) for kind in Kind.values})
    tell(inside, Kind.FAILURE)

    assert post.round(SEVEN) == []
    assert "1 CTA late" in text(Visitor(inside.tom).page("notifications/"))


def test_no_name_breaks_out_of_a_header(inside: Workspace, post: Post) -> None:
    tell(inside, text="Look\r\nBcc: everybody@elsewhere.example")
    [letter] = post.round(MONDAY)

    assert "Bcc" not in letter.message()
