"""Success plans as the cockpit sees them: what a CTA may belong to, kept by an upper layer."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class CtaPlans(Protocol):
    def order(self, cta: str) -> Any:
        """A text by which CTAs stand under their plans, those without one last; `cta` is the path to the CTA's id."""

    def names(self, ctas: Collection[int]) -> Mapping[int, str]:
        """What the plan of each is called; those without one are absent."""


def cta_plans() -> CtaPlans:
    return import_string(settings.CTA_PLANS)()  # type: ignore[no-any-return]
