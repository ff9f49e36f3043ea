"""Where the link of a message leads: one click, without signing in, and it can be taken back (RFC 8058)."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.conversations.suppressing import is_unsubscribed, read_leave, subscribe_again, unsubscribe
from accounts.models import Conversation
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context


@csrf_exempt  # mail programs post by themselves, and the link itself is the permission
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """Looking changes nothing: mail scanners follow every link."""
    named = read_leave(token)
    if named is None:
        raise Http404
    with tenant_context(named.tenant_id):
        mine = Conversation.objects.select_related("tenant", "end_user")
        conversation = get_object_or_404(mine, pk=named.conversation_id)
        if request.method == "POST":
            decide = subscribe_again if "again" in request.POST else unsubscribe
            decide(conversation, now=database_now())
        context = {"conversation": conversation, "is_out": is_unsubscribed(conversation)}
        response = render(request, "accounts/unsubscribe.html", context)
    add_never_cache_headers(response)
    return response
