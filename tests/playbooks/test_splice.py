"""Playbooks, bulk edits and imports that wrote one over the other leave no residue, whichever is taken back first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.csv_import.running import start_run
from accounts.holders import fields_of, last_words
from accounts.key_roles import define_role
from accounts.models import Account, AccountRole, EndUser, Segment, SegmentBar, SegmentClaim
from accounts.segments.members import add
from accounts.segments.moves import Claim
from accounts.table.lists import ACCOUNTS, USERS
from accounts.traits import set_trait
from cs_platform.jobs import starting
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from playbooks.enrollment import apply_by_hand
from playbooks.models import Playbook
from playbooks.pump import pump
from playbooks.undo import request_stop
from tests.accounts.csv_import.files import mapped
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, set_trait_step, trait, user

Subject = Account | EndUser
Undo = Callable[[datetime], None]
Layer = Callable[[Workspace, Subject, datetime], Undo]
ORDERS = tuple(permutations(range(3)))
NOBODY = {"user": {"field": "role", "op": "is", "value": "nobody"}}


def no_residue(
    home: Workspace, layers: Sequence[Layer], subjects: Sequence[Subject], seen: Callable[[Subject], Any]
) -> None:
    """Three layers on six subjects, taken back from each in another order."""
    before = [seen(subject) for subject in subjects]
    undos: list[list[Undo]] = [[] for _ in subjects]
    moments = iter(MONDAY + days(n) for n in range(1, 10))
    for layer in layers:
        now = next(moments)
        for at, subject in enumerate(subjects):
            undos[at].append(layer(home, subject, now))
        work(now)
    for turn in range(len(layers)):
        now = next(moments)
        for at, order in enumerate(ORDERS):
            undos[at][order[turn]](now)
        work(now)
    left = [seen(subject) for subject in subjects]
    assert dict(zip(ORDERS, left, strict=True)) == dict(zip(ORDERS, before, strict=True))


def work(now: datetime) -> None:
    run_jobs(clock=lambda: now)
    pump("apply", clock=lambda: now)


def edited(verb: str, **config: Any) -> Layer:
    def edit(home: Workspace, subject: Subject, now: datetime) -> Undo:
        listing = USERS if isinstance(subject, EndUser) else ACCOUNTS
        form = bulk_verbs(listing)[verb].form(config)
        assert form.is_valid(), form.errors
        selection = Selection((subject.pk,), None, listing)
        job = start_bulk_edit(selection, bulk_verbs(listing)[verb], form.config(), by=home.priya, now=now)
        return undo_of(job, home)

    return edit


def undo_of(job: Job, home: Workspace) -> Undo:
    def undo(now: datetime) -> None:
        starting.undo(Job.objects.get(pk=job.pk), by=home.priya, now=now)

    return undo


def applied(step: Mapping[str, Any], *, key: str = "rescue", at: int = 0) -> Layer:
    """To an account; or to a user, at the first or the second of their accounts."""
    playbooks: dict[str, Playbook] = {}

    def apply(home: Workspace, subject: Subject, now: datetime) -> Undo:
        parts = {"audience": "users", "rules": NOBODY} if isinstance(subject, EndUser) else {}
        if key not in playbooks:
            playbooks[key] = live(playbook_json(key, steps=[step], **parts))
        person = subject if isinstance(subject, EndUser) else None
        where = Account.objects.filter(account_users__end_user=person).order_by("pk")[at] if person else subject
        enrollment = apply_by_hand(
            playbook=playbooks[key], account=where, end_user=person, by=home.priya.actor, now=now
        )

        def undo(now: datetime) -> None:
            enrollment.refresh_from_db()
            assert enrollment.state == "completed"
            request_stop(enrollment, by=home.priya, note="", keep=(), now=now)

        return undo

    return apply


def imported(text: str) -> Layer:
    def bring(home: Workspace, subject: Subject, now: datetime) -> Undo:
        made = mapped(home, f"id,{text.split('=')[0]}\n{subject.external_id},{text.split('=')[1]}\n")
        return undo_of(start_run(made, by=home.priya, now=now), home)

    return bring


def accounts() -> list[Account]:
    return [account(f"Harbour {at}") for at in range(len(ORDERS))]


def written(subject: Subject) -> Any:
    subject.refresh_from_db()
    return subject.traits, subject.trait_writers, subject.t01


# --- traits -----------------------------------------------------------------------------------------------------------


def test_a_trait_holds_what_it_held_before_playbook_edit_and_playbook(inside: Workspace) -> None:
    stage, harbours = trait("stage"), accounts()
    for one in harbours:
        set_trait(one, stage, value="Original", by=inside.tom, now=MONDAY)

    layers = [
        applied(set_trait_step("First"), key="first"),
        edited("set_trait", trait="stage", value="Second"),
        applied(set_trait_step("Third"), key="third"),
    ]
    no_residue(inside, layers, harbours, written)


def test_it_does_so_where_a_file_came_in_between(inside: Workspace) -> None:
    trait("stage")
    layers = [
        edited("set_trait", trait="stage", value="First"),
        imported("stage=Second"),
        applied(set_trait_step("Third")),
    ]
    no_residue(inside, layers, accounts(), written)


def test_a_users_trait_does_so_though_playbooks_wrote_through_other_accounts(inside: Workspace) -> None:
    trait("stage", scope="user")
    here, there = account("Here"), account("There")
    people = [user(f"Ada {at}", here, there) for at in range(len(ORDERS))]
    steps = [set_trait_step(value) for value in ("First", "Third")]
    for step in steps:
        step["config"]["scope"] = "user"

    layers = [
        edited("set_trait", trait="stage", value="Second"),
        applied(steps[0], key="first", at=0),
        applied(steps[1], key="third", at=1),
    ]
    no_residue(inside, layers, people, written)


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True])
def test_whoever_had_a_role_has_it_again_though_the_same_was_chosen_twice(inside: Workspace, own: bool) -> None:
    role = f"role:{define_role('Onboarding').key}" if own else "csm"
    harbours = accounts()
    give = edited("assign", role=role, member=str(inside.tom.pk))
    for one in harbours:
        give(inside, one, MONDAY)
    work(MONDAY)
    config = {"role": role, "method": "round_robin", "members": [inside.tom.email], "keep_present": False}

    def seen(one: Subject) -> Any:
        return held(role, one), last_words([one.pk], fields_of(role))

    layers = [
        edited("assign", role=role, member=str(inside.priya.pk)),
        applied({"key": "give", "day": 1, "action": "assign", "config": config}),
        edited("assign", role=role, member=""),
    ]
    no_residue(inside, layers, harbours, seen)


def held(role: str, one: Subject) -> Any:
    if role == "csm":
        return Account.objects.get(pk=one.pk).csm_id
    return list(AccountRole.objects.filter(account=one).values_list("member_id", flat=True))


# --- segments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deeds",
    [
        ("playbook add", "edit remove_from_segment", "edit add_to_segment"),
        ("edit add_to_segment", "playbook remove", "edit remove_from_segment"),
    ],
)
def test_a_segment_is_held_by_what_held_it_before(inside: Workspace, deeds: Sequence[str]) -> None:
    segment, harbours = Segment.objects.create(scope="account", name="Beta", created_at=MONDAY), accounts()
    add(segment=segment, claims=[Claim(one.pk, "rule", "rule") for one in harbours], now=MONDAY)

    def layer(deed: str) -> Layer:
        who, what = deed.split()
        config = {"do": what, "segment": "Beta"}
        step = {"key": "change", "day": 1, "action": "change_segment", "config": config}
        return applied(step) if who == "playbook" else edited(what, segment=segment.pk)

    def seen(one: Subject) -> Any:
        claims = SegmentClaim.objects.filter(ended_at=None, membership__account=one)
        bars = SegmentBar.objects.filter(account=one)
        return set(claims.values_list("source", flat=True)), set(bars.values_list("source", "made_by"))

    no_residue(inside, [layer(deed) for deed in deeds], harbours, seen)
