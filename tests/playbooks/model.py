"""What the engine promises, in plain Python: a judge that is told every move on the ledger and says whether it may be.

It does not predict in which order independent work is done; it holds each move against the rules when it happens,
remembers what the move must have left behind, and names what is due and was not done.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

OPEN = ("scheduled", "held", "running", "uncertain")
DONE = ("applied", "skipped", "dead")
ACTION_HOUR = time(9)
A_DAY = timedelta(hours=24)


class Broken(AssertionError):
    """A promise that was not kept."""


def demand(kept: bool, promise: str, about: Any) -> None:
    if not kept:
        raise Broken(f"{promise}: {about}")


@dataclass(frozen=True, slots=True)
class Spec:
    """One step as its playbook says it. `kind`: trait, risk, cta or mail."""

    key: str
    kind: str
    day: int
    says: str = ""
    keep: bool = False


@dataclass(eq=False, slots=True)
class Sign:
    """An indicator, and which runs hold it."""

    title: str
    state: str = "active"
    held_by: set[str] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Todo:
    status: str = "open"
    touched: bool = False
    archived: bool = False


@dataclass(eq=False, slots=True)
class Ticket:
    """A CTA with its tasks."""

    tasks: list[Todo]
    status: str = "open"
    archived: bool = False

    @property
    def is_worked_on(self) -> bool:
        return any(task.touched or task.status == "done" for task in self.tasks)

    def end(self) -> None:
        """Untouched tasks leave, changed ones are cancelled, finished ones stay."""
        worked_on = self.is_worked_on
        for task in self.tasks:
            if task.status == "open":
                task.archived, task.status = not task.touched, "cancelled" if task.touched else "open"
        self.archived, self.status = not worked_on, "cancelled" if worked_on else "open"


@dataclass(eq=False, slots=True)
class Customer:
    """`layers`: who wrote the trait, one over the other; the last one shows."""

    id: int
    zone: str | None
    plan: str
    health: float
    archived: bool = False
    layers: list[tuple[str, str]] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)

    def sign(self, title: str) -> Sign:
        """The active one of this title, else a new one."""
        for sign in self.signs:
            if sign.title == title and sign.state == "active":
                return sign
        self.signs.append(Sign(title))
        return self.signs[-1]

    @property
    def shows(self) -> tuple[str | None, str | None]:
        return (self.layers[-1][1], self.layers[-1][0]) if self.layers else (None, None)


@dataclass(eq=False, slots=True)
class Run:
    id: UUID
    spec: Spec
    position: int
    due_at: datetime
    try_at: datetime
    state: str = "scheduled"
    attempt: int = 0
    prepared: bool = False
    may_send: int = 1  # once more each time a person says that it did not happen
    sent: int = 0
    by_hand: bool = False
    order: int = 0  # when it was applied, among all
    lease_until: datetime | None = None
    sign: Sign | None = None
    ticket: Ticket | None = None

    @property
    def writer(self) -> str:
        return f"run:{self.id}"

    @property
    def blocks_later(self) -> bool:
        """A step that is being retried or reviewed, or waits for a person, does not."""
        return self.state in ("scheduled", "running") and self.attempt == 0 and not self.prepared


@dataclass(eq=False, slots=True)
class Enrolled:
    id: int
    playbook: "Book"
    customer: Customer
    zone: str
    at: datetime
    runs: list[Run]
    by_evaluation: bool
    state: str = "active"
    left: bool = False
    chosen: set[UUID] = field(default_factory=set)  # what a person wanted to keep
    progress: int = 0
    was_finished: bool = False

    @property
    def is_live(self) -> bool:
        """It keeps the playbook from being applied here again."""
        return self.state in ("active", "paused") or (self.state == "stopping" and not self.was_finished)

    def before(self, run: Run) -> Iterator[Run]:
        return (other for other in self.runs if (other.due_at, other.position) < (run.due_at, run.position))

    def count(self) -> None:
        if self.state in ("active", "paused", "completed"):
            self.progress = sum(run.state in DONE for run in self.runs)

    def may_run(self, run: Run, now: datetime) -> bool:
        in_turn = not any(other.blocks_later for other in self.before(run))
        return self.state == "active" and run.state == "scheduled" and run.try_at <= now and in_turn


@dataclass(eq=False, slots=True)
class Book:
    """A playbook: whom it wants, again or not, and what it does now."""

    key: str
    specs: tuple[Spec, ...]
    rule: str  # "pro" or "unwell"
    again: bool  # every time it matches again, and stopped when it matches no more
    is_live: bool = True

    def wants(self, customer: Customer) -> bool:
        found = customer.plan == "Pro" if self.rule == "pro" else customer.health < 5
        return found and not customer.archived


@dataclass(slots=True)
class Model:
    customers: dict[int, Customer]
    books: dict[str, Book]
    zone: str = "UTC"
    enrolled: dict[int, Enrolled] = field(default_factory=dict)
    runs: dict[UUID, tuple[Enrolled, Run]] = field(default_factory=dict)
    moves: int = 0

    # --- enrolling ---

    def add(self, enrollment: Enrolled) -> None:
        self.enrolled[enrollment.id] = enrollment
        self.runs |= {run.id: (enrollment, run) for run in enrollment.runs}

    def due(self, zone: str, at: datetime, day: int) -> datetime:
        """Day 1 at once; day N at the action hour of its date, there."""
        local: date = at.astimezone(ZoneInfo(zone)).date() + timedelta(days=day - 1)
        return at if day == 1 else datetime.combine(local, ACTION_HOUR, ZoneInfo(zone))

    def of(self, book: Book, customer: Customer) -> list[Enrolled]:
        return [one for one in self.enrolled.values() if one.playbook is book and one.customer is customer]

    def is_taken(self, book: Book, customer: Customer, now: datetime) -> bool:
        earlier = self.of(book, customer)
        if not book.again:
            return bool(earlier)
        return any(one.state == "stopping" or one.is_live or not one.left or one.at > now - A_DAY for one in earlier)

    def leaving(self, book: Book) -> list[Enrolled]:
        """Notes whose rules match no more; returns those that this stops, if its playbook says so."""
        gone = [
            one
            for one in self.enrolled.values()
            if one.playbook is book and not one.left and one.state != "stopping" and not book.wants(one.customer)
        ]
        for one in gone:
            one.left = True
        return [one for one in gone if book.again and one.by_evaluation and one.state in ("active", "paused")]

    # --- moves ---

    def move_enrollment(self, id: int, to: str) -> None:
        one = self.enrolled[id]
        states = {run.state for run in one.runs}
        legal = {
            "completed": one.state == "active" and not states & set(OPEN),
            "stopping": one.state in ("active", "paused", "completed"),
            "stopped": one.state == "stopping" and not states & {"running", "applied", "undoing", "scheduled", "held"},
            "paused": one.state == "active",
            "active": one.state in ("paused", "completed"),
        }
        demand(legal[to], f"an enrollment may become {to}", (id, one.state, states))
        one.was_finished = to == "completed" or (one.was_finished and to != "active")
        one.state = to

    def move_run(self, id: UUID, was: str, to: str, code: str, *, actor: str, now: datetime, try_at: datetime) -> None:
        one, run = self.runs[id]
        self.moves += 1
        before = run.state
        known = {before} | {"scheduled": {"running"}, "applied": {"undoing"}}.get(before, set())
        demand(was in known, "a move starts where the run is", (id, before, was, to))
        getattr(self, f"_{to}")(one, run, was=was, code=code, actor=actor, now=now)
        run.state, run.lease_until = to, None
        if to == "scheduled":
            run.try_at = try_at
        one.count()

    def _applied(self, one: Enrolled, run: Run, *, was: str, actor: str, now: datetime, **_: Any) -> None:
        if was in ("uncertain", "dead"):
            demand(actor.startswith("person:"), "only a person marks as done", run)
            run.by_hand = True
        else:
            self._demand_turn(one, run, now)
            demand(not one.customer.archived or run.spec.kind == "mail", "nothing is done to an archived account", run)
            getattr(self, f"_do_{run.spec.kind}")(one.customer, run)
        run.order = self.moves

    def _demand_turn(self, one: Enrolled, run: Run, now: datetime) -> None:
        if run.state == "running":  # claimed when it was its turn
            demand(one.state == "active" or run.prepared, "nothing runs that is paused or stopped", (one.state, run))
        else:
            demand(one.may_run(run, now), "nothing runs before its turn", (one.state, now, run))

    def _do_trait(self, customer: Customer, run: Run) -> None:
        customer.layers.append((run.writer, run.spec.says))

    def _do_risk(self, customer: Customer, run: Run) -> None:
        run.sign = customer.sign(run.spec.says)
        run.sign.held_by.add(run.writer)

    def _do_cta(self, customer: Customer, run: Run) -> None:
        run.ticket = Ticket([Todo(), Todo()])

    def _do_mail(self, customer: Customer, run: Run) -> None:
        demand(run.sent >= 1, "what is said to be sent was sent", run)

    def _skipped(self, one: Enrolled, run: Run, *, actor: str, **_: Any) -> None:
        demand(one.customer.archived or actor.startswith("person:"), "only the impossible is skipped", run)

    def _held(self, one: Enrolled, run: Run, *, now: datetime, **_: Any) -> None:
        demand(run.spec.kind == "mail" and now - run.try_at > A_DAY, "only late mail is held", run)

    def _dead(self, one: Enrolled, run: Run, *, code: str, **_: Any) -> None:
        demand(run.spec.kind == "mail" and code == "refused", "nothing is given up", (run, code))

    def _uncertain(self, one: Enrolled, run: Run, **_: Any) -> None:
        demand(run.spec.kind == "mail" and run.prepared, "only mail can be uncertain", run)

    def _cancelled(self, one: Enrolled, run: Run, **_: Any) -> None:
        demand(one.state == "stopping", "only a stop cancels", (one.state, run))

    def _scheduled(self, one: Enrolled, run: Run, *, was: str, code: str, actor: str, now: datetime, **_: Any) -> None:
        if actor.startswith("person:"):
            demand(was in ("dead", "held", "uncertain"), "a person tries again what is open", (was, run))
            run.may_send += was == "uncertain"
            run.attempt = 0
        elif code == "retry":
            run.attempt += 1
        elif run.lease_until is not None and run.lease_until < now:
            return  # its worker died
        elif one.state == "active":
            demand(run.spec.kind == "mail" and not run.prepared, "a run goes back for a reason", run)
            run.prepared = True
        else:
            demand(one.state in ("paused", "stopping"), "a run goes back for a reason", (one.state, run))

    # --- stopping ---

    def _undone(self, one: Enrolled, run: Run, *, code: str, **_: Any) -> None:
        self._demand_fate(one, run, "undone", "")
        match run.spec.kind:
            case "trait":
                one.customer.layers.pop()
            case "risk":
                assert run.sign is not None
                run.sign.held_by.discard(run.writer)
                run.sign.state = run.sign.state if run.sign.held_by else "ended"
            case "cta":
                assert run.ticket is not None
                run.ticket.end()

    def _kept(self, one: Enrolled, run: Run, *, code: str, **_: Any) -> None:
        self._demand_fate(one, run, "kept", code)
        if code == "changed_by":
            one.customer.layers = [layer for layer in one.customer.layers if layer[0] != run.writer]
        if code == "completed":
            assert run.ticket is not None
            run.ticket.end()

    def _demand_fate(self, one: Enrolled, run: Run, state: str, code: str) -> None:
        demand(one.state == "stopping", "only a stop takes back", (one.state, run))
        if code != "kept_by_choice":
            later = [other for other in one.runs if other.state in ("applied", "undoing") and other.order > run.order]
            demand(not later, "last in, first out", (run, later))
            demand(all(other.state != "running" for other in one.runs), "what runs is waited for", one)
        demand(
            (state, code) == self.fate(one, run), f"a stop tells truly ({state}, {code})", (self.fate(one, run), run)
        )

    def fate(self, one: Enrolled, run: Run) -> tuple[str, str]:
        """What taking this run back comes to, as things stand."""
        if run.id in one.chosen:
            return "kept", "kept_by_choice"
        if run.spec.keep:
            return "kept", "by_design"
        if run.by_hand:
            return "kept", "done_by_hand"
        if run.spec.kind == "mail":
            return "kept", "already_sent"
        if one.customer.archived:
            return "kept", "target_gone"
        return getattr(self, f"_fate_of_{run.spec.kind}")(one.customer, run)  # type: ignore[no-any-return]

    def _fate_of_trait(self, customer: Customer, run: Run) -> tuple[str, str]:
        on_top = bool(customer.layers) and customer.layers[-1][0] == run.writer
        return ("undone", "") if on_top else ("kept", "changed_by")

    def _fate_of_risk(self, customer: Customer, run: Run) -> tuple[str, str]:
        assert run.sign is not None
        return ("undone", "") if run.sign.state == "active" else ("kept", run.sign.state)

    def _fate_of_cta(self, customer: Customer, run: Run) -> tuple[str, str]:
        assert run.ticket is not None
        done = any(task.status == "done" for task in run.ticket.tasks)
        return ("kept", "completed") if done else ("undone", "")

    # --- what must be so after everything due was done ---

    def left_undone(self, now: datetime) -> list[Any]:
        due: list[Any] = [
            run for one, run in self.runs.values() if one.may_run(run, now) or self._lease_is_over(run, now)
        ]
        waiting = {"running", "undoing"}
        return due + [
            one
            for one in self.enrolled.values()
            if (one.state == "stopping" and not any(run.state in waiting for run in one.runs))
            or (one.state == "active" and not any(run.state in OPEN for run in one.runs))
        ]

    def _lease_is_over(self, run: Run, now: datetime) -> bool:
        return run.lease_until is not None and run.lease_until < now

    def stoppable(self) -> list[Enrolled]:
        return [one for one in self.enrolled.values() if one.state in ("active", "paused", "completed")]

    def all_runs(self) -> Iterable[Run]:
        return (run for _one, run in self.runs.values())
