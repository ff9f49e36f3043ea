"""What comments and files are about: "cta:9". Upper layers name their models in settings.SUBJECTS."""

from typing import Any

from django.apps import apps
from django.conf import settings


def is_there(subject: str) -> bool:
    """In the workspace in force, and not archived."""
    kind, _, id = subject.partition(":")
    if kind not in settings.SUBJECTS or not id.isascii() or not id.isdecimal() or len(id) > 18:
        return False
    model: Any = apps.get_model(settings.SUBJECTS[kind])
    present = {"archived_at": None} if hasattr(model, "archived_at") else {}
    return bool(model.objects.filter(pk=int(id), **present).exists())
