"""Runs as heirs of what they have written over: of other playbooks, of bulk edits and of imports."""

from accounts.heirs import LEGACIES
from accounts.models import TraitDefinition
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

# A user's value may have been written over through any of their accounts.
_OF = {TraitDefinition.Scope.ACCOUNT: "account_id", TraitDefinition.Scope.USER: "end_user_id"}
_INHERIT = f"""
UPDATE playbooks_actionrun r SET receipt = r.receipt || h.found || jsonb_build_object('inherited', true)
FROM {LEGACIES} JOIN playbooks_enrollment e ON e.tenant_id = %(tenant)s AND e.{{subject}} = h.target_id
WHERE h.scope = %(scope)s AND r.tenant_id = e.tenant_id AND r.enrollment_id = e.id
  AND r.state IN ('applied', 'undoing') AND r.receipt ->> 'before_writer' = h.writer
  AND (r.receipt ->> 'target_id')::bigint = h.target_id AND COALESCE(r.receipt ->> 'key', '') = h.trait
RETURNING r.id
"""


class Runs:
    def inherit(self, legacies: str) -> None:
        for scope, subject in _OF.items():
            given = {"tenant": current_tenant_id(), "legacies": legacies, "scope": scope.value}
            fetch(_INHERIT.format(subject=subject), given)
