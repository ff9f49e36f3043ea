"""What the rule editor asks while somebody works in it. Nothing is kept: the form it stands in holds the whole rule."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.matching import Asking, Found
from accounts.models import Account
from accounts.rule_editor.draft import Draft
from accounts.rule_editor.shown import anchor
from accounts.rule_field import RuleField, Vocabulary
from accounts.rules.compile import Audience
from accounts.rules.fields import LIFECYCLES, Subject
from accounts.rules.grammar import Rule, RuleErrors
from accounts.rules.sql import Clock
from accounts.table.state import SEARCH_LIMIT
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, requires, trigger

CHANGED = "rule:changed"  # the browser event on which previews ask again
NAMED_LIMIT = 100
OFFERED = 6  # accounts of that name to choose from
_NAME = re.compile(r"[A-Za-z][\w-]{0,60}")


@require_POST
@requires(Ability.READ)
def edit_rule(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """The editor after one of its buttons."""
    name, subject = _name(request, "name"), request.GET.get("subject", Subject.ACCOUNT.value)
    if subject not in {one.value for one in Subject}:
        raise Http404("No such editor.")
    widget = RuleField(Subject(subject), required=False, named=request.GET.get("named", "")[:NAMED_LIMIT]).widget
    draft = widget.value_from_datadict(request.POST, {}, name)
    response = HttpResponse(widget.render(name, widget.vocabulary.at_work(draft)))
    return response if draft.is_searching else trigger(response, CHANGED, {"name": name})


@require_POST
@requires(Ability.READ)
def preview_rule(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """How many match now, some of them, and who nearly does."""
    written = _Written.of(request)
    asking = written.asking(request)
    context: dict[str, Any] = {"written": written, "asking": asking}
    if asking:
        found = asking.found()
        context |= {"found": found, "alone": _alone(written, found)}
    return render(request, "accounts/rules/_preview.html", context)


@require_POST
@requires(Ability.READ)
def explain_rule(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Every condition for one account, found by a part of its name."""
    asking = _Written.of(request).asking(request)
    words = request.POST.get("rule-check", "").replace("\x00", "").strip()[:SEARCH_LIMIT]
    accounts = accounts_named(words, pk=request.POST.get("rule-account", ""))
    alone = accounts[0] if len(accounts) == 1 else None
    why = asking.why(alone) if asking and alone else None
    context = {"asking": asking, "words": words, "accounts": accounts, "account": alone, "why": why}
    return render(request, "accounts/rules/_why.html", context)


def accounts_named(words: str, *, pk: str = "") -> list[Account]:
    """The one that was chosen, or those of that name: one that is called exactly so comes alone."""
    words = words.replace("\x00", "").strip()[:SEARCH_LIMIT]
    if pk.isascii() and pk.isdecimal() and len(pk) < 19:
        return list(Account.objects.filter(pk=int(pk)))
    if not words:
        return []
    exact = list(Account.objects.present().filter(name__iexact=words).order_by("pk")[:1])
    return exact or list(Account.objects.present().filter(name__icontains=words).order_by("name", "pk")[:OFFERED])


@dataclass(frozen=True)
class _Written:
    """What stands in the editors a preview is about: of accounts, of users, or both."""

    drafts: Mapping[Subject, tuple[str, Draft]]
    rules: Mapping[Subject, Rule]
    is_finished: bool

    @classmethod
    def of(cls, request: WorkspaceRequest) -> "_Written":
        shared = Vocabulary(Subject.ACCOUNT).fields
        drafts: dict[Subject, tuple[str, Draft]] = {}
        rules: dict[Subject, Rule] = {}
        is_finished = True
        asked = [subject for subject in Subject if subject.value in request.GET] or [Subject.ACCOUNT]
        for subject in asked:
            name, field = _name(request, subject.value), RuleField(subject, fields=shared)
            draft = field.widget.value_from_datadict(request.POST, {}, name)
            drafts[subject] = (name, draft)
            try:
                rules |= {} if draft.begun().is_empty else {subject: field.vocabulary.rule(draft.begun())}
            except RuleErrors:
                is_finished = False
        return cls(drafts, rules, is_finished)

    def asking(self, request: WorkspaceRequest) -> Asking | None:
        """None while there is nothing to ask, or a condition is not finished."""
        if not self.rules or not self.is_finished:
            return None
        audience = Audience(self.rules.get(Subject.ACCOUNT), self.rules.get(Subject.USER), _lifecycles(request))
        return Asking(
            audience,
            about_users=request.GET.get("audience") == "users",
            tenant_id=request.tenant.pk,
            clock=Clock.at(request.now, ZoneInfo(request.tenant.timezone)),
            people=Vocabulary(Subject.ACCOUNT).people,
        )


def _name(request: WorkspaceRequest, parameter: str) -> str:
    name = request.GET.get(parameter, "rules")
    if not _NAME.fullmatch(name):
        raise Http404("No such editor.")
    return name


def _lifecycles(request: WorkspaceRequest) -> tuple[str, ...] | None:
    """`?lifecycles=subscribed,trialing`; without it, of any."""
    known = dict(LIFECYCLES)
    found = tuple(name for name in request.GET.get("lifecycles", "").split(",") if name in known)
    return found or None


def _alone(written: _Written, found: Found) -> list[tuple[str, int]]:
    """The place of each account condition, and how many meet it alone."""
    if found.alone is None or Subject.ACCOUNT not in written.rules:
        return []
    name, draft = written.drafts[Subject.ACCOUNT]
    pairs = zip(draft.conditions(), found.alone, strict=False)
    return [(f"id_{name}-{anchor(path)}-count", count) for path, count in pairs]
