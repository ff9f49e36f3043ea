"""Map, try, run, take back."""

from itertools import count
from typing import Any

import pytest

from accounts.csv_import import running
from accounts.csv_import.mapping import MappingFaults, guess
from accounts.csv_import.running import CannotImport, set_mapping, start_check, start_run
from accounts.ingest import ingest_calls
from accounts.models import (
    Account,
    AccountUser,
    CsvPart,
    EndUser,
    TimelineEntry,
    TraitChange,
    TraitDefinition,
    TraitProblem,
)
from accounts.traits import set_trait
from cs_platform.jobs.models import Job, JobError, JobItem
from cs_platform.jobs.pump import run_jobs
from tests.world import MONDAY, Workspace, account, days, trait, user

from .files import LATER, check, fresh, mapped, run, undo, upload

FILE = """Account ID,Company,MRR,Renewal date,Seats,CSM email,Status,Beta,Notes
acme,Acme,"1,250.50",03/01/2027,12,priya@orbiton.example,active,yes,
bolt,Bolt,90,2027-02-01,7,tom@orbiton.example,trial,no,Call them
"""


def test_columns_are_guessed_by_name_and_by_what_is_in_them(inside: Workspace) -> None:
    trait("stage")
    made = upload(inside, "Customer ID,Stage,Seats,Signed up,Site,Odd\n1,A,5,2026-01-02,https://a.example,x\n")

    assert guess(made) == {
        "0": "external_id",
        "1": "trait:stage",
        "2": "new:number:Seats",
        "3": "new:date:Signed up",
        "4": "new:url:Site",
        "5": "new:text:Odd",
    }


def test_the_words_of_other_systems_are_known(inside: Workspace) -> None:
    header = "Account ID,Company name,Monthly revenue,Contract end date,Customer Success Manager,Account manager"
    made = upload(inside, f"{header}\n1,Acme,5,2026-01-02,priya@orbiton.example,Tom Lindqvist\n")

    assert list(guess(made).values()) == [
        "external_id",
        "fact:name",
        "fact:mrr_cents",
        "fact:renewal_on",
        "fact:csm_id",
        "new:text:Account manager",
    ]


def test_an_owner_is_guessed_only_from_addresses_by_which_the_team_is_known(inside: Workspace) -> None:
    named, addressed = (upload(inside, f"ID,Owner\n1,{owner}\n2,\n") for owner in ("Tom L", "tom@orbiton.example"))

    assert (guess(named)["1"], guess(addressed)["1"]) == ("new:text:Owner", "fact:csm_id")


def test_a_column_with_a_value_of_its_own_in_each_row_is_the_key_where_none_is_called_so(inside: Workspace) -> None:
    made = upload(inside, "Seats,Ref\n5,a\n5,b\n")

    assert guess(made)["1"] == "external_id"


def test_a_file_becomes_accounts_with_typed_facts_and_new_traits(inside: Workspace) -> None:
    job = run(inside, mapped(inside, FILE))
    acme, bolt = Account.objects.order_by("external_id")

    assert (job.state, job.result) == ("done", {"created": 2, "updated": 0, "unchanged": 0, "refused": 0})
    assert (acme.name, acme.mrr_cents, str(acme.renewal_on), acme.lifecycle) == (
        "Acme",
        125_050,
        "2027-01-03",
        "subscribed",
    )
    assert (acme.csm, bolt.csm, bolt.lifecycle) == (inside.priya, inside.tom, "trialing")
    assert (acme.traits["seats"], acme.traits["beta"], bolt.traits["notes"]) == (12, True, "Call them")
    assert TraitDefinition.objects.get(key="seats").source == "custom"


def test_a_dry_run_says_what_would_happen_and_writes_nothing(inside: Workspace) -> None:
    account("Acme", external_id="acme")
    made = mapped(inside, FILE + "bad,Bad,many,never,x,nobody@example.com,odd,perhaps,\n")
    job = check(inside, made)

    assert (job.state, job.result) == ("done", {"created": 1, "updated": 1, "unchanged": 0, "refused": 1})
    assert (fresh(made).state, fresh(made).rows) == ("checked", 3)
    [error] = JobError.objects.filter(job=job)
    assert error.position == 4
    assert all(
        word in error.message
        for word in ("MRR: not a number (“many”).", "Renewal date: not a date (“never”).", "CSM email: no team")
    )
    assert Account.objects.count() == 1
    assert not TraitDefinition.objects.exists()
    assert not TraitProblem.objects.exists()


