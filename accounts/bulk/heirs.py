"""Bulk edits as heirs of what they have written over."""

from accounts.heirs import LEGACIES
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

_INHERIT = f"""
UPDATE jobs_jobitem i SET before = i.before || (h.found - 'before_text') FROM {LEGACIES}
WHERE i.tenant_id = %(tenant)s AND i.subject = h.scope || ':' || h.target_id
  AND i.before ->> 'before_writer' = h.writer
RETURNING i.id
"""


class BulkEdits:
    def inherit(self, legacies: str) -> None:
        fetch(_INHERIT, {"tenant": current_tenant_id(), "legacies": legacies})
