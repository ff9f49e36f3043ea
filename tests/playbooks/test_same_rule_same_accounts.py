"""The same JSON gives the same accounts, whoever asks: a segment, a measure of health, a filter, a playbook."""

import json
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.health.grading import grade_accounts
from accounts.models import Account, HealthMeasure, HealthReading, HealthScore, Segment, SegmentMembership
from accounts.rules.compile import matching_accounts, predicate
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import RuleErrors, parse
from accounts.segments.settling import settle_segments
from accounts.table.rule_filter import PARAMETER, RuleFilter
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.definition import audience_of
from tests.accounts.rules.strategies import trees
from tests.accounts.rules.subjects import CLOCK, NOW, Builder
from tests.world import playbook_json

EXAMPLES, RULES_EACH = 10, 15

pytestmark = pytest.mark.django_db


def test_a_segment_a_measure_a_filter_and_a_playbook_agree() -> None:
    made = Builder(seed=23).workspace("acme", accounts=40, users=30)
    tenant = Tenant.objects.get(pk=made.tenant_id)
    fields = _without_what_is_being_settled(made.fields)
    checked = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(trees(fields, Subject.ACCOUNT), min_size=RULES_EACH, max_size=RULES_EACH))
    def agree(written: list[Any]) -> None:
        nonlocal checked
        rules = [rule for rule in written if _is_one(rule, fields)]
        checked += len(rules)
        with transaction.atomic():
            asked = [
                _by_segment(rules, tenant, fields),
                _by_measure(rules, tenant, fields),
                [_by_filter(rule, tenant, fields) for rule in rules],
                [_by_playbook(rule, tenant, fields) for rule in rules],
            ]
            tracked = set(Account.objects.tracked().values_list("pk", flat=True))
            transaction.set_rollback(True)
        for rule, found in zip(rules, zip(*asked, strict=True), strict=True):
            assert len({frozenset(accounts & tracked) for accounts in found}) == 1, rule
            segment, _measure, filtered, _playbook = found
            assert segment == filtered, rule

    with tenant_context(made.tenant_id):
        agree()
    assert checked > 0.8 * EXAMPLES * RULES_EACH


def _without_what_is_being_settled(fields: FieldSet) -> FieldSet:
    """A rule about segments or health would be asked before and after its own answer is written."""
    known = {key: field for key, field in fields.known.items() if field.key != "health"}
    return FieldSet(known, fields.sources[:2])


def _is_one(written: Any, fields: FieldSet) -> bool:
    try:
        parse(written, fields=fields, subject=Subject.ACCOUNT)
    except RuleErrors:
        return False
    return True


def _by_segment(rules: list[Any], tenant: Tenant, fields: FieldSet) -> list[set[int]]:
    made = Segment.objects.bulk_create(
        Segment(scope="account", name=f"Rule {at}", rule=rule, created_at=NOW) for at, rule in enumerate(rules)
    )
    settle_segments(tenant=tenant, fields=fields, now=NOW)
    stays = SegmentMembership.objects.filter(left_at=None)
    return [set(stays.filter(segment=one).values_list("account_id", flat=True)) for one in made]


def _by_measure(rules: list[Any], tenant: Tenant, fields: FieldSet) -> list[set[int]]:
    score = HealthScore.objects.create(name="All", created_at=NOW)
    made = HealthMeasure.objects.bulk_create(
        HealthMeasure(score=score, name=f"Rule {at}", healthy=rule, when_unknown="healthy")
        for at, rule in enumerate(rules)
    )
    grade_accounts(tenant=tenant, fields=fields, now=NOW)
    grades = list(HealthReading.objects.filter(score=score, is_current=True).values_list("account_id", "grades"))
    return [_healthy(grades, one, tenant, fields) for one in made]


def _healthy(grades: list[Any], measure: HealthMeasure, tenant: Tenant, fields: FieldSet) -> set[int]:
    """An unknown account is one without any value: whether the rule holds there is then asked of nobody else."""
    found = {account_id for account_id, said in grades if said[str(measure.pk)] == "healthy"}
    unknown = {account_id for account_id, said in grades if said[str(measure.pk)] == "unknown"}
    return found | (unknown & _by_filter(measure.healthy, tenant, fields))


def _by_filter(rule: Any, tenant: Tenant, fields: FieldSet) -> set[int]:
    read = RuleFilter.read({PARAMETER: json.dumps(rule)}, fields=fields, people={})
    assert read.rule, read.problems
    where = predicate(read.rule, tenant_id=tenant.pk, clock=CLOCK)
    return set(Account.objects.present().where(where).values_list("pk", flat=True))


def _by_playbook(rule: Any, tenant: Tenant, fields: FieldSet) -> set[int]:
    audience = audience_of(playbook_json(rules={"account": rule}), fields)
    found = matching_accounts(audience, tenant_id=tenant.pk, clock=CLOCK)
    return {account.pk for account in Account.objects.raw(found.text, found.params)}
