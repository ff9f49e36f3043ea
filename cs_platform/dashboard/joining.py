"""Outside any workspace: following the link of an invitation, and stopping mails without signing in."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib import messages
from django.contrib.auth import login
from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from cs_platform.tenancy.audit import calling_from, client_address
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, User
from cs_platform.workspace import invitations
from cs_platform.workspace.invitations import CannotAccept
from cs_platform.workspace.letters import STOP_SALT
from cs_platform.workspace.models import Invitation
from cs_platform.workspace.notifications import stop_mails

from .forms import JoinForm

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """A link that is unknown, used, revoked or too old gets one and the same answer."""
    tenant = invitations.tenant_of(token)
    if tenant is None:
        return _gone(request)
    with calling_from(client_address(request)), tenant_context(tenant.pk):
        now = database_now()
        invitation = invitations.find(token, now=now)
        if invitation is None:
            return _gone(request)
        return _join(request, tenant, invitation, now)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/invitation_gone.html", status=404)


def _join(request: HttpRequest, tenant: Tenant, invitation: Invitation, now: Any) -> HttpResponse:
    user = request.user if request.user.is_authenticated else None
    known = user or User.objects.filter(email=invitation.email).first()
    form = None if known else JoinForm(request.POST if request.method == "POST" else None, email=invitation.email)
    if request.method == "POST" and (user or (form and form.is_valid())):
        try:
            with transaction.atomic():
                user = user or _new_login(invitation, form)
                invitations.accept(invitation, user=user, name=user.get_full_name(), now=now)
        except CannotAccept as refusal:
            return _page(request, tenant, invitation, form, problem=str(refusal))
        if not request.user.is_authenticated:
            login(request, user, backend=BACKEND)
        messages.success(request, f"Welcome to {tenant.name}")
        return redirect("dashboard:home", tenant.slug)
    return _page(request, tenant, invitation, form)


def _new_login(invitation: Invitation, form: Any) -> User:
    """Whoever has the link has read that mailbox, so its address counts as proven."""
    said = form.cleaned_data
    user = User.objects.create_user(email=invitation.email, password=said["password"], name=said["name"])
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def _page(
    request: HttpRequest, tenant: Tenant, invitation: Invitation, form: Any, *, problem: str = ""
) -> HttpResponse:
    context = {
        "tenant_name": tenant.name,
        "invitation": invitation,
        "form": form,
        "problem": problem,
        "is_other": request.user.is_authenticated and request.user.email.lower() != invitation.email,
        "sign_in": f"{resolve_url('account_login')}?{urlencode({'next': request.path})}",
    }
    bad = problem or (form is not None and form.is_bound)
    return render(request, "dashboard/join.html", context, status=422 if bad else 200)


@csrf_exempt  # mail programs send it of their own accord (RFC 8058); the address proves who it is for
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_mail(request: HttpRequest, token: str) -> HttpResponse:
    """A visit asks, a POST does: what looks at links in mails must not stop them."""
    try:
        tenant_id, member_id, what = signing.loads(token, salt=STOP_SALT)
    except (signing.BadSignature, ValueError) as wrong:
        raise Http404("There is no such link.") from wrong
    with tenant_context(tenant_id):
        member = Membership.objects.in_tenant(tenant_id).select_related("tenant").filter(pk=member_id).first()
        if member is None:
            raise Http404("There is no such link.")
        if request.method == "POST":
            stop_mails(member, what=what)
        context = {"member": member, "daily": what == "daily", "done": request.method == "POST"}
        return render(request, "dashboard/stop_mail.html", context)
