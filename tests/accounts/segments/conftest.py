"""Accounts and users of Orbiton, and a segment that people and playbooks fill."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.fields import workspace_fields
from accounts.models import Account, Segment, SegmentMembership
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.segments.defining import Wording, create_segment
from tests.world import MONDAY, Workspace, account

Make = Callable[..., Segment]


@pytest.fixture
def some(inside: Workspace) -> list[Account]:
    return [account(f"Account {at}", plan="Pro" if at < 2 else "Basic") for at in range(4)]


@pytest.fixture
def make(inside: Workspace) -> Make:
    def made(name: str, rule: Any = None, *, scope: str = "account") -> Segment:
        written = rule and parse(rule, fields=workspace_fields(), subject=Subject(scope))
        return create_segment(
            scope=scope, wording=Wording(name, "", written), tenant=inside.tenant, by=inside.maya, now=MONDAY
        )

    return made


@pytest.fixture
def vip(make: Make) -> Segment:
    return make("VIP")


def members(segment: Segment) -> set[int]:
    stays = SegmentMembership.objects.filter(segment=segment, left_at=None)
    return {stay.account_id or stay.end_user_id for stay in stays}
