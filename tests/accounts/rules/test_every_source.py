"""Whichever source a field comes from, each of its operators is offered, described, explained, and means the same.

What a source counts is its own tests' business: here its values are taken as they are, and the reference judges them.
"""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from accounts.fields import workspace_fields
from accounts.models import Account, AccountRole, HealthReading, HealthScore, KeyRole, NpsResponse
from accounts.rule_field import people_of
from accounts.rules.aggregates import Aggregate
from accounts.rules.compile import Audience, predicate
from accounts.rules.describe import describe
from accounts.rules.explain import account_statement, read_account
from accounts.rules.fields import Column, Field, FieldType, Subject
from accounts.rules.grammar import Group, Leaf, Mode, Rule, dump
from accounts.rules.operators import Form, operators_for
from accounts.rules.segments import SegmentRelation, SegmentsRelation
from accounts.rules.sources import EventRelation, IndicatorRelation
from accounts.rules.sql import Clock, Sql, compose
from ctas.opening import open_cta
from success_plans.planning import activate, add_objective, create_plan
from tests.world import MONDAY, Workspace, account, apply_now, days, live, on, playbook_json, raise_risk, trait, user

from .conftest import Run
from .reference import Day, Facts, satisfies
from .test_operators import SAMPLES, samples

ZONE = ZoneInfo("UTC")
CLOCK = Clock.at(MONDAY, ZONE)
# Their facts are days, titles and memberships, not values: test_operators.py asks the reference about each of them.
ASKED_ELSEWHERE = (EventRelation, IndicatorRelation, SegmentRelation, SegmentsRelation)
_FROM = {
    Subject.ACCOUNT: "SELECT a.id, {0} FROM accounts_account a",
    Subject.USER: "SELECT au.end_user_id, {0} FROM accounts_accountuser au"
    " JOIN accounts_enduser u ON u.id = au.end_user_id JOIN accounts_account a ON a.id = au.account_id",
}


@pytest.fixture
def home(inside: Workspace) -> Workspace:
    """Every source has something to say of somebody, and nothing of somebody else."""
    trait("seats", "number")
    trait("mood", scope="user")
    above = account("Above", csm=inside.priya, renewal_on=on(20), mrr_cents=120_000)
    first = account("First", parent=above, plan=None, n01=12, traits={"seats": 12}, known_cause_until=on(9))
    account("Bare", plan="", health=71.5, last_seen_at=MONDAY - days(3))
    ada = user("Ada", first, role="admin", last_seen_at=MONDAY - days(1), t01="good", traits={"mood": "good"})
    user("Bob", above, email=None)
    role = KeyRole.objects.create(key="sponsor", name="Sponsor", position=1)
    AccountRole.objects.create(account=first, role=role, member=inside.tom, since_at=MONDAY)
    score = HealthScore.objects.create(name="Adoption", created_at=MONDAY)
    HealthReading.objects.create(account=first, score=score, on=on(1), value=40.0)
    NpsResponse.objects.create(account=first, end_user=ada, score=9, answered_at=MONDAY - days(2), source="survey")
    open_cta(account=first, name="Call", type="risk", due_on=on(1), by=inside.priya, now=MONDAY)
    plan = create_plan(account=first, name="Grow", due_on=on(1), by=inside.priya, now=MONDAY)
    add_objective(plan, name="Double it", by=inside.priya, now=MONDAY)
    activate(plan, by=inside.priya, now=MONDAY)
    plan = create_plan(account=first, name="Roll-out", due_on=on(20), by=inside.priya, now=MONDAY)
    activate(plan, by=inside.priya, now=MONDAY)
    steps = [raise_risk(1), raise_risk(30, key="far", title="Far")]
    apply_now(live(playbook_json("rescue", steps=steps)), first, now=MONDAY - days(1))
    apply_now(live(playbook_json("nudge", audience="users", steps=steps)), first, user=ada, now=MONDAY)
    return inside


def fields_of(subject: Subject) -> list[Field]:
    return [field for field in workspace_fields().all(subject) if not isinstance(field.source, ASKED_ELSEWHERE)]


