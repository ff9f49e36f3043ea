"""Step Review: what the draft would do on one account, before anything is set live."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.definition import DefinitionErrors
from playbooks.trying import try_on
from playbooks.versions import NotPossible
from playbooks.views.loading import render_dialog
from playbooks.views.wizard import Wizard, open_wizard


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def try_draft(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    wizard = open_wizard(request, pk, "review")
    if isinstance(wizard, HttpResponse):
        return wizard
    context = {"playbook": wizard.playbook, "wizard": wizard, **_tried(wizard)}
    return render_dialog(request, "try", context)


def _tried(wizard: Wizard) -> dict[str, Any]:
    subject = wizard.example_subject
    if subject is None:
        return {"refusal": "There is no account yet to try it on."}
    about_users = wizard.content.get("audience") == "users"
    if about_users and subject.end_user_id is None:
        return {"refusal": f"{subject.account.name} has no user yet to try it on."}
    by, now = wizard.request.membership, wizard.request.now
    try:
        return {"tried": try_on(wizard.playbook, subject.account, subject.end_user_id, by=by, now=now)}
    except DefinitionErrors:
        return {"refusal": "Mend first what stands in its way to going live."}
    except NotPossible as refusal:
        return {"refusal": str(refusal)}
