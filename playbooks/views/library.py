"""The list of playbooks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires
from playbooks import versions
from playbooks.activity import load_activity
from playbooks.evaluation import ask_for_look
from playbooks.library import MOST_ERRORS, SORTS, asked_look, count_errors, last_look, library, task_lists
from playbooks.models import Playbook, PlaybookVersion
from playbooks.pausing import Missed
from playbooks.views.loading import playbook_changed, playbook_or_404

FRAGMENTS = {"playbooks": "playbooks/_library.html"}
TABS = {
    "published": (Playbook.Status.LIVE, Playbook.Status.PAUSED, Playbook.Status.DRY_RUN),
    "dry-runs": (Playbook.Status.DRY_RUN,),
    "drafts": (Playbook.Status.DRAFT,),
    "archived": (Playbook.Status.ARCHIVED,),
}
TASK_LISTS, ACTIVITY = "task-lists", "activity"
TASK_LIST_FRAGMENTS = {"playbooks": "playbooks/_task_lists.html"}
ACTIVITY_FRAGMENTS = {"playbooks": "playbooks/_activity.html"}
SEARCH_LIMIT = 100
OFFERED = 100  # categories and people to choose from
# What is done, how it is said, and what takes it back.
SWITCHES: dict[str, tuple[Callable[..., int], str, str]] = {
    "pause": (versions.pause, "paused: what runs waits, nothing new is applied", "resume"),
    "resume": (versions.resume, "is live", "pause"),
}


@dataclass(frozen=True, slots=True)
class Menu:
    """One of the list's menus: its parameter, and of each choice the words, the address, and whether it is made."""

    name: str
    icon: str
    value: str
    choices: Sequence[tuple[str, str, bool]]

    @property
    def says(self) -> str:
        chosen = next((words for words, _address, is_chosen in self.choices if is_chosen), self.choices[0][0])
        return f"Sort: {chosen}" if self.name == "sort" else chosen


@require_safe
@requires(Ability.READ)
def playbook_library(request: WorkspaceRequest, slug: str) -> HttpResponse:
    tab = request.GET.get("tab", "")
    tab = tab if tab in (*TABS, TASK_LISTS, ACTIVITY) else "published"
    search = request.GET.get("q", "").replace("\x00", "").strip()[:SEARCH_LIMIT]
    on_ctas = Playbook.objects.filter(audience=Playbook.Audience.CTAS)
    others = Playbook.objects.exclude(audience=Playbook.Audience.CTAS)
    counts = dict(others.values_list("status").annotate(Count("pk")).order_by())
    tabs = [(name, sum(counts.get(status, 0) for status in statuses)) for name, statuses in TABS.items()]
    tabs = [(name, count) for name, count in tabs if count or name in (tab, "published", "drafts", "archived")]
    context = {
        "tab": tab,
        "tabs": [(name, name.replace("-", " ").capitalize(), count) for name, count in tabs]
        + [(TASK_LISTS, "CTA task lists", on_ctas.exclude(status=Playbook.Status.ARCHIVED).count())]
        + [(ACTIVITY, "Activity", None)],
        "total": sum(counts.values()),
        "search": search,
    }
    if tab == TASK_LISTS:
        lists = on_ctas.filter(name__icontains=search).select_related("version")
        return render_page(
            request,
            "playbooks/library.html",
            context | {"task_lists": task_lists(lists)},
            fragments=TASK_LIST_FRAGMENTS,
        )
    if tab == ACTIVITY:
        before = request.GET.get("before", "")
        number = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
        activity = load_activity(before=number)
        return render_page(
            request, "playbooks/library.html", context | {"activity": activity}, fragments=ACTIVITY_FRAGMENTS
        )
    asks = PlaybookVersion.objects.filter(playbook=OuterRef("pk"), published_at=None, asked_at__isnull=False)
    here = others.filter(status__in=TABS[tab]).select_related("version", "created_by").annotate(asks=Exists(asks))
    shown, filters = _filtered(list(here), search, request)
    found = library(shown, sort=filters["sort"])
    context |= filters | {"categories": found, "look": last_look(), "asked": asked_look()}
    context |= {"errors": count_errors(), "most_errors": MOST_ERRORS}
    return render_page(request, "playbooks/library.html", context, fragments=FRAGMENTS)


