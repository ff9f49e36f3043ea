"""The notes of an account, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from accounts.actors import Actor, load_actors
from accounts.models import Account, Note
from accounts.places import Place
from cs_platform.workspace.attachments import attachments_of
from cs_platform.workspace.models import Attachment

NOTES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ShownNote:
    note: Note
    author: Actor
    files: Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class Notes:
    notes: Sequence[ShownNote]
    next: Place | None


def load_notes(account: Account, *, after: Place | None = None) -> Notes:
    present = Note.objects.filter(account=account, archived_at=None)
    if after:
        present = present.filter(Q(written_at__lt=after.at) | Q(written_at=after.at, pk__lt=after.id))
    found = list(present.order_by("-written_at", "-pk")[: NOTES_SHOWN + 1])
    shown = found[:NOTES_SHOWN]
    authors = load_actors({note.author for note in shown})
    last = Place(shown[-1].written_at, shown[-1].pk) if len(found) > NOTES_SHOWN else None
    files = attachments_of(note.subject for note in shown)
    return Notes([ShownNote(note, authors[note.author], files[note.subject]) for note in shown], last)