def test_what_the_dry_run_says_is_what_the_run_does(inside: Workspace) -> None:
    made = mapped(inside, FILE + FILE.splitlines()[1] + "\nbad,Bad,many,,,,,,\n")

    assert check(inside, made).result == run(inside, made).result
    assert TraitProblem.objects.get(outcome="refused").source == f"import:{made.pk}"


def test_a_second_run_of_the_same_file_changes_nothing(inside: Workspace) -> None:
    run(inside, mapped(inside, FILE))

    assert run(inside, mapped(inside, FILE), now=LATER).result == {
        "created": 0,
        "updated": 0,
        "unchanged": 2,
        "refused": 0,
    }


def test_empty_cells_leave_what_is_there_unless_told_otherwise(inside: Workspace) -> None:
    trait("stage")
    account("A", external_id="a", traits={"stage": "X"}, t01="X")
    run(inside, mapped(inside, "id,stage,name\na,,A\n"))
    assert Account.objects.get().t01 == "X"
    run(inside, mapped(inside, "id,stage,name\na,,A\n", clear_empty=True))

    assert Account.objects.get().t01 is None


def test_slices_go_on_where_the_last_one_ended_and_a_later_row_counts(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 2)
    rows = "".join(f"x{at},N{at}\n" for at in range(7))
    started = start_run(mapped(inside, f"id,name\n{rows}x0,Again\n"), by=inside.maya, now=MONDAY)
    seconds = count()
    run_jobs(clock=lambda: MONDAY + days(next(seconds) / 86_400))
    job = Job.objects.get(pk=started.pk)

    assert (job.done, Account.objects.count()) == (8, 7)
    assert Account.objects.get(external_id="x0").name == "Again"
    assert JobItem.objects.count() == 7
    assert not CsvPart.objects.exists()


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        ({"0": ""}, ""),
        ({"1": "external_id"}, "1"),
        ({"1": "trait:gone"}, "1"),
        ({"1": "new:text:!!"}, "1"),
        ({"1": "new:person:Guide"}, "1"),
        ({"77": "fact:name"}, "77"),
    ],
)
def test_a_mapping_that_cannot_be_says_which_column_to_mend(
    inside: Workspace, columns: dict[str, str], where: str
) -> None:
    made = upload(inside, "id,name\n1,A\n")
    with pytest.raises(MappingFaults) as wrong:
        set_mapping(made, guess(made) | columns)

    assert where in wrong.value.faults


def test_a_file_is_run_once(inside: Workspace) -> None:
    made = mapped(inside, FILE)
    start_run(made, by=inside.maya, now=MONDAY)

    for start in (start_run, start_check):
        with pytest.raises(CannotImport):
            start(fresh(made), by=inside.maya, now=MONDAY)


# --- undo -------------------------------------------------------------------------------------------------------------


def test_undo_gives_values_back_and_archives_what_the_import_made(inside: Workspace) -> None:
    stage = trait("stage")
    one = account("Acme", external_id="acme", csm=inside.tom)
    set_trait(one, stage, value="Theirs", by=inside.tom, now=MONDAY)
    job = run(inside, mapped(inside, "id,Company,stage,CSM,plan\nacme,New,Ours,priya@orbiton.example,Pro\nbolt,B,,,\n"))
    one.refresh_from_db()
    assert (one.name, one.traits["stage"], one.csm, one.plan) == ("New", "Ours", inside.priya, "Pro")
    undone = undo(inside, job)
    one.refresh_from_db()

    assert (undone.done, undone.failed) == (2, 0)
    assert (one.name, one.csm, one.plan, one.t01) == ("Acme", inside.tom, None, "Theirs")
    assert (one.traits, one.trait_writers) == ({"stage": "Theirs"}, {"stage": inside.tom.actor})
    assert Account.objects.get(external_id="bolt").archived_at == LATER
    assert fresh(one and job_import(job)).state == "undone"


def job_import(job: Job) -> Any:
    from accounts.models import CsvImport

    return CsvImport.objects.get(pk=job.params["import"])


