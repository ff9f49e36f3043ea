"""Variables in letters that people write, filled in as in what playbooks write (settings.LETTER_TEXTS)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from accounts.models import Account, EndUser
from accounts.writing import CannotWrite
from actions.base import Batch, Held, Run
from actions.variables import ACCOUNT, CSM, SENDER, USER, load_texts, workspace_variables
from cs_platform.common import message_templates
from cs_platform.common.message_templates import TemplateError
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership, Tenant

_MARKS = ("{{", "{%")


def fill_in(
    texts: Mapping[str, str], *, account: Account, to: EndUser, sender: Membership, now: datetime
) -> Mapping[str, str]:
    """By their fields. What has no variables stays as it is, at any length. Raises CannotWrite."""
    sources = {field: text for field, text in texts.items() if any(mark in text for mark in _MARKS)}
    if not sources:
        return texts
    for field, text in sources.items():
        _check(field, text)
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    run = Run(uuid4(), 0, account.pk, to.pk, None, zone, None)
    batch = Batch(current_tenant_id(), {}, now, now.astimezone(ZoneInfo(zone)).date(), "", "", [run])
    found = load_texts(batch, sources, recipients={run.id: to.pk}, senders={run.id: sender.pk}).of(run)
    if isinstance(found, Held):
        raise CannotWrite(next(reversed(sources)), found.reason)
    return {**texts, **found}


def _check(field: str, text: str) -> None:
    try:
        template = message_templates.parse(text)
    except TemplateError as error:
        raise CannotWrite(field, str(error)) from error
    for sentence in message_templates.unknown_variables(template, workspace_variables((ACCOUNT, USER, CSM, SENDER))):
        raise CannotWrite(field, sentence)
