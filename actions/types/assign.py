"""Give accounts a CSM, an AE or the holder of a role of the workspace's own, fairly among a pool of members."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.actors import Actor, load_actors
from accounts.changes import ROLE, Changed, remember_changes
from accounts.holders import PERSONS, Holding, fields_of, hold, last_writers, one_at_a_time, role_names, take_turns
from accounts.models.account import TRACKED
from accounts.traits import IMPORT
from actions.base import (
    GIVE,
    Action,
    Applied,
    ApplyOutcome,
    Batch,
    Config,
    Held,
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
    Write,
)
from actions.by_hand import DONE_BY_HAND
from actions.chains import by_target, first_of, lowest_below, receipt_of, still_owned
from actions.choosing import MembersField, Standing, WorkspaceChoiceField, team_members
from actions.forms import ActionForm
from actions.widgets import Cards
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import once
from cs_platform.tenancy.roles import Role

LEAST_ACCOUNTS, LEAST_REVENUE, ROUND_ROBIN = "least_accounts", "least_revenue", "round_robin"
RESTORE, CLEAR, KEEP = "restore", "clear", "keep"
NEVER = (datetime.min.replace(tzinfo=UTC), 0)
METHOD_WORDS = {
    LEAST_ACCOUNTS: "whoever has the fewest accounts",
    LEAST_REVENUE: "whoever has the least revenue",
    ROUND_ROBIN: "whoever has waited longest for an account",
}


def _names() -> dict[str, str]:
    return once("roles", role_names)


def _roles() -> list[tuple[str, str]]:
    return list(_names().items())


class AssignForm(ActionForm):
    also_redrawn_by = ("role", "method", "members")

    role = WorkspaceChoiceField(choices=_roles, initial="csm")
    method = forms.ChoiceField(
        label="Who gets the account",
        choices=[
            (LEAST_ACCOUNTS, "Fewest accounts"),
            (LEAST_REVENUE, "Least revenue"),
            (ROUND_ROBIN, "Round robin"),
        ],
        initial=LEAST_ACCOUNTS,
        widget=Cards(
            words={
                LEAST_ACCOUNTS: "Whoever looks after the fewest accounts.",
                LEAST_REVENUE: "Whoever looks after the least revenue.",
                ROUND_ROBIN: "Whoever has waited longest for an account.",
            }
        ),
    )
    members = MembersField(label="Among", required=False, help_text="Nobody chosen: every active CSM of the team.")
    keep_present = forms.BooleanField(label="Leave accounts that have one as they are", required=False, initial=True)
    on_stop = forms.ChoiceField(
        label="If stopped",
        choices=[(RESTORE, "The earlier one comes back"), (CLEAR, "Nobody"), (KEEP, "The new one stays")],
        initial=RESTORE,
    )

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        """With what each of the team looks after, and who of the chosen would be next."""
        role, method, members = (self[name].value() for name in ("role", "method", "members"))
        chosen = [str(one).lower() for one in members] if isinstance(members, list) else []
        widget: Any = self.fields["members"].widget
        widget.standings = standings(str(role), str(method), chosen)
        widget.by_turn = method == ROUND_ROBIN
        return super().render(*args, **kwargs)

    __str__ = __html__ = render  # type: ignore[assignment]


class Assign(Action):
    key = "assign"
    label = "Assign a CSM or AE"
    icon = "user-plus"
    group = GIVE
    summary = "Fewest accounts, least revenue or in turn"
    form = AssignForm
    sample = {"role": "ae", "method": "round_robin", "keep_present": False}

    def describe(self, config: Config) -> str:
        names = dict(team_members()) if config["members"] else {}
        among = ", ".join(names.get(email, email) for email in config["members"]) or "all CSMs"
        return f"Assign the {_label(config['role'])}: {METHOD_WORDS[config['method']]}, among {among}"

    def describe_stop(self, config: Config) -> str:
        after = {
            RESTORE: "The earlier one comes back",
            CLEAR: "The account is left to nobody",
            KEEP: "The new one stays",
        }
        return f"{after[config['on_stop']]}{'' if config['on_stop'] == KEEP else ', unless someone changed it since'}."

    def stop_in_brief(self, config: Config) -> str:
        return {RESTORE: "Earlier one comes back", CLEAR: "Left to nobody", KEEP: "New one stays"}[config["on_stop"]]

    def writes(self, config: Config) -> Sequence[Write]:
        return (Write(config["role"], yields=config["keep_present"]),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "after" not in receipt:
            return f"The {config['role'].removeprefix(ROLE)} was assigned by hand"
        if receipt["before"] is None:
            return f"{receipt['after_text']} became {receipt['label']}"
        return f"{receipt['label']} changed from {receipt['before_text']} to {receipt['after_text']}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        label = role_names().get(batch.config["role"])
        if label is None:
            return dict.fromkeys(batch.run_ids, Held("role_gone", "The role no longer exists. Bring it back, or skip."))
        chosen = _choose(batch, label)
        receipts = _write(batch, label, [one for one in chosen.values() if isinstance(one, _Given)])
        return {run_id: receipts.get(run_id) or one for run_id, one in chosen.items()}  # type: ignore[misc]

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        decisions: dict[UUID, UndoDecision] = dict.fromkeys(batch.run_ids, DONE_BY_HAND)
        chains = by_target(run for run in batch.runs if run.receipt and "after" in run.receipt)
        present = _present(batch, chains, lock=lock)
        seen = _Seen.of(batch, present)
        for account_id, chain in chains.items():
            decisions |= _decide(batch, chain, present.get(account_id), seen)
        return decisions

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        undone = [run for run in batch.runs if isinstance(decisions[run.id], Undo) and _changed_it(run)]
        firsts = {id: first_of(chain) for id, chain in by_target(undone).items()}
        before = {id: _before(batch, run) for id, run in firsts.items()}
        was = hold(batch.config["role"], before, now=batch.now)
        changes = [
            _change(batch, id, was[id], one.member_id, one.writer, undone_by=firsts[id].stopper)
            for id, one in before.items()
        ]
        remember_changes(changes, now=batch.now)


def _label(role: str) -> str:
    return PERSONS.get(role) or _names().get(role) or role.removeprefix(ROLE)


def _change(
    batch: Batch, account_id: int, before: int | None, after: int | None, actor: str, *, undone_by: str = ""
) -> Changed:
    return Changed(batch.config["role"], before, after, actor, account_id=account_id, undone_by=undone_by)


# --- apply ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Account:
    """An account that is still there; who holds the role now, if active, and what the account brings in."""

    id: int
    holder_id: int | None
    holder: str | None
    is_active: bool
    weight: int = 0  # 1 for customers and trials; what is archived, churned or ignored weighs nothing
    mrr_cents: int = 0


@dataclass(slots=True)
class _Member:
    id: int
    name: str
    email: str
    capacity: int | None
    accounts: int = 0
    revenue: int = 0
    turn: tuple[datetime, int] = NEVER


@dataclass(frozen=True, slots=True)
class _Given:
    run: Run
    account: _Account
    member: _Member


@dataclass(slots=True)
class _Pool:
    """One heap: the least burdened on top; among equals who has waited longest, then the lower id."""

    method: str
    now: datetime
    heap: list[tuple[int, tuple[datetime, int], int, _Member]] = field(default_factory=list)
    given: int = 0

    def add(self, member: _Member) -> None:
        if member.capacity is None or member.accounts < member.capacity:
            heapq.heappush(self.heap, (self._burden(member), member.turn, member.id, member))

    def give(self, account: _Account) -> _Member | None:
        if not self.heap:
            return None
        *_key, member = heapq.heappop(self.heap)
        self.given += 1
        member.accounts += account.weight
        member.revenue += account.mrr_cents
        member.turn = (self.now, self.given)
        self.add(member)
        return member

    def _burden(self, member: _Member) -> int:
        return {LEAST_ACCOUNTS: member.accounts, LEAST_REVENUE: member.revenue}.get(self.method, 0)


def _choose(batch: Batch, label: str) -> dict[UUID, _Given | Skipped | Held]:
    """Who gets which account. All assignments of one role take turns, so that two batches cannot load the same one."""
    one_at_a_time(batch.config["role"])
    accounts = _accounts(batch)
    pool = _pool(batch, [] if batch.config["keep_present"] else list(accounts.values()))
    chosen: dict[UUID, _Given | Skipped | Held] = {}
    taken: dict[int, _Member] = {}
    for run in _in_order(batch, accounts):
        chosen[run.id] = _choice(batch, run, accounts.get(run.account_id), pool, taken, label)
    return chosen


def _in_order(batch: Batch, accounts: Mapping[int, _Account]) -> Sequence[Run]:
    """The largest first where revenue counts: what is left over then is small."""
    if batch.config["method"] != LEAST_REVENUE:
        return batch.runs
    return sorted(batch.runs, key=lambda run: -accounts[run.account_id].mrr_cents if run.account_id in accounts else 0)


def _choice(
    batch: Batch, run: Run, account: _Account | None, pool: _Pool, taken: dict[int, _Member], label: str
) -> _Given | Skipped | Held:
    if account is None:
        return Skipped("The account is archived.")
    if account.id in taken:
        return Skipped(f"The {label} was given in the same moment: {taken[account.id].name}.")
    if batch.config["keep_present"] and account.is_active:
        return Skipped(f"The account has a {label}: {account.holder}.")
    member = pool.give(account)
    if member is None:
        return Held("no_assignee", f"Nobody of the pool can be the {label}: they left, are away or have no capacity.")
    taken[account.id] = member
    return _Given(run, account, member)


def _role_joins(role: str) -> tuple[str, str]:
    """SQL of whoever holds the role at account `a`, and the join it takes."""
    if role in PERSONS:
        return f"a.{role}_id", ""
    return "r.member_id", (
        " LEFT JOIN accounts_accountrole r ON r.tenant_id = a.tenant_id AND r.account_id = a.id AND r.role_id ="
        " (SELECT k.id FROM accounts_keyrole k WHERE k.tenant_id = %(tenant)s AND k.key = %(role)s)"
    )


def _params(batch: Batch) -> dict[str, Any]:
    return {"tenant": batch.tenant_id, "role": batch.config["role"].removeprefix(ROLE)}


def _accounts(batch: Batch) -> dict[int, _Account]:
    """Locked in the order of their ids."""
    holder, join = _role_joins(batch.config["role"])
    rows = fetch(
        f"""
        SELECT a.id, m.id, m.name, m.id IS NOT NULL AND m.deactivated_at IS NULL,
            (a.lifecycle = ANY(%(tracked)s))::int,
            CASE WHEN a.lifecycle = ANY(%(tracked)s) THEN COALESCE(a.mrr_cents, 0) ELSE 0 END
        FROM accounts_account a {join}
        LEFT JOIN tenancy_membership m ON m.tenant_id = a.tenant_id AND m.id = {holder}
        WHERE a.tenant_id = %(tenant)s AND a.id = ANY(%(ids)s) AND a.archived_at IS NULL
        ORDER BY a.id FOR NO KEY UPDATE OF a
        """,
        _params(batch) | {"ids": list({run.account_id for run in batch.runs}), "tracked": list(TRACKED)},
    )
    return {row[0]: _Account(*row) for row in rows}


_MEMBERS = """
SELECT m.id, m.name, lower(m.email), w.capacity, t.assigned_at, t.place
FROM tenancy_membership m
LEFT JOIN accounts_workload w ON w.tenant_id = m.tenant_id AND w.member_id = m.id
LEFT JOIN accounts_roleturn t ON t.tenant_id = m.tenant_id AND t.member_id = m.id AND t.role = %(field)s
WHERE m.tenant_id = %(tenant)s AND m.deactivated_at IS NULL AND (w.away_until IS NULL OR w.away_until < %(today)s)
    AND CASE WHEN %(everybody)s THEN m.role = %(csm)s ELSE lower(m.email) = ANY(%(emails)s) END
