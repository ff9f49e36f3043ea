"""The wizard: Overview, Rules, Actions, Review, each an address of its own on one draft.

Every change is saved as it is made. A page that is left by Next is judged first; Back and the steps beside it lead
anywhere at any time. Without scripts the same forms are submitted whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.fields import workspace_fields
from accounts.models import Account, AccountUser
from accounts.rules.describe import counted
from accounts.rules.fields import FieldSet
from actions.base import Audience as ActionAudience
from actions.registry import ACTIONS
from actions.widgets import is_at_work
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires
from playbooks import drafts, steps
from playbooks.ahead import Standing, count_matching, some_accounts, stand
from playbooks.definition import TARGETS, Definition, Problem
from playbooks.drafts import PARTS, ChangedByAnother
from playbooks.field_names import field_name
from playbooks.filling import Piece, Subject, as_written, fill_in
from playbooks.gallery import find_template, templates
from playbooks.icons import ICONS
from playbooks.library import TARGET_WORDS
from playbooks.models import Playbook, PlaybookVersion
from playbooks.versions import NotPossible, exported
from playbooks.wizard_forms import RULES, OverviewForm, RulesForm

TITLES = {"overview": "Overview", "rules": "Rules", "actions": "Actions", "review": "Review"}
OFFERED = 10  # accounts to fill texts in for
CATEGORIES = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A step in the navigation beside the page."""

    name: str
    title: str
    summary: str
    address: str
    state: str  # done, issue or nothing


@dataclass
class Wizard:
    """One draft as every page of the wizard needs it."""

    request: WorkspaceRequest
    draft: PlaybookVersion
    part: str
    judged: bool = False
    board: Callable[[], Any] | None = None  # the schedule after a change, for whoever shows it

    @property
    def playbook(self) -> Playbook:
        return self.draft.playbook

    @property
    def content(self) -> dict[str, Any]:
        return self.draft.draft or {}

    @cached_property
    def fields(self) -> FieldSet:
        return workspace_fields()

    @cached_property
    def _read(self) -> tuple[Definition | None, list[Problem]]:
        return drafts.read(self.content, fields=self.fields)

    @property
    def definition(self) -> Definition | None:
        return self._read[0]

    @property
    def problems(self) -> list[Problem]:
        return self._read[1]

    @property
    def asks_for_outcome(self) -> bool:
        """Whoever comes to choose one finds it unfolded."""
        return "outcome" in self.request.GET

    @property
    def own_problems(self) -> list[Problem]:
        return [one for one in self.problems if drafts.part_of(one.path) == self.part]

    @property
    def own_named(self) -> list[tuple[str, str]]:
        """What is wrong on this page: the field, and what to do."""
        return [(field_name(one.path, self.content), one.message) for one in self.own_problems]

    @property
    def said(self) -> dict[str, str]:
        """The problems of this page by the field they are about, once it is judged."""
        return {one.path.replace(".", "_"): one.message for one in self.own_problems} if self.judged else {}

    @property
    def parts(self) -> list[Part]:
        return [Part(name, TITLES[name], self._summary(name), self.address(name), self._state(name)) for name in PARTS]

    def address(self, part: str) -> str:
        return reverse(f"playbooks:draft_{part}", args=[self.request.tenant.slug, self.playbook.pk])

    @property
    def here(self) -> str:
        return self.address(self.part)

    @property
    def schedule_words(self) -> str:
        return schedule_words(steps.of_draft(self.content))

    @property
    def home(self) -> str:
        return reverse("playbooks:detail", args=[self.request.tenant.slug, self.playbook.pk])

    @property
    def before(self) -> Part | None:
        at = PARTS.index(self.part)
        return self.parts[at - 1] if at else None

    @property
    def after(self) -> Part | None:
        at = PARTS.index(self.part)
        return self.parts[at + 1] if at + 1 < len(PARTS) else None

    def _state(self, name: str) -> str:
        wrong = any(drafts.part_of(one.path) == name for one in self.problems)
        if wrong:
            return "issue" if PARTS.index(name) < PARTS.index(self.part) else ""
        return "done" if name not in ("review", self.part) else ""

    def _summary(self, name: str) -> str:
        match name:
            case "overview":
                return f"{TARGET_WORDS.get(str(self.content.get('target')), 'All tracked')} accounts"
            case "rules":
                return _rules_words(self.content)
            case "actions":
                return schedule_words(steps.of_draft(self.content))
        return "Check and set live"

    # Whom texts are filled in for

    @cached_property
    def offered(self) -> Sequence[Account]:
        """Those it is about come first. Anyone of its target, while its rules find nobody."""
        found = Account.objects.present().select_related("csm").order_by("name", "pk")
        about = some_accounts(self.content, tenant=self.request.tenant, fields=self.fields, now=self.request.now)
        lifecycles = TARGETS.get(str(self.content.get("target")), TARGETS["tracked"])
        return list(found.filter(pk__in=about) or found.filter(lifecycle__in=lifecycles)[:OFFERED])

    @cached_property
    def example(self) -> Account | None:
        wanted = str(self.request.POST.get("on") or self.request.GET.get("on") or "")
        if wanted.isascii() and wanted.isdecimal() and len(wanted) < 19:
            found = Account.objects.present().select_related("csm").filter(pk=int(wanted)).first()
            if found:
                return found
        return next(iter(self.offered), None)

    @cached_property
    def example_subject(self) -> Subject | None:
        if self.example is None:
            return None
        tie = AccountUser.objects.filter(account=self.example, end_user__archived_at=None)
        user = tie.order_by("-is_key_contact", "pk").values_list("end_user_id", flat=True).first()
        return Subject(
            tenant=self.request.tenant,
            account=self.example,
            timezone=self.example.timezone or self.request.tenant.timezone,
            end_user_id=user if self.content.get("audience") == "users" else None,
            recipient_id=user,
            sender_id=self.example.csm_id,
        )

    @property
    def description(self) -> Sequence[Piece]:
        source = str(self.content.get("description") or "")
        return self.filled({"description": source}).get("description", as_written(source)) if source else []

    def filled(self, texts: Mapping[str, str]) -> dict[str, Any]:
        return fill_in(texts, self.example_subject, now=self.request.now) if self.example_subject else {}