def values_of(run: Run, field: Field, tenant_id: int) -> dict[int, Any]:
    """By account, or user."""
    if isinstance(field.source, Column):
        return dict(run(compose(_FROM[field.subject].replace("{0}", "{x}"), x=field.source.expression)))
    assert isinstance(field.source, Aggregate), f"{field.key} is of a kind that no test compares with the reference."
    known = dict(run(field.source.rows_of(tenant_id, CLOCK.today)))
    subjects = run(Sql(_FROM[field.subject].format("0")))
    return {id: field.source.missing if known.get(id) is None else known[id] for id, _nothing in subjects}


def leaves_of(field: Field, home: Workspace) -> list[Leaf]:
    chosen = [(value,) for value, _label in field.choices]
    with pytest.MonkeyPatch.context() as patched:
        if field.type is FieldType.PERSON:
            chosen = [(home.priya.pk,), (home.tom.pk,)]
        if chosen:
            patched.setitem(SAMPLES, field.type, chosen)
        return [
            Leaf(field, operator, values)
            for operator in operators_for(field.type).values()
            for values in samples(field, operator.form)
        ]


def verdicts(run: Run, leaves: list[Leaf], tenant_id: int) -> list[dict[int, bool]]:
    asked = [predicate(Rule(one.field.subject, one), tenant_id=tenant_id, clock=CLOCK) for one in leaves]
    columns = Sql.join(", ", [compose("({p}) IS TRUE", p=one) for one in asked])
    rows = run(compose(_FROM[leaves[0].field.subject].replace("{0}", "{columns}"), columns=columns))
    return [{row[0]: row[1 + at] for row in rows} for at in range(len(leaves))]


@pytest.mark.parametrize("subject", Subject)
def test_every_operator_of_every_field_says_what_the_reference_says(
    run: Run, home: Workspace, subject: Subject
) -> None:
    tenant_id = home.tenant.pk
    for field in fields_of(subject):
        values, leaves = values_of(run, field, tenant_id), leaves_of(field, home)
        assert {leaf.operator.key for leaf in leaves} == set(operators_for(field.type)), field.key
        for leaf, said in zip(leaves, verdicts(run, leaves, tenant_id), strict=True):
            written = dump(leaf)
            meant = {id: _satisfies(written, field.key, value) for id, value in values.items()}
            assert said == meant, written


def _satisfies(written: Any, key: str, value: Any) -> bool:
    if written["op"] in ("is_true", "is_false"):
        return value is (written["op"] == "is_true")
    return satisfies(written, Facts({key: value}), Day(CLOCK.today, ZONE))


def test_every_operator_of_every_field_is_described_and_explained(run: Run, home: Workspace) -> None:
    people, at = people_of(home.tenant.pk), Account.objects.get(name="First")
    for field in fields_of(Subject.ACCOUNT):
        leaves = list({leaf.operator.key: leaf for leaf in leaves_of(field, home)}.values())
        rule = Rule(Subject.ACCOUNT, Group(Mode.ANY, tuple(leaves)))
        audience = Audience(rule, lifecycles=None)
        [row] = run(account_statement(audience, account_id=at.pk, tenant_id=home.tenant.pk, clock=CLOCK))
        explained = _leaves(read_account(audience, row, clock=CLOCK))[-len(leaves) :]
        said = verdicts(run, leaves, home.tenant.pk)
        for leaf, why, verdict in zip(leaves, explained, said, strict=True):
            sentence = describe(Rule(Subject.ACCOUNT, leaf), people=people)
            assert len(sentence) > len(leaf.operator.key) / 2, dump(leaf)
            assert why.holds == verdict[at.pk], dump(leaf)
            assert leaf.operator.form is Form.NONE or why.sentence != field.label, dump(leaf)


def _leaves(explained: Any) -> list[Any]:
    own = [] if explained.children else [explained]
    return own + [leaf for child in explained.children for leaf in _leaves(child)]


def test_every_registered_source_offers_a_field_here(home: Workspace) -> None:
    offered = {subject: {field.key for field in workspace_fields().all(subject)} for subject in Subject}
    for path in settings.RULE_FIELD_SOURCES:
        source = import_string(path)()
        fields = [field for subject in Subject for field in source.fields(subject)]
        assert fields, f"{path} has nothing to offer: give `home` what it asks about."
        assert all(field.key in offered[field.subject] for field in fields)
        assert all(source.find(field.subject, field.key) == field for field in fields)
