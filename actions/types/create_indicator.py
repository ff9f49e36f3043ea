"""Raise a risk or an opportunity on the account. Whoever raises the same one shares it, with a claim of its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms

from accounts.actors import Actor, load_actors
from accounts.models import Indicator
from actions.base import (
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
from actions.forms import ActionForm, RoleField, TemplateField
from actions.people import Member, Targets, load_targets, role_words
from actions.variables import Texts, load_texts
from actions.widgets import Segmented
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch

REASON = "playbook_stopped"


class CreateIndicatorForm(ActionForm):
    kind = forms.ChoiceField(choices=Indicator.Kind.choices, initial=Indicator.Kind.RISK, widget=Segmented)
    title = TemplateField()
    note = TemplateField(required=False, single_line=False)
    assignee = RoleField(required=False, initial="csm", label="Assign to")


class CreateIndicator(Action):
    key = "create_indicator"
    label = "Create an indicator"
    icon = "triangle-alert"
    summary = "Raise a risk or an opportunity"
    form = CreateIndicatorForm
    looks = "actions/looks/indicator.html"
    sample = {"kind": "risk", "title": "Renewal at risk", "note": "Renewal of {{ account.name }}", "assignee": "csm"}

    def describe(self, config: Config) -> str:
        whom = f", assigned to {role_words(config['assignee'])}" if config["assignee"] else ""
        return f"Raise the {config['kind']} “{config['title']}”{whom}"

    def describe_stop(self, config: Config) -> str:
        return "An active indicator ends, unless somebody else raised it too. One marked as addressed stays so."

    def stop_in_brief(self, config: Config) -> str:
        return "Ends if still active"

    def writes(self, config: Config) -> Sequence[Write]:
        return (Write(f"indicator:{config['title']}", "active"),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        verb = "was already active" if receipt.get("joined") else "raised"
        return f"{Indicator.Kind(config['kind']).label} {verb}: {receipt.get('title') or config['title']}"

    def since(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> Mapping[UUID, str]:
        ids = {run_id: receipt["indicator_id"] for run_id, receipt in receipts.items() if "indicator_id" in receipt}
        states = dict(Indicator.objects.filter(pk__in=ids.values()).values_list("pk", "state"))
        return {run_id: Indicator.State(states[id]).label.lower() for run_id, id in ids.items() if id in states}

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        targets = load_targets(batch, roles=[batch.config["assignee"]])
        texts = load_texts(batch, {"title": batch.config["title"], "note": batch.config["note"]})
        wanted = {run.id: _wanted(run, targets, texts, batch.config["assignee"]) for run in batch.runs}
        raised = _raise(batch, {run_id: row for run_id, row in wanted.items() if isinstance(row, _Wanted)})
        return {run_id: raised.get(run_id) or row for run_id, row in wanted.items()}  # type: ignore[misc]

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _claims(batch, lock=lock)
        actors = load_actors({claim.settled_by for claim in found.values() if claim.settled_by})
        return {run.id: _decision(run, found.get(run.id), actors) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        runs = [run for run in batch.runs if isinstance(decisions[run.id], Undo)]
        if not runs:
            return
        params = {"tenant": batch.tenant_id, "now": batch.now, "actor": batch.actor, "reason": REASON}
        params["indicators"] = [_indicator_of(run) for run in runs]
        fetch(_END_CLAIMS, params | {"sources": [run.writer for run in runs]})
        _end_unclaimed(params)


@dataclass(frozen=True, slots=True)
class _Wanted:
    account_id: int
    title: str
    note: str
    assignee_id: int | None
    source: str


def _wanted(run: Run, targets: Targets, texts: Texts, role: str) -> _Wanted | Skipped | Held:
    if targets.get(run.account_id) is None:
        return Skipped("The account is archived.")
    text = texts.of(run)
    if isinstance(text, Held):
        return text
    # Nobody is held up for want of an assignee: an indicator without one is still seen on the account.
    assignee: Member | None = targets.first(run.account_id, role, "csm") if role else None
    title = single_line(text["title"])
    return _Wanted(run.account_id, title, text["note"], assignee.id if assignee else None, run.writer)


_RAISE = """
WITH wanted AS (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(titles)s::text[], %(notes)s::text[], %(assignees)s::bigint[],
                         %(sources)s::text[]) WITH ORDINALITY AS w(account_id, title, note, assignee_id, source, n)
), raised AS (
    INSERT INTO accounts_indicator (tenant_id, account_id, kind, title, note, assignee_id, state, raised_at, raised_by,
                                    settled_by, reason)
    SELECT DISTINCT ON (account_id, title)
        %(tenant)s, account_id, %(kind)s, title, note, assignee_id, 'active', %(now)s, %(actor)s, '', ''
    FROM wanted ORDER BY account_id, title, n
    ON CONFLICT (tenant_id, account_id, kind, title) WHERE state = 'active'
        DO UPDATE SET title = EXCLUDED.title  -- changes nothing, but locks the one we join and names it
    RETURNING id, account_id, title, old.id IS NOT NULL AS was_active
), claimed AS (
    INSERT INTO accounts_indicatorclaim (tenant_id, indicator_id, source, made_at)
    SELECT %(tenant)s, r.id, w.source, %(now)s FROM wanted w JOIN raised r USING (account_id, title)
    ON CONFLICT (tenant_id, indicator_id, source) DO UPDATE SET ended_at = NULL, made_at = EXCLUDED.made_at
)
SELECT w.n, r.id, r.was_active OR row_number() OVER (PARTITION BY r.id ORDER BY w.n) > 1
FROM wanted w JOIN raised r USING (account_id, title)
"""


def _raise(batch: Batch, wanted: Mapping[UUID, _Wanted]) -> dict[UUID, Applied]:
    if not wanted:
        return {}
    rows = list(wanted.values())
    raised = fetch(
        _RAISE,
        {
            "tenant": batch.tenant_id,
            "kind": batch.config["kind"],
            "now": batch.now,
            "actor": batch.actor,
            "accounts": [row.account_id for row in rows],
            "titles": [row.title for row in rows],
            "notes": [row.note for row in rows],
            "assignees": [row.assignee_id for row in rows],
            "sources": [row.source for row in rows],
        },
    )
    run_ids = list(wanted)
    return {run_ids[n - 1]: Applied(_receipt(batch, rows[n - 1], *found)) for n, *found in raised}


def _receipt(batch: Batch, row: _Wanted, indicator_id: int, joined: bool) -> Receipt:
    return {
        "indicator_id": indicator_id,
        "kind": batch.config["kind"],
        "title": row.title,
        "assignee_id": row.assignee_id,
        "joined": joined,
    }


# --- undo -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claim:
    """What became of a run's indicator, and who still claims it."""

    state: str
    settled_by: str
    settled_at: datetime | None
    account_archived: bool
    is_open: bool = False
    has_others: bool = False


