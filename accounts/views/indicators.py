"""What a person does about an indicator."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from accounts.models import Indicator
from accounts.views.loading import changed
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def address_indicator(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    indicator = get_object_or_404(Indicator, pk=pk)
    indicator.address(by=request.membership, now=request.now)
    return changed(request, indicator.account_id, f"{indicator.title} marked as addressed")
