"""Health and lifecycles as an admin sets them up: scores, measures, and which accounts are trialing or churned."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import governed, lifecycle
from accounts.fields import workspace_fields
from accounts.health import defining
from accounts.health.defining import MeasureWording, ScoreWording
from accounts.health.preview import distribution, measure_preview
from accounts.health.terms import MeasureTerms, ScoreTerms, active_scores, active_terms, measures_of
from accounts.models import HealthMeasure, HealthScore, LifecycleRule
from accounts.rule_field import EditsRules, RuleField, people_of
from accounts.rules.describe import describe
from accounts.rules.fields import Subject
from accounts.rules.grammar import Rule, RuleErrors, parse
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires

ARCHIVED_SHOWN = 50
WEIGHTS: dict[str, Any] = {"min_value": 0.1, "max_value": 100, "initial": 1}


class ScoreForm(EditsRules, forms.Form):
    name = forms.CharField(max_length=100)
    weight = forms.FloatField(**WEIGHTS, help_text="How much it counts beside the other scores.")
    applies_to = RuleField(Subject.ACCOUNT, required=False)

    @property
    def wording(self) -> ScoreWording:
        return ScoreWording(**self.cleaned_data)


class MeasureForm(EditsRules, forms.Form):
    name = forms.CharField(max_length=100)
    weight = forms.FloatField(**WEIGHTS, help_text="How much it counts beside the score's other measures.")
    when_unknown = forms.ChoiceField(
        label="Where nothing is known",
        choices=HealthMeasure.Unknown.choices,
        help_text="What an account counts as that has no value in any field the rules ask about.",
    )
    healthy = RuleField(Subject.ACCOUNT)
    poor = RuleField(Subject.ACCOUNT, required=False)

    @property
    def wording(self) -> MeasureWording:
        return MeasureWording(**self.cleaned_data)


class LifecycleForm(EditsRules, forms.Form):
    ignored = RuleField(Subject.ACCOUNT, required=False)
    trialing = RuleField(Subject.ACCOUNT, required=False)
    churned = RuleField(Subject.ACCOUNT, required=False)

    @property
    def rules(self) -> lifecycle.Rules:
        return {outcome: self.cleaned_data[outcome] for outcome in lifecycle.ORDER if self.cleaned_data[outcome]}


# --- the page of all scores -------------------------------------------------------------------------------------------


@require_safe
@requires(Ability.READ)
def health_page(request: WorkspaceRequest, slug: str) -> HttpResponse:
    fields, people = workspace_fields(), people_of(request.tenant.pk)
    terms = active_terms(fields)
    scores = [(score, measures_of(score)) for score in active_scores()]
    said = {one.measure.pk: one for score in terms.scores for one in score.measures}
    context = {
        "scores": [
            (score, _score_words(score, fields, people), _lines(measures, said, people)) for score, measures in scores
        ],
        "broken": terms.broken,
        "archived": HealthScore.objects.filter(archived_at__isnull=False).order_by("-archived_at", "pk")[
            :ARCHIVED_SHOWN
        ],
        "parts": distribution(request.tenant),
        "decides": bool(terms.scores),
        "trait": governed.yielded_to(defining.COLUMN),
    }
    return render_page(request, "accounts/health/page.html", context)


def _score_words(score: HealthScore, fields: Any, people: Any) -> str:
    if score.applies_to is None:
        return "All subscribed and trialing accounts"
    try:
        return describe(parse(score.applies_to, fields=fields, subject=Subject.ACCOUNT), people=people)
    except RuleErrors:
        return "Cannot be asked any more"


def _lines(measures: list[HealthMeasure], said: dict[int, MeasureTerms], people: Any) -> list[tuple[Any, str, str]]:
    """Each measure with its two rules in words; empty where they cannot be asked any more."""
    return [
        (
            measure,
            describe(found.healthy, people=people) if (found := said.get(measure.pk)) else "",
            describe(found.poor, people=people) if found and found.poor else "",
        )
        for measure in measures
    ]


# --- scores -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def new_score(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return _score(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def edit_score(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _score(request, _present_score(pk))


def _score(request: WorkspaceRequest, score: HealthScore | None) -> HttpResponse:
    initial = _initial(score, ("name", "weight", "applies_to"))
    form = ScoreForm(_posted(request), initial=initial)
    saved = _try(
        form,
        lambda: defining.save_score(
            score, wording=form.wording, tenant=request.tenant, by=request.membership, now=request.now
        ),
    )
    if saved is not None:
        return _done(request, f"{saved.name} saved")
    return _form_page(request, "accounts/health/score.html", form, {"score": score})


@require_POST
@requires(Ability.MANAGE_DATA)
def archive_score(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    score = get_object_or_404(HealthScore, pk=pk)
    defining.archive_score(score, tenant=request.tenant, by=request.membership, now=request.now)
    return _done(request, f"{score.name} archived. It does not count any more; its history stays")


@require_POST
@requires(Ability.MANAGE_DATA)
def restore_score(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    score = get_object_or_404(HealthScore, pk=pk)
    try:
        defining.restore_score(score, tenant=request.tenant, by=request.membership, now=request.now)
    except defining.CannotSave as refusal:
        messages.error(request, str(refusal))
        return go_to(request, reverse("health:page", args=[slug]))
    return _done(request, f"{score.name} counts again")


# --- measures ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def new_measure(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _measure(request, _present_score(pk), None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def edit_measure(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    measure = _measure_or_404(pk)
    return _measure(request, measure.score, measure)


def _measure(request: WorkspaceRequest, score: HealthScore, measure: HealthMeasure | None) -> HttpResponse:
    names = ("name", "weight", "when_unknown", "healthy", "poor")
    form = MeasureForm(_posted(request), initial=_initial(measure, names))
    saved = _try(
        form,
        lambda: defining.save_measure(
            measure, score=score, wording=form.wording, tenant=request.tenant, by=request.membership, now=request.now
        ),
    )
    if saved is not None:
        return _done(request, f"{saved.name} saved")
    return _form_page(request, "accounts/health/measure.html", form, {"score": score, "measure": measure})


@require_POST
@requires(Ability.MANAGE_DATA)
def remove_measure(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    measure = _measure_or_404(pk)
    defining.remove_measure(measure, tenant=request.tenant, by=request.membership, now=request.now)
    return _done(request, f"{measure.name} removed")


@require_POST
@requires(Ability.MANAGE_DATA)
def preview_measure(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """How many accounts are healthy, concerning, poor or unknown by what stands in the form."""
    score = _present_score(pk)
    posted, parts = request.POST.copy(), None
    posted["name"] = posted.get("name") or "-"  # not given yet: it does not matter to what it would say
    form = MeasureForm(posted)
    is_finished = form.is_valid()
    if is_finished:
        wording = form.wording
        unsaved = HealthMeasure(score=score, name=wording.name, weight=1, when_unknown=wording.when_unknown)
        try:
            about = _rule_or_none(score.applies_to)
            measure = MeasureTerms(unsaved, wording.healthy, wording.poor)
            parts = measure_preview(ScoreTerms(score, about, []), measure, tenant=request.tenant, now=request.now)
        except RuleErrors:
            is_finished = False
    return render(request, "accounts/health/_preview.html", {"parts": parts, "is_finished": is_finished})


# --- lifecycles -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def lifecycles(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = LifecycleForm(_posted(request), initial={one.lifecycle: one.rule for one in LifecycleRule.objects.all()})
    if form.is_valid() and "check" not in request.POST:
        try:
            settled = lifecycle.save_rules(form.rules, tenant=request.tenant, by=request.membership, now=request.now)
            words = "Lifecycle rules saved" + ("" if settled else ". They are asked at the next evaluation")
            messages.success(request, words)
            return go_to(request, reverse("health:lifecycles", args=[slug]))
        except lifecycle.CannotSave as refusal:
            form.add_error(refusal.outcome, ValidationError(str(refusal)))
    context = {
        "shares": _shares(request, form),
        "is_checked": form.is_valid(),
        "trait": governed.yielded_to(lifecycle.COLUMN),
        "outcomes": [(form[outcome], LifecycleRule.Outcome(outcome).label) for outcome in lifecycle.ORDER],
    }
    return _form_page(request, "accounts/health/lifecycles.html", form, context)


def _shares(request: WorkspaceRequest, form: LifecycleForm) -> list[lifecycle.Share] | None:
    """By what stands in the form, else by what is stored; None where that cannot be asked any more."""
    try:
        rules = form.rules if form.is_valid() else lifecycle.stored_rules(workspace_fields())
    except RuleErrors:
        return None
    return lifecycle.shares(rules, tenant=request.tenant, now=request.now)


# --- shared -----------------------------------------------------------------------------------------------------------


def _try(form: Any, save: Callable[[], Any]) -> Any:
    """What was saved; None while the form is not valid, or the verb has refused it."""
    if not form.is_valid():
        return None
    try:
        return save()
    except defining.CannotSave as refusal:
        form.add_error(refusal.field or None, ValidationError(str(refusal)))
        return None


def _form_page(request: WorkspaceRequest, template: str, form: Any, context: dict[str, Any]) -> HttpResponse:
    is_wrong = form.is_bound and not form.is_editing and not form.is_valid()
    return render_page(request, template, {"form": form, **context}, status=422 if is_wrong else 200)


def _done(request: WorkspaceRequest, words: str) -> HttpResponse:
    messages.success(request, words)
    return go_to(request, reverse("health:page", args=[request.tenant.slug]))


def _initial(found: HealthScore | HealthMeasure | None, names: Sequence[str]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {name: getattr(found, name) for name in names} | {"weight": f"{found.weight:g}"}


def _posted(request: WorkspaceRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _rule_or_none(stored: Any) -> Rule | None:
    """Raises RuleErrors."""
    return None if stored is None else parse(stored, fields=workspace_fields(), subject=Subject.ACCOUNT)


def _present_score(pk: int) -> HealthScore:
    return get_object_or_404(HealthScore, pk=pk, archived_at=None)


def _measure_or_404(pk: int) -> HealthMeasure:
    return get_object_or_404(HealthMeasure.objects.select_related("score"), pk=pk, score__archived_at=None)
