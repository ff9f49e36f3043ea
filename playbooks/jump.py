"""Playbooks in Quick Jump."""

from collections.abc import Iterable

from django.urls import reverse

from cs_platform.web.jump import EACH, Hit, begins
from cs_platform.web.pages import WorkspaceRequest
from playbooks.library import Counts, count_enrollments
from playbooks.models import Playbook

LOOKED_AT = 1_000


class Playbooks:
    label = "Playbooks"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if not text:
            return []
        present = Playbook.objects.exclude(status=Playbook.Status.ARCHIVED).order_by("name", "pk")
        named = present.only("tenant_id", "name", "status", "icon")[:LOOKED_AT]
        found = [one for one in named if begins(one.name, text)][:EACH]
        counts = count_enrollments([one.pk for one in found]) if found else {}
        return [_playbook(request, one, counts.get(one.pk, Counts()).active) for one in found]


def _playbook(request: WorkspaceRequest, playbook: Playbook, active: int) -> Hit:
    url = reverse("playbooks:detail", args=[request.tenant.slug, playbook.pk])
    state = playbook.get_status_display()
    return Hit(playbook.name, url, playbook.icon, detail=f"{state} · {active:,} active" if active else state)
