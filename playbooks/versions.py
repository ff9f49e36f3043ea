"""A playbook's life as a document: drafted or imported, published as an immutable version, live, paused, archived."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.fields import workspace_fields
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer, Tenant, WorkDue
from playbooks.definition import UNSAID, AnyDefinition, StepSpec, TaskList, parse, schedule_json
from playbooks.icons import ICONS
from playbooks.models import Playbook, PlaybookVersion, Step
from playbooks.notices import tell_asker
from playbooks.pausing import Missed, let_go_on, let_wait
from playbooks.schedule import next_time_of_day
from playbooks.stop_jobs import Places, start_stop

UNTITLED = "Untitled playbook"
KEEPS_ITS_AUDIENCE = "A published playbook keeps its audience. Make a copy of it under another key."


class NotPossible(Exception):
    """The playbook is not in a state that allows this; the text says what to do."""


def import_playbook(data: Any, *, by: Doer | None, now: datetime) -> Playbook:
    """Create or revise the playbook of this key, as its draft. Raises DefinitionErrors."""
    definition = parse(data, fields=workspace_fields())
    with transaction.atomic():
        playbook = _upsert(definition, by=by, now=now)
        if _says_the_same(playbook, definition):
            return playbook
        playbook.versions.filter(published_at__isnull=True).delete()
        version = write_draft(playbook, definition.exported(), by=by, now=now)
        write_down("imported", playbook, after={"draft": version.number}, by=by, now=now)
    return playbook


def publish(playbook: Playbook, *, by: Doer | None, now: datetime) -> PlaybookVersion:
    """Make the draft what future enrollments follow; running ones stay on their version. Without a draft, no change."""
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        draft = playbook.versions.filter(published_at__isnull=True).first()
        if draft is None:
            if playbook.version is None:
                raise NotPossible("There is nothing to publish yet. Import or draft the playbook first.")
            return playbook.version
        definition = parse(draft.draft, fields=workspace_fields())  # fields may have gone since it was drafted
        if playbook.version_id and playbook.audience != definition.audience:
            raise NotPossible(KEEPS_ITS_AUDIENCE)
        Step.objects.bulk_create([_step(draft, position, spec) for position, spec in enumerate(definition.steps)])
        PlaybookVersion.objects.filter(pk=draft.pk).update(
            definition=definition.stored(), draft=None, published_at=now, published_by=by.member if by else None
        )
        Playbook.objects.filter(pk=playbook.pk).update(version=draft, **_identity(definition))
        before = {"version": playbook.version.number if playbook.version else None}
        write_down("published", playbook, before=before, after={"version": draft.number}, by=by, now=now)
        if draft.asked_by_id:
            tell_asker(playbook, draft.asked_by, by=by, now=now)
        draft.refresh_from_db()
        return draft


def set_live(playbook: Playbook, *, by: Doer | None, now: datetime, expected_count: int | None = None) -> None:
    """Publish what is drafted and let evaluations enroll. `expected_count` is what the person was shown."""
    was = Playbook.objects.values_list("status", flat=True).get(pk=playbook.pk)
    if was == Playbook.Status.DRY_RUN:
        raise NotPossible("It is in a dry run. Promote it, or discard the dry run first.")
    publish(playbook, by=by, now=now)
    went_live = (
        Playbook.objects.filter(pk=playbook.pk)
        .exclude(status=Playbook.Status.LIVE)
        .update(status=Playbook.Status.LIVE, live_at=now, expected_count=expected_count, first_evaluated_at=None)
    )
    if went_live:
        after = {"status": Playbook.Status.LIVE, "expected_count": expected_count}
        write_down("set_live", playbook, before={"status": was}, after=after, by=by, now=now)
    let_go_on(playbook, missed=Missed.RUN, by=by, now=now)
    announce_evaluation(playbook.tenant, now=now)


def announce_evaluation(tenant: Tenant, *, now: datetime) -> None:
    """Its rules are asked tonight."""
    tonight = next_time_of_day(now, hour=tenant.evaluation_hour, zone=tenant.timezone)
    WorkDue.announce(tenant_id=tenant.pk, queue=WorkDue.Queue.EVALUATE, due_at=tonight)


def pause(playbook: Playbook, *, by: Doer, now: datetime) -> int:
    """No new enrollments, and the running ones wait. Returns how many wait."""
    with transaction.atomic():
        if not _switch("paused", playbook, Playbook.Status.LIVE, Playbook.Status.PAUSED, by=by, now=now):
            return 0
        if playbook.audience == Playbook.Audience.CTAS:
            return 0  # its tasks are there already
        return let_wait(playbook, by=by.actor, now=now)


def resume(playbook: Playbook, *, by: Doer, now: datetime, missed: Missed = Missed.RUN) -> int:
    """The inverse of pause: what fell due meanwhile runs next, in its order, or is skipped. How many go on."""
    with transaction.atomic():
        _switch("resumed", playbook, Playbook.Status.PAUSED, Playbook.Status.LIVE, by=by, now=now)
        return let_go_on(playbook, missed=missed, by=by, now=now)


def archive(playbook: Playbook, *, by: Doer, now: datetime, stop: bool = False) -> int:
    """Put it away: nothing new is enrolled. Returns in how many places a job stops it.

    Raises NotPossible while it is under way somewhere, unless it shall be stopped there (and what it did undone). The
    tasks that a CTA playbook has set up stay.
    """
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        places = Places(playbook.pk)
        count = places.enrollments().count()
        if count and not stop:
            where = f"{count:,} place{'' if count == 1 else 's'}"
            raise NotPossible(f"It is still under way in {where}. Wait until it finishes there, or stop it there, too.")
        _switch("archived", playbook, playbook.status, Playbook.Status.ARCHIVED, by=by, now=now, stopped=count)
        if count:
            start_stop(places, note=f"{playbook.name} was archived.", by=by, now=now)
        return count


def unarchive(playbook: Playbook, *, by: Doer, now: datetime) -> bool:
    """Back among the others, as a draft or paused: setting it live is another decision. False: it was not archived."""
    status = Playbook.Status.PAUSED if playbook.version_id else Playbook.Status.DRAFT
    with transaction.atomic():
        return _switch("unarchived", playbook, Playbook.Status.ARCHIVED, status, by=by, now=now)


def _switch(verb: str, playbook: Playbook, old: str, new: str, *, by: Doer, now: datetime, **more: Any) -> bool:
    """False, and nothing written down, where it is not in the old state, or in the new one already."""
    if old == new or not Playbook.objects.filter(pk=playbook.pk, status=old).update(status=new):
        return False
    write_down(verb, playbook, before={"status": old}, after={"status": new, **more}, by=by, now=now)
    return True


def write_down(verb: str, playbook: Playbook, *, by: Doer | None, now: datetime, **change: Any) -> None:
    about: dict[str, Any] = {"subject_type": "playbook", "subject_id": playbook.pk, "name": playbook.name}
    record(verb=f"playbook.{verb}", **about, **change, by=by, now=now)


def exported(playbook: Playbook, version: PlaybookVersion) -> dict[str, Any]:
    """The JSON that import reads; of a draft, what stands in it."""
    if version.draft is not None:
        return version.draft  # type: ignore[no-any-return]
    identity: dict[str, Any] = {
        "key": playbook.key,
        "name": playbook.name,
        "category": playbook.category,
        "audience": playbook.audience,
    }
    if playbook.audience != Playbook.Audience.CTAS:
        identity |= {"icon": playbook.icon} | UNSAID
    return identity | version.definition | schedule_json(playbook.audience, version.steps.order_by("position"))


def _identity(definition: AnyDefinition) -> dict[str, str]:
    """By what a playbook is known in lists."""
    identity = {"name": definition.name, "category": definition.category, "audience": definition.audience}
    return identity if isinstance(definition, TaskList) else identity | {"icon": definition.icon}


def _upsert(definition: AnyDefinition, *, by: Doer | None, now: datetime) -> Playbook:
    playbook, made = Playbook.objects.get_or_create(
        key=definition.key,
        defaults={**_identity(definition), "created_at": now, "created_by": by.member if by else None},
    )
    if not made:
        if playbook.version_id and playbook.audience != definition.audience:
            raise NotPossible(KEEPS_ITS_AUDIENCE)
        name_after_draft(playbook, definition.exported())
    return playbook


def name_after_draft(playbook: Playbook, draft: Mapping[str, Any]) -> None:
    """Until it is published a playbook is called, and stands in lists, as its draft says; then as was published."""
    if playbook.version_id:
        return
    playbook.name = str(draft.get("name") or "")[:200] or UNTITLED
    playbook.category = str(draft.get("category") or "")[:100]
    playbook.audience = draft["audience"] if draft.get("audience") in Playbook.Audience.values else playbook.audience
    playbook.icon = draft["icon"] if draft.get("icon") in ICONS else playbook.icon
    playbook.save(update_fields=["name", "category", "icon", "audience"])


def _says_the_same(playbook: Playbook, definition: AnyDefinition) -> bool:
    latest = playbook.versions.order_by("-number").first()
    return latest is not None and exported(playbook, latest) == definition.exported()


def write_draft(playbook: Playbook, content: Mapping[str, Any], *, by: Doer | None, now: datetime) -> PlaybookVersion:
    number = playbook.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return playbook.versions.create(
        number=number + 1, draft=content, created_at=now, changed_at=now, changed_by=by.member if by else None
    )


def _step(version: PlaybookVersion, position: int, spec: StepSpec) -> Step:
    return Step(
        version=version,
        key=spec.key,
        position=position,
        offset_days=spec.offset_days,
        anchor=spec.anchor,
        action=spec.action,
        config=spec.config,
        condition=spec.condition,
        keep_on_stop=spec.keep_on_stop,
        approval=spec.approval,
        is_external=spec.handler.external,
    )
