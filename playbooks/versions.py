"""A playbook's life as a document: drafted or imported, published as an immutable version, live, paused, archived."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.fields import workspace_fields
from cs_platform.tenancy.models import Membership
from playbooks.definition import Definition, StepSpec, parse, step_json
from playbooks.models import Enrollment, Playbook, PlaybookVersion, Step


class NotPossible(Exception):
    """The playbook is not in a state that allows this; the text says what to do."""


def import_playbook(data: Any, *, by: Membership | None, now: datetime) -> Playbook:
    """Create or revise the playbook of this key, as its draft. Raises DefinitionErrors."""
    definition = parse(data, fields=workspace_fields())
    with transaction.atomic():
        playbook = _upsert(definition, by=by, now=now)
        if _says_the_same(playbook, definition):
            return playbook
        playbook.versions.filter(published_at__isnull=True).delete()
        _write_version(playbook, definition, now=now)
    return playbook


def publish(playbook: Playbook, *, by: Membership | None, now: datetime) -> PlaybookVersion:
    """Make the draft what future enrollments follow; running ones stay on their version. Without a draft, no change."""
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        draft = playbook.versions.filter(published_at__isnull=True).first()
        if draft is None:
            if playbook.version is None:
                raise NotPossible("There is nothing to publish yet. Import or draft the playbook first.")
            return playbook.version
        parse(exported(playbook, draft), fields=workspace_fields())  # fields may have gone since it was drafted
        PlaybookVersion.objects.filter(pk=draft.pk).update(published_at=now, published_by=by)
        Playbook.objects.filter(pk=playbook.pk).update(version=draft)
        draft.refresh_from_db()
        return draft


def set_live(playbook: Playbook, *, by: Membership | None, now: datetime, expected_count: int | None = None) -> None:
    """Publish what is drafted and let evaluations enroll. `expected_count` is what the person was shown."""
    publish(playbook, by=by, now=now)
    Playbook.objects.filter(pk=playbook.pk).exclude(status=Playbook.Status.LIVE).update(
        status=Playbook.Status.LIVE, live_at=now, expected_count=expected_count, first_evaluated_at=None
    )


def pause(playbook: Playbook) -> int:
    """No new enrollments, and the running ones wait. Returns how many wait."""
    with transaction.atomic():
        Playbook.objects.filter(pk=playbook.pk, status=Playbook.Status.LIVE).update(status=Playbook.Status.PAUSED)
        return playbook.enrollments.filter(state=Enrollment.State.ACTIVE).update(state=Enrollment.State.PAUSED)


def resume(playbook: Playbook) -> int:
    """The inverse of pause: what fell due meanwhile runs next, in its order."""
    with transaction.atomic():
        Playbook.objects.filter(pk=playbook.pk, status=Playbook.Status.PAUSED).update(status=Playbook.Status.LIVE)
        return playbook.enrollments.filter(state=Enrollment.State.PAUSED).update(state=Enrollment.State.ACTIVE)


def exported(playbook: Playbook, version: PlaybookVersion) -> dict[str, Any]:
    """The JSON that import reads."""
    identity = {
        "key": playbook.key,
        "name": playbook.name,
        "category": playbook.category,
        "audience": playbook.audience,
    }
    return identity | version.definition | {"steps": [step_json(step) for step in version.steps.order_by("position")]}


def _upsert(definition: Definition, *, by: Membership | None, now: datetime) -> Playbook:
    playbook, made = Playbook.objects.get_or_create(
        key=definition.key,
        defaults={
            "name": definition.name,
            "category": definition.category,
            "audience": definition.audience,
            "created_at": now,
            "created_by": by,
        },
    )
    if not made:
        if playbook.version_id and playbook.audience != definition.audience:
            raise NotPossible("A published playbook keeps its audience. Import it under another key.")
        playbook.name, playbook.category, playbook.audience = definition.name, definition.category, definition.audience
        playbook.save(update_fields=["name", "category", "audience"])
    return playbook


def _says_the_same(playbook: Playbook, definition: Definition) -> bool:
    latest = playbook.versions.order_by("-number").first()
    return latest is not None and exported(playbook, latest) == definition.exported()


def _write_version(playbook: Playbook, definition: Definition, *, now: datetime) -> PlaybookVersion:
    number = playbook.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = playbook.versions.create(number=number + 1, definition=definition.stored(), created_at=now)
    Step.objects.bulk_create([_step(version, position, spec) for position, spec in enumerate(definition.steps)])
    return version


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
        is_external=spec.handler.external,
    )
