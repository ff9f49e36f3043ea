"""Playbooks in Quick Jump."""

from collections.abc import Iterable

from django.urls import reverse

from cs_platform.web.jump import EACH, Hit, begins
from cs_platform.web.pages import WorkspaceRequest
from playbooks.models import Playbook

LOOKED_AT = 1_000


class Playbooks:
    label = "Playbooks"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if not text:
            return []
        present = Playbook.objects.exclude(status=Playbook.Status.ARCHIVED).order_by("name", "pk")
        named = present.only("tenant_id", "name", "status", "icon")[:LOOKED_AT]
        return [_playbook(request, one) for one in named if begins(one.name, text)][:EACH]


def _playbook(request: WorkspaceRequest, playbook: Playbook) -> Hit:
    url = reverse("playbooks:detail", args=[request.tenant.slug, playbook.pk])
    return Hit(playbook.name, url, playbook.icon, detail=playbook.get_status_display())
