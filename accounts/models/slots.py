"""Typed slot columns: the filterable mirror of the `traits` document (docs/rules.md, "Traits and slots").

Only types whose comparison is leakproof are used, because under row-level security no other index can serve a filter.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

SLOTS: dict[str, tuple[int, "Callable[[], models.Field[Any, Any]]"]] = {
    "t": (20, lambda: models.TextField(null=True)),
    "n": (15, lambda: models.FloatField(null=True)),
    "m": (5, lambda: models.BigIntegerField(null=True)),  # cents, and Membership ids
    "d": (10, lambda: models.DateField(null=True)),
    "s": (5, lambda: models.DateTimeField(null=True)),
    "b": (10, lambda: models.BooleanField(null=True)),
    "l": (4, lambda: ArrayField(models.TextField(), null=True)),
}


def slot_names(family: str) -> list[str]:
    return [f"{family}{n:02}" for n in range(1, SLOTS[family][0] + 1)]


def slot_fields() -> "dict[str, models.Field[Any, Any]]":
    """Fresh fields, one per slot, for a model's class body."""
    return {name: make() for family, (_count, make) in SLOTS.items() for name in slot_names(family)}


# How many slots of each family, the last ones, an index covers: a trait marked fast moves into one of them
# (accounts/fast_traits.py). The indexes hold only rows with a value, so a slot nobody uses costs nothing.
FAST: dict[str, int] = {"t": 5, "n": 5, "m": 3, "d": 3, "s": 2, "b": 2}


def fast_slot_names(family: str) -> list[str]:
    return slot_names(family)[-FAST[family] :] if family in FAST else []


def fast_slot_indexes(prefix: str) -> list[models.Index]:
    return [
        models.Index(
            fields=["tenant", slot, "id"], condition=models.Q((f"{slot}__isnull", False)), name=f"{prefix}_by_{slot}"
        )
        for family in FAST
        for slot in fast_slot_names(family)
    ]
