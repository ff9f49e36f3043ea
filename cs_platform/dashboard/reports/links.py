"""Where a report leads to the accounts it is about."""

import json
from urllib.parse import urlencode

from django.urls import reverse

from accounts.table.rule_filter import PARAMETER
from cs_platform.dashboard.reports.asked import Asked


def accounts_address(asked: Asked, **params: str) -> str:
    """The table of accounts, filtered and sorted so, and narrowed to the same people."""
    if asked.csms:
        rule = {"field": "csm", "op": "is_any_of", "value": list(asked.csms)}
        params[PARAMETER] = json.dumps(rule, separators=(",", ":"))
    address = reverse("accounts:list", args=[asked.tenant.slug])
    return f"{address}?{urlencode(params)}" if params else address