def test_what_an_undo_has_archived_comes_back_with_the_next_import_and_can_be_undone_again(inside: Workspace) -> None:
    bolt = Account.objects.present().filter(external_id="bolt")
    undo(inside, run(inside, mapped(inside, "id,Company\nbolt,Wrong\n")))
    assert not bolt.exists()
    again = run(inside, mapped(inside, "id,Company\nbolt,Bolt\n"), now=LATER)
    assert (bolt.get().name, again.result["updated"]) == ("Bolt", 1)
    undo(inside, again, now=LATER + days(1))

    assert not bolt.exists()


def test_undo_keeps_what_somebody_or_something_has_said_since(inside: Workspace) -> None:
    stage = trait("stage")
    one = account("Acme", external_id="acme")
    job = run(inside, mapped(inside, "id,stage,plan\nacme,Ours,Pro\nbolt,,\n"))
    one.refresh_from_db()
    set_trait(one, stage, value="Ours", by=inside.tom, now=LATER)
    call = {"type": "group", "groupId": "acme", "traits": {"plan": "Pro"}, "timestamp": LATER.isoformat()}
    ingest_calls([call], tenant=inside.tenant, source="source:1", now=LATER)
    bolt = Account.objects.get(external_id="bolt")
    TimelineEntry.objects.create(account=bolt, at=LATER, kind="note", actor="person:1", text="Called them")
    undone = undo(inside, job, now=LATER + days(1))
    one.refresh_from_db()

    assert (one.traits["stage"], one.plan) == ("Ours", "Pro")
    assert (undone.done, undone.failed) == (0, 2)
    said = set(JobError.objects.filter(job=undone).values_list("message", flat=True))
    assert any("Plan" in text and "Stage" in text for text in said)
    assert any("Something has happened" in text for text in said)


def test_the_history_names_the_import_and_its_undo(inside: Workspace) -> None:
    trait("stage")
    account("Acme", external_id="acme", traits={"stage": "Old"}, t01="Old")
    job = run(inside, mapped(inside, "id,stage\nacme,New\n"))
    undone = undo(inside, job)
    said = list(TraitChange.objects.order_by("pk").values_list("actor", "undone_by", "before", "after"))

    assert said == [(f"import:{job.params['import']}", "", "Old", "New"), ("import", f"job:{undone.pk}", "New", "Old")]


def test_undoing_the_later_of_two_imports_brings_back_the_earlier_ones_value(inside: Workspace) -> None:
    trait("stage")
    account("Acme", external_id="acme")
    first = run(inside, mapped(inside, "id,stage,plan\nacme,One,Basic\n"))
    second = run(inside, mapped(inside, "id,stage,plan\nacme,Two,Pro\n"), now=LATER)
    undo(inside, second, now=LATER + days(1))
    acme = Account.objects.get()
    assert (acme.traits["stage"], acme.plan) == ("One", "Basic")
    undo(inside, first, now=LATER + days(2))
    acme.refresh_from_db()

    assert "stage" not in acme.traits


def test_users_come_with_their_accounts_and_roles_and_go_again(inside: Workspace) -> None:
    acme, bolt = account("Acme", external_id="acme"), account("Bolt", external_id="bolt")
    known = user("Ada King", acme, external_id="u1")
    content = (
        "User ID,Email,Full name,Account ID,Role\nu1,ada@x.example,Ada King,bolt,owner\n"
        "u2,ben@x.example,Ben,acme,admin\nu2,ben@x.example,Ben,bolt,member\nu3,c@x.example,Cy,gone,member\n"
    )
    job = run(inside, mapped(inside, content, scope="user"))
    assert (job.result["created"], job.failed) == (1, 1)
    assert AccountUser.objects.filter(end_user__external_id="u2").count() == 2
    assert Account.objects.get(pk=bolt.pk).user_count == 2
    undo(inside, job)

    assert set(AccountUser.objects.values_list("end_user_id", "account_id")) == {(known.pk, acme.pk)}
    assert EndUser.objects.get(external_id="u2").archived_at == LATER
    assert EndUser.objects.get(external_id="u1").archived_at is None
    assert Account.objects.get(pk=bolt.pk).user_count == 0
