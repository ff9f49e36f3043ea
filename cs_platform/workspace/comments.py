"""What people say about one thing. Whoever owns the thing decides who may, and tells its timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cs_platform.tenancy.models import Doer
from cs_platform.workspace.models import Comment

SHOWN = 100
MAX_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Discussion:
    """The newest comments, oldest first."""

    comments: Sequence[Comment]
    more: bool  # there are older ones


def load_thread(subject: str) -> Discussion:
    newest = list(Comment.objects.filter(subject=subject, archived_at=None).order_by("-written_at", "-id")[: SHOWN + 1])
    return Discussion(newest[:SHOWN][::-1], len(newest) > SHOWN)


def write_comment(*, subject: str, body: str, by: Doer, now: datetime) -> Comment:
    return Comment.objects.create(subject=subject, body=body, author=by.actor, written_at=now)


def archive_comment(comment: Comment, *, by: Doer, now: datetime) -> bool:
    """Only its author takes a comment back. False when it was gone already or is somebody else's."""
    mine = Comment.objects.filter(pk=comment.pk, author=by.actor, archived_at=None)
    return mine.update(archived_at=now) == 1


def restore_comment(comment: Comment, *, by: Doer) -> bool:
    mine = Comment.objects.filter(pk=comment.pk, author=by.actor, archived_at__isnull=False)
    return mine.update(archived_at=None) == 1