# Read by id, so that the plan cannot turn on how well the tables are known to the planner.
_INDICATORS = """
SELECT i.id, i.state, i.settled_by, i.settled_at,
    (SELECT a.archived_at IS NOT NULL FROM accounts_account a WHERE a.tenant_id = i.tenant_id AND a.id = i.account_id)
FROM accounts_indicator i WHERE i.tenant_id = %(tenant)s AND i.id = ANY(%(indicators)s) ORDER BY i.id {lock}
"""
_OPEN_CLAIMS = """
SELECT indicator_id, source FROM accounts_indicatorclaim
WHERE tenant_id = %(tenant)s AND indicator_id = ANY(%(indicators)s) AND ended_at IS NULL
"""


def _claims(batch: Batch, *, lock: bool) -> dict[UUID, _Claim]:
    """A claim on an indicator is made under its lock, so none can appear between the two reads."""
    runs = [run for run in batch.runs if run.receipt and "indicator_id" in run.receipt]
    params = {"tenant": batch.tenant_id, "indicators": list({_indicator_of(run) for run in runs})}
    found = fetch(_INDICATORS.format(lock="FOR NO KEY UPDATE OF i" if lock else ""), params)
    indicators = {pk: _Claim(*row) for pk, *row in found}
    sources: dict[int, set[str]] = defaultdict(set)
    for indicator_id, source in fetch(_OPEN_CLAIMS, params):
        sources[indicator_id].add(source)
    leaving = {run.writer for run in runs}
    return {
        run.id: replace(indicators[pk], is_open=run.writer in sources[pk], has_others=bool(sources[pk] - leaving))
        for run in runs
        if (pk := _indicator_of(run)) in indicators
    }


def _indicator_of(run: Run) -> int:
    assert run.receipt is not None
    return int(run.receipt["indicator_id"])


def _decision(run: Run, claim: _Claim | None, actors: Mapping[str, Actor]) -> UndoDecision:
    if not run.receipt or "indicator_id" not in run.receipt:
        return DONE_BY_HAND
    title = f"“{run.receipt['title']}”"
    if claim is None or claim.account_archived:
        return Keep("target_gone", f"{title} stays in the history of an account that is gone")
    who = actors[claim.settled_by].name if claim.settled_by else "somebody"
    if claim.state == Indicator.State.ADDRESSED:
        return Keep("addressed", f"{title} was marked as addressed by {who} on {_day(claim)}")
    if claim.state == Indicator.State.ENDED:
        return Keep("ended", f"{title} was ended by {who} on {_day(claim)}")
    if not claim.is_open:
        return Keep("reopened", f"{title} was settled and reopened by people since")
    if claim.has_others:
        return Undo(f"{title} stays active for others who raised it; this playbook no longer holds it")
    return Undo(f"{title} ends")


def _day(claim: _Claim) -> str:
    return f"{claim.settled_at.day} {claim.settled_at:%b %Y}" if claim.settled_at else "an unknown day"


_END_CLAIMS = """
UPDATE accounts_indicatorclaim c SET ended_at = %(now)s
FROM unnest(%(indicators)s::bigint[], %(sources)s::text[]) AS w(indicator_id, source)
WHERE c.tenant_id = %(tenant)s AND c.indicator_id = w.indicator_id AND c.source = w.source AND c.ended_at IS NULL
"""
_END_INDICATORS = """
UPDATE accounts_indicator SET state = 'ended', settled_at = %(now)s, settled_by = %(actor)s, reason = %(reason)s
WHERE tenant_id = %(tenant)s AND id = ANY(%(unclaimed)s) AND state = 'active'
"""


def _end_unclaimed(params: Mapping[str, Any]) -> None:
    """Runs after the claims."""
    claimed = {indicator_id for indicator_id, _source in fetch(_OPEN_CLAIMS, params)}
    fetch(_END_INDICATORS, {**params, "unclaimed": list(set(params["indicators"]) - claimed)})
