"""Anything may happen in any order: workers die and wake up late, people work, stop twice, publish, change zones.

Hypothesis chooses what happens; the model (tests/playbooks/model.py) is told every move on the ledger, and after every
step the database must hold exactly what the allowed moves leave behind.
"""

import copy
import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import Account, Indicator, TraitDefinition
from accounts.traits import set_trait
from actions.base import Applied, DeliveryOutcome, ExternalAction, Refused, Retry, Uncertain
from cs_platform.tenancy.models import Membership, Tenant
from ctas.models import Task
from playbooks import delivery, leases, runner, undo
from playbooks.enrollment import AlreadyActive, apply_by_hand
from playbooks.evaluation import evaluate_now
from playbooks.failures import mark_done, retry, skip
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.pump import pump
from playbooks.undo import outcome_of_stop, preview_stop, request_stop, request_stops, stop_together
from playbooks.versions import import_playbook, pause, publish, resume
from tests.playbooks.model import Book, Customer, Enrolled, Model, Run, Spec, demand
from tests.world import MONDAY, Workspace, account, live, playbook_json, set_trait_step, trait, user

WIDER = "MACHINE_EXAMPLES" in os.environ  # other examples on every run; without it, always the same
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "300" if os.environ["TEST_WALKS"] else "60"))
STEPS = 15
LEASE = timedelta(seconds=60)
BOOKS = ("rescue", "renewal")
ZONES = ("UTC", "Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin")
PAUSES = (timedelta(seconds=61), timedelta(hours=1), timedelta(hours=25), timedelta(days=3))

RESCUE = (
    Spec("begin", "trait", 1, "Rescue"),
    Spec("risk", "risk", 1, "At risk"),
    Spec("cta", "cta", 2),
    Spec("mail", "mail", 3),
    Spec("end", "trait", 4, "Saved"),
)
RESCUE_AGAIN = (Spec("mail", "mail", 1), Spec("begin", "trait", 1, "Rescue 2"), Spec("end", "trait", 2, "Saved 2"))
RENEWAL = (
    Spec("begin", "trait", 1, "Renewal"),
    Spec("risk", "risk", 2, "At risk"),
    Spec("end", "trait", 3, "Won", True),
)


# --- the world --------------------------------------------------------------------------------------------------------


def step_json(spec: Spec) -> dict[str, Any]:
    if spec.kind == "trait":
        return set_trait_step(spec.says, day=spec.day, key=spec.key, keep_on_stop=spec.keep)
    config: dict[str, Any] = {
        "risk": {"kind": "risk", "title": spec.says},
        "cta": {"name": "Save it", "owner": "csm", "duplicates": "allow", "tasks": [{"title": "A"}, {"title": "B"}]},
        "mail": {"sender": "csm", "subject": "Hello", "body": "How are you?"},
    }[spec.kind]
    action = {"risk": "create_indicator", "cta": "create_cta", "mail": "start_conversation"}[spec.kind]
    return {"key": spec.key, "day": spec.day, "action": action, "config": config, "keep_on_stop": spec.keep}


def book_json(book: Book) -> dict[str, Any]:
    rules = {
        "pro": {"field": "plan", "op": "is", "value": "Pro"},
        "unwell": {"field": "health", "op": "less", "value": 5},
    }
    return playbook_json(
        book.key,
        rules={"account": rules[book.rule]},
        reenrollment={"policy": "every_match" if book.again else "once_ever"},
        on_unmatch="stop" if book.again else "finish",
        steps=[step_json(spec) for spec in book.specs],
    )


@dataclass(slots=True)
class World:
    """Where every example begins: one customer in the middle of both playbooks, one in none."""

    tenant: Tenant
    person: Membership
    model: Model
    now: datetime = MONDAY
    last_entry: int = 0


def build(workspace: Workspace) -> World:
    trait("stage")
    customers = {}
    for name, zone, plan, health in (("One", None, "Pro", 3.0), ("Two", "America/New_York", "Basic", 8.0)):
        at = account(name, csm=workspace.priya, timezone=zone, plan=plan, health=health)
        user(f"Ada {name}", at, role="owner")
        customers[at.pk] = Customer(at.pk, zone, plan, health)
    books = {"rescue": Book("rescue", RESCUE, "pro", False), "renewal": Book("renewal", RENEWAL, "unwell", True)}
    for book in books.values():
        live(book_json(book))
    return World(workspace.tenant, workspace.priya, Model(customers, books))


