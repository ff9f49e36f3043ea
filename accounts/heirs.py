"""Values that playbooks, bulk edits and imports wrote one over the other.

Whoever is taken back from below leaves what it had found to whoever wrote over it, its heir, so that the last one out
restores what was there before all of them. Both hold the account or user locked meanwhile.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Legacy:
    scope: str  # "account" or "user"
    target_id: int
    writer: str  # who leaves: "run:0198…", "job:3", "import:3"
    found: Mapping[str, Any]  # before, before_text, before_writer, and for a trait before_mirror
    trait: str = ""  # its key; empty where it is about who holds a role


class Heirs(Protocol):
    """Upper layers name theirs in settings.HEIRS."""

    def inherit(self, legacies: str) -> None:
        """Whoever remembers to have found what one of these writers wrote remembers what that one had found instead.

        A JSON list, for a statement to read FROM LEGACIES.
        """


LEGACIES = (
    "jsonb_to_recordset(%(legacies)s::jsonb) AS h(scope text, target_id bigint, writer text, found jsonb, trait text)"
)


def hand_over(legacies: Iterable[Legacy]) -> None:
    rows = [asdict(one) for one in legacies]
    if not rows:
        return
    for path in settings.HEIRS:
        heirs: Heirs = import_string(path)()
        heirs.inherit(json.dumps(rows))