def _filtered(here: list[Playbook], search: str, request: WorkspaceRequest) -> tuple[list[Playbook], dict[str, Any]]:
    """By name, category and who made them; what is not offered is as if it had not been asked for."""
    category, owner, sort = (request.GET.get(name, "") for name in ("category", "owner", "sort"))
    categories = sorted({one.category for one in here if one.category}, key=str.lower)[:OFFERED]
    makers = {str(one.created_by.pk): one.created_by.name for one in here if one.created_by}
    category, owner = category if category in categories else "", owner if owner in makers else ""
    sort = sort if sort in SORTS else "name"
    shown = [
        one
        for one in here
        if search.lower() in one.name.lower()
        and category in ("", one.category)
        and owner in ("", str(one.created_by_id))
    ]
    return shown, {
        "category": category,
        "owner": owner,
        "orders": {name: _address(request, "sort", name) for name in SORTS},
        "sort": sort,
        "menus": _menus(request, categories, makers, category, owner, sort),
    }


def _menus(
    request: WorkspaceRequest, categories: list[str], makers: dict[str, str], category: str, owner: str, sort: str
) -> list[Menu]:
    """A menu of one choice is none."""
    people = sorted(makers.items(), key=lambda one: (one[1].lower(), one[0]))[:OFFERED]
    offered = [
        ("category", "layers", category, [("", "All categories"), *((one, one) for one in categories)]),
        ("owner", "user", owner, [("", "Made by anybody"), *people] if len(people) > 1 or owner else []),
        ("sort", "arrow-up-down", sort, [(name, label) for name, (label, _key) in SORTS.items()]),
    ]
    return [
        Menu(name, icon, chosen, [(words, _address(request, name, one), one == chosen) for one, words in choices])
        for name, icon, chosen, choices in offered
        if len(choices) > 1
    ]


def _address(request: WorkspaceRequest, name: str, value: str) -> str:
    """Where one is, with another choice."""
    query = request.GET.copy()
    query[name] = value
    return f"?{query.urlencode()}"


@require_POST
@requires(Ability.PUBLISH_PLAYBOOKS)
def switch(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Pause and resume are each other's undo."""
    playbook = playbook_or_404(pk)
    act, text, inverse = SWITCHES[verb]
    how = {"missed": Missed.SKIP} if verb == "resume" and request.POST.get("missed") == Missed.SKIP else {}
    act(playbook, by=request.membership, now=request.now, **how)
    undo = reverse("playbooks:switch", args=[slug, pk, inverse])
    address = reverse("playbooks:detail", args=[slug, pk])
    return playbook_changed(request, f"{playbook.name} {text}", address=address, undo=undo)


@require_POST
@requires(Ability.PUBLISH_PLAYBOOKS)
def put_away(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Into the archive and out of it; `stop` also stops it wherever it is under way."""
    playbook = playbook_or_404(pk)
    address = reverse("playbooks:detail", args=[slug, pk])
    if verb == "unarchive":
        versions.unarchive(playbook, by=request.membership, now=request.now)
        return playbook_changed(request, f"{playbook.name} is back", address=address)
    try:
        stopped = versions.archive(playbook, by=request.membership, now=request.now, stop="stop" in request.POST)
    except versions.NotPossible as refusal:
        return playbook_changed(request, str(refusal), address=address)
    text = f"{playbook.name} is archived" + (f", and stops in {stopped:,}" if stopped else "")
    undo = None if stopped else reverse("playbooks:put_away", args=[slug, pk, "unarchive"])
    return playbook_changed(request, text, address=address, undo=undo)


@require_POST
@requires(Ability.RELEASE_EVALUATIONS)
def evaluate(request: WorkspaceRequest, slug: str) -> HttpResponse:
    ask_for_look(request.tenant, by=request.membership, now=request.now)
    text = "The rules are being checked. What came of it is shown here"
    return playbook_changed(request, text, address=reverse("playbooks:list", args=[slug]))
