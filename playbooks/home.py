"""Renewals with their playbooks, messages that wait for a look, and what playbooks did, on the home page."""

from datetime import date, timedelta
from typing import Any, ClassVar

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from accounts.conversations.models import Conversation
from accounts.home import MONTHS, SOON, book_of
from accounts.models import Account
from cs_platform.tenancy.models import Membership
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.home import SHOWN, Book
from cs_platform.web.pages import WorkspaceRequest
from playbooks.asking import HELD_FOR
from playbooks.history import summaries
from playbooks.models import ActionRun, Enrollment
from playbooks.progress import UNDER_WAY
from playbooks.questions import count_asked

LOOKED_AT = 500  # of the newest enrollments
YESTERDAY = timedelta(days=1)
CLOSE = timedelta(days=30)
FAILED = (ActionRun.State.DEAD, ActionRun.State.UNCERTAIN, ActionRun.State.HELD)


class Renewals:
    key: ClassVar[str] = "renewals"
    side: ClassVar[bool] = False

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        accounts = book_of(book)
        close = accounts.filter(renewal_on__gte=book.today, renewal_on__lte=book.today + CLOSE).count()
        says = f"{close:,} renewal{'' if close == 1 else 's'} close{'s' if close == 1 else ''} within a month"
        listed = f"{reverse('accounts:list', args=[request.tenant.slug])}?renews={SOON.days}&sort=renewal_on"
        mine = f"{listed}&csm={book.member.pk}" if book.member else listed
        panel = next_renewals(accounts, book.today, all_of_them=mine)
        return Fragment(panel.template, {**panel.context, "says": says if close else ""})


def next_renewals(accounts: QuerySet[Account], today: date, *, all_of_them: str) -> Fragment:
    """Of these accounts, with what is done about them; `all_of_them` is the address of the list they stand in."""
    soon = accounts.filter(renewal_on__gte=today, renewal_on__lte=today + SOON)
    rows = list(soon.order_by("renewal_on", "pk")[:SHOWN])
    tracks = _tracks(rows, today)
    context: dict[str, Any] = {
        "rows": [(one, (one.mrr_cents or 0) * MONTHS, tracks.get(one.pk)) for one in rows],
        "total": soon.count(),
        "all": all_of_them,
    }
    return Fragment("playbooks/_home_renewals.html", context)


def _tracks(accounts: list[Account], today: date) -> dict[int, Any]:
    """The playbook under way that began last, of each; else the last that was gone through with this renewal ahead."""
    lately = Q(state=Enrollment.State.COMPLETED, completed_at__date__gte=today - SOON)
    about = Enrollment.objects.real().filter(account__in=accounts, end_user=None, cta=None)
    found = about.filter(Q(state__in=UNDER_WAY) | lately).select_related("playbook")
    newest = found.order_by("account", F("completed_at").desc(nulls_first=True), "-pk").distinct("account")
    return {one.enrollment.account_id: one for one in summaries(list(newest))}


class Conversations:
    key: ClassVar[str] = "conversations"
    side: ClassVar[bool] = True

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        waiting = _drafts(book.member)
        rows = waiting.select_related("account").order_by("send_at", "pk")[:SHOWN]
        total = waiting.count()
        says = f"{total:,} conversation{'' if total == 1 else 's'} wait{'s' if total == 1 else ''} for your review"
        context = {
            "rows": list(rows),
            "total": total,
            "of_all": book.member is None,
            "to_approve": count_asked(request.membership, mine=book.member is not None),
            "says": says if total else "",
        }
        return Fragment("playbooks/_home_conversations.html", context)


class Drafts:
    """Beside the conversations."""

    key: ClassVar[str] = "conversations"

    def rows(self, member: Membership, today: date) -> QuerySet[Conversation]:
        return _drafts(member)


def _drafts(member: Membership | None) -> QuerySet[Conversation]:
    waiting = Conversation.objects.filter(state__in=Conversation.WAITING)
    return waiting.filter(Q(sender=member) | Q(account__csm=member)) if member else waiting


class Activity:
    key: ClassVar[str] = "activity"
    side: ClassVar[bool] = True

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        here = page_address(request)
        context = {
            "failed": _failed(book),
            "applied": _applied(book),
            "here": here + ("&" if "?" in here else "?"),
            "slug": request.tenant.slug,
            "cockpit": reverse("playbooks:list", args=[request.tenant.slug]),
            "says": "",
        }
        return Fragment("playbooks/_home_activity.html", context)


def _failed(book: Book) -> list[ActionRun]:
    """What waits for a person, whenever it failed; the newest first."""
    found = ActionRun.objects.filter(state__in=FAILED, enrollment__state__in=UNDER_WAY, enrollment__is_dry=False)
    found = found.exclude(reason_code=HELD_FOR)
    if book.member:
        found = found.filter(enrollment__account__csm=book.member)
    rows = found.select_related("enrollment__account", "enrollment__playbook", "step")
    return list(rows.order_by("-pk")[:SHOWN])


def _applied(book: Book) -> list[Enrollment]:
    newest = Enrollment.objects.order_by("-pk").values("pk")[:LOOKED_AT]
    found = Enrollment.objects.real().filter(pk__in=newest, activated_at__gte=book.now - YESTERDAY, cta=None)
    if book.member:
        found = found.filter(account__csm=book.member)
    return list(found.select_related("account", "playbook").order_by("-pk")[:SHOWN])
