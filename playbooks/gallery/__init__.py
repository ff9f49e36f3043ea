"""Playbooks for the usual jobs, to begin with: a file each beside this one, in the form that import reads.

They ask only for what every workspace knows, so that each is finished as it stands.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playbooks.icons import ICONS


@dataclass(frozen=True, slots=True)
class Template:
    key: str
    name: str
    category: str
    summary: str
    icon: str
    content: Mapping[str, Any]

    @property
    def tone(self) -> str:
        return ICONS[self.icon].tone


@cache
def templates() -> tuple[Template, ...]:
    files = sorted(Path(__file__).parent.glob("*.json"))
    found = [_template(json.loads(file.read_text())) for file in files]
    return tuple(sorted(found, key=lambda one: (one.category, one.name)))


def find_template(key: str) -> Template | None:
    return next((one for one in templates() if one.key == key), None)


def _template(data: dict[str, Any]) -> Template:
    summary = data.pop("summary")
    return Template(data["key"], data["name"], data["category"], summary, data["icon"], data)
