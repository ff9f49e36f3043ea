"""Raise a risk or an opportunity on the account. Whoever raises the same one shares it, with a claim of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
)
from actions.by_hand import DONE_BY_HAND
from actions.forms import ActionForm, RoleField, TemplateField
from actions.people import Member, Targets, load_targets, role_words
from actions.variables import Texts, load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch

REASON = "playbook_stopped"


class CreateIndicatorForm(ActionForm):
    kind = forms.ChoiceField(choices=Indicator.Kind.choices, initial=Indicator.Kind.RISK)
    title = TemplateField()
    note = TemplateField(required=False, single_line=False)
    assignee = RoleField(required=False, initial="csm")


class CreateIndicator(Action):
    key = "create_indicator"
    label = "Create an indicator"
    icon = "flag"
    form = CreateIndicatorForm
    sample = {"kind": "risk", "title": "Renewal at risk", "note": "Renewal of {{ account.name }}", "assignee": "csm"}

    def describe(self, config: Config) -> str:
        whom = f", assigned to {role_words(config['assignee'])}" if config["assignee"] else ""
        return f"Raise the {config['kind']} “{config['title']}”{whom}"

    def describe_stop(self, config: Config) -> str:
        return "An active indicator ends, unless somebody else raised it too. One marked as addressed stays so."

    def tell(self, config: Config, receipt: Receipt) -> str:
        verb = "was already active" if receipt.get("joined") else "raised"
        return f"{Indicator.Kind(config['kind']).label} {verb}: {receipt.get('title') or config['title']}"

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
        indicators = [run.receipt["indicator_id"] for run in runs if run.receipt]
        params = {"tenant": batch.tenant_id, "now": batch.now, "indicators": indicators}
        fetch(_END_CLAIMS, params | {"sources": [run.writer for run in runs]})
        fetch(_END_INDICATORS, params | {"actor": batch.actor, "reason": REASON})


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
    """What became of a run's claim and its indicator."""

    state: str
    settled_by: str
    settled_at: datetime | None
    is_open: bool
    others: int
    account_archived: bool


_CLAIMS = """
SELECT r.n, i.state, i.settled_by, i.settled_at, c.id IS NOT NULL AND c.ended_at IS NULL,
    (SELECT count(*) FROM accounts_indicatorclaim o WHERE o.tenant_id = i.tenant_id AND o.indicator_id = i.id
        AND o.ended_at IS NULL AND o.source <> ALL(%(sources)s)),
    a.archived_at IS NOT NULL
FROM unnest(%(indicators)s::bigint[], %(sources)s::text[]) WITH ORDINALITY AS r(indicator_id, source, n)
JOIN accounts_indicator i ON i.tenant_id = %(tenant)s AND i.id = r.indicator_id
JOIN accounts_account a ON a.tenant_id = i.tenant_id AND a.id = i.account_id
LEFT JOIN accounts_indicatorclaim c ON c.tenant_id = i.tenant_id AND c.indicator_id = i.id AND c.source = r.source
"""
_LOCK = """
SELECT id FROM accounts_indicator WHERE tenant_id = %(tenant)s AND id = ANY(%(indicators)s)
ORDER BY id FOR NO KEY UPDATE
"""


def _claims(batch: Batch, *, lock: bool) -> dict[UUID, _Claim]:
    runs = [run for run in batch.runs if run.receipt and "indicator_id" in run.receipt]
    params = {
        "tenant": batch.tenant_id,
        "indicators": [run.receipt["indicator_id"] for run in runs if run.receipt],
        "sources": [run.writer for run in runs],
    }
    if lock:
        fetch(_LOCK, params)
    return {runs[n - 1].id: _Claim(*row) for n, *row in fetch(_CLAIMS, params)}


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
    if claim.others:
        return Undo(f"{title} stays active for others who raised it; this playbook no longer holds it")
    return Undo(f"{title} ends")


def _day(claim: _Claim) -> str:
    return f"{claim.settled_at.day} {claim.settled_at:%b %Y}" if claim.settled_at else "an unknown day"


_END_CLAIMS = """
UPDATE accounts_indicatorclaim SET ended_at = %(now)s
WHERE tenant_id = %(tenant)s AND indicator_id = ANY(%(indicators)s) AND source = ANY(%(sources)s) AND ended_at IS NULL
"""
_END_INDICATORS = """
UPDATE accounts_indicator i SET state = 'ended', settled_at = %(now)s, settled_by = %(actor)s, reason = %(reason)s
WHERE i.tenant_id = %(tenant)s AND i.id = ANY(%(indicators)s) AND i.state = 'active' AND NOT EXISTS (
    SELECT 1 FROM accounts_indicatorclaim c
    WHERE c.tenant_id = i.tenant_id AND c.indicator_id = i.id AND c.ended_at IS NULL)
"""
