"""Imports as heirs of the custom traits they have written over."""

from accounts.heirs import LEGACIES
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

# A column it feeds is remembered beside it, where the import has changed that, too.
_INHERIT = f"""
UPDATE jobs_jobitem i SET before = i.before || jsonb_build_object(
    'traits', i.before -> 'traits'
        || jsonb_build_object(h.trait, jsonb_build_array(h.found -> 'before', h.found -> 'before_writer')),
    'columns', CASE WHEN i.before -> 'columns' ? d.column
        THEN i.before -> 'columns' || jsonb_build_object(d.column, h.found -> 'before_mirror')
        ELSE COALESCE(i.before -> 'columns', '{{}}'::jsonb) END)
FROM {LEGACIES} JOIN accounts_traitdefinition d ON d.tenant_id = %(tenant)s AND d.scope = h.scope AND d.key = h.trait
WHERE i.tenant_id = %(tenant)s AND i.subject = h.scope || ':' || h.target_id
  AND i.before #>> ARRAY['traits', h.trait, '1'] = h.writer
RETURNING i.id
"""


class Imports:
    def inherit(self, legacies: str) -> None:
        fetch(_INHERIT, {"tenant": current_tenant_id(), "legacies": legacies})
