"""Files put to a CTA, a note, a plan. Kept in PostgreSQL, so they are backed up and fenced off like everything else."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.module_loading import import_string

from cs_platform.tenancy.models import Doer
from cs_platform.workspace.file_types import FileRefused, file_type
from cs_platform.workspace.models import Attachment, AttachmentContent

MOST_BYTES = 10 * 1024 * 1024
MOST_FILES = 50  # of one thing
MOST_OF_WORKSPACE = 20 * 1024**3
State = Attachment.State

__all__ = ["FileRefused"]


class Scanner(Protocol):
    def scan(self, content: bytes) -> str:
        """Why the file must not be given out; empty when nothing was found. Raises where it cannot tell."""


def load_attachments(subject: str) -> Sequence[Attachment]:
    """The oldest first. Few by nature: MOST_FILES."""
    present = Attachment.objects.filter(subject=subject, archived_at=None)
    return list(present.order_by("added_at", "pk")[:MOST_FILES])


def attachments_of(subjects: Iterable[str]) -> dict[str, list[Attachment]]:
    """Of several things that are shown together, in one query."""
    found: dict[str, list[Attachment]] = {subject: [] for subject in subjects}
    if found:
        present = Attachment.objects.filter(subject__in=found, archived_at=None)
        for one in present.order_by("added_at", "pk"):
            found[one.subject].append(one)
    return found


def attach(*, subject: str, name: str, content: bytes, by: Doer, now: datetime) -> Attachment:
    """Raises FileRefused with a sentence for whoever added it."""
    name = _clean(name)
    if len(content) > MOST_BYTES:
        raise FileRefused(f"“{name}” is larger than {MOST_BYTES // 1024**2} MB. Add a smaller file, or a link to it.")
    if not content:
        raise FileRefused(f"“{name}” is empty.")
    kind = file_type(name, content)
    _refuse_more(subject, len(content))
    known = {"subject": subject, "name": name, "content_type": kind.content_type, "size": len(content)}
    known |= {"author": by.actor, "added_at": now, "sha256": hashlib.sha256(content).hexdigest()}
    with transaction.atomic():
        added: Attachment = Attachment.objects.create(state=_first_state(), **known)
        AttachmentContent.objects.create(attachment=added, content=content)
    return added


def _clean(name: str) -> str:
    """Without a path, control characters and marks that turn what is read around."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '"<>|:*?').strip(" .")
    stem, _, ending = kept.rpartition(".")
    return f"{stem[:180]}.{ending[:15]}" if stem else kept[:195] or "file"


def _refuse_more(subject: str, size: int) -> None:
    if Attachment.objects.filter(subject=subject, archived_at=None).count() >= MOST_FILES:
        raise FileRefused(f"There are {MOST_FILES} files here already. Remove one first.")
    if (Attachment.objects.aggregate(all=Sum("size"))["all"] or 0) + size > MOST_OF_WORKSPACE:
        raise FileRefused("Your workspace holds 20 GB of files, which is all it may. Remove some first.")


def archive_attachment(attachment: Attachment, *, now: datetime) -> bool:
    return Attachment.objects.filter(pk=attachment.pk, archived_at=None).update(archived_at=now) == 1


def restore_attachment(attachment: Attachment) -> bool:
    return Attachment.objects.filter(pk=attachment.pk, archived_at__isnull=False).update(archived_at=None) == 1


def download(attachment: Attachment) -> HttpResponse:
    """Saved, never shown: whatever it holds does not run under our address."""
    content = AttachmentContent.objects.get(attachment=attachment).content
    response = HttpResponse(bytes(content), content_type=attachment.content_type)
    headers = {
        "Content-Disposition": content_disposition_header(True, attachment.name) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
    for name, value in headers.items():
        response[name] = value
    return response


# --- scanning ---------------------------------------------------------------------------------------------------------


def _first_state() -> str:
    return State.CHECKING if settings.ATTACHMENT_SCANNER else State.CLEAN


def unscanned() -> Attachment | None:
    found: Attachment | None = Attachment.objects.filter(state=State.CHECKING).order_by("pk").first()
    return found


def scan(attachment: Attachment) -> None:
    """In a worker, not in the request that brought it. Its content goes when it is refused."""
    content = AttachmentContent.objects.get(attachment=attachment).content
    reason = import_string(settings.ATTACHMENT_SCANNER)().scan(bytes(content))
    outcome = {"state": State.REFUSED, "reason": reason[:200]} if reason else {"state": State.CLEAN}
    if Attachment.objects.filter(pk=attachment.pk, state=State.CHECKING).update(**outcome) and reason:
        AttachmentContent.objects.filter(attachment=attachment).delete()
