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

    def content_for(self, health_scale: int) -> dict[str, Any]:
        """What a draft begins with. The files say of health how many of a hundred; a workspace may count to ten."""
        content: dict[str, Any] = _scaled(self.content, health_scale / 100)
        return content

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


def _scaled(part: Any, factor: float) -> Any:
    if isinstance(part, list):
        return [_scaled(one, factor) for one in part]
    if not isinstance(part, Mapping):
        return part
    found = {name: _scaled(value, factor) for name, value in part.items()}
    return found | {"value": found["value"] * factor} if found.get("field") == "health" and factor != 1 else found