def _rules_words(content: Mapping[str, Any]) -> str:
    rules = content.get("rules") if isinstance(content.get("rules"), dict) else {}
    counts = {name: _conditions(rules.get(name)) for name in ("account", "user")}  # type: ignore[union-attr]
    said = [f"{count} {name} rule{'' if count == 1 else 's'}" for name, count in counts.items() if count]
    return ", ".join(said) or "Who gets it"


def _conditions(rule: Any) -> int:
    if not isinstance(rule, dict):
        return 0
    for mode in ("all", "any"):
        if isinstance(rule.get(mode), list):
            return sum(_conditions(child) for child in rule[mode])
    return 1


def schedule_words(found: steps.Steps) -> str:
    if not found:
        return "What happens, and when"
    days = [steps.place(step)[2] for step in found if not steps.place(step)[0]]
    actions, by_date = counted(len(found), "action"), len(found) - len(days)
    if by_date:
        return f"{actions}, {by_date} of them by a date" if days else f"{actions} by a date"
    return f"{actions} in {counted(max(days), 'day')}"


# --- loading and saving -----------------------------------------------------------------------------------------------


def open_wizard(request: WorkspaceRequest, pk: int, part: str) -> Wizard | HttpResponse:
    """Where there is no draft to work on, the playbook's own page says what can be done; so does a CTA playbook's."""
    playbook = get_object_or_404(Playbook.objects.select_related("version"), pk=pk)
    draft = drafts.open_draft(playbook)
    if draft is None or playbook.audience == Playbook.Audience.CTAS:
        return go_to(request, reverse("playbooks:detail", args=[request.tenant.slug, pk]))
    draft.playbook = playbook
    return Wizard(request, draft, part, judged="check" in request.GET or "check" in request.POST)


def save(wizard: Wizard, parts: Mapping[str, Any]) -> None:
    """Raises ChangedByAnother and NotPossible."""
    request = wizard.request
    revision = request.POST.get("revision", "")
    is_known = revision.isascii() and revision.isdecimal() and len(revision) < 9
    seen = int(revision) if is_known and "over" not in request.POST else None
    playbook = wizard.playbook
    wizard.draft = drafts.change(wizard.draft, parts, revision=seen, by=request.membership, now=request.now)
    wizard.draft.playbook.version = playbook.version
    wizard.__dict__.pop("_read", None)


Page = Callable[[Wizard, "ChangedByAnother | None"], HttpResponse]