"""


def _pool(batch: Batch, leaving: Iterable[_Account]) -> _Pool:
    """`leaving` are about to be given anew: whoever has them now does not count them."""
    members = _members(batch)
    if batch.config["method"] != ROUND_ROBIN or any(member.capacity is not None for member in members.values()):
        _count(batch, members)
    for account in leaving:
        if account.holder_id in members:
            members[account.holder_id].accounts -= account.weight
            members[account.holder_id].revenue -= account.mrr_cents
    earlier = max((member.turn for member in members.values()), default=NEVER)
    pool = _Pool(batch.config["method"], max(batch.now, earlier[0]), given=earlier[1])
    for member in members.values():
        pool.add(member)
    return pool


def _members(batch: Batch) -> dict[int, _Member]:
    """The pool as the step names it, without whoever is away."""
    emails = batch.config["members"]
    asked = {"field": batch.config["role"], "today": batch.today, "emails": emails}
    rows = fetch(_MEMBERS, _params(batch) | asked | {"everybody": not emails, "csm": Role.CSM.value})
    members = {id: _Member(id, name, email, capacity) for id, name, email, capacity, *_turn in rows}
    for id, _name, _email, _capacity, at, place in rows:
        if at is not None:
            members[id].turn = (at, place)
    return members


def _count(batch: Batch, members: Mapping[int, _Member]) -> None:
    """What each looks after in this role: customers and trials, no archived or churned ones."""
    holder, join = _role_joins(batch.config["role"])
    rows = fetch(
        f"""
        SELECT {holder}, count(*), COALESCE(sum(a.mrr_cents), 0)::bigint FROM accounts_account a {join}
        WHERE a.tenant_id = %(tenant)s AND {holder} = ANY(%(members)s) AND a.archived_at IS NULL
            AND a.lifecycle = ANY(%(tracked)s) GROUP BY 1
        """,
        _params(batch) | {"members": list(members), "tracked": list(TRACKED)},
    )
    for member_id, accounts, revenue in rows:
        members[member_id].accounts, members[member_id].revenue = accounts, revenue


def standings(role: str, method: str, chosen: Sequence[str]) -> dict[str, Standing]:
    """By email address: how everybody who could be chosen stands, and who of the chosen is next."""
    asked = {"role": role, "method": method, "members": list(chosen)}
    pool = _pool(_looked_at(asked), [])
    next_id = pool.heap[0][2] if pool.heap else None
    team = _looked_at(asked | {"members": [email for email, _name in team_members()]})
    members = _members(team)
    _count(team, members)
    return {
        one.email: Standing(
            one.accounts, one.capacity, one.revenue, None if one.turn == NEVER else one.turn[0], one.id == next_id
        )
        for one in members.values()
    }


def _looked_at(config: Config) -> Batch:
    """Nobody is given anything: the page asks who would be."""
    now = timezone.now()
    return Batch(current_tenant_id(), config, now, timezone.localdate(now), actor="", playbook_name="", runs=[])


def _write(batch: Batch, label: str, given: Sequence[_Given]) -> dict[UUID, Applied]:
    role = batch.config["role"]
    writers = last_writers([one.account.id for one in given], fields_of(role)) if given else {}
    hold(role, {one.account.id: Holding(one.member.id, one.run.writer) for one in given}, now=batch.now)
    take_turns(role, [one.member.id for one in given], now=batch.now)
    changes = [_change(batch, one.account.id, one.account.holder_id, one.member.id, one.run.writer) for one in given]
    remember_changes(changes, now=batch.now)
    return {one.run.id: Applied(_receipt(one, label, writers.get(one.account.id, IMPORT))) for one in given}


def _receipt(one: _Given, label: str, writer: str) -> Receipt:
    return {
        "label": label,
        "target_id": one.account.id,
        "before": one.account.holder_id,
        "before_text": one.account.holder or "nobody",
        "before_writer": writer,
        "after": one.member.id,
        "after_text": one.member.name,
    }


# --- undo -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who wrote what stands there now, by what name they go, and which of those who were there before still are."""

    writers: Mapping[int, str]
    actors: Mapping[str, Actor]
    active: set[int]
    role_exists: bool

    @classmethod
    def of(cls, batch: Batch, present: Mapping[int, _Account]) -> "_Seen":
        role = batch.config["role"]
        writers = last_writers(list(present), fields_of(role))
        before = [run.receipt["before"] for run in batch.runs if run.receipt and run.receipt.get("before")]
        rows = fetch(
            "SELECT id FROM tenancy_membership WHERE tenant_id = %s AND id = ANY(%s) AND deactivated_at IS NULL",
            [batch.tenant_id, before],
        )
        return cls(writers, load_actors(set(writers.values())), {id for (id,) in rows}, role in role_names())