# --- the machine ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Dead:
    """A worker that died (or froze) with these runs in its hands."""

    claim: leases.Claim
    kind: str  # apply, deliver, undo
    run_ids: Sequence[UUID]
    since: datetime


class Machine(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.tenant, self.person = copy.copy(self.world.tenant), self.world.person
        self.model = copy.deepcopy(self.world.model)
        self.now, self.last_entry = self.world.now, self.world.last_entry
        self.dead: list[Dead] = []
        self.mood = "sent"
        self.broken: list[Any] = []  # seen where the engine takes every error for an answer

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.stack.close()

    # --- the engine works ---

    @rule(pause_for=st.sampled_from(PAUSES), mood=st.sampled_from(["sent", "sent", "retry", "uncertain", "refused"]))
    def time_passes_and_workers_work(self, pause_for: timedelta, mood: str) -> None:
        self.now += pause_for
        self.work(mood)

    @rule(pause_for=st.sampled_from(PAUSES))
    def days_pass(self, pause_for: timedelta) -> None:
        """Most of the time all goes well."""
        self.now += pause_for
        self.work("sent")

    @rule()
    def workers_work(self) -> None:
        self.work("sent")

    def work(self, mood: str) -> None:
        self.mood = mood
        self.pump_both()
        while self.pump_both():  # what one queue finishes may make the other one due
            pass
        demand(not self.broken, "what leaves is right", self.broken)
        self.follow()
        demand(not (left := self.model.left_undone(self.now)), "what is due is done", left)

    def pump_both(self) -> int:
        applied = pump("apply", clock=lambda: self.now)
        return applied + pump("deliver", clock=lambda: self.now, deliver=self.post)

    def post(self, action: ExternalAction, payload: Any) -> DeliveryOutcome:
        """The mail's way out: what really happened is written down here, whatever is answered."""
        one, run = self.model.runs[UUID(payload.letter.message_id.partition("@")[0].removeprefix("<run-"))]
        if one.state != "active":
            self.broken.append(("nothing is sent that is stopped or paused", one.state, run))
        if self.mood in ("sent", "uncertain"):
            run.sent += 1
        if run.sent > run.may_send:
            self.broken.append(("no mail is sent twice", run))
        return {
            "sent": Applied(payload.receipt),
            "retry": Retry("later"),
            "uncertain": Uncertain("who knows"),
            "refused": Refused("refused"),
        }[self.mood]

    @rule(kind=st.sampled_from(["apply", "apply", "deliver", "undo"]))
    def a_worker_dies_after_its_claim(self, kind: str) -> None:
        if claim := self.claim(kind):
            self.dead.append(Dead(claim, kind, claim.run_ids, self.now))

    def claim(self, kind: str) -> leases.Claim | None:
        external = kind == "deliver"
        tenant_id = self.tenant.pk
        if kind == "undo":
            for step_id in leases.steps_to_undo(tenant_id=tenant_id, now=self.now):
                if found := leases.claim_undo(tenant_id=tenant_id, step_id=step_id, now=self.now):
                    return self.claimed(found, "undoing")
            return None
        for step_id in leases.due_steps(tenant_id=tenant_id, external=external, now=self.now):
            if found := leases.claim_due(tenant_id=tenant_id, step_id=step_id, external=external, now=self.now):
                return self.claimed(found, "running")
        return None

    def claimed(self, claim: leases.Claim, state: str) -> leases.Claim:
        for run_id in claim.run_ids:
            one, run = self.model.runs[run_id]
            legal = one.may_run(run, self.now) if state == "running" else one.state == "stopping"
            demand(legal, "a claim takes what is due", (one.state, run))
            run.state, run.lease_until = state, self.now + LEASE
        return claim

    @rule(left=st.booleans())
    def a_worker_dies_while_it_sends(self, left: bool) -> None:
        """It drafted, or marked as sent, and was seen no more; the mail may have left."""
        if claim := self.claim("deliver"):
            marked = delivery._prepare(self.tenant, claim, claim.run_ids, self.now)
            self.follow()
            for run_id in marked:
                self.model.runs[run_id][1].sent += left
            if marked:
                self.dead.append(Dead(claim, "sent", list(marked), self.now))

    @rule(which=st.integers(0, 9))
    def a_dead_worker_comes_back(self, which: int) -> None:
        """It was only frozen, and goes on as if no time had passed."""
        if not self.dead:
            return
        dead = self.dead.pop(which % len(self.dead))
        act: dict[str, Callable[[], object]] = {
            "apply": lambda: runner._apply(self.tenant, dead.claim, dead.run_ids, dead.since),
            "deliver": lambda: delivery._prepare(self.tenant, dead.claim, dead.run_ids, dead.since),
            "undo": lambda: undo._undo(self.tenant, undo._Taken.by(dead.claim), dead.run_ids, dead.since),
            "sent": lambda: self.record_late(dead),
        }
        ours = all(self.holds(dead, run_id) for run_id in dead.run_ids)
        try:
            act[dead.kind]()
        except leases.LeaseLost:
            demand(not ours, "whoever holds the lease may settle", dead)
        else:
            demand(ours, "whoever lost the lease changes nothing", dead)
        self.follow()

    def record_late(self, dead: Dead) -> None:
        outcomes = {run_id: Uncertain("it came back") for run_id in dead.run_ids}
        delivery._record(self.tenant, dead.claim, outcomes, dead.since)

    def holds(self, dead: Dead, run_id: UUID) -> bool:
        return ActionRun.objects.filter(pk=run_id, lease_token=dead.claim.token).exists()

    # --- enrolling ---

    @rule(key=st.sampled_from(BOOKS), which=st.integers(0, 1))
    def apply_by_hand(self, key: str, which: int) -> None:
        book, customer = self.model.books[key], self.customer(which)
        is_live = any(one.is_live for one in self.model.of(book, customer))
        try:
            playbook = Playbook.objects.get(key=key)
            at = Account.objects.get(pk=customer.id)
            made = apply_by_hand(playbook=playbook, account=at, by="person:1", now=self.now)
        except AlreadyActive:
            demand(is_live, "a playbook can be applied again once it has ended", (key, customer.id))
        else:
            demand(not is_live, "a playbook is active once", (key, customer.id))
            self.learn(made, by_evaluation=False)
        self.follow()

    @rule()
    def evaluate(self) -> None:
        books = [book for book in self.model.books.values() if book.is_live]
        wanted = {
            (book.key, customer.id)
            for book in books
            for customer in self.model.customers.values()
            if book.wants(customer) and not self.model.is_taken(book, customer, self.now)
        }
        stopping = {one.id for book in books for one in self.model.leaving(book)}
        evaluate_now(self.tenant, by=None, now=self.now)
        made = list(Enrollment.objects.exclude(pk__in=self.model.enrolled).select_related("playbook"))
        found = {(one.playbook.key, one.account_id) for one in made}
        demand(found == wanted, "exactly those who match are enrolled", (found, wanted))
        for one in made:
            self.learn(one, by_evaluation=True)
        self.follow()
        for id in stopping:
            demand(self.model.enrolled[id].state == "stopping", "who matches no more is stopped", id)

    def learn(self, made: Enrollment, *, by_evaluation: bool) -> None:
        """The plan of a new enrollment, checked against the calendar."""
        book = next(book for book in self.model.books.values() if made.playbook.key == book.key)
        customer = self.model.customers[made.account_id]
        zone = customer.zone or self.model.zone
        runs = []
        for row, spec in zip(made.runs.order_by("position"), book.specs, strict=True):
            due_at = self.model.due(zone, self.now, spec.day)
            demand(row.due_at == row.try_at == due_at, "each action has its day", (row.due_at, due_at))
            runs.append(Run(row.pk, spec, row.position, due_at, due_at))
        self.model.add(Enrolled(made.pk, book, customer, zone, self.now, runs, by_evaluation))

    # --- people ---

    def customer(self, which: int) -> Customer:
        return list(self.model.customers.values())[which]

    @rule(which=st.integers(0, 1), value=st.sampled_from(["Mine", "Rescue"]))
    def a_person_sets_the_trait(self, which: int, value: str) -> None:
        customer = self.customer(which)
        if not customer.archived:
            definition = TraitDefinition.objects.get(key="stage")
            set_trait(Account.objects.get(pk=customer.id), definition, value=value, by=self.person, now=self.now)
            customer.layers.append((self.person.actor, value))

    @rule(which=st.integers(0, 9), finish=st.booleans())
    def a_person_works_on_a_task(self, which: int, finish: bool) -> None:
        found = [
            (run, number)
            for run in self.model.all_runs()
            if run.ticket and not run.ticket.archived and run.ticket.status == "open"
            for number, task in enumerate(run.ticket.tasks)
            if task.status == "open" and not task.archived
        ]
        if not found:
            return
        run, number = found[which % len(found)]
        assert run.ticket is not None
        row = Task.objects.select_related("cta").get(origin_run_id=run.id, origin_ordinal=number)
        if finish:
            assert row.complete(by=self.person, now=self.now)
            run.ticket.tasks[number].status = "done"
        else:
            assert row.edit(by=self.person, now=self.now, title=f"{row.title} !")
        run.ticket.tasks[number].touched = True

    @rule(which=st.integers(0, 9))
    def a_person_addresses_an_indicator(self, which: int) -> None:
        active = [
            sign for customer in self.model.customers.values() for sign in customer.signs if sign.state == "active"
        ]
        rows = list(Indicator.objects.filter(state="active").order_by("pk"))
        demand(len(active) == len(rows), "an indicator is active as long as somebody holds it", (active, rows))
        if rows:
            row = rows[which % len(rows)]
            customer = self.model.customers[row.account_id]
            sign = next(sign for sign in customer.signs if sign.title == row.title and sign.state == "active")
            assert row.address(by=self.person, now=self.now)
            sign.state = "addressed"

    @rule(which=st.integers(0, 1), plan=st.sampled_from(["Pro", "Basic"]), health=st.sampled_from([3.0, 8.0]))
    def a_customer_changes(self, which: int, plan: str, health: float) -> None:
        customer = self.customer(which)
        Account.objects.filter(pk=customer.id).update(plan=plan, health=health)
        customer.plan, customer.health = plan, health

    def an_account_is_archived(self) -> None:
        customer = self.customer(0)
        Account.objects.filter(pk=customer.id, archived_at=None).update(archived_at=self.now)
        customer.archived = True

    @rule(verb=st.sampled_from(["retry", "skip", "mark_done"]), which=st.integers(0, 9))
    def a_person_settles_what_failed(self, verb: str, which: int) -> None:
        found = [(one, run) for one, run in self.model.runs.values() if run.state in ("dead", "held", "uncertain")]
        if not found:
            return
        one, run = found[which % len(found)]
        legal = {
            "retry": ("dead", "held", "uncertain"),
            "skip": ("dead", "held"),
            "mark_done": ("dead", "uncertain"),
        }[verb]
        again = any(other.is_live for other in self.model.of(one.playbook, one.customer) if other is not one)
        goes_on = one.state in ("active", "paused") or (one.state == "completed" and not (verb == "retry" and again))
        expected = run.state in legal and goes_on
        act = {"retry": retry, "skip": skip, "mark_done": mark_done}[verb]
        acted = act(ActionRun.objects.get(pk=run.id), by=self.person.actor, now=self.now)
        demand(acted == expected, "a person may settle what is open", (verb, one.state, run))
        self.follow()

    # --- playbooks and the workspace ---

    @rule(what=st.sampled_from(["pause", "pause", "pause", "publish", "archive"]), key=st.sampled_from(BOOKS))
    def something_rare_happens(self, what: str, key: str) -> None:
        """A playbook is paused, or goes on; it is published anew; an account is archived."""
        if what == "pause":
            self.a_playbook_is_paused_or_resumed(key)
        elif what == "publish":
            self.a_new_version_is_published()
        else:
            self.an_account_is_archived()

    def a_new_version_is_published(self) -> None:
        book = self.model.books["rescue"]
        book.specs = RESCUE_AGAIN if book.specs == RESCUE else RESCUE
        publish(import_playbook(book_json(book), by=None, now=self.now), by=None, now=self.now)

    def a_playbook_is_paused_or_resumed(self, key: str) -> None:
        book = self.model.books[key]
        book.is_live = not book.is_live
        (resume if book.is_live else pause)(Playbook.objects.get(key=key), by=self.person, now=self.now)
        self.follow()
        waiting = [one for one in self.model.enrolled.values() if one.playbook is book and one.state == "paused"]
        demand(not (book.is_live and waiting), "nothing waits after a pause", waiting)

    @rule(zone=st.sampled_from(ZONES))
    def the_workspace_moves(self, zone: str) -> None:
        Tenant.objects.filter(pk=self.tenant.pk).update(timezone=zone)
        self.tenant.timezone = self.model.zone = zone

    # --- stopping ---

    @rule(which=st.integers(0, 9), keep=st.sampled_from([False, False, True]))
    def a_person_stops(self, which: int, keep: bool) -> None:
        found = self.model.stoppable()
        if found:
            self.stop(found[which % len(found)], keep=keep)

    def stop(self, one: Enrolled, *, keep: bool = False) -> None:
        row = Enrollment.objects.select_related("tenant", "version").get(pk=one.id)
        applied = [run.id for run in one.runs if run.state == "applied"]
        one.chosen = set(applied[:1]) if keep else set()
        preview = None if keep else preview_stop(row, now=self.now)
        assert request_stop(row, by=self.person, keep=one.chosen, now=self.now)
        self.follow()
        demand(preview in (None, outcome_of_stop(row)), "a preview comes true", (preview, outcome_of_stop(row)))
        waits = any(run.state in ("running", "undoing") for run in one.runs)
        demand(one.state == ("stopping" if waits else "stopped"), "a stop is carried out", one)
        assert not request_stop(row, by=self.person, now=self.now)

    @rule(which=st.integers(0, 9), most=st.integers(1, 3))
    def a_job_stops_several(self, which: int, most: int) -> None:
        """In one transaction, without a lease: what it finds under way is left to the engine."""
        found = self.model.stoppable()[which % 3 :][:most]
        ids = {one.id for one in found}
        assert stop_together(sorted(ids), tenant=self.tenant, by="person:1", note="", now=self.now) == ids
        self.follow()
        for one in found:
            waits = any(run.state in ("running", "undoing") for run in one.runs)
            demand(one.state == ("stopping" if waits else "stopped"), "a stop is carried out", one)
        assert not stop_together(sorted(ids), tenant=self.tenant, by="person:1", note="", now=self.now)

    @rule(which=st.integers(0, 9))
    def a_stop_is_asked_for_and_the_worker_dies(self, which: int) -> None:
        found = self.model.stoppable()
        if found:
            id = found[which % len(found)].id
            assert request_stops([id], tenant_id=self.tenant.pk, by="person:1", note="", now=self.now) == 1
            assert not request_stops([id], tenant_id=self.tenant.pk, by="person:1", note="", now=self.now)
            self.follow()

    @rule()
    def everything_is_stopped(self) -> None:
        for one in self.model.stoppable():
            self.stop(one)
        self.now += LEASE + timedelta(seconds=1)
        self.work("sent")
        layers = [layer for customer in self.model.customers.values() for layer in customer.layers]
        kept = {run.writer for run in self.model.all_runs() if run.state == "kept"}
        residue = [writer for writer, _value in layers if writer.startswith("run:") and writer not in kept]
        demand(not residue, "stops leave nothing behind but what was kept", residue)

    # --- the judge ---

    def follow(self) -> None:
        """Tell the model what the ledger says happened since."""
        for entry in in_order(new_entries(self.last_entry), self.model):
            self.last_entry = max(self.last_entry, entry.id)
            if entry.run_id is None:
                if entry.enrollment_id in self.model.enrolled and entry.was:
                    self.model.move_enrollment(entry.enrollment_id, entry.to)
            else:
                self.model.move_run(
                    entry.run_id,
                    entry.was,
                    entry.to,
                    entry.code,
                    actor=entry.actor,
                    now=self.now,
                    try_at=entry.try_at,
                )

    @invariant()
    def the_database_holds_what_was_done(self) -> None:
        found = everything()
        expected = {
            "runs": [[str(run.id), run.state] for run in self.model.all_runs()],
            "enrollments": [[one.id, one.state, one.progress] for one in self.model.enrolled.values()],
            "traits": [[c.id, *c.shows, c.shows[0]] for c in self.model.customers.values()],
            "indicators": self.signs(),
            "CTAs": self.tickets(),
        }
        for what, rows in expected.items():
            compare(what, sorted(found[what] or [], key=str), sorted(rows, key=str))

    def signs(self) -> list[list[Any]]:
        return [
            [customer.id, sign.title, sign.state, sorted(sign.held_by) if sign.state == "active" else []]
            for customer in self.model.customers.values()
            for sign in customer.signs
        ]

    def tickets(self) -> list[list[Any]]:
        return [
            [str(run.id), run.ticket.status, run.ticket.archived, [[t.status, t.archived] for t in run.ticket.tasks]]
            for run in self.model.all_runs()
            if run.ticket
        ]


# --- what the database says -------------------------------------------------------------------------------------------

_EVERYTHING = """
SELECT json_build_object(
    'runs', (SELECT json_agg(json_build_array(id, state)) FROM playbooks_actionrun),
    'enrollments', (SELECT json_agg(json_build_array(id, state, steps_done)) FROM playbooks_enrollment),
    'traits', (SELECT json_agg(json_build_array(id, traits ->> 'stage', trait_writers ->> 'stage', t01))
        FROM accounts_account),
    'indicators', (SELECT json_agg(json_build_array(i.account_id, i.title, i.state,
            (SELECT COALESCE(json_agg(c.source ORDER BY c.source), '[]') FROM accounts_indicatorclaim c
             WHERE c.indicator_id = i.id AND c.ended_at IS NULL)))
        FROM accounts_indicator i),
    'CTAs', (SELECT json_agg(json_build_array(c.origin_run_id, c.status, c.archived_at IS NOT NULL,
            (SELECT json_agg(json_build_array(t.status, t.archived_at IS NOT NULL) ORDER BY t.origin_ordinal)
             FROM ctas_task t WHERE t.cta_id = c.id)))
        FROM ctas_cta c)
)::text
"""


def everything() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_EVERYTHING)
        return json.loads(cursor.fetchone()[0])  # type: ignore[no-any-return]


