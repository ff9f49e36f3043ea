"""What waits for a person: drafts, and actions that somebody has to approve. Decided one by one or several at once."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import Conversation
from actions.base import Audience
from actions.checks import form_of
from actions.forms import ActionForm, texts_of
from actions.registry import action_for
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, toast, trigger
from playbooks import approvals, reviews
from playbooks.forms import SenderForm, VerdictForm
from playbooks.inbox import COUNT_LIMIT, PAGE_SIZE, Asked, Tab, count_waiting, load_inbox
from playbooks.models import Approval
from playbooks.questions import Question, QuestionPage, count_asked, load_question, load_questions, reads
from playbooks.views.loading import ACCOUNT_CHANGED, changed, render_dialog

FRAGMENTS = {"inbox": "playbooks/_inbox.html"}
TABS = (
    (Tab.WAITING, "Waiting"),
    (Tab.SENT, "Sent"),
    (Tab.UNSENT, "Not sent"),
    (Tab.ASKED, "To approve"),
    (Tab.ANSWERED, "Answered"),
)
Verdict = tuple[Callable[..., set[int]], str]
VERDICTS: dict[str, Verdict] = {"approve": (approvals.approve, "approved"), "reject": (approvals.reject, "rejected")}
LATE = "Nothing changed: it was settled before, or somebody else is asked"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.WORK_CTAS)
def inbox(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """A POST decides about those that are ticked."""
    if request.method == "POST":
        return _decide(request)
    asked, member = Asked.of(request.GET), request.membership
    about_approvals = asked.tab.is_about_approvals
    context = {
        "asked": asked,
        "tabs": TABS,
        "page": _questions(request, asked) if about_approvals else load_inbox(asked, member=member),
        "waiting": count_waiting(member=member, mine=asked.mine),
        "to_approve": count_asked(member, mine=asked.mine),
        "count_limit": COUNT_LIMIT,
        "senders": SenderForm(tenant=request.tenant),
    }
    return render_page(request, "playbooks/inbox.html", context, fragments=FRAGMENTS)


def _questions(request: WorkspaceRequest, asked: Asked) -> QuestionPage:
    return load_questions(
        request.membership,
        answered=asked.tab is Tab.ANSWERED,
        mine=asked.mine,
        search=asked.search,
        after=asked.after,
    )


def _decide(request: WorkspaceRequest) -> HttpResponse:
    verdict = VERDICTS.get(request.POST.get("verb", ""))
    text = _answer(request, verdict) if verdict else _decide_drafts(request)
    if request.headers.get("HX-Request") == "true":
        return trigger(toast(HttpResponse(status=204), text), ACCOUNT_CHANGED, {})
    messages.success(request, text)
    return HttpResponseRedirect(request.get_full_path())


def _answer(request: WorkspaceRequest, verdict: Verdict) -> str:
    answer, words = verdict
    done = len(answer(_ids(request)[:PAGE_SIZE], by=request.membership, now=request.now))
    return f"{done} {'action' if done == 1 else 'actions'} {words}" if done else LATE


def _decide_drafts(request: WorkspaceRequest) -> str:
    chosen = Conversation.objects.filter(pk__in=_ids(request)).order_by("pk")[:PAGE_SIZE]
    done, words = _done(request, list(chosen))
    return (
        f"{done} {'message' if done == 1 else 'messages'} {words}" if done else "Nothing changed: no draft was chosen"
    )


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


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.WORK_CTAS)
def approval(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """One action that waits: what it would do and how its texts read, approved or rejected with a note."""
    found = get_object_or_404(Approval.objects.all(), pk=pk)
    if request.method != "POST":
        return _approval_dialog(request, found, VerdictForm())
    form = VerdictForm(request.POST)
    if not form.is_valid():
        return _approval_dialog(request, found, form, status=422)
    answer, words = VERDICTS[form.cleaned_data["verb"]]
    acted = answer([found.pk], by=request.membership, note=form.cleaned_data["note"], now=request.now)
    address = f"{reverse('playbooks:inbox', args=[slug])}?tab={Tab.ASKED}"
    return changed(request, f"The action was {words}" if acted else LATE, address=address)


def _approval_dialog(
    request: WorkspaceRequest, found: Approval, form: VerdictForm, *, status: int = 200
) -> HttpResponse:
    question = load_question(found, request.membership)
    context: dict[str, Any] = {
        "question": question,
        "reads": reads(question, _texts(question), now=request.now),
        "form": form,
    }
    return render_dialog(request, "approval", context, status=status)


def _texts(question: Question) -> dict[str, str]:
    step, action = question.run.step, action_for(question.run.step.action)
    audience = Audience(question.enrollment.playbook.audience)
    form = form_of(action, step.config, audience=audience, judged=False)
    return texts_of(form) if isinstance(form, ActionForm) else {}
