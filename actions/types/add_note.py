"""Write a note on the account's timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from accounts.actors import Actor, load_actors
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
from actions.forms import ActionForm, TemplateField
from actions.subjects import ACCOUNT, lock_present
from actions.variables import load_texts
from cs_platform.common.message_templates import single_line
from cs_platform.common.statements import fetch

SHOWN = 80


class AddNoteForm(ActionForm):
    body = TemplateField(label="Note", single_line=False)


class AddNote(Action):
    key = "add_note"
    label = "Add a note"
    icon = "notebook-pen"
    summary = "On the account’s timeline"
    form = AddNoteForm
    sample = {"body": "{{ account.name }} renews soon: agree the goals for next year."}

    def describe(self, config: Config) -> str:
        return f"Write the note “{_short(config['body'])}”"

    def describe_stop(self, config: Config) -> str:
        return "The note is archived, unless somebody edited it or replied."

    def stop_in_brief(self, config: Config) -> str:
        return "Archived if unanswered"

    def tell(self, config: Config, receipt: Receipt) -> str:
        return f"Note written: {receipt.get('short') or _short(config['body'])}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        present = lock_present(batch, ACCOUNT, [run.account_id for run in batch.runs])
        texts = load_texts(batch, {"body": batch.config["body"]})
        found = {run.id: texts.of(run) for run in batch.runs if run.account_id in present}
        bodies = {run_id: text["body"] for run_id, text in found.items() if not isinstance(text, Held)}
        written = _write(batch, [run for run in batch.runs if run.id in bodies], bodies)
        gone = Skipped("The account is archived.")
        return {run.id: written.get(run.id) or _kept_back(found.get(run.id), gone) for run in batch.runs}

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        found = _notes(batch, lock=lock)
        actors = load_actors({who for note in found.values() for who in (note.edited_by, note.replied_by) if who})
        return {run.id: _decision(run, found.get(_note_of(run)), actors) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        ids = [_note_of(run) for run in batch.runs if isinstance(decisions[run.id], Undo)]
        fetch(
            "UPDATE accounts_note SET archived_at = %s WHERE tenant_id = %s AND id = ANY(%s) AND archived_at IS NULL",
            [batch.now, batch.tenant_id, ids],
        )


def _short(body: str) -> str:
    line = single_line(body)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1].rstrip()}…"


def _kept_back(text: object, gone: Skipped) -> Skipped | Held:
    return text if isinstance(text, Held) else gone


def _write(batch: Batch, runs: list[Run], bodies: Mapping[UUID, str]) -> dict[UUID, Applied]:
    rows = fetch(
        "INSERT INTO accounts_note (tenant_id, account_id, body, author, written_at, edited_by)"
        " SELECT %(tenant)s, account_id, body, author, %(now)s, ''"
        " FROM unnest(%(accounts)s::bigint[], %(bodies)s::text[], %(authors)s::text[]) AS w(account_id, body, author)"
        " RETURNING author, id",
        {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "accounts": [run.account_id for run in runs],
            "bodies": [bodies[run.id] for run in runs],
            "authors": [run.writer for run in runs],
        },
    )
    ids = dict(rows)
    return {run.id: Applied({"note_id": ids[run.writer], "short": _short(bodies[run.id])}) for run in runs}


# --- undo -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Note:
    is_archived: bool
    edited_by: str
    replied_by: str | None
    account_archived: bool


_NOTES = """
SELECT n.id, n.archived_at IS NOT NULL, n.edited_by,
    (SELECT c.author FROM workspace_comment c WHERE c.tenant_id = n.tenant_id AND c.subject = 'note:' || n.id
        AND c.archived_at IS NULL ORDER BY c.written_at, c.id LIMIT 1),
    (SELECT a.archived_at IS NOT NULL FROM accounts_account a WHERE a.tenant_id = n.tenant_id AND a.id = n.account_id)
FROM accounts_note n WHERE n.tenant_id = %(tenant)s AND n.id = ANY(%(ids)s) ORDER BY n.id {lock}
"""


def _note_of(run: Run) -> int:
    return int((run.receipt or {}).get("note_id", 0))


def _notes(batch: Batch, *, lock: bool) -> dict[int, _Note]:
    params = {"tenant": batch.tenant_id, "ids": [_note_of(run) for run in batch.runs]}
    return {id: _Note(*row) for id, *row in fetch(_NOTES.format(lock="FOR UPDATE OF n" if lock else ""), params)}


def _decision(run: Run, note: _Note | None, actors: Mapping[str, Actor]) -> UndoDecision:
    if not run.receipt or "note_id" not in run.receipt:
        return DONE_BY_HAND
    name = f"The note “{run.receipt['short']}”"
    if note is None or note.is_archived or note.account_archived:
        return Keep("target_gone", f"{name} was archived since, or its account was")
    if note.edited_by:
        return Keep("edited", f"{name} stays: it was edited by {actors[note.edited_by].name}")
    if note.replied_by:
        return Keep("replied", f"{name} stays: {actors[note.replied_by].name} replied to it")
    return Undo(f"{name} is archived")