def _present(batch: Batch, account_ids: Iterable[int], *, lock: bool) -> dict[int, _Account]:
    holder, join = _role_joins(batch.config["role"])
    rows = fetch(
        f"""
        SELECT a.id, m.id, m.name, m.id IS NOT NULL AND m.deactivated_at IS NULL FROM accounts_account a {join}
        LEFT JOIN tenancy_membership m ON m.tenant_id = a.tenant_id AND m.id = {holder}
        WHERE a.tenant_id = %(tenant)s AND a.id = ANY(%(ids)s) AND a.archived_at IS NULL
        ORDER BY a.id {"FOR NO KEY UPDATE OF a" if lock else ""}
        """,
        _params(batch) | {"ids": list(account_ids)},
    )
    return {row[0]: _Account(*row) for row in rows}


def _decide(batch: Batch, runs: Sequence[Run], now: _Account | None, seen: _Seen) -> dict[UUID, UndoDecision]:
    """The runs of this batch that gave one account."""
    if now is None or not seen.role_exists:
        return {run.id: _gone(receipt_of(run), account_exists=now is not None) for run in runs}
    if batch.config["on_stop"] == KEEP:
        return {run.id: _stays(receipt_of(run)) for run in runs}
    chain = [run for run in runs if _changed_it(run)]
    owned = still_owned(chain, seen.writers.get(now.id, IMPORT))
    inactive = _inactive(batch, [run for run in chain if run.id in owned], seen)
    return {
        run.id: _decision(batch, run, now, seen, chain, inactive=inactive, is_owned=run.id in owned) for run in runs
    }


