"""The judge: decides from the rows and from the logs of the servers outside, not from what the engine says of itself.

`lost` is work that was due and has no effect, or an effect that nobody wrote down. `doubled` is anything that happened
twice, or happened though it was not to. `stuck` is what has not come to an end. `uncertain` is counted apart: a message
whose outcome nobody can know is no fault, as long as it was really attempted, never repeated, and a repeat would not
have been recognised.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from actions.by_people import TOO_LATE
from cs_platform.chaos.channels import GMAIL, member_of
from cs_platform.chaos.hooks import Arrival as Call
from cs_platform.chaos.mail import Arrival
from cs_platform.chaos.world import TASKS, TRAIT
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant, WorkDue

LOST, DOUBLED, STUCK = "lost", "doubled", "stuck"


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str
    what: str
    count: int


# A run "was applied" when its state says so now, or when it was taken back or kept afterwards.
_RUNS = """
    SELECT r.*, s.action, s.config, e.account_id, e.playbook_id, e.state AS enrollment_state, e.stopped_at,
        r.state IN ('applied', 'undoing', 'undone', 'kept', 'undo_dead') AS was_applied, 'run:' || r.id AS writer
    FROM playbooks_actionrun r
    JOIN playbooks_enrollment e ON e.tenant_id = r.tenant_id AND e.id = r.enrollment_id
    JOIN playbooks_step s ON s.tenant_id = r.tenant_id AND s.id = r.step_id
    WHERE r.tenant_id = %(tenant)s
"""
_CLAIMS = """
    SELECT c.source, c.indicator_id, c.ended_at IS NULL AS is_open FROM accounts_indicatorclaim c
    WHERE c.tenant_id = %(tenant)s
"""
_LETTERS = """
    SELECT v.id, v.hand_id, v.channel, v.subject, v.state, v.sending_at IS NOT NULL AS was_tried, v.problem
    FROM accounts_conversation v WHERE v.tenant_id = %(tenant)s AND v.hand_id IS NOT NULL
