"""The customer's page. No login: whoever has the link sees what was picked, and nothing once it is over.

Where the link lets them, stakeholders prove by a code in their mail who they are, and do what is theirs. That is kept
in a signed cookie of this link, which the link outlives.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from cs_platform.tenancy.audit import client_address
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Credential, hash_token
from cs_platform.web.comments import CommentForm
from cs_platform.workspace.comments import load_thread, show
from ctas.models import Task
from success_plans import guests
from success_plans.forms import CodeForm, GuestForm
from success_plans.guests import STAYS, Guest
from success_plans.models import ShareLink
from success_plans.sharing import PREFIX, note_visit, shared_plan

MAX_TOKEN = 100
# The address is the key: it is kept in no cache, given to no other site, found by no search engine. (Told to nobody at
# all, a browser would not say either where a form of the page comes from, and it would be refused.)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
View = Callable[[HttpRequest, ShareLink, datetime], HttpResponse]


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """A link that never was, one that was revoked and one that is over get the same plain answer."""
    return _through(request, token, _visited)


@require_POST
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """For a code. Whoever asks does not learn whose address is known here."""
    return _through(request, token, _asked)


@require_POST
def enter(request: HttpRequest, token: str) -> HttpResponse:
    return _through(request, token, _entered)


@require_POST
def leave(request: HttpRequest, token: str) -> HttpResponse:
    return _through(request, token, lambda request, link, now: _without_cookies(_back(request), link))


@require_POST
def tick(request: HttpRequest, token: str, pk: str, verb: str) -> HttpResponse:
    return _through(request, token, lambda request, link, now: _ticked(request, link, now, int(pk), verb))


@require_POST
def say(request: HttpRequest, token: str) -> HttpResponse:
    return _through(request, token, _said)


# Which link, and who is there -----------------------------------------------------------------------------------------


def _through(request: HttpRequest, token: str, view: View) -> HttpResponse:
    response = _opened(request, token, view) or render(request, "plans/shared_over.html", status=404)
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _opened(request: HttpRequest, token: str, view: View) -> HttpResponse | None:
    if not token.startswith(PREFIX) or len(token) > MAX_TOKEN:
        return None
    known = Credential.objects.filter(token_hash=hash_token(token), kind=Credential.Kind.SHARE_LINK)
    credential = known.select_related("tenant").first()
    if credential is None:
        return None
    with tenant_context(credential.tenant_id), timezone.override(ZoneInfo(credential.tenant.timezone)):
        now = database_now()
        link = _usable(credential.token_hash, now)
        return view(request, link, now) if link else None


def _usable(token_hash: str, now: datetime) -> ShareLink | None:
    usable = ShareLink.objects.usable(now).filter(plan__archived_at=None, plan__account__archived_at=None)
    known = usable.select_related("plan__type", "plan__account", "plan__owner", "plan__tenant")
    found: ShareLink | None = known.filter(token_hash=token_hash).first()
    return found


def _guest(request: HttpRequest, link: ShareLink, now: datetime) -> Guest | None:
    """By the cookie of this link: who, and until when."""
    pk, until = _cookie(request, link, GUEST)
    return guests.guest_of(link, pk) if until > now.timestamp() else None


def _guest_or_404(request: HttpRequest, link: ShareLink, now: datetime) -> Guest:
    guest = _guest(request, link, now)
    if guest is None:
        raise Http404("Nobody is signed in here.")
    return guest


GUEST, CODE = "guest", "code"


def _cookie(request: HttpRequest, link: ShareLink, name: str) -> tuple[int, int]:
    try:
        value = request.get_signed_cookie(f"plan_{name}_{link.pk}", salt=link.token_hash) or ""
        pk, _, until = value.partition(":")
        return int(pk), int(until)
    except (KeyError, BadSignature, ValueError):
        return 0, 0


def _set_cookie(response: HttpResponse, link: ShareLink, name: str, pk: int, until: datetime) -> HttpResponse:
    response.set_signed_cookie(
        f"plan_{name}_{link.pk}",
        f"{pk}:{int(until.timestamp())}",
        salt=link.token_hash,
        max_age=int(STAYS.total_seconds()),
        path="/shared/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def _without_cookies(response: HttpResponse, link: ShareLink) -> HttpResponse:
    for name in (GUEST, CODE):
        response.delete_cookie(f"plan_{name}_{link.pk}", path="/shared/", samesite="Strict")
    return response


# What they do ---------------------------------------------------------------------------------------------------------


def _visited(request: HttpRequest, link: ShareLink, now: datetime) -> HttpResponse:
    response = _page(request, link, now)
    if request.method == "GET":
        note_visit(link, ip=client_address(request), browser=request.headers.get("User-Agent", ""), now=now)
    return response


def _asked(request: HttpRequest, link: ShareLink, now: datetime) -> HttpResponse:
    form = GuestForm(request.POST)
    if not form.is_valid():
        return _page(request, link, now, guest_form=form)
    made = guests.ask_for_code(link, email=form.cleaned_data["email"], now=now)
    return _set_cookie(_back(request), link, CODE, made.pk if made else 0, now + guests.CODE_LIVES)


def _entered(request: HttpRequest, link: ShareLink, now: datetime) -> HttpResponse:
    form = CodeForm(request.POST)
    pk, _until = _cookie(request, link, CODE)
    who = guests.enter(link, code_id=pk, code=form.cleaned_data["code"], now=now) if form.is_valid() else None
    if who is None:
        form.add_error("code", "This code does not work, or not any more. Look at the newest mail, or ask for another.")
        return _page(request, link, now, code_form=form)
    return _set_cookie(_without_cookies(_back(request), link), link, GUEST, who.pk, now + STAYS)


def _ticked(request: HttpRequest, link: ShareLink, now: datetime, pk: int, verb: str) -> HttpResponse:
    guest = _guest_or_404(request, link, now)
    task = next((one for one in guests.tasks_of(guest) if one.pk == pk), None)
    if task is None:
        raise Http404("No such task of theirs.")
    if verb == "complete":
        guests.complete(guest, task, today=timezone.localdate(now), now=now)
    else:
        guests.reopen(guest, task, now=now)
    return _back(request)


def _said(request: HttpRequest, link: ShareLink, now: datetime) -> HttpResponse:
    guest, form = _guest_or_404(request, link, now), CommentForm(request.POST)
    if not form.is_valid():
        return _page(request, link, now, said=form)
    guests.say(guest, body=form.cleaned_data["body"], now=now)
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """To the page of the link, whatever was posted to below it."""
    token = request.resolver_match.kwargs["token"] if request.resolver_match else ""
    return HttpResponseRedirect(reverse("shared:plan", args=[token]))


def _page(request: HttpRequest, link: ShareLink, now: datetime, **forms: Any) -> HttpResponse:
    today = timezone.localdate(now)
    context = {
        "shown": shared_plan(link, today=today),
        "workspace": link.plan.tenant.name,
        "account": link.plan.account.name,
        "now": now,
        "today": today,
    }
    if guests.ACT in link.parts:
        context |= _at_work(request, link, now, forms)
    return render(request, "plans/shared.html", context, status=422 if forms else 200)


def _at_work(request: HttpRequest, link: ShareLink, now: datetime, forms: Mapping[str, Any]) -> dict[str, Any]:
    """Who is there and what is theirs; or how they come in."""
    token = request.resolver_match.kwargs["token"] if request.resolver_match else ""
    guest = _guest(request, link, now)
    _pk, until = _cookie(request, link, CODE)
    found: dict[str, Any] = {"token": token, "guest": guest, "waits_for_code": until > now.timestamp()}
    if guest:
        found["tasks"] = [(task, task.status == Task.Status.DONE) for task in guests.tasks_of(guest)]
        found["thread"] = show(load_thread(guests.thread_of(link.plan)).comments)
        found["said"] = forms.get("said") or CommentForm()
    else:
        found["guest_form"] = forms.get("guest_form") or GuestForm()
        found["code_form"] = forms.get("code_form") or CodeForm()
    return found