def _changed_it(run: Run) -> bool:
    """Else whom it was given to held it already: nothing was written, and nothing is taken back."""
    receipt = receipt_of(run)
    return bool(receipt["before"] != receipt["after"] or receipt.get("inherited"))


def _inactive(batch: Batch, owned: Sequence[Run], seen: _Seen) -> bool:
    """Whether whoever would come back has left the team."""
    before = _before(batch, first_of(owned)).member_id if owned else None
    return before is not None and before not in seen.active


def _before(batch: Batch, run: Run) -> Holding:
    if batch.config["on_stop"] == CLEAR:
        return Holding(None, IMPORT)
    receipt = receipt_of(run)
    return Holding(receipt["before"], receipt["before_writer"])


def _decision(
    batch: Batch, run: Run, now: _Account, seen: _Seen, chain: Sequence[Run], *, inactive: bool, is_owned: bool
) -> UndoDecision:
    receipt = receipt_of(run)
    label, after = receipt["label"], receipt["after_text"]
    if not _changed_it(run):
        return Undo(_stays_as_it_was(receipt))
    before = "nobody" if batch.config["on_stop"] == CLEAR else receipt["before_text"]
    if not is_owned:
        who = seen.actors[seen.writers.get(now.id, IMPORT)].name if now.id in seen.writers else "an import"
        says = f"{label} stays {now.holder or 'nobody'}: it was changed by {who} since"
        return Keep("reassigned", says, inherit=_inheritance(batch, lowest_below(run, chain)))
    if inactive:
        return Keep("holder_inactive", f"{label} stays {after}: {before} is no longer active")
    return Undo(_stays_as_it_was(receipt) if before == after else f"{label} goes back from {after} to {before}")


def _stays_as_it_was(receipt: Receipt) -> str:
    return f"{receipt['label']} stays {receipt['after_text']}, as it was before"


def _inheritance(batch: Batch, lowest: Run) -> Receipt:
    """What the run that gave the account on restores instead."""
    before = _before(batch, lowest)
    text = "nobody" if batch.config["on_stop"] == CLEAR else receipt_of(lowest)["before_text"]
    return {"before": before.member_id, "before_text": text, "before_writer": before.writer}


def _gone(receipt: Receipt, *, account_exists: bool) -> Keep:
    what = "the role" if account_exists else "the account"
    return Keep("target_gone", f"{receipt['label']} cannot be restored: {what} is gone")


def _stays(receipt: Receipt) -> Keep:
    return Keep("keep_on_stop", f"{receipt['label']} stays {receipt['after_text']}, as its step says")
