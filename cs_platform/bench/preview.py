"""What somebody waits for who writes a playbook: the preview of a rule as it is typed, and the whole of Review."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.template.loader import render_to_string

from accounts.fields import workspace_fields
from accounts.matching import Asking, Found
from accounts.rules.compile import Audience, matching_accounts
from accounts.rules.fields import FieldSet
from accounts.rules.grammar import parse_pair
from cs_platform.bench.data import make_workspaces
from cs_platform.bench.evaluate import CLOCK, DAYS
from cs_platform.bench.measure import cost_of
from cs_platform.bench.playbooks import RULES, make_live
from cs_platform.bench.profiles import NOW, Profile
from cs_platform.bench.report import Report, Requests, percentile, rounded
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.ahead import Ahead, look_ahead
from playbooks.conflicts import find_conflicts
from playbooks.definition import Definition, parse
from playbooks.models import Playbook
from playbooks.versions import exported

ROUNDS = 2


def preview(accounts: int) -> Report:
    """One workspace, thirty rules; every one of their playbooks is live while each is reviewed."""
    [tenant] = make_workspaces(Profile(accounts=accounts, workspaces=1))
    with tenant_context(tenant.pk):
        fields = workspace_fields()
        playbooks = [make_live(tenant, rule, days=DAYS) for rule in RULES]
        rules = [Audience(*parse_pair(rule.get("account"), rule.get("user"), fields=fields)) for rule in RULES]
        asked = [Asking(rule, about_users=False, tenant_id=tenant.pk, clock=CLOCK, people={}) for rule in rules]
        shown = [cost_of(partial(_show, one)) for _round in range(ROUNDS) for one in asked]
        counts = [found.count for _cost, found in shown]
        equal = all(count == _counted(one) for count, one in zip(counts, asked, strict=False))
        drafts = [(_definition(one, fields), one) for one in playbooks]
        read = [cost_of(partial(_review, *pair, tenant, fields)) for pair in drafts]
    costs = {"preview": [cost for cost, _found in shown], "review": [cost for cost, _ahead in read]}
    figures: dict[str, Any] = {"accounts": accounts, "rules": len(rules)}
    figures["too_long"] = counts.count(None) + sum(ahead is None for _cost, ahead in read)
    for name, found in costs.items():
        figures |= {f"{name}_ms_p{at}": rounded(percentile([cost.wall for cost in found], at)) for at in (50, 95)}
    names = {"preview": "preview of a rule", "review": "review of a draft"}
    lines: Sequence[Requests] = [Requests(names[name], found) for name, found in costs.items()]
    return Report(figures | {"equal": equal}, lines)


def _counted(asking: Asking) -> int:
    found = matching_accounts(asking.audience, **asking.where)
    return len(fetch(found.text, found.params))


def _show(asking: Asking) -> Found:
    """As the page does: count, examples, near misses, and how many each condition lets through alone."""
    found = asking.found()
    alone = [(f"alone-{at}", count) for at, count in enumerate(found.alone or ())]
    render_to_string("accounts/rules/_preview.html", {"asking": asking, "found": found, "alone": alone})
    return found


def _definition(playbook: Playbook, fields: FieldSet) -> Definition:
    assert playbook.version is not None
    found = parse(exported(playbook, playbook.version), fields=fields)
    assert isinstance(found, Definition)
    return found


def _review(definition: Definition, playbook: Playbook, tenant: Tenant, fields: FieldSet) -> Ahead | None:
    ahead = look_ahead(definition, playbook, tenant=tenant, fields=fields, now=NOW)
    find_conflicts(definition, playbook, tenant=tenant, fields=fields, now=NOW)
    return ahead
