"""Apply playbook: by hand, to one account or one of its users."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from accounts.models import Account
from accounts.reach import refuse_beyond
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.forms import ApplyForm
from playbooks.models import Enrollment
from playbooks.views.loading import changed, history_address, render_dialog


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RUN_PLAYBOOKS)
def apply(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    account = get_object_or_404(Account.objects.present(), pk=pk)
    refuse_beyond(request.membership, Ability.RUN_PLAYBOOKS, account)
    form = ApplyForm(request.POST if request.method == "POST" else None, account=account, asked=request.GET)
    if request.method == "POST" and form.is_valid():
        enrollment = _apply(request, account, form)
        if enrollment:
            text = f"{enrollment.playbook.name} applied"
            return changed(request, text, address=history_address(request, enrollment))
    context = {"account": account, "form": form}
    status = 422 if form.is_bound else 200
    return render_dialog(request, "apply", context, status=status)


def _apply(request: WorkspaceRequest, account: Account, form: ApplyForm) -> Enrollment | None:
    try:
        return apply_by_hand(
            playbook=form.cleaned_data["playbook"],
            account=account,
            end_user=form.cleaned_data["end_user"],
            by=request.membership.actor,
            now=request.now,
        )
    except AlreadyActive as refusal:
        form.add_error("playbook", str(refusal))
        return None