def compare(what: str, found: list[Any], expected: list[Any]) -> None:
    if found != expected:
        surplus = [row for row in found if row not in expected]
        missing = [row for row in expected if row not in found]
        demand(False, f"the {what} are what was done", {"found": surplus, "expected": missing})


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    run_id: UUID | None
    enrollment_id: int
    was: str
    to: str
    actor: str
    code: str
    try_at: datetime


_ENTRIES = """
    SELECT l.id, l.run_id, l.enrollment_id, l.from_state, l.to_state, l.actor,
        CASE WHEN l.reason = 'later' THEN 'retry' WHEN l.reason = 'refused' THEN 'refused'
             WHEN l.reason = 'Kept when the playbook was stopped.' THEN 'kept_by_choice'
             ELSE COALESCE(l.receipt #>> '{undo,kept}', '') END,
        r.try_at
    FROM playbooks_ledgerentry l LEFT JOIN playbooks_actionrun r ON r.id = l.run_id
    WHERE l.id > %s ORDER BY l.id
"""


def new_entries(after: int) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [after])
        return [Entry(*row) for row in cursor.fetchall()]


def in_order(entries: Sequence[Entry], model: Model) -> Sequence[Entry]:
    """What one batch takes back, it takes back at once: of a chain in it, the top goes first."""
    depth = {writer: at for customer in model.customers.values() for at, (writer, _value) in enumerate(customer.layers)}
    ordered = list(entries)
    for at in range(1, len(ordered)):
        for back in range(at, 0, -1):
            one, two = ordered[back - 1], ordered[back]
            if not (
                one.to == two.to == "undone" and depth.get(f"run:{one.run_id}", 0) < depth.get(f"run:{two.run_id}", 0)
            ):
                break
            if model.runs[one.run_id][0] is model.runs[two.run_id][0]:  # type: ignore[index]
                break
            ordered[back - 1], ordered[back] = two, one
    return ordered


# --- the test ---------------------------------------------------------------------------------------------------------


class Loud:
    """In place of the engine's log: here no error is one that only concerns a single run or workspace."""

    def exception(self, *_: object) -> None:
        raise

    def info(self, *_: object) -> None: ...

    error = exception


@pytest.fixture(autouse=True)
def _loud(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pump", "runner", "delivery"):
        monkeypatch.setattr(f"playbooks.{module}.log", Loud())


@pytest.mark.timeout(0 if WIDER else 300)
@pytest.mark.parametrize("half", [1, 2])
def test_whatever_happens_in_whatever_order_the_promises_hold(inside: Workspace, half: int) -> None:
    Machine.world = begin(build(inside))
    machine = Machine if WIDER else seed(half)(Machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // 2,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def begin(world: World) -> World:
    """Machines begin where something is already at stake."""
    Machine.world = world
    first = Machine()
    first.apply_by_hand("rescue", 0)
    first.apply_by_hand("renewal", 0)
    first.workers_work()
    first.time_passes_and_workers_work(PAUSES[2], "sent")
    first.the_database_holds_what_was_done()
    first.stack.close()
    return World(world.tenant, world.person, first.model, first.now, first.last_entry)