def answer(wizard: Wizard, parts: Mapping[str, Any], page: Page, *, saved: Sequence[str] = ()) -> HttpResponse:
    """Saves what a page sent, then answers what it asked for: how it was saved, itself again, or another page."""
    request = wizard.request
    try:
        save(wizard, parts)
    except ChangedByAnother as conflict:
        wizard.draft = conflict.draft
        return _conflict(wizard, conflict) if "autosave" in request.POST else page(wizard, conflict)
    except NotPossible as refusal:
        messages.error(request, str(refusal))
        return go_to(request, wizard.home)
    if "autosave" in request.POST:
        context = {"wizard": wizard, "playbook": wizard.playbook, "more": saved}
        return render(request, "playbooks/wizard/_saved.html", context)
    if is_at_work(request.POST):
        return page(wizard, None)
    return _leave(wizard, page)


def _leave(wizard: Wizard, page: Page) -> HttpResponse:
    """Next holds back while this page has a problem; every other way is open."""
    onward, go = (str(wizard.request.POST.get(name) or "") for name in ("next", "go"))
    if onward in PARTS and wizard.own_problems:
        wizard.judged = True
        return page(wizard, None)
    if onward in PARTS or go in PARTS:
        return go_to(wizard.request, wizard.address(onward or go))
    return go_to(wizard.request, wizard.home) if go == "exit" else page(wizard, None)


def _conflict(wizard: Wizard, conflict: ChangedByAnother) -> HttpResponse:
    return render(wizard.request, "playbooks/wizard/_saved.html", {"wizard": wizard, "conflict": conflict}, status=409)


def show(
    wizard: Wizard,
    context: Mapping[str, Any],
    conflict: ChangedByAnother | None = None,
    *,
    fragments: Mapping[str, str] | None = None,
) -> HttpResponse:
    status = 409 if conflict else 422 if wizard.judged and wizard.request.method == "POST" else 200
    return render_page(
        wizard.request,
        f"playbooks/wizard/{wizard.part}.html",
        {"wizard": wizard, "draft": wizard.draft, "playbook": wizard.playbook, "conflict": conflict, **context},
        fragments=fragments,
        status=status,
    )


