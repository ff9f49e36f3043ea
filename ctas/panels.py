"""The open CTAs of an account, on its page; and what upper layers add to a CTA's drawer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.db.models import Count, F, Q
from django.forms import Field
from django.utils.module_loading import import_string

from accounts.actors import load_actors
from accounts.models import Account
from cs_platform.tenancy.models import Doer
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import WorkspaceRequest
from ctas.models import Cta, Task
from ctas.own_days import own_days

SHOWN = 50


class CtasPanel:
    key: ClassVar[str] = "ctas"
    label: ClassVar[str] = "CTAs"
    beside: ClassVar[bool] = False

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        present, done = Q(tasks__archived_at=None), Q(tasks__status=Task.Status.DONE)
        counted = Cta.objects.open().annotate(
            tasks_all=Count("tasks", filter=present), tasks_done=Count("tasks", filter=present & done)
        )
        mine = counted.filter(account=account).select_related("owner")
        ctas = list(mine.order_by(F("due_on").asc(nulls_last=True), "pk")[: SHOWN + 1])
        actors, days = load_actors({cta.created_by for cta in ctas}), own_days(request.tenant, now=request.now)
        here = page_address(request)
        context = {
            "ctas": [(cta, actors[cta.created_by]) for cta in ctas[:SHOWN]],
            "late": {cta.pk for cta in ctas if cta.due_on and cta.due_on < days.of(cta.owner_id)},
            "more": len(ctas) > SHOWN,
            "count": f"{SHOWN}+" if len(ctas) > SHOWN else len(ctas),
            "here": here + ("&" if "?" in here else "?"),
        }
        return Fragment("ctas/_panel.html", context)


class DrawerPart(Protocol):
    def fragment(self, request: WorkspaceRequest, cta: Cta) -> Fragment | None:
        """Its template, given `part`: whatever the context holds. None where it has nothing to say."""


Offer = tuple[str, Sequence[tuple[str, str]]]


class NewCtaPart(Protocol):
    """What an upper layer asks beside a new CTA."""

    def offers(self, *, account: str, type: str) -> Iterable[Offer]:
        """(id of an element, the (value, label) of its options), for the account as it was typed and the type."""

    def fields(self) -> Mapping[str, Field]:
        """Of the form, by name."""

    def problems(self, given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """(field, what is wrong), of the cleaned values of the whole form; those that were wrong already are absent."""

    def opened(self, cta: Cta, given: Mapping[str, Any], *, by: Doer, now: datetime) -> None:
        """The CTA is there; in the same transaction."""


def new_cta_parts() -> list[NewCtaPart]:
    return [import_string(path)() for path in settings.NEW_CTA_PARTS]


def drawer_parts(request: WorkspaceRequest, cta: Cta) -> Iterator[Fragment]:
    for path in settings.CTA_DRAWER_PARTS:
        if part := import_string(path)().fragment(request, cta):
            yield part
