"""Review before it is sent: edit a pending conversation, send it now, or do not send it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.timezone import localdate, localtime
from django.views.decorators.http import require_http_methods

from accounts.actors import load_actors
from accounts.models import Conversation
from accounts.writing import CannotWrite, may_sign, move, senders_for
from actions import by_people
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires
from cs_platform.web.templatetags import ui
from playbooks import reviews
from playbooks.forms import DraftForm
from playbooks.models import ActionRun
from playbooks.views.loading import changed, render_dialog

LATE = "It is no longer pending: it was sent or cancelled before you"
SETTLE = {
    "arrived": (by_people.it_arrived, "Noted: it arrived"),
    "again": (by_people.send_again, "It is on its way again"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.WORK_CTAS)
def review(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    conversation = get_object_or_404(
        Conversation.objects.select_related("account__csm", "account__ae", "sender"), pk=pk
    )
    if request.method == "POST":
        return _decide(request, slug, conversation)
    return _dialog(request, conversation, _form(request, conversation))


def _form(request: WorkspaceRequest, conversation: Conversation) -> DraftForm:
    """A person's letter is signed by whoever may sign one, as when it was written."""
    data = request.POST if request.method == "POST" else None
    among = None
    if conversation.hand_id:
        offered = [one.member for one in senders_for(conversation.account, request.membership)]
        among = {one.pk for one in offered if may_sign(conversation, one, by=request.membership)}
    initial, ids = _text(conversation), "draft_%s"  # the page below has a form with a body, too
    return DraftForm(data, initial=initial, tenant=request.tenant, among=among, auto_id=ids)


def _decide(request: WorkspaceRequest, slug: str, conversation: Conversation) -> HttpResponse:
    verb = request.POST.get("verb", "save")
    if verb in SETTLE:
        settle, words = SETTLE[verb]
        acted, text = settle(conversation, by=request.membership, now=request.now), words
    else:
        form = _form(request, conversation)
        if verb != "cancel" and not form.is_valid():
            return _dialog(request, conversation, form, status=422)
        try:
            acted, text = _act(request, conversation, verb, form)
        except CannotWrite as refusal:
            form.add_error(refusal.field, str(refusal))
            return _dialog(request, conversation, form, status=422)
    address = reverse("accounts:detail", args=[slug, conversation.account_id])
    return changed(request, text if acted else LATE, address=f"{address}#conversations")


def _act(request: WorkspaceRequest, conversation: Conversation, verb: str, form: DraftForm) -> tuple[bool, str]:
    by, now = request.membership, request.now
    if verb == "cancel":
        return reviews.cancel(conversation, by=by, now=now), "It will not be sent"
    text = "Saved; it is sent as planned"
    if verb == "save" and (moment := form.moved_to):
        if not move(conversation, moment, by=by, now=now):
            return False, text
        text = f"Saved; it is sent {ui.uncap(ui.moment(localtime(moment), localdate(now)))}"
    if (sender := form.cleaned_data["sender"]) and sender.pk != conversation.sender_id:
        reviews.give_to(conversation, sender, by=by, now=now)
    saved = conversation.edit(subject=form.cleaned_data["subject"], body=form.cleaned_data["body"], by=by, now=now)
    if verb == "now" and saved:
        return reviews.send_now(conversation, by=by, now=now), "It is on its way"
    return saved, text


def _text(conversation: Conversation) -> dict[str, Any]:
    return {name: getattr(conversation, name) for name in ("subject", "body", "send_at")} | {
        "sender": conversation.sender_id
    }


def _dialog(
    request: WorkspaceRequest, conversation: Conversation, form: DraftForm, *, status: int = 200
) -> HttpResponse:
    by_hand = conversation.written_by
    context: dict[str, Any] = {
        "conversation": conversation,
        "form": form,
        "run": _run(conversation),
        "writer": load_actors({by_hand})[by_hand] if by_hand else None,
    }
    return render_dialog(request, "review", context, status=status)


def _run(conversation: Conversation) -> ActionRun | None:
    """What it was drafted for."""
    runs = ActionRun.objects.select_related("enrollment__playbook", "step")
    return runs.filter(pk=conversation.origin_run_id).first() if conversation.origin_run_id else None