# --- overview and rules -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
def overview(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    wizard = open_wizard(request, pk, "overview")
    if isinstance(wizard, HttpResponse):
        return wizard
    if request.method != "POST":
        return _overview_page(wizard)
    parts = OverviewForm(request.POST).content()
    if wizard.playbook.version_id:
        parts["audience"] = wizard.playbook.audience
    return answer(wizard, parts, _overview_page, saved=["playbooks/wizard/_description_preview.html"])


def _overview_page(wizard: Wizard, conflict: ChangedByAnother | None = None) -> HttpResponse:
    given = wizard.request.POST if conflict else wizard.content
    names = Playbook.objects.exclude(category="").order_by("category").values_list("category", flat=True)
    tracked = {one: Account.objects.present().filter(lifecycle__in=TARGETS[one]).count() for one in TARGETS}
    context = {
        "form": OverviewForm(initial={name: given.get(name) for name in OverviewForm.base_fields}),
        "icons": list(ICONS.values()),
        "categories": list(dict.fromkeys(names))[:CATEGORIES],
        "available": {one.value: sum(one in action.audiences for action in ACTIONS) for one in ActionAudience},
        "targets": [(value, label, tracked[value]) for value, label in TARGET_WORDS.items()],
    }
    return show(wizard, context, conflict)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
def rules(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    wizard = open_wizard(request, pk, "rules")
    if isinstance(wizard, HttpResponse):
        return wizard
    if request.method != "POST":
        return _rules_page(wizard)
    return answer(wizard, _rules_form(wizard, request.POST).content(), _rules_page)


def _rules_form(wizard: Wizard, data: Any = None, initial: Any = None) -> RulesForm:
    return RulesForm(data, initial=initial, fields=wizard.fields, audience=str(wizard.content.get("audience")))


def _rules_page(wizard: Wizard, conflict: ChangedByAnother | None = None) -> HttpResponse:
    sent = wizard.request.method == "POST"
    is_working = sent and (is_at_work(wizard.request.POST) or conflict)
    initial = RulesForm.initial_of(wizard.content)
    posted = wizard.request.POST if is_working else None
    form = _rules_form(wizard, posted, initial=None if is_working else _as_posted(wizard, initial))
    target = str(wizard.content.get("target"))
    context = {"form": form, "lifecycles": ",".join(TARGETS.get(target, TARGETS["tracked"]))}
    return show(wizard, context, conflict)


def _as_posted(wizard: Wizard, initial: dict[str, Any]) -> dict[str, Any]:
    """A page that is judged shows what is wrong with its rules, as if it had just been sent."""
    if wizard.judged:
        form = _rules_form(wizard)
        for name in RULES:
            draft = form.fields[name].vocabulary.draft(initial[name])  # type: ignore[attr-defined]
            draft.posted = True
            initial[name] = draft
    return initial


@require_safe
@requires(Ability.DRAFT_PLAYBOOKS)
def standing(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Of those who match the rules of the draft: who has the playbook, and who would get it at the next check."""
    wizard = open_wizard(request, pk, "rules")
    if isinstance(wizard, HttpResponse):
        return wizard
    found = stand(wizard.content, wizard.playbook, tenant=request.tenant, fields=wizard.fields, now=request.now)
    context = {
        "standing": found,
        "leaves_out": bool(wizard.content.get("holdout")),
        "version": wizard.playbook.version,
        **({"among": _targeted(wizard), "more": _more_than_before(wizard, found)} if found else {}),
    }
    return render(request, "playbooks/wizard/_standing.html", context)


def _targeted(wizard: Wizard) -> str:
    """`336 subscribed`: how many accounts the rules choose from."""
    target = str(wizard.content.get("target"))
    count = Account.objects.present().filter(lifecycle__in=TARGETS.get(target, ())).count()
    return f"{count:,} {target}" if target in TARGETS else ""


def _more_than_before(wizard: Wizard, found: Standing) -> int:
    """How many more match now than by the rules of the version that is published; fewer: below zero."""
    version, tenant = wizard.playbook.version, wizard.request.tenant
    before = exported(wizard.playbook, version) if version else wizard.content
    if all(before.get(name) == wizard.content.get(name) for name in ("rules", "target")):
        return 0
    earlier = count_matching(before, tenant=tenant, fields=wizard.fields, now=wizard.request.now)
    return found.matched - earlier if earlier is not None else 0


# --- beginning and ending ---------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
def new(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """From nothing, or from a template of the gallery."""
    if request.method != "POST":
        return render_page(request, "playbooks/new.html", {"templates": templates()})
    template = find_template(request.POST.get("template", ""))
    name = request.POST.get("name", "").replace("\x00", "") or (template.name if template else "")
    content = template.content_for(request.tenant.health_scale) if template else None
    draft = drafts.begin(name=name, content=content, by=request.membership, now=request.now)
    return go_to(request, reverse("playbooks:draft_overview", args=[slug, draft.playbook_id]))


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def edit(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Work on the draft there is, or on a new one of the published version, and begin at its outcome if asked to."""
    playbook = get_object_or_404(Playbook, pk=pk)
    try:
        drafts.revise(playbook, by=request.membership, now=request.now)
    except NotPossible as refusal:
        messages.error(request, str(refusal))
        return go_to(request, reverse("playbooks:detail", args=[slug, pk]))
    if request.POST.get("part") == "outcome":
        return go_to(request, f"{reverse('playbooks:draft_rules', args=[slug, pk])}?outcome=1#outcome")
    return go_to(request, reverse("playbooks:draft_overview", args=[slug, pk]))


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def discard(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    playbook = get_object_or_404(Playbook, pk=pk)
    published = playbook.version_id is not None
    if drafts.discard(playbook, by=request.membership, now=request.now):
        messages.success(request, f"The draft of {playbook.name} is discarded")
    address = reverse("playbooks:detail", args=[slug, pk]) if published else reverse("playbooks:list", args=[slug])
    return go_to(request, address)


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def duplicate(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    playbook = get_object_or_404(Playbook.objects.select_related("version"), pk=pk)
    try:
        draft = drafts.duplicate(playbook, by=request.membership, now=request.now)
    except NotPossible as refusal:
        messages.error(request, str(refusal))
        return go_to(request, reverse("playbooks:detail", args=[slug, pk]))
    return go_to(request, reverse("playbooks:draft_overview", args=[slug, draft.playbook_id]))


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def restore(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """An earlier version becomes the draft; publishing it is another decision."""
    playbook = get_object_or_404(Playbook, pk=pk)
    number = request.POST.get("version", "")
    known = int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 0
    source = PlaybookVersion.objects.filter(playbook=playbook, number=known, published_at__isnull=False).first()
    if source is None:
        messages.error(request, "There is no such version. Choose one from the list.")
        return go_to(request, reverse("playbooks:versions", args=[slug, pk]))
    drafts.revise(playbook, source=source, by=request.membership, now=request.now)
    messages.success(request, f"Version {source.number} is a draft now")
    return go_to(request, reverse("playbooks:draft_review", args=[slug, pk]))
