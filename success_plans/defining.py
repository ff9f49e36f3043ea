"""Types and templates of plans, made and changed; every change is written down."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer
from success_plans.custom_fields import CannotUse, checked_fields
from success_plans.models import PlanTemplate, PlanType
from success_plans.planning import CannotPlan
from success_plans.templates import checked_definition

MOST_TYPES, MOST_TEMPLATES, MOST_CATEGORIES = 50, 200, 30
TYPE_FACTS = ("name", "formula", "categories", "fields")
TEMPLATE_FACTS = ("key", "name", "description", "type_id", "duration_days", "definition")
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


# --- types ------------------------------------------------------------------------------------------------------------


def save_type(
    type: PlanType | None,
    *,
    name: str,
    formula: str,
    categories: Sequence[str],
    fields: Sequence[Mapping[str, Any]],
    by: Doer,
    now: datetime,
) -> PlanType:
    """Made, or changed. Raises CannotPlan. What plans say in a field that goes stays stored, and is shown no more."""
    if type is None and PlanType.objects.filter(archived_at=None).count() >= MOST_TYPES:
        raise CannotPlan(f"A workspace can have {MOST_TYPES} types of plans. Archive one first.")
    before = _said(type, TYPE_FACTS) if type else {}
    held = type or PlanType(created_at=now)
    held.name, held.formula = name, formula
    held.categories, held.fields = _categories(categories), _fields(fields)
    with transaction.atomic():
        _keep(held, f"There is a type called {name} already.")
        _write_down("plan_type", "changed" if type else "created", held, TYPE_FACTS, before, by=by, now=now)
    return held


def _categories(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(text.strip()[:100] for text in given if text.strip()))
    if len(found) > MOST_CATEGORIES:
        raise CannotPlan(f"A type can have {MOST_CATEGORIES} categories.", "categories")
    return found


def _fields(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    try:
        return checked_fields(given)
    except CannotUse as refusal:
        raise CannotPlan(str(refusal), "fields") from None


# --- templates --------------------------------------------------------------------------------------------------------


def save_template(
    template: PlanTemplate | None,
    *,
    name: str,
    type: PlanType,
    key: str = "",
    description: str = "",
    duration_days: int | None = None,
    definition: Mapping[str, Any],
    by: Doer,
    now: datetime,
) -> PlanTemplate:
    """Made, or changed; plans that were started from it stay as they are. Raises CannotPlan."""
    if template is None and PlanTemplate.objects.filter(archived_at=None).count() >= MOST_TEMPLATES:
        raise CannotPlan(f"A workspace can have {MOST_TEMPLATES} templates. Archive one first.")
    before = _said(template, TEMPLATE_FACTS) if template else {}
    held = template or PlanTemplate(created_at=now)
    held.name, held.type, held.description, held.duration_days = name, type, description, duration_days
    held.key = _key(key or held.key or _free_key(name))
    held.definition = checked_definition(definition, type=type)
    with transaction.atomic():
        _keep(held, f"There is a template with the key {held.key} already.", "key")
        _write_down("plan_template", "changed" if template else "created", held, TEMPLATE_FACTS, before, by=by, now=now)
    return held


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise CannotPlan("Write the key in lower case, with digits and hyphens, for example site-roll-out.", "key")
    return text


def _free_key(name: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:56] or "template"
    taken = set(PlanTemplate.objects.filter(key__startswith=word).values_list("key", flat=True))
    return next(key for key in (word, *(f"{word}-{n}" for n in range(2, len(taken) + 3))) if key not in taken)


# --- shared -----------------------------------------------------------------------------------------------------------


def put_away(held: PlanType | PlanTemplate, *, by: Doer, now: datetime) -> bool:
    """No new plan is made with it; plans that have it keep it."""
    with transaction.atomic():
        if not _rows(held).filter(archived_at=None).update(archived_at=now):
            return False
        _write_down(_kind(held), "archived", held, (), {}, by=by, now=now)
        return True


def take_out(held: PlanType | PlanTemplate, *, by: Doer, now: datetime) -> bool:
    """Back from the archive. Raises CannotPlan where its name has been given away."""
    try:
        with transaction.atomic():
            if not _rows(held).filter(archived_at__isnull=False).update(archived_at=None):
                return False
            _write_down(_kind(held), "restored", held, (), {}, by=by, now=now)
            return True
    except IntegrityError:
        raise CannotPlan(f"There is another one called {held.name} by now. Rename that first.", "name") from None


def _rows(held: PlanType | PlanTemplate) -> Any:
    return type(held).objects.filter(pk=held.pk)


def _kind(held: PlanType | PlanTemplate) -> str:
    return "plan_type" if isinstance(held, PlanType) else "plan_template"


def _keep(held: PlanType | PlanTemplate, taken: str, field: str = "name") -> None:
    try:
        with transaction.atomic():
            held.save()
    except IntegrityError:
        raise CannotPlan(taken, field) from None


def _said(held: PlanType | PlanTemplate, facts: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(held, name) for name in facts}


def _write_down(
    kind: str,
    verb: str,
    held: PlanType | PlanTemplate,
    facts: Sequence[str],
    before: dict[str, Any],
    *,
    by: Doer,
    now: datetime,
) -> None:
    after = _said(held, facts)
    if verb == "changed" and after == before:
        return
    about: dict[str, Any] = {"subject_type": kind, "subject_id": held.pk, "name": held.name}
    record(verb=f"{kind}.{verb}", **about, before=before, after=after, by=by, now=now)
