"""Who changes the set-up of a workspace is written down, with what it said before and after, and from where."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import trait_settings
from accounts.conversations.sending import change_policy
from accounts.conversations.suppressing import lift, suppress_by_hand
from accounts.definitions import define_trait
from accounts.exports import start_export
from accounts.fields import workspace_fields
from accounts.health.defining import MeasureWording, ScoreWording, save_score, set_measures
from accounts.lifecycle import save_rules
from accounts.models import LifecycleRule, Suppression
from accounts.nps.survey import change_survey
from accounts.rules.fields import Subject
from accounts.rules.grammar import parse
from accounts.segments.defining import Wording, archive_segment, create_segment, edit_segment, restore_segment
from accounts.sources import close_source, open_source, rename_source, rotate_key
from accounts.workload import set_workload
from cs_platform.connectors.mailboxes import begin, disconnect
from cs_platform.connectors.managing import change, connect, put_away, renew_secret, try_again
from cs_platform.dashboard.audit import changes_of
from cs_platform.jobs.starting import cancel
from cs_platform.tenancy.audit import VERBS, calling_from, client_address, record
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.keys import issue_key, revoke_key
from cs_platform.tenancy.models import ApiKey, AuditEntry, Credential
from cs_platform.workspace.handover import hand_over
from cs_platform.workspace.holidays import add_holiday, remove_holiday
from cs_platform.workspace.invitations import invite, revoke
from cs_platform.workspace.members import change_role, deactivate, reactivate
from cs_platform.workspace.teams import archive_team, create_team, restore_team, set_team
from ctas.lists import edit_entry
from playbooks import drafts, dry_runs, evaluation, versions
from playbooks.models import Evaluation, EvaluationRun, Playbook
from playbooks.proposing import decline, propose
from success_plans import defining as plan_settings
from success_plans import sharing
from success_plans.defining import save_template, save_type
from success_plans.models import PlanTemplate, PlanType, ShareLink
from success_plans.planning import create_plan
from tests.rest.client import Api, refill_buckets
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, workspace

PATH = "settings/audit/"
Story = Callable[[Workspace], Any]


@pytest.fixture
def halyard(db: None) -> Workspace:
    return workspace("halyard")


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        yield orbiton


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


# --- every verb has a story -------------------------------------------------------------------------------------------


def _by(home: Workspace) -> dict[str, Any]:
    return {"by": home.jonah, "now": MONDAY}


def _drafted(home: Workspace) -> Playbook:
    return versions.import_playbook(playbook_json(), **_by(home))


def _revised(home: Workspace) -> Playbook:
    playbook = _drafted(home)
    versions.publish(playbook, **_by(home))
    drafts.revise(playbook, **_by(home))
    return playbook


def _proposed(home: Workspace) -> Playbook:
    playbook = _revised(home)
    _propose(playbook, home)
    return playbook


def _propose(playbook: Playbook, home: Workspace) -> None:
    draft = drafts.open_draft(playbook)
    assert draft
    propose(draft, **_by(home))


def _not_yet(playbook: Playbook, home: Workspace) -> None:
    draft = drafts.open_draft(playbook)
    assert draft
    decline(draft, **_by(home))


def _recording(home: Workspace) -> Playbook:
    playbook = _drafted(home)
    dry_runs.start_dry_run(playbook, **_by(home))
    return playbook


def _held(home: Workspace) -> Evaluation:
    playbook = live(playbook_json(), by=home.jonah)
    run = EvaluationRun.objects.create(
        trigger="manual", local_date=MONDAY.date(), started_at=MONDAY, finished_at=MONDAY
    )
    counts = {"would_enroll": 900, "limit": 25}
    return Evaluation.objects.create(run=run, playbook=playbook, version=playbook.version, state="held", **counts)


def _key(home: Workspace) -> ApiKey:
    return issue_key(name="Nightly sync", scopes=["read"], **_by(home))[0]


def _export(home: Workspace) -> Any:
    return start_export("status=any", bom=False, tenant=home.tenant, **_by(home))


def _connector(home: Workspace) -> Any:
    return connect(kind="webhook", key="hook", name="Hook", url="https://hooks.example.com/in", **_by(home))[0]


def _mailbox(home: Workspace) -> Any:
    return begin(home.jonah, code="4/x", verifier="v", now=MONDAY)


def _tried_again(connector: Any, home: Workspace) -> None:
    connector.state = "needs_reauth"
    connector.save()
    try_again(connector, **_by(home))


def _source(home: Workspace) -> Any:
    return open_source(name="Website", **_by(home))[0]


def _trait(home: Workspace) -> Any:
    return define_trait(scope="account", key="stage", label="Stage", type="text", **_by(home))


def _segment(home: Workspace) -> Any:
    return create_segment(scope="account", wording=_wording("Pro"), tenant=home.tenant, **_by(home))


def _wording(plan: str) -> Wording:
    rule = parse({"field": "plan", "op": "is", "value": plan}, fields=workspace_fields(), subject=Subject.ACCOUNT)
    return Wording("Payers", "They pay", rule)


def _score(home: Workspace) -> Any:
    return save_score(None, wording=ScoreWording("Usage"), tenant=home.tenant, **_by(home))


def _measured(score: Any, home: Workspace) -> None:
    rule = _wording("Pro").rule
    assert rule is not None
    set_measures(score, wordings=[MeasureWording("Plan", rule)], tenant=home.tenant, **_by(home))


def _lifecycle(home: Workspace) -> None:
    rule = _wording("Gone").rule
    assert rule is not None
    save_rules({LifecycleRule.Outcome.CHURNED: rule}, tenant=home.tenant, **_by(home))


def _listed(home: Workspace) -> Suppression:
    return Suppression.objects.create(email="no@x.example", reason="bounced", since=MONDAY)  # type: ignore[no-any-return]


def _holiday(home: Workspace) -> Any:
    return add_holiday(on=MONDAY.date(), name="All Souls", **_by(home))


def _invitation(home: Workspace) -> Any:
    return invite(email="nora@elsewhere.example", role="csm", team=None, **_by(home))


def _tom(home: Workspace) -> Any:
    return home.tom


def _out_and_in(tom: Any, home: Workspace) -> None:
    deactivate(tom, revoke_keys=False, **_by(home))
    reactivate(tom, **_by(home))


def _team(home: Workspace) -> Any:
    return create_team(name="North", **_by(home))


def _put_away_and_back(team: Any, home: Workspace) -> None:
    archive_team(team, **_by(home))
    team.refresh_from_db()
    restore_team(team, **_by(home))


def _plan_type(home: Workspace) -> PlanType:
    return _typed(None, home)


def _typed(type: PlanType | None, home: Workspace, **changes: Any) -> PlanType:
    facts: dict[str, Any] = {"name": "Roll-out", "formula": "tasks", "categories": [], "fields": []}
    return save_type(type, **facts | changes, **_by(home))


def _outline(home: Workspace) -> PlanTemplate:
    return _outlined(None, home)


def _outlined(outline: PlanTemplate | None, home: Workspace, **changes: Any) -> PlanTemplate:
    type = outline.type if outline else _plan_type(home)
    return save_template(outline, **{"name": "Site", "type": type, "definition": {}} | changes, **_by(home))


def _restored_plan(held: PlanType | PlanTemplate, home: Workspace) -> None:
    plan_settings.put_away(held, **_by(home))
    plan_settings.take_out(held, **_by(home))


def _link(home: Workspace) -> ShareLink:
    plan = create_plan(account=account(), type=_plan_type(home), name="Go live", owner=home.priya, **_by(home))
    return sharing.make_link(plan, name="Board", parts=["progress"], **_by(home))[0]


STORIES: dict[str, tuple[Story, Callable[[Any, Workspace], Any]]] = {
    "api_key.issued": (_key, lambda key, home: None),
    "api_key.revoked": (_key, lambda key, home: revoke_key(key, **_by(home))),
    "connector.connected": (_connector, lambda connector, home: None),
    "connector.changed": (_connector, lambda one, home: change(one, name="Shop", url=one.url, **_by(home))),
    "connector.renewed": (_connector, lambda connector, home: renew_secret(connector, **_by(home))),
    "connector.tried_again": (_connector, lambda connector, home: _tried_again(connector, home)),
    "mailbox.connected": (_mailbox, lambda mailbox, home: None),
    "mailbox.disconnected": (_mailbox, lambda mailbox, home: disconnect(mailbox, **_by(home))),
    "connector.put_away": (_connector, lambda connector, home: put_away(connector, **_by(home))),
    "cta_list.changed": (_drafted, lambda _, home: edit_entry("priority", "high", name="Urgent", **_by(home))),
    "data_source.opened": (_source, lambda source, home: None),
    "data_source.renamed": (_source, lambda source, home: rename_source(source, name="Shop", **_by(home))),
    "data_source.key_rotated": (_source, lambda source, home: rotate_key(source, **_by(home))),
    "data_source.closed": (_source, lambda source, home: close_source(source, **_by(home))),
    "evaluation.asked": (_drafted, lambda _, home: evaluation.evaluate_now(home.tenant, **_by(home))),
    "evaluation.released": (_held, lambda held, home: evaluation.release(held, **_by(home))),
    "evaluation.dropped": (_held, lambda held, home: evaluation.drop(held, **_by(home))),
    "holiday.added": (_holiday, lambda holiday, home: None),
    "holiday.removed": (_holiday, lambda holiday, home: remove_holiday(holiday, **_by(home))),
    "invitation.sent": (_invitation, lambda invitation, home: None),
    "invitation.revoked": (_invitation, lambda invitation, home: revoke(invitation, **_by(home))),
    "member.deactivated": (_tom, lambda tom, home: deactivate(tom, revoke_keys=True, **_by(home))),
    "member.handed_over": (_tom, lambda tom, home: hand_over(tom, home.maya, **_by(home))),
    "member.reactivated": (_tom, lambda tom, home: _out_and_in(tom, home)),
    "member.role_changed": (_tom, lambda tom, home: change_role(tom, role="manager", **_by(home))),
    "team.archived": (_team, lambda team, home: archive_team(team, **_by(home))),
    "team.changed": (_team, lambda team, home: set_team(team, name="South", members=[], leads=[], **_by(home))),
    "team.created": (_team, lambda team, home: None),
    "team.restored": (_team, lambda team, home: _put_away_and_back(team, home)),
    "job.started": (_export, lambda job, home: None),
    "job.cancelled": (_export, lambda job, home: cancel(job, **_by(home))),
    "nps_survey.changed": (_drafted, lambda _, home: change_survey(question="Would you?", **_by(home))),
    "playbook.drafted": (lambda home: drafts.begin(name="Idea", **_by(home)), lambda draft, home: None),
    "playbook.draft_discarded": (_revised, lambda playbook, home: drafts.discard(playbook, **_by(home))),
    "playbook.proposed": (_revised, _propose),
    "playbook.not_yet": (_proposed, _not_yet),
    "playbook.imported": (_drafted, lambda playbook, home: None),
    "playbook.published": (_drafted, lambda playbook, home: versions.publish(playbook, **_by(home))),
    "playbook.set_live": (_drafted, lambda playbook, home: versions.set_live(playbook, **_by(home))),
    "playbook.dry_run_started": (_drafted, lambda playbook, home: dry_runs.start_dry_run(playbook, **_by(home))),
    "playbook.dry_run_discarded": (_recording, lambda playbook, home: dry_runs.discard(playbook, **_by(home))),
    "playbook.promoted": (_recording, lambda playbook, home: dry_runs.promote(playbook, restart=True, **_by(home))),
    "playbook.paused": (_drafted, lambda playbook, home: _through(playbook, home, "set_live", "pause")),
    "playbook.resumed": (_drafted, lambda playbook, home: _through(playbook, home, "set_live", "pause", "resume")),
    "playbook.archived": (_drafted, lambda playbook, home: _through(playbook, home, "archive")),
    "playbook.unarchived": (_drafted, lambda playbook, home: _through(playbook, home, "archive", "unarchive")),
    "plan_template.archived": (_outline, lambda outline, home: plan_settings.put_away(outline, **_by(home))),
    "plan_template.changed": (_outline, lambda outline, home: _outlined(outline, home, description="By site")),
    "plan_template.created": (_outline, lambda outline, home: None),
    "plan_template.restored": (_outline, lambda outline, home: _restored_plan(outline, home)),
    "plan_type.archived": (_plan_type, lambda type, home: plan_settings.put_away(type, **_by(home))),
    "plan_type.changed": (_plan_type, lambda type, home: _typed(type, home, formula="weighted")),
    "plan_type.created": (_plan_type, lambda type, home: None),
    "plan_type.restored": (_plan_type, lambda type, home: _restored_plan(type, home)),
    "share_link.changed": (_link, lambda link, home: sharing.change_link(link, name="Sponsor", **_by(home))),
    "share_link.made": (_link, lambda link, home: None),
    "share_link.revoked": (_link, lambda link, home: sharing.revoke_link(link, **_by(home))),
    "health_score.changed": (_score, lambda score, home: None),
    "lifecycle_rules.changed": (_drafted, lambda _, home: _lifecycle(home)),
    "sending_policy.changed": (_drafted, lambda _, home: change_policy(mails_an_hour=9, **_by(home))),
    "suppression.added": (_drafted, lambda _, home: suppress_by_hand("no@x.example", **_by(home))),
    "suppression.removed": (_listed, lambda listed, home: lift(listed, **_by(home))),
    "workload.changed": (
        _drafted,
        lambda _, home: set_workload(home.tom, capacity=9, away_until=None, **_by(home)),
    ),
    "segment.archived": (_segment, lambda segment, home: archive_segment(segment, **_by(home))),
    "segment.restored": (_segment, lambda segment, home: _there_and_back(segment, home)),
    "segment.created": (_segment, lambda segment, home: None),
    "segment.changed": (
        _segment,
        lambda segment, home: edit_segment(segment, wording=_wording("Gold"), tenant=home.tenant, **_by(home)),
    ),
    "trait.changed": (_trait, lambda trait, home: trait_settings.archive_trait(trait, **_by(home))),
    "trait.defined": (_trait, lambda trait, home: None),
}
# What is done twice and changes nothing the second time.
IDEMPOTENT = {
    "api_key.revoked",
    "cta_list.changed",
    "plan_template.archived",
    "plan_template.changed",
    "plan_type.archived",
    "plan_type.changed",
    "share_link.changed",
    "share_link.revoked",
    "data_source.renamed",
    "data_source.closed",
    "evaluation.released",
    "evaluation.dropped",
    "holiday.removed",
    "invitation.revoked",
    "member.deactivated",
    "member.role_changed",
    "team.archived",
    "job.cancelled",
    "nps_survey.changed",
    "playbook.draft_discarded",
    "playbook.published",
    "playbook.set_live",
    "playbook.dry_run_started",
    "lifecycle_rules.changed",
    "sending_policy.changed",
    "suppression.added",
    "suppression.removed",
    "workload.changed",
    "segment.archived",
    "segment.changed",
    "trait.changed",
}


def _through(playbook: Playbook, home: Workspace, *verbs: str) -> None:
    for verb in verbs:
        getattr(versions, verb)(playbook, **_by(home))
        playbook.refresh_from_db()


def _there_and_back(segment: Any, home: Workspace) -> None:
    archive_segment(segment, **_by(home))
    restore_segment(segment, tenant=home.tenant, **_by(home))


def test_every_verb_has_a_story() -> None:
    joining = {"invitation.accepted"}  # by whoever joins: tests/workspace/test_members.py
    assert set(STORIES) | joining == set(VERBS)


@pytest.mark.parametrize("verb", STORIES)
def test_it_is_written_down_once(inside: Workspace, jonah: Visitor, verb: str) -> None:
    begin, act = STORIES[verb]
    thing = begin(inside)
    for _ in range(2 if verb in IDEMPOTENT else 1):
        act(thing, inside)

    entry = AuditEntry.objects.get(verb=verb)
    assert (entry.actor, entry.at) == (inside.jonah.actor, MONDAY)
    assert entry.subject_type == verb.partition(".")[0] or verb == "evaluation.asked"
    shown = text(jonah.page(f"{PATH}?verb={verb}"))
    assert f"<b>{VERBS[verb]}</b>" in shown
    assert entry.detail["name"] in shown


def test_every_verb_goes_with_its_change(inside: Workspace) -> None:
    playbook = _drafted(inside)
    with transaction.atomic():
        versions.publish(playbook, **_by(inside))
        transaction.set_rollback(True)
    assert not AuditEntry.objects.filter(verb="playbook.published").exists()


def test_only_what_differs_is_kept(inside: Workspace) -> None:
    change_survey(question="Would you?", thanks="Bye", **_by(inside))
    change_survey(question="Would you not?", thanks="Bye", **_by(inside))
    detail = AuditEntry.objects.latest("pk").detail
    assert (detail["before"], detail["after"]) == ({"question": "Would you?"}, {"question": "Would you not?"})


def test_a_rule_is_kept_in_words(inside: Workspace) -> None:
    edit_segment(_segment(inside), wording=_wording("Gold"), tenant=inside.tenant, **_by(inside))
    detail = AuditEntry.objects.get(verb="segment.changed").detail
    assert (detail["before"], detail["after"]) == ({"rule": "Plan is Pro"}, {"rule": "Plan is Gold"})


def test_a_score_is_kept_with_its_measures(inside: Workspace, jonah: Visitor) -> None:
    score = _score(inside)
    for _ in range(2):
        _measured(score, inside)
    _created, measured = AuditEntry.objects.filter(verb="health_score.changed").order_by("pk")
    assert measured.detail["before"] == {"measures": {}}
    assert list(measured.detail["after"]["measures"]) == ["Plan"]
    assert "value Pro" in text(jonah.page(PATH))


def test_no_secret_is_written_down(inside: Workspace) -> None:
    key, token = issue_key(name="Sync", scopes=["read"], **_by(inside))
    _source, write_key = open_source(name="Website", **_by(inside))
    kept = [str(detail) for detail in AuditEntry.objects.values_list("detail", flat=True)]
    assert not [one for one in kept if token in one or write_key in one or key.token_hash in one]


def test_a_revoked_key_is_out_at_once(inside: Workspace) -> None:
    key, token = issue_key(name="Sync", scopes=["read"], by=None, now=MONDAY)
    api = Api(token, key)
    assert api.get("/members/").status == 200
    assert revoke_key(key, **_by(inside))
    assert not Credential.objects.exists()
    assert api.get("/members/").status == 401
    assert AuditEntry.objects.earliest("pk").actor == "command-line"


# --- from where -------------------------------------------------------------------------------------------------------


def test_the_address_of_the_browser_is_kept(inside: Workspace, jonah: Visitor) -> None:
    source = _source(inside)
    jonah.client.post(jonah.at(f"settings/data-sources/{source.pk}/close/"), REMOTE_ADDR="203.0.113.7")
    entries = {entry.verb: entry.ip_address for entry in AuditEntry.objects.all()}
    assert entries == {"data_source.opened": None, "data_source.closed": "203.0.113.7"}
    assert "203.0.113.7" in text(jonah.page(PATH))


def test_the_address_of_an_integration_is_kept(inside: Workspace) -> None:
    refill_buckets()
    api = Api.with_key(inside.tenant)
    assert api.post("/playbooks/import/", playbook_json()).status == 200
    entry = AuditEntry.objects.get(verb="playbook.imported")
    assert api.key is not None
    assert (entry.actor, entry.ip_address) == (api.key.actor, "127.0.0.1")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", "203.0.113.7"),
        (1, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (2, "6.6.6.6, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "203.0.113.7"),
        (1, "", "203.0.113.7"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "<script>", None),
    ],
)
def test_only_our_own_proxies_are_believed(rf: Any, settings: Any, proxies: int, forwarded: str, address: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(rf.get("/", headers=headers, REMOTE_ADDR="203.0.113.7")) == address


def test_outside_a_request_there_is_no_address(inside: Workspace) -> None:
    about = {"verb": "trait.defined", "subject_type": "trait", "subject_id": 1}
    with calling_from("203.0.113.7"):
        assert record(**about, **_by(inside)).ip_address == "203.0.113.7"
    assert record(**about, **_by(inside)).ip_address is None


# --- the page, and the endpoint ---------------------------------------------------------------------------------------


def _many(home: Workspace, count: int) -> None:
    """Two at each moment, so that a page ends between two of the same."""
    for n in range(count):
        record(
            verb="data_source.renamed",
            subject_type="data_source",
            subject_id=n,
            name=f"Source {n:03}",
            before={"name": "Old", "limits": {"a_day": 5}, "on": True},
            after={"name": "New", "limits": {"a_day": 6}, "on": False, "hosts": ["a", "b"]},
            by=home.priya,
            now=MONDAY + days(n // 2),
        )


def test_it_is_read_page_by_page_newest_first(inside: Workspace, jonah: Visitor) -> None:
    _many(inside, 101)
    seen: list[str] = []
    path = PATH
    while path:
        shown = text(jonah.page(path))
        seen += [f"Source {n:03}" for n in range(100, -1, -1) if f"Source {n:03}" in shown]
        path = PATH + shown.partition('href="?')[2].partition('"')[0].replace("&amp;", "&") if "Older" in shown else ""
        path = path.replace(PATH, f"{PATH}?", 1) if path else ""
    assert seen == [f"Source {n:03}" for n in range(100, -1, -1)]


def test_a_page_costs_the_same_however_many_there_are(
    inside: Workspace, jonah: Visitor, django_assert_max_num_queries: Any
) -> None:
    _many(inside, 60)
    with django_assert_max_num_queries(13):
        jonah.page(PATH)


def test_before_and_after_are_said_in_words(inside: Workspace, jonah: Visitor) -> None:
    _many(inside, 1)
    shown = text(jonah.page(PATH))
    for words in ("Name</span> Old", "New", "a day 5", "a day 6", "yes", "no", "a, b", "Priya Raman"):
        assert words in shown


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("2027-02-17T14:10:00+00:00", "17 Feb 2027, 14:10"),
        ("2027-02-17", "2027-02-17"),
        ("2027-13-40T14:10:00Z", "2027-13-40T14:10:00Z"),
    ],
)
def test_a_moment_is_said_as_people_read_it(kept: str, said: str) -> None:
    with timezone.override("UTC"):
        assert [one.after for one in changes_of({"after": {"expires_at": kept}})] == [said]


def test_it_is_filtered_by_person_and_by_what_was_done(inside: Workspace, jonah: Visitor) -> None:
    _many(inside, 1)
    _source(inside)
    assert "Website" not in text(jonah.page(f"{PATH}?who={inside.priya.actor}"))
    assert "Source 000" in text(jonah.page(f"{PATH}?who={inside.priya.actor}"))
    assert "Source 000" not in text(jonah.page(f"{PATH}?verb=data_source.opened"))
    fragment = jonah.fragment(f"{PATH}?who=command-line", "audit")
    assert "Nothing matches" in text(fragment)
    assert b"<html" not in fragment.content


@pytest.mark.parametrize("query", ["who=%00", "verb=%00", "verb=nothing", "who=key:9", "who=x"])
def test_what_nothing_can_match_shows_nothing(inside: Workspace, jonah: Visitor, query: str) -> None:
    _many(inside, 1)
    answer = jonah.page(f"{PATH}?{query}")
    assert answer.status_code == 200
    assert "Nothing matches" in text(answer)


def test_the_endpoint_needs_a_scope_of_its_own(inside: Workspace) -> None:
    refill_buckets()
    _many(inside, 3)
    assert Api.with_key(inside.tenant, "read", "write", "data").get("/audit/").status == 403
    api = Api.with_key(inside.tenant, "audit")
    newest, *_ = api.get("/audit/").results
    assert newest["subject_id"] == "2"
    assert newest["detail"]["after"]["name"] == "New"
    pages = api.get("/audit/?limit=2")
    rest = api.get(pages.json["next"].partition("/api/v1")[2])
    assert [one["subject_id"] for one in pages.results + rest.results] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("verb=data_source.renamed", 4),
        ("verb=trait.defined", 0),
        ("subject_type=data_source&subject_id=3", 1),
        ("since=2026-11-03T12:00:00Z", 2),
        ("until=2026-11-03T12:00:00Z", 2),
        ("actor=key:1", 0),
    ],
)
def test_the_endpoint_filters(inside: Workspace, query: str, found: int) -> None:
    refill_buckets()
    _many(inside, 4)
    assert len(Api.with_key(inside.tenant, "audit").get(f"/audit/?{query}").results) == found


def test_an_unknown_verb_is_refused(inside: Workspace) -> None:
    refill_buckets()
    assert Api.with_key(inside.tenant, "audit").get("/audit/?verb=nothing").status == 400


def test_only_admins_see_it_and_nobody_of_another_workspace(inside: Workspace, halyard: Workspace) -> None:
    _many(inside, 1)
    for member, status in ((inside.olga, 200), (inside.jonah, 200), (inside.maya, 403), (inside.omar, 403)):
        assert Visitor(member).page(PATH).status_code == status
    assert "Source 000" not in text(Visitor(halyard.jonah).page(PATH))
