"""Success plans, offered to the cockpit (settings.CTA_PLANS)."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import F, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat

from success_plans.models import Objective

IN_ONE, IN_NONE = "1", "2"  # in this order


class PlansOfCtas:
    def order(self, cta: str) -> Any:
        """By the name of the plan; its id keeps plans of the same name on different accounts apart."""
        mine = Objective.objects.filter(cta=OuterRef(cta), plan__archived_at=None).order_by()
        parts = (Value(IN_ONE), F("plan__name"), Value(" "), Cast("plan_id", TextField()))
        words = Concat(*parts, output_field=TextField())
        named = Subquery(mine.annotate(words=words).values("words"), output_field=TextField())
        return Coalesce(named, Value(IN_NONE), output_field=TextField())

    def names(self, ctas: Collection[int]) -> Mapping[int, str]:
        rows = Objective.objects.filter(cta__in=ctas, plan__archived_at=None).order_by()
        found = rows.values_list("cta_id", "plan__name", "plan__account__name")
        return {pk: f"{plan} · {account}" for pk, plan, account in found}
