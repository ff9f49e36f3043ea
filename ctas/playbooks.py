"""CTA playbooks as lower layers see them: pre-set lists of tasks that an upper layer keeps and applies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.tenancy.models import Doer
from ctas.models import Cta


@dataclass(frozen=True, slots=True)
class CtaPlaybook:
    key: str
    name: str
    types: Sequence[str]  # of CTAs; empty: all
    tasks: int

    def is_for(self, type: str) -> bool:
        return not self.types or type in self.types


class CannotApply(Exception):
    """The text says what to do."""


class CtaPlaybooks(Protocol):
    def offered(self) -> Sequence[CtaPlaybook]:
        """Those that may be applied, by name."""

    def apply(self, key: str, cta: Cta, *, by: Doer, now: datetime) -> None:
        """Set up its tasks. Raises CannotApply."""

    def apply_to_many(self, key: str, ctas: Collection[int], *, by: Doer, now: datetime) -> None:
        """In as many statements as for one. CTAs it is not for, or that have one already, are left out."""


def cta_playbooks() -> CtaPlaybooks:
    return import_string(settings.CTA_PLAYBOOKS)()  # type: ignore[no-any-return]
