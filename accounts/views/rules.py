"""What the rule editor asks while somebody works in it."""

import re

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from accounts.rule_field import RuleField
from accounts.rules.fields import Subject
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires, trigger

CHANGED = "rule:changed"  # the browser event on which previews ask again
_NAME = re.compile(r"[A-Za-z][\w-]{0,60}")


@require_POST
@requires(Ability.READ)
def edit_rule(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """The editor after one of its buttons. It keeps nothing: the form it stands in holds the whole rule."""
    name, subject = request.GET.get("name", ""), request.GET.get("subject", "")
    if not _NAME.fullmatch(name) or subject not in {one.value for one in Subject}:
        raise Http404("No such editor.")
    widget = RuleField(Subject(subject), required=False).widget
    draft = widget.value_from_datadict(request.POST, {}, name)
    draft.editing = True
    return trigger(HttpResponse(widget.render(name, draft)), CHANGED, {"name": name})
