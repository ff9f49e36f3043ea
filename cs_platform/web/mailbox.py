"""One's own mailbox at Google: connected by its owner's word there, and disconnected.

Google sends people back to one address of the installation; the state we signed says to which workspace they belong,
and a cookie that we signed says that it was this browser that asked.
"""

import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from cs_platform.connectors.google import consent_url
from cs_platform.connectors.mailboxes import back_to, begin, disconnect, is_offered, mailbox_of
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires

_SALT = "cs_platform.web.mailbox"
_COOKIE = "mailbox"
SECONDS = 15 * 60


def mailbox_context(request: WorkspaceRequest) -> dict[str, Any]:
    """For the card of the profile page."""
    return {"mailbox": mailbox_of(request.membership), "mailbox_offered": is_offered()}


@never_cache
@require_safe
@requires(Ability.WORK_CTAS)
def ask_google(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """A link, because a form may not lead to other sites."""
    if not is_offered():
        messages.error(request, "This installation has not been introduced to Google. Ask whoever runs it.")
        return redirect("dashboard:profile", slug)
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    state = signing.dumps([slug, nonce], salt=_SALT)
    asked = redirect(consent_url(state=state, verifier=verifier, back_to=back_to(), email=request.membership.email))
    kept: dict[str, Any] = {
        "max_age": SECONDS,
        "httponly": True,
        "secure": settings.SESSION_COOKIE_SECURE,
        "samesite": "Lax",
    }
    asked.set_signed_cookie(_COOKIE, f"{nonce} {verifier}", salt=_SALT, **kept)
    return asked


@never_cache
@require_safe
def google_consent(request: HttpRequest) -> HttpResponse:
    """Where Google sends everybody back to: on to the workspace they came from."""
    try:
        slug, _nonce = signing.loads(request.GET.get("state", ""), salt=_SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        raise Http404 from None
    said = {name: request.GET[name] for name in ("state", "code", "error") if name in request.GET}
    return redirect(f"{reverse('workspace:connect_mailbox', args=[slug])}?{urlencode(said)}")


@never_cache
@require_safe
@requires(Ability.WORK_CTAS)
def connect_mailbox(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Takes what Google said, once, from the very browser that asked."""
    nonce, _space, verifier = (request.get_signed_cookie(_COOKIE, "", salt=_SALT, max_age=SECONDS) or "").partition(" ")
    if not nonce or not _is_ours(request.GET.get("state", ""), nonce, slug):
        messages.error(request, "That answer of Google is not one to a question of yours. Connect it again.")
    elif "code" not in request.GET:
        messages.error(request, "Google was not allowed to connect your mailbox.")
    else:
        begin(request.membership, code=request.GET["code"], verifier=verifier, now=request.now)
        messages.success(request, "Your mailbox is being connected.")
    answer = redirect("dashboard:profile", slug)
    answer.delete_cookie(_COOKIE)
    return answer


def _is_ours(state: str, nonce: str, slug: str) -> bool:
    try:
        said_slug, said_nonce = signing.loads(state, salt=_SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    return bool(said_slug == slug and secrets.compare_digest(said_nonce, nonce))


@require_POST
@requires(Ability.WORK_CTAS)
def disconnect_mailbox(request: WorkspaceRequest, slug: str) -> HttpResponse:
    mailbox = mailbox_of(request.membership)
    if mailbox and disconnect(mailbox, by=request.membership, now=request.now):
        messages.success(request, "Your mailbox is disconnected. What was to be sent from it waits.")
    return redirect("dashboard:profile", slug)