"""

# Each query counts the rows that break one promise. `run` and `claim` are the two above.
PROMISES: Sequence[tuple[str, str, str]] = (
    # --- everything comes to an end
    (STUCK, "runs neither done nor waiting for a person", "SELECT 1 FROM run WHERE state IN ('running', 'undoing')"),
    (STUCK, "due runs not done", "SELECT 1 FROM run WHERE state = 'scheduled' AND enrollment_state <> 'stopped'"),
    (STUCK, "stops not finished", "SELECT 1 FROM playbooks_enrollment e WHERE e.state = 'stopping' AND {ours}"),
    (
        STUCK,
        "finished enrollments that do not say so",
        "SELECT 1 FROM playbooks_enrollment e WHERE e.state IN ('active', 'paused') AND {ours} AND NOT EXISTS"
        " (SELECT 1 FROM run WHERE run.enrollment_id = e.id AND run.state IN ('scheduled', 'running', 'uncertain'))",
    ),
    (
        STUCK,
        "runs left open by a stop",
        "SELECT 1 FROM run WHERE enrollment_state = 'stopped'"
        " AND state IN ('scheduled', 'held', 'running', 'applied', 'undoing', 'undo_dead')",
    ),
    # --- nothing is lost
    (
        LOST,
        "enrollments without all their runs",
        "SELECT 1 FROM playbooks_enrollment e WHERE {ours} AND e.steps_total <>"
        " (SELECT count(*) FROM run WHERE run.enrollment_id = e.id)",
    ),
    (
        LOST,
        "runs given up without a reason from outside",
        "SELECT 1 FROM run WHERE state IN ('held', 'skipped') OR (state = 'dead' AND reason_code <> 'refused')"
        " OR (state = 'cancelled' AND enrollment_state <> 'stopped') OR (state = 'uncertain' AND NOT is_external)",
    ),
    (
        LOST,
        "indicators on record that were not raised",
        "SELECT 1 FROM run WHERE action = 'create_indicator' AND was_applied"
        " AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.source = run.writer"
        " AND claim.indicator_id = (run.receipt ->> 'indicator_id')::bigint)",
    ),
    (
        LOST,
        "indicators not held, or still held after their undo",
        "SELECT 1 FROM run JOIN claim ON claim.source = run.writer"
        " WHERE claim.is_open AND state = 'undone' OR NOT claim.is_open AND state IN ('applied', 'kept')",
    ),
    (
        LOST,
        "active indicators that nobody holds",
        "SELECT 1 FROM accounts_indicator i WHERE i.tenant_id = %(tenant)s AND (i.state = 'active') <>"
        " EXISTS (SELECT 1 FROM claim WHERE claim.indicator_id = i.id AND claim.is_open)",
    ),
    (
        LOST,
        "CTAs on record that were not opened with all their tasks",
        "SELECT 1 FROM run WHERE action = 'create_cta' AND was_applied AND (1, %(tasks)s) <>"
        " ((SELECT count(*) FROM ctas_cta c WHERE c.tenant_id = %(tenant)s AND c.origin_run_id = run.id),"
        " (SELECT count(*) FROM ctas_task t WHERE t.tenant_id = %(tenant)s AND t.origin_run_id = run.id))",
    ),
    (
        LOST,
        "CTAs still there after their undo",
        "SELECT 1 FROM run JOIN ctas_cta c ON c.tenant_id = %(tenant)s AND c.origin_run_id = run.id"
        " WHERE run.state = 'undone' AND c.archived_at IS NULL",
    ),
    (
        LOST,
        "moves that are not on the ledger",
        "SELECT 1 FROM run WHERE was_applied AND NOT EXISTS (SELECT 1 FROM playbooks_ledgerentry l"
        " WHERE l.tenant_id = %(tenant)s AND l.run_id = run.id AND l.to_state = 'applied')",
    ),
    (
        LOST,
        "wrong counts of progress",
        "SELECT 1 FROM playbooks_enrollment e WHERE {ours} AND e.state IN ('active', 'completed') AND e.steps_done <>"
        " (SELECT count(*) FROM run WHERE run.enrollment_id = e.id AND run.state IN ('applied', 'skipped', 'dead'))",
    ),
    # --- nothing is doubled
    (
        DOUBLED,
        "subjects enrolled twice",
        "SELECT 1 FROM playbooks_enrollment e WHERE {ours}"
        " GROUP BY e.playbook_id, e.account_id, e.end_user_id HAVING count(*) > 1",
    ),
    (
        DOUBLED,
        "runs applied or undone twice",
        "SELECT 1 FROM playbooks_ledgerentry l WHERE l.tenant_id = %(tenant)s AND l.run_id IS NOT NULL"
        " AND l.to_state IN ('applied', 'undone', 'kept') GROUP BY l.run_id, l.to_state HAVING count(*) > 1",
    ),
    (
        DOUBLED,
        "indicators raised twice by one run",
        "SELECT 1 FROM claim GROUP BY source HAVING count(*) > 1",
    ),
    (
        DOUBLED,
        "indicators, CTAs or tasks that no run answers for",
        "SELECT 1 FROM (SELECT source FROM claim UNION ALL"
        " SELECT 'run:' || origin_run_id FROM ctas_cta c WHERE c.tenant_id = %(tenant)s UNION ALL"
        " SELECT 'run:' || origin_run_id FROM ctas_task t WHERE t.tenant_id = %(tenant)s) effect(writer)"
        " WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.was_applied AND run.writer = effect.writer)",
    ),
    (
        DOUBLED,
        "traits written twice by one run",
        "SELECT 1 FROM run WHERE action = 'update_trait' AND receipt ->> 'before_writer' = writer",
    ),
    (
        DOUBLED,
        "lines told twice on a timeline",
        "SELECT 1 FROM (SELECT t.subject, count(*) AS told FROM accounts_timelineentry t"
        " WHERE t.tenant_id = %(tenant)s AND t.kind = 'action.applied' GROUP BY 1) line"
        " WHERE told <> (SELECT count(*) FROM run WHERE 'enrollment:' || enrollment_id = subject AND was_applied)",
    ),
)


def findings(
    tenants: Sequence[Tenant],
    *,
    expected: Sequence[tuple[int, str, str]],
    taken: Mapping[str, list[Arrival]],
    calls: Sequence[Call] = (),
    letters: Collection[tuple[int, UUID]] = (),
) -> list[Finding]:
    """`expected`: (workspace, playbook, account) that must have been enrolled. `taken` are mails, `calls` the rest that
    the servers outside have acted on, `letters` (workspace, id) that people have written."""
    calls_about = _by_what_they_say(calls)
    counts: Counter[tuple[str, str]] = Counter()
    for tenant in tenants:
        with tenant_context(tenant.pk):
            counts.update(_broken_promises(tenant))
            counts.update(_not_enrolled(tenant, expected))
            counts.update(_wrong_traits(tenant))
            counts.update(_wrong_mails(tenant, taken, calls_about))
            counts.update(_wrong_calls(tenant, calls_about))
            counts.update(_wrong_letters(tenant, taken, calls_about, {id for at, id in letters if at == tenant.pk}))
    return [Finding(kind, what, count) for (kind, what), count in sorted(counts.items())]


def count_runs(tenants: Sequence[Tenant]) -> Counter[str]:
    """Runs by state, over all workspaces."""
    found: Counter[str] = Counter()
    for tenant in tenants:
        with tenant_context(tenant.pk):
            rows = _rows(
                "SELECT state, count(*) FROM playbooks_actionrun WHERE tenant_id = %(tenant)s GROUP BY 1", tenant
            )
            found.update(dict(rows))
    return found


def count_letters(tenants: Sequence[Tenant]) -> Counter[str]:
    """What people wrote, by state."""
    found: Counter[str] = Counter()
    for tenant in tenants:
        with tenant_context(tenant.pk):
            sql = f"SELECT state, count(*) FROM ({_LETTERS}) letter GROUP BY 1"
            found.update(dict(_rows(sql, tenant)))
    return found


def unfinished(tenants: Sequence[Tenant], *, now: datetime) -> int:
    """Everything that has yet to come to an end by itself."""
    sql = (
        "SELECT (SELECT count(*) FROM run WHERE state IN ('running', 'undoing')"
        " OR (state = 'scheduled' AND enrollment_state <> 'stopped')"
        # What it leaves by is mended soon, and then it goes on.
        " OR (state = 'held' AND reason_code IN ('needs_reauth', 'no_mailbox', 'token'))) +"
        " (SELECT count(*) FROM playbooks_enrollment e WHERE {ours} AND e.state = 'stopping') +"
        f" (SELECT count(*) FROM ({_LETTERS}) letter WHERE state IN ('pending', 'sending'))"
    )
    total = WorkDue.objects.filter(queue=WorkDue.Queue.EVALUATE, due_at__lte=now).count()
    for tenant in tenants:
        with tenant_context(tenant.pk):
            total += _rows(_with_views(sql), tenant)[0][0]
    return total


def _rows(sql: str, tenant: Tenant) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": tenant.pk, "tasks": len(TASKS)})
        return cursor.fetchall()


def _with_views(sql: str) -> str:
    return f"WITH run AS ({_RUNS}), claim AS ({_CLAIMS}) {sql.format(ours='e.tenant_id = %(tenant)s')}"


def _broken_promises(tenant: Tenant) -> Iterator[tuple[str, str]]:
    for kind, what, sql in PROMISES:
        for _ in _rows(_with_views(sql), tenant):
            yield kind, what


def _not_enrolled(tenant: Tenant, expected: Sequence[tuple[int, str, str]]) -> Iterator[tuple[str, str]]:
    rows = _rows(
        "SELECT p.key, a.external_id FROM playbooks_enrollment e JOIN playbooks_playbook p ON p.id = e.playbook_id"
        " JOIN accounts_account a ON a.id = e.account_id WHERE e.tenant_id = %(tenant)s",
        tenant,
    )
    wanted = {(playbook, account) for workspace, playbook, account in expected if workspace == tenant.pk}
    for _ in wanted - set(rows):
        yield LOST, "subjects not enrolled"
    for _ in set(rows) - wanted:
        yield DOUBLED, "subjects enrolled that should not be"


# Traits ---------------------------------------------------------------------------------------------------------------


def _wrong_traits(tenant: Tenant) -> Iterator[tuple[str, str]]:
    """The runs that stand on an account form one chain, from what was there before (nothing) to what is there now."""
    rows = _rows(
        f"WITH run AS ({_RUNS}) SELECT a.traits ->> '{TRAIT}', a.trait_writers ->> '{TRAIT}', a.t01,"
        " COALESCE(json_agg(json_build_array(run.writer, run.receipt ->> 'before_writer', run.receipt ->> 'after'))"
        " FILTER (WHERE run.id IS NOT NULL), '[]')::text"
        " FROM accounts_account a LEFT JOIN run ON run.account_id = a.id AND run.action = 'update_trait'"
        " AND run.state = 'applied' WHERE a.tenant_id = %(tenant)s GROUP BY a.id",
        tenant,
    )
    for value, writer, mirror, standing in rows:
        if value != mirror:
            yield LOST, "traits that differ from their mirror"
        if not _is_chain(json.loads(standing), value, writer or "import"):
            yield LOST, "traits that are not what the standing runs wrote"


def _is_chain(standing: Sequence[tuple[str, str, str]], value: str | None, writer: str) -> bool:
    below = {run: (before, after) for run, before, after in standing}
    while writer in below:
        before, after = below.pop(writer)
        if after != value:
            return False
        writer, value = before, below.get(before, (None, None))[1]
    return not below and writer == "import" and value is None


# Mails ----------------------------------------------------------------------------------------------------------------


def _wrong_mails(
    tenant: Tenant, taken: Mapping[str, list[Arrival]], calls: "Mapping[_About, list[Call]]"
) -> Iterator[tuple[str, str]]:
    """Nobody who takes mails recognises a repeat: the mail server's by their ids, Gmail's and Intercom's by what they
    say."""
    rows = _rows(
        f"WITH run AS ({_RUNS}) SELECT run.id, COALESCE(NULLIF(run.config ->> 'channel', ''), 'smtp'),"
        " replace(run.config ->> 'subject', '{{ account.name }}', a.name),"
        " run.state, run.was_applied, run.sent_marker_at IS NOT NULL,"
        " run.stopped_at, (SELECT count(*) FROM accounts_message m JOIN accounts_conversation v"
        " ON v.id = m.conversation_id WHERE v.tenant_id = %(tenant)s AND v.origin_run_id = run.id)"
        " FROM run JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = run.account_id"
        " WHERE action = 'start_conversation'",
        tenant,
    )
    mails = _by_origin(taken)
    for run_id, channel, subject, *standing in rows:
        if channel == "smtp":
            yield from _wrong_mail("mails", mails.get(f"run-{run_id}", []), *standing)
        else:
            yield from _wrong_mail(f"mails by {channel}", calls.get((tenant.slug, channel, subject), []), *standing)


def _by_origin(taken: Mapping[str, list[Arrival]]) -> Mapping[str, list[Arrival]]:
    """By what a Message-ID begins with: “run-” and its id, or “mail-” and that of a letter by hand."""
    return {message_id.partition("@")[0].removeprefix("<"): found for message_id, found in taken.items()}


def _wrong_mail(
    what: str,
    arrivals: Sequence[Arrival | Call],
    state: str,
    was_applied: bool,
    marked: bool,
    stopped_at: datetime | None,
    messages: int,
) -> Iterator[tuple[str, str]]:
    if len(arrivals) > 1:
        yield DOUBLED, f"{what} sent twice"
    if was_applied and (not arrivals or messages != 1):
        yield LOST, f"{what} on record that were not sent"
    if arrivals and not was_applied and state != "uncertain":
        yield DOUBLED, f"{what} sent though their run is {state}"
    if state == "uncertain" and not marked:
        yield LOST, f"{what} called uncertain though nobody tried"
    if stopped_at and any(arrival.at > stopped_at for arrival in arrivals):
        yield DOUBLED, f"{what} sent after their playbook was stopped"


# Letters by hand ------------------------------------------------------------------------------------------------------


def _wrong_letters(
    tenant: Tenant,
    taken: Mapping[str, list[Arrival]],
    calls: "Mapping[_About, list[Call]]",
    written: Collection[UUID],
) -> Iterator[tuple[str, str]]:
    """As with mails: nobody outside recognises a repeat, so each may leave once at most."""
    rows = _rows(
        "SELECT hand_id, channel, subject, state, was_tried, problem,"
        " (SELECT count(*) FROM accounts_message m WHERE m.tenant_id = %(tenant)s AND m.conversation_id = letter.id),"
        " (SELECT count(*) FROM accounts_timelineentry t WHERE t.tenant_id = %(tenant)s"
        " AND t.kind = 'conversation.sent' AND t.subject = 'conversation:' || letter.id)"
        f" FROM ({_LETTERS}) letter",
        tenant,
    )
    for _ in set(written) - {row[0] for row in rows}:
        yield LOST, "letters that somebody wrote and that are gone"
    mails = _by_origin(taken)
    for id, channel, subject, *standing in rows:
        by_mail = mails.get(f"mail-{id}", [])
        yield from _wrong_letter(
            by_mail if channel == "smtp" else calls.get((tenant.slug, channel, subject), []), *standing
        )


def _wrong_letter(
    arrivals: Sequence[Arrival | Call], state: str, was_tried: bool, problem: str, messages: int, told: int
) -> Iterator[tuple[str, str]]:
    if len(arrivals) > 1:
        yield DOUBLED, "letters sent twice"
    if arrivals and state not in ("sent", "uncertain"):
        yield DOUBLED, f"letters sent though they are {state}"
    if state == "sent" and told > 1:
        yield DOUBLED, "letters whose sending is told twice on a timeline"
    if state == "sent" and (not arrivals or messages != 1 or not told):
        yield LOST, "letters on record that were not sent, or are told nowhere"
    if state == "uncertain" and not was_tried:
        yield LOST, "letters called uncertain though nobody tried"
    if state == "failed" and TOO_LATE in problem:
        yield LOST, "letters given up because they were late"
    if state in ("pending", "sending"):
        yield STUCK, "letters that do not leave"


# Calls ----------------------------------------------------------------------------------------------------------------

_KEYED = ("call_webhook", "segment_track")
_ADDRESS_OF_MEMBER = re.compile(rf"<{member_of('(.+)')}>")
_About = tuple[str, str, str]  # the workspace's slug, what is said, and of or to which account


def _by_what_they_say(calls: Sequence[Call]) -> Mapping[_About, list[Call]]:
    """By their contents, and not by the id that the engine gave them."""
    found: dict[_About, list[Call]] = defaultdict(list)
    for call in calls:
        found[_about(call)].append(call)
    return found


def _about(call: Call) -> _About:
    slug, said = call.path.split("/")[1], call.message
    if call.path.startswith(GMAIL):
        return _ADDRESS_OF_MEMBER.findall(said["From"])[0], "gmail", said["Subject"]
    if "subject" in said:
        return slug, "intercom", said["subject"]
    if "data" in said:
        return slug, said["type"], said["data"]["account"]["name"]
    if "event" in said:
        return slug, said["event"], said["groupId"]
    return slug, "post_to_slack", said["text"]


def _wrong_calls(tenant: Tenant, calls: Mapping[_About, list[Call]]) -> Iterator[tuple[str, str]]:
    rows = _rows(
        f"WITH run AS ({_RUNS}) SELECT run.action, COALESCE(run.config ->> 'event', run.action),"
        " CASE run.action WHEN 'segment_track' THEN a.external_id ELSE a.name END,"
        " run.state, run.was_applied, run.enrollment_state, run.sent_marker_at IS NOT NULL, run.stopped_at"
        " FROM run JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = run.account_id"
        " WHERE action IN ('call_webhook', 'post_to_slack', 'segment_track')",
        tenant,
    )
    for action, said, account, *standing in rows:
        yield from _wrong_call(action, calls.get((tenant.slug, said, account), []), *standing)


def _wrong_call(
    action: str,
    calls: Sequence[Call],
    state: str,
    was_applied: bool,
    enrollment_state: str,
    marked: bool,
    stopped_at: datetime | None,
) -> Iterator[tuple[str, str]]:
    """Who recognises a repeat acts once on all calls of one id; Slack acts on each."""
    effects = len({call.id for call in calls}) if action in _KEYED else len(calls)
    if effects > 1:
        yield DOUBLED, f"calls of {action} acted on twice"
    if was_applied and not effects:
        yield LOST, f"calls of {action} on record that were not made"
    if effects and not was_applied and state != "uncertain":
        yield DOUBLED, f"calls of {action} made though their run is {state}"
    if state == "uncertain" and not marked:
        yield LOST, f"calls of {action} called uncertain though nobody tried"
    if state == "uncertain" and action in _KEYED and enrollment_state not in ("stopping", "stopped"):
        yield LOST, f"calls of {action} left uncertain though a repeat is recognised"
    if stopped_at and any(call.at > stopped_at for call in calls):
        yield DOUBLED, f"calls of {action} made after their playbook was stopped"
