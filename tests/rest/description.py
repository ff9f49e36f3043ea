"""The committed description of the API, read once."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

COMMITTED = Path(settings.BASE_DIR) / "openapi.yaml"


@cache
def description() -> dict[str, Any]:
    """By libyaml: the parser written in Python takes half a minute for it."""
    found: dict[str, Any] = yaml.load(COMMITTED.read_text(), Loader=yaml.CSafeLoader)
    return found
