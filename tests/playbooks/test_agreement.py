"""What the preview counts, what the night enrolls and what "why" answers are one and the same, for any rules."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts import nightly
from accounts.fields import workspace_fields
from accounts.matching import Asking
from accounts.models import Account, EndUser, TraitDefinition
from accounts.rules.compile import Audience
from accounts.rules.explain import accounts_statement, read_account, read_user, users_statement
from accounts.rules.fields import FieldSet
from accounts.rules.sql import Sql
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.ahead import look_ahead, stand
from playbooks.audience import why_of
from playbooks.definition import TARGETS, DefinitionErrors, audience_of, parse
from playbooks.drafts import read
from playbooks.enrollment import apply_by_hand
from playbooks.models import Enrollment, Evaluation, Playbook, Withheld
from playbooks.versions import exported
from tests.accounts.rules.strategies import pairs
from tests.accounts.rules.subjects import CLOCK, NOW, Builder, Workspace, definitions
from tests.world import evaluate, live, playbook_json

EXAMPLES, PLAYBOOKS_EACH = 5, 6
ASKED = 3  # of those who match a playbook

pytestmark = pytest.mark.django_db

NAMED = {"field": "name", "op": "set"}
OUTCOME = {"name": "Named", "rule": NAMED, "days": 30}

Subjects = set[tuple[int, int | None]]
AGAIN: list[dict[str, Any]] = [
    {"policy": "once_ever"},
    {"policy": "every_match"},
    {"policy": "once_per_value", "field": "renewal_on"},
    {"policy": "at_most", "times": 1},
    {"policy": "at_most", "days": 30},
]
CHOICES = st.fixed_dictionaries(
    {
        "audience": st.sampled_from(["accounts", "users"]),
        "target": st.sampled_from(sorted(TARGETS)),
        "reenrollment": st.sampled_from(AGAIN),
        "respects_known_cause": st.booleans(),
        "holdout": st.sampled_from([0, 0, 10, 30, 50]),
    }
)


def test_the_preview_the_night_and_the_reasons_name_the_same_subjects() -> None:
    """Several playbooks at once, some applied before, of every policy, with every field a workspace has."""
    made = Builder(seed=41).workspace("acme", accounts=30, users=30)
    tenant = Tenant.objects.get(pk=made.tenant_id)
    checked = enrolled = left_out = 0

    with tenant_context(made.tenant_id):
        fields = _settled(tenant)
        written = st.tuples(pairs(fields), CHOICES).map(lambda drawn: _playbook(*drawn))
        for_all = playbook_json(
            "for-all", rules={"account": NAMED, "user": None}, brake_limit=10_000, outcome=OUTCOME, holdout=30
        )

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(written, min_size=PLAYBOOKS_EACH, max_size=PLAYBOOKS_EACH), st.integers(0, 1_000))
        def agree(drawn: list[dict[str, Any]], at: int) -> None:
            nonlocal checked, enrolled, left_out
            with transaction.atomic():
                playbooks = [live(one, now=NOW) for one in [*_numbered(drawn), for_all] if _is_one(one, fields)]
                _apply_some(playbooks, made, at)
                ahead = [_previewed(one, tenant, fields) for one in playbooks]
                standing = [_standing(one, tenant, fields) for one in playbooks]
                answers = [_explained(one, made, fields) for one in playbooks]
                told = [_told(one, found, tenant) for one, found in zip(playbooks, answers, strict=True)]
                run = evaluate(tenant, now=NOW)
                nights = {one.playbook_id: one for one in Evaluation.objects.filter(run=run)}
                for number, playbook in enumerate(playbooks):
                    (matched, fresh, left), why, night = ahead[number], answers[number], nights[playbook.pk]
                    assert standing[number] == ahead[number], playbook.version.definition
                    assert matched == night.matched == len(why), playbook.version.definition
                    assert fresh == night.enrolled, playbook.version.definition
                    assert (subjects := _enrolled(night)) <= why, playbook.version.definition
                    assert len(subjects) == fresh
                    assert left == night.left_out == len(without := _without(playbook)), playbook.version.definition
                    for subject, gets_it in told[number].items():
                        assert subject not in (without if gets_it else subjects), playbook.version.definition
                left_out += sum(one.left_out for one in nights.values())
                checked += len(playbooks)
                enrolled += sum(nights[one.pk].enrolled for one in playbooks if one.key != "for-all")
                transaction.set_rollback(True)

        agree()
    assert checked > 0.6 * EXAMPLES * PLAYBOOKS_EACH
    assert enrolled > EXAMPLES
    assert left_out > EXAMPLES  # how many differs with the ids, by which they are drawn


def _settled(tenant: Tenant) -> FieldSet:
    """The traits of the world as a workspace has them, and what a night settles before it asks, settled."""
    TraitDefinition.objects.bulk_create(TraitDefinition(tenant=tenant, **vars(one)) for one in definitions())
    nightly.settle(tenant=tenant, fields=workspace_fields(), now=NOW)
    return workspace_fields()


def _playbook(drawn: Any, chosen: dict[str, Any]) -> dict[str, Any]:
    account, user, _lifecycles = drawn
    name = "email" if chosen["audience"] == "users" else "name"
    outcome = OUTCOME | {"rule": {"field": name, "op": "set"}}
    return playbook_json(rules={"account": account, "user": user}, brake_limit=10_000, outcome=outcome, **chosen)


def _numbered(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"key": f"rule-{at}", "name": f"Rule {at}"} for at, one in enumerate(drawn)]


def _is_one(written: dict[str, Any], fields: FieldSet) -> bool:
    try:
        parse(written, fields=fields)
    except DefinitionErrors as refused:
        if any("let everybody through" not in one.message for one in refused.problems):
            raise
        return False
    return True


def _apply_some(playbooks: list[Playbook], made: Workspace, at: int) -> None:
    """Each on one subject a week before tonight, half of them over since: what a policy looks back on."""
    ties = sorted(made.ties)
    for n, playbook in enumerate(playbooks):
        account_id, user_id = ties[(at + 7 * n) % len(ties)]
        person = EndUser.objects.get(pk=user_id) if playbook.audience == Playbook.Audience.USERS else None
        earlier, here = NOW - timedelta(days=7), Account.objects.get(pk=account_id)
        applied = apply_by_hand(playbook=playbook, account=here, end_user=person, by="person:1", now=earlier)
        if n % 2:
            Enrollment.objects.filter(pk=applied.pk).update(state=Enrollment.State.COMPLETED, completed_at=earlier)


def _previewed(playbook: Playbook, tenant: Tenant, fields: FieldSet) -> tuple[int, int, int]:
    """On the rules step, and on Review."""
    definition, _problems = read(exported(playbook, playbook.version), fields=fields)
    assert definition is not None
    ahead = look_ahead(definition, playbook, tenant=tenant, fields=fields, now=NOW)
    assert ahead is not None
    about_users = playbook.audience == Playbook.Audience.USERS
    asking = Asking(_audience(playbook, fields), about_users, tenant_id=tenant.pk, clock=CLOCK, people={})
    assert asking.count() == ahead.matched
    return ahead.matched, ahead.fresh, ahead.left_out


def _standing(playbook: Playbook, tenant: Tenant, fields: FieldSet) -> tuple[int, int, int]:
    """Beside the rules while they are written."""
    found = stand(exported(playbook, playbook.version), playbook, tenant=tenant, fields=fields, now=NOW)
    assert found is not None
    return found.fresh + found.kept + found.left_out, found.fresh, found.left_out


def _told(playbook: Playbook, matching: Subjects, tenant: Tenant) -> dict[tuple[int, int | None], bool]:
    """Whether the page of the playbook says of a few that match that they get it."""
    found = {}
    for account_id, user_id in sorted(matching, key=str)[:ASKED]:
        person = EndUser.objects.get(pk=user_id) if user_id else None
        why = why_of(playbook.version, Account.objects.get(pk=account_id), person, tenant=tenant, now=NOW)
        assert why is not None
        found[account_id, user_id] = why.holds
    return found


def _without(playbook: Playbook) -> Subjects:
    return set(Withheld.objects.filter(playbook=playbook).values_list("account_id", "end_user_id"))


def _explained(playbook: Playbook, made: Workspace, fields: FieldSet) -> Subjects:
    """Everybody of whom every condition is said to hold."""
    audience, where = _audience(playbook, fields), {"tenant_id": made.tenant_id, "clock": CLOCK}
    if playbook.audience == Playbook.Audience.USERS:
        rows = _rows(users_statement(audience, ties=list(made.ties), **where))
        return {row[:2] for row in rows if read_user(audience, row[2:], clock=CLOCK).holds}
    rows = _rows(accounts_statement(audience, account_ids=list(made.accounts), **where))
    return {(row[0], None) for row in rows if read_account(audience, row[1:], clock=CLOCK).holds}


def _audience(playbook: Playbook, fields: FieldSet) -> Audience:
    return audience_of(playbook.version.definition, fields)


def _enrolled(night: Evaluation) -> Subjects:
    return set(Enrollment.objects.filter(evaluation=night).values_list("account_id", "end_user_id"))


def _rows(sql: Sql) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return list(cursor.fetchall())
