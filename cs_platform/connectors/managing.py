"""Setting connectors up, renewing their secrets, putting them away: each leaves an entry in the audit log."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.common.outbound import BadAddress, target_of
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.connectors.providers import PROVIDERS
from cs_platform.connectors.sealing import CannotOpen, present_prefix, seal, unseal
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, WorkDue

LIMIT = 50
OVERLAP = timedelta(hours=24)  # how long the former secret signs beside the new one
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class CannotConnect(ValueError):
    """The text is for a person; `field` says what it is about."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def connect(
    *, kind: str, key: str, name: str, url: str = "", secret: str = "", by: Doer, now: datetime
) -> tuple[Connector, str]:
    """The connector and its secret, which is shown this once. Raises CannotConnect."""
    provider = PROVIDERS[kind]
    if not KEY.fullmatch(key):
        raise CannotConnect("key", "Use 1 to 40 lower-case letters, digits, hyphens or underscores.")
    made = Connector(kind=kind, key=key, name=name, created_at=now, filled_at=now, created_by=by.member)
    made.tokens, made.look_at = provider.per_second, now if provider.is_read else None
    made.url = _checked_url(kind, url)
    kept = _checked_secret(kind, secret)
    made.hold({"secret": kept})
    if Connector.objects.present().count() >= LIMIT:
        raise CannotConnect("key", f"A workspace has at most {LIMIT} connectors. Put one away that is not used.")
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise CannotConnect("key", "Another connector has this key. Choose another one.") from None
    _go_on(now)
    _write_down("connected", made, after={"url": made.url, "last_four": made.last_four}, by=by, now=now)
    return made, kept


def change(connector: Connector, *, name: str, url: str, by: Doer, now: datetime) -> bool:
    """Name and address. Raises CannotConnect."""
    before = {"name": connector.name, "url": connector.url}
    connector.name, connector.url = name, _checked_url(connector.kind, url)
    after = {"name": connector.name, "url": connector.url}
    if before == after:
        return False
    connector.save(update_fields=["name", "url"])
    _write_down("changed", connector, before=before, after=after, by=by, now=now)
    return True


def renew_secret(connector: Connector, *, secret: str = "", by: Doer, now: datetime) -> str:
    """A new secret; where we sign, the former one signs beside it for a day. What was held goes on."""
    kept = _checked_secret(connector.kind, secret)
    held = {"secret": kept}
    if connector.provider.makes_secret:
        held["former"] = connector.secrets(now=now)["secret"]
        connector.former_until = now + OVERLAP
    before = {"last_four": connector.last_four}
    connector.hold(held)
    _as_new(connector, now)
    connector.save()
    _write_down("renewed", connector, before=before, after={"last_four": connector.last_four}, by=by, now=now)
    return kept


def try_again(connector: Connector, *, by: Doer, now: datetime) -> bool:
    """Somebody has mended it on the other side: what was held goes on. False when it was not refused."""
    if connector.state == Connector.State.ACTIVE and connector.open_until is None:
        return False
    _as_new(connector, now)
    connector.save()
    _write_down("tried_again", connector, by=by, now=now)
    return True


def put_away(connector: Connector, *, by: Doer, now: datetime) -> bool:
    """What playbooks would send with it waits for a person from now on. Its secret is forgotten."""
    present = Connector.objects.present().filter(pk=connector.pk)
    if not present.update(archived_at=now, sealed="", last_four=""):
        return False
    _write_down("put_away", connector, by=by, now=now)
    return True


def reseal() -> int:
    """Brings what was sealed under a former key under the present one, mailboxes too. Returns how many.

    What was renewed meanwhile is left alone, and what no key opens stays until somebody enters it again.
    """
    sealed = (Connector.objects.present(), Mailbox.objects.all())
    behind = (rows.exclude(sealed="").exclude(sealed__startswith=present_prefix()).order_by("pk") for rows in sealed)
    return sum(_reseal(one) for rows in behind for one in rows)


def _reseal(holder: Connector | Mailbox) -> int:
    try:
        secrets = unseal(holder.sealed, tenant_id=current_tenant_id())
    except CannotOpen:
        return 0
    unchanged = type(holder).objects.filter(pk=holder.pk, sealed=holder.sealed)
    return unchanged.update(sealed=seal(secrets, tenant_id=current_tenant_id()))


def _as_new(connector: Connector, now: datetime) -> None:
    connector.state, connector.state_reason, connector.told_at = Connector.State.ACTIVE, "", None
    connector.failures, connector.open_until = 0, None
    _go_on(now)


def _go_on(now: datetime) -> None:
    """What waits for a connector of this key is looked at again."""
    WorkDue.announce(tenant_id=current_tenant_id(), queue=WorkDue.Queue.DELIVER, due_at=now)


def _checked_url(kind: str, url: str) -> str:
    provider = PROVIDERS[kind]
    if provider.url_is_secret or (not url and provider.has_own_url):
        return ""
    try:
        target_of(url)
    except BadAddress as refusal:
        raise CannotConnect("url", str(refusal)) from None
    return url


def _checked_secret(kind: str, secret: str) -> str:
    try:
        return PROVIDERS[kind].check_secret(secret.strip())
    except ValueError as refusal:
        raise CannotConnect("secret", str(refusal)) from None


def _write_down(verb: str, connector: Connector, *, by: Doer, now: datetime, **change: Any) -> None:
    about: dict[str, Any] = {"subject_type": "connector", "subject_id": connector.pk, "name": connector.name}
    record(verb=f"connector.{verb}", **about, **change, by=by, now=now)
