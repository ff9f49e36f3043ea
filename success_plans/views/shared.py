"""The customer's page. No session: whoever has the link sees what was picked, and nothing once it is over."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from cs_platform.tenancy.audit import client_address
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Credential, Tenant, hash_token
from success_plans.models import ShareLink
from success_plans.sharing import PREFIX, note_visit, shared_plan

MAX_TOKEN = 100
# The address is the key: it is kept in no cache, given to no other site, found by no search engine.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """A link that never was, one that was revoked and one that is over get the same plain answer."""
    response = _opened(request, token) or render(request, "plans/shared_over.html", status=404)
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _opened(request: HttpRequest, token: str) -> HttpResponse | None:
    if not token.startswith(PREFIX) or len(token) > MAX_TOKEN:
        return None
    known = Credential.objects.filter(token_hash=hash_token(token), kind=Credential.Kind.SHARE_LINK)
    credential = known.select_related("tenant").first()
    if credential is None:
        return None
    with tenant_context(credential.tenant_id), timezone.override(ZoneInfo(credential.tenant.timezone)):
        return _page(request, credential.token_hash, credential.tenant)


def _page(request: HttpRequest, token_hash: str, tenant: Tenant) -> HttpResponse | None:
    now = database_now()
    usable = ShareLink.objects.usable(now).filter(plan__archived_at=None, plan__account__archived_at=None)
    link = usable.select_related("plan__type", "plan__account", "plan__owner").filter(token_hash=token_hash).first()
    if link is None:
        return None
    today = timezone.localdate(now)
    context = {
        "shown": shared_plan(link, today=today),
        "workspace": tenant.name,
        "account": link.plan.account.name,
        "now": now,
        "today": today,
    }
    response = render(request, "plans/shared.html", context)
    if request.method == "GET":
        note_visit(link, ip=client_address(request), browser=request.headers.get("User-Agent", ""), now=now)
    return response
