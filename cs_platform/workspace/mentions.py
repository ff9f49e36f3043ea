"""@mentions: written as a name, kept as who is meant, so that somebody who is renamed is still named rightly."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Q

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

KEPT = re.compile(r"<@([0-9]{1,18})>")
OFFERED = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a text: words, or somebody's name."""

    text: str
    member_id: int | None = None


def mentioned_in(body: str) -> set[int]:
    return {int(id) for id in KEPT.findall(body)}


def keep_mentions(text: str, *, also: Iterable[int] = ()) -> str:
    """“@Maya Osei” becomes <@7>, and so does her address after an @. `also`: who is named already, though they left."""
    if "@" not in text:
        return text
    team = _team(also)
    by_handle = {handle.lower(): id for id, handle in _handles(team).items()}
    by_handle |= {member.email.lower(): member.pk for member in team}
    longest_first = sorted(by_handle, key=len, reverse=True)
    names = re.compile(rf"(?<![\w.<])@({'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
    return names.sub(lambda found: f"<@{by_handle[found[1].lower()]}>", text)


def without_mentions(text: str) -> str:
    """What would be taken for one is not."""
    return KEPT.sub(lambda found: f"@{found[1]}", text)


def written(body: str) -> str:
    """As its author wrote it, to be edited."""
    ids = mentioned_in(body)
    handles = _handles(_team(ids)) if ids else {}
    return KEPT.sub(lambda found: f"@{handles[int(found[1])]}" if int(found[1]) in handles else found[0], body)


def pieces(body: str, names: Mapping[int, str]) -> Iterator[Piece]:
    """An id that is nobody's stays the text it is."""
    ends = 0
    for found in KEPT.finditer(body):
        if (id := int(found[1])) not in names:
            continue
        if found.start() > ends:
            yield Piece(body[ends : found.start()])
        yield Piece(f"@{names[id]}", id)
        ends = found.end()
    if ends < len(body):
        yield Piece(body[ends:])


def names_of(ids: Iterable[int]) -> dict[int, str]:
    wanted = set(ids)
    members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=wanted) if wanted else ()
    return {member.pk: member.name for member in members}


def offer(text: str) -> list[tuple[Membership, str]]:
    """Whom the beginning of a name may mean, each with what to write."""
    team = Membership.objects.active().in_tenant(current_tenant_id())
    starts = Q(name__istartswith=text) | Q(name__icontains=f" {text}") | Q(email__istartswith=text)
    found = list((team.filter(starts) if text else team).order_by("name", "pk")[:OFFERED])
    doubled = _doubled(team.filter(name__in=[member.name for member in found]))
    return [(member, _handle(member, doubled)) for member in found]


def _team(also: Iterable[int]) -> list[Membership]:
    active = Q(deactivated_at=None) | Q(pk__in=list(also))
    return list(Membership.objects.in_tenant(current_tenant_id()).filter(active).only("name", "email"))


def _handles(members: Iterable[Membership]) -> dict[int, str]:
    """A name, or where two share it, the address."""
    team = list(members)
    doubled = _doubled(team)
    return {member.pk: _handle(member, doubled) for member in team}


def _handle(member: Membership, doubled: set[str]) -> str:
    return member.email if member.name.lower() in doubled else member.name


def _doubled(members: Iterable[Membership]) -> set[str]:
    return {name for name, times in Counter(member.name.lower() for member in members).items() if times > 1}
