"""What each owner has: for tables with a line per person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

SHOWN = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    """`member`: None for what nobody owns."""

    member: Membership | None
    sums: T

    @property
    def name(self) -> str:
        return self.member.name if self.member else "Nobody"


def by_person(found: Mapping[int | None, T], *, weight: Callable[[T], tuple[int, ...]]) -> list[Owned[T]]:
    """The heaviest first; what nobody owns last."""
    people = Membership.objects.in_tenant(current_tenant_id()).in_bulk([pk for pk in found if pk is not None])
    owned = [Owned(people[pk], sums) for pk, sums in found.items() if pk is not None]
    owned.sort(key=lambda one: (*(-number for number in weight(one.sums)), one.name))
    nobody = [Owned(None, sums) for pk, sums in found.items() if pk is None]
    return owned[: SHOWN - len(nobody)] + nobody
