"""What people say about one thing. Whoever owns the thing decides who may, and tells its timeline."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import ApiKey, Doer, Membership
from cs_platform.workspace.mentions import Piece, keep_mentions, mentioned_in, names_of, pieces, without_mentions
from cs_platform.workspace.models import Comment, Notification
from cs_platform.workspace.notifications import notify

SHOWN = 100
MAX_LENGTH = 10_000


class Commenters(Protocol):
    def names(self, wanted: Collection[str]) -> Mapping[str, str]:
        """Of those it knows among these actors."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest comments, oldest first."""

    comments: Sequence[Comment]
    more: bool  # there are older ones


@dataclass(frozen=True, slots=True)
class ShownComment:
    comment: Comment
    author: str
    pieces: Sequence[Piece]


def load_thread(subject: str) -> Newest:
    newest = list(Comment.objects.filter(subject=subject, archived_at=None).order_by("-written_at", "-id")[: SHOWN + 1])
    return Newest(newest[:SHOWN][::-1], len(newest) > SHOWN)


def show(comments: Sequence[Comment]) -> list[ShownComment]:
    """With the names that authors and the mentioned have today."""
    authors = author_names({comment.author for comment in comments})
    names = names_of(id for comment in comments for id in mentioned_in(comment.body))
    return [ShownComment(one, authors[one.author], list(pieces(one.body, names))) for one in comments]


def author_names(actors: Collection[str]) -> dict[str, str]:
    """Of team members, API keys, and those upper layers let write (settings.COMMENTERS)."""
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=_ids("person:", actors))
    named = {member.actor: member.name for member in members}
    if keys := _ids("key:", actors):
        named |= {key.actor: f"the API key {key.name}" for key in ApiKey.objects.filter(pk__in=keys)}
    for path in settings.COMMENTERS:
        named |= import_string(path)().names(actors)
    return dict.fromkeys(actors, "somebody") | named


def _ids(prefix: str, actors: Collection[str]) -> list[int]:
    ids = (actor.removeprefix(prefix) for actor in actors if actor.startswith(prefix))
    return [int(id) for id in ids if id.isdecimal()]


def write_comment(*, subject: str, body: str, by: Doer, now: datetime, about: str = "", url: str = "") -> Comment:
    """Whoever is mentioned is told, with a link to `url`, the address of the page where it can be read."""
    known = {"subject": subject, "about": about[:200], "url": url[:300]}
    comment: Comment = Comment.objects.create(body=keep_mentions(body), author=by.actor, written_at=now, **known)
    _tell(comment, mentioned_in(comment.body), by=by, now=now)
    return comment


def write_as_guest(*, subject: str, body: str, by: Doer, now: datetime, about: str = "", url: str = "") -> Comment:
    """By somebody outside the team: nobody is mentioned, since a mention would say who works here."""
    known = {"subject": subject, "about": about[:200], "url": url[:300], "body": without_mentions(body)}
    comment: Comment = Comment.objects.create(author=by.actor, written_at=now, **known)
    return comment


def edit_comment(comment: Comment, *, body: str, by: Doer, now: datetime) -> bool:
    """By its author alone; those mentioned only now are told. False when it was gone or is somebody else's."""
    before = mentioned_in(comment.body)
    kept = keep_mentions(body, also=before)
    if kept == comment.body:
        return False
    mine = Comment.objects.filter(pk=comment.pk, author=by.actor, archived_at=None)
    if not mine.update(body=kept, edited_at=now):
        return False
    comment.body, comment.edited_at = kept, now
    _tell(comment, mentioned_in(kept) - before, by=by, now=now)
    return True


def _tell(comment: Comment, ids: Collection[int], *, by: Doer, now: datetime) -> None:
    if not ids or not comment.url:
        return
    members = Membership.objects.active().in_tenant(current_tenant_id()).filter(pk__in=ids)
    text = f"Mentioned you on {comment.about}" if comment.about else "Mentioned you in a comment"
    what = {"kind": Notification.Kind.MENTION, "text": text, "url": comment.url, "subject": comment.subject}
    notify(members=members, by=by, now=now, **what)


def archive_comment(comment: Comment, *, by: Doer, now: datetime) -> bool:
    """Only its author takes a comment back. False when it was gone already or is somebody else's."""
    mine = Comment.objects.filter(pk=comment.pk, author=by.actor, archived_at=None)
    return mine.update(archived_at=now) == 1


def restore_comment(comment: Comment, *, by: Doer) -> bool:
    mine = Comment.objects.filter(pk=comment.pk, author=by.actor, archived_at__isnull=False)
    return mine.update(archived_at=None) == 1
