"""The measured playbooks: thirty rule trees from a file, each with the same five steps."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cs_platform.bench.profiles import NOW
from cs_platform.tenancy.models import Tenant
from playbooks.models import Playbook
from playbooks.versions import import_playbook, set_live

RULES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "rules.json").read_text())
ACCOUNT_RULES = 18  # the first ones ask the account's own row only
NO_BRAKE = 10_000_000


def make_live(tenant: Tenant, rule: dict[str, Any], *, days: Sequence[int]) -> Playbook:
    """`days` says when each of the five steps falls due. What it raises and opens is named after it."""
    name = rule["key"].replace("-", " ").capitalize()
    definition = {
        "key": rule["key"],
        "name": name,
        "rules": {"account": rule.get("account"), "user": rule.get("user")},
        "brake_limit": NO_BRAKE,
        "steps": _steps(tenant, name, days),
    }
    playbook = import_playbook(definition, by=None, now=NOW)
    set_live(playbook, by=None, now=NOW)
    playbook.refresh_from_db()
    return playbook


def _steps(tenant: Tenant, name: str, days: Sequence[int]) -> list[dict[str, Any]]:
    fallback = f"member:0@{tenant.slug}.example"
    configs = [
        ("create_indicator", {"kind": "risk", "title": f"Look: {name}", "note": "{{ account.name }} needs a look"}),
        (
            "create_cta",
            {
                "name": "Talk to {{ account.name }}",
                "reason": name,
                "fallback_owner": fallback,
                "due_in_days": 7,
                "tasks": [{"title": "Read up on them", "due_in_days": 2}, {"title": "Call", "due_in_days": 7}],
            },
        ),
        ("update_trait", {"trait": "stage", "value": "Renewal"}),
        ("update_trait", {"trait": "qbr_on", "mode": "relative_date", "days": 30}),
        ("create_indicator", {"kind": "opportunity", "title": f"Grow: {name}", "assignee": ""}),
    ]
    return [
        {"key": f"step-{at}", "day": day, "action": action, "config": config}
        for at, (day, (action, config)) in enumerate(zip(days, configs, strict=True))
    ]
