"""Who may write a playbook but not set it live asks those who may. They set it live, or say why not yet.

What was asked stands with the draft until that is published, which answers it, or somebody declines.
"""

from datetime import datetime

from django.db import transaction
from django.urls import reverse

from accounts.rules.describe import counted
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify
from playbooks.drafts import problems_of
from playbooks.models import Playbook, PlaybookVersion
from playbooks.notices import who_may
from playbooks.versions import NotPossible, write_down

NOTE_LIMIT = 1_000


def propose(draft: PlaybookVersion, *, note: str = "", by: Doer, now: datetime) -> int:
    """Returns how many were told. Asking again replaces what was asked before."""
    with transaction.atomic():
        current = _draft_of(draft.playbook)
        wrong = len(problems_of(current.draft or {}))
        if wrong:
            raise NotPossible(f"Mend {counted(wrong, 'thing')} first. Review says which.")
        _ask(current, by=by, note=note, now=now)
        write_down("proposed", current.playbook, after={"version": current.number}, by=by, now=now)
        return _tell(current, list(who_may(current.tenant, Ability.PUBLISH_PLAYBOOKS)), _asks(current, by), by, now)


def decline(draft: PlaybookVersion, *, note: str = "", by: Doer, now: datetime) -> None:
    """Not yet: whoever asked is told why, and the draft stays."""
    with transaction.atomic():
        current = _draft_of(draft.playbook)
        if current.asked_at is None:
            raise NotPossible("Nobody asks for it any more.")
        asker = current.asked_by
        current.asked_at, current.asked_by, current.asked_note = None, None, ""
        current.save(update_fields=["asked_at", "asked_by", "asked_note"])
        write_down("not_yet", current.playbook, after={"version": current.number}, by=by, now=now)
        why = f": “{note.strip()[:NOTE_LIMIT]}”" if note.strip() else ""
        _tell(current, [asker], f"{_name(by)} did not set {current.playbook.name} live yet{why}", by, now)


def _draft_of(playbook: Playbook) -> PlaybookVersion:
    found = PlaybookVersion.objects.select_for_update(of=("self",)).select_related("playbook", "asked_by")
    draft = found.filter(playbook=playbook, published_at__isnull=True).first()
    if draft is None:
        raise NotPossible("This draft was published or discarded meanwhile. Open the playbook again.")
    return draft


def _ask(draft: PlaybookVersion, *, by: Doer, note: str, now: datetime) -> None:
    draft.asked_at, draft.asked_by, draft.asked_note = now, by.member, note.replace("\0", "").strip()[:NOTE_LIMIT]
    draft.save(update_fields=["asked_at", "asked_by", "asked_note"])


def _asks(draft: PlaybookVersion, by: Doer) -> str:
    said = f": “{draft.asked_note}”" if draft.asked_note else ""
    return f"{_name(by)} asks you to set {draft.playbook.name} live{said}"


def _name(by: Doer) -> str:
    return by.member.name if by.member else "An API key"


def _tell(draft: PlaybookVersion, members: list[Membership | None], text: str, by: Doer, now: datetime) -> int:
    url = reverse("playbooks:draft_review", args=[draft.tenant.slug, draft.playbook_id])
    about = {"url": url, "subject": f"playbook:{draft.playbook_id}"}
    return notify(members=members, kind=Notification.Kind.APPROVAL, text=text, **about, by=by, now=now)
