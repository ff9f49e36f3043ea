"""Conversations: drafts that wait, decided one by one or several at once; and what became of the others."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from accounts.models import Conversation
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, toast, trigger
from playbooks import reviews
from playbooks.forms import SenderForm
from playbooks.inbox import COUNT_LIMIT, PAGE_SIZE, Asked, Tab, count_waiting, load_inbox
from playbooks.views.loading import ACCOUNT_CHANGED

FRAGMENTS = {"inbox": "playbooks/_inbox.html"}
TABS = ((Tab.WAITING, "Waiting"), (Tab.SENT, "Sent"), (Tab.UNSENT, "Not sent"))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.WORK_CTAS)
def inbox(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """A POST decides about those that are ticked."""
    if request.method == "POST":
        return _decide(request)
    asked = Asked.of(request.GET)
    context = {
        "asked": asked,
        "tabs": TABS,
        "page": load_inbox(asked, member=request.membership),
        "waiting": count_waiting(member=request.membership, mine=asked.mine),
        "count_limit": COUNT_LIMIT,
        "senders": SenderForm(tenant=request.tenant),
    }
    return render_page(request, "playbooks/inbox.html", context, fragments=FRAGMENTS)


def _decide(request: WorkspaceRequest) -> HttpResponse:
    chosen = Conversation.objects.filter(pk__in=_ids(request)).order_by("pk")[:PAGE_SIZE]
    done, words = _done(request, list(chosen))
    text = (
        f"{done} {'message' if done == 1 else 'messages'} {words}" if done else "Nothing changed: no draft was chosen"
    )
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text), ACCOUNT_CHANGED, {})
    messages.success(request, text)
    return HttpResponseRedirect(request.get_full_path())


def _ids(request: WorkspaceRequest) -> list[int]:
    return [int(id) for id in request.POST.getlist("ids") if id.isascii() and id.isdecimal() and len(id) < 19]


def _done(request: WorkspaceRequest, chosen: list[Conversation]) -> tuple[int, str]:
    by, now = request.membership, request.now
    match request.POST.get("verb", ""):
        case "now":
            return sum(reviews.send_now(one, by=by, now=now) for one in chosen), "on the way"
        case "cancel":
            return sum(reviews.cancel(one, by=by, now=now) for one in chosen), "will not be sent"
        case "sender":
            form = SenderForm(request.POST, tenant=request.tenant)
            sender = form.cleaned_data["sender"] if form.is_valid() else None
            given = [one for one in chosen if sender and reviews.give_to(one, sender, by=by, now=now)]
            return len(given), f"now from {sender}"
    return 0, ""
