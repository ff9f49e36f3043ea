"""Texts with variables, filled in for one account: what people read before and after a playbook acts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import Account
from actions.base import Batch, Run
from actions.variables import load_texts
from cs_platform.common import message_templates
from cs_platform.common.message_templates import Output, TemplateError
from cs_platform.tenancy.models import Tenant

NOTHING = "–"  # what a variable without a value reads as


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; a filled-in value stands out."""

    text: str
    is_value: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom texts are filled in for. `sender_id` is the member who writes, `recipient_id` the user written to."""

    tenant: Tenant
    account: Account
    timezone: str
    end_user_id: int | None = None
    recipient_id: int | None = None
    sender_id: int | None = None


def as_written(source: str) -> list[Piece]:
    """Variables by their names."""
    try:
        pieces = message_templates.parse(source).pieces
    except TemplateError:
        return [Piece(source, False)]
    return [Piece(one.name, True) if isinstance(one, Output) else Piece(one, False) for one in pieces]


def fill_in(sources: Mapping[str, str], subject: Subject, *, now: datetime) -> dict[str, list[Piece]]:
    """In one statement, or none where no text uses a variable. One that cannot be read is shown as written."""
    readable = {name: source for name, source in sources.items() if is_readable(source)}
    batch = _batch(subject, now)
    people: Sequence[dict[UUID, int]] = [
        {run.id: person for run in batch.runs if person} for person in (subject.recipient_id, subject.sender_id)
    ]
    texts = load_texts(batch, readable, recipients=people[0], senders=people[1])
    values = next(iter(texts.values.values()), {})
    filled = {name: [Piece(text, False)] for name, text in {**sources, **texts.fixed}.items()}
    for name, template in texts.templates.items():
        filled[name] = [
            Piece(piece.text(values) or NOTHING, True) if isinstance(piece, Output) else Piece(piece, False)
            for piece in template.pieces
        ]
    return filled


def is_readable(source: str) -> bool:
    try:
        message_templates.parse(source)
    except TemplateError:
        return False
    return True


def _batch(subject: Subject, now: datetime) -> Batch:
    run = Run(
        id=UUID(int=0),
        enrollment_id=0,
        account_id=subject.account.pk,
        end_user_id=subject.end_user_id,
        cta_id=None,
        timezone=subject.timezone,
        due_on=None,
    )
    today = now.astimezone(ZoneInfo(subject.timezone)).date()
    return Batch(tenant_id=subject.tenant.pk, config={}, now=now, today=today, actor="", playbook_name="", runs=[run])
