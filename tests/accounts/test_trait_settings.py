"""Settings of traits: a new type is shown before it happens, values follow, and a built-in field gets its feeder."""

import re
from typing import Any

import pytest

from accounts import trait_jobs
from accounts.changes import load_history
from accounts.models import Account
from accounts.trait_settings import (
    CannotChange,
    change_type,
    describe_trait,
    feed_column,
    preview_type,
    stop_feeding,
    usage_of,
)
from cs_platform.jobs.kinds import Slice
from cs_platform.jobs.leases import claim_job
from cs_platform.jobs.models import Job
from cs_platform.jobs.pump import run_jobs
from cs_platform.jobs.runner import work_on
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, trait


def test_another_type_is_previewed_then_kept_values_move_and_others_are_cleared(inside: Workspace) -> None:
    seats = trait("seats")
    for name, value in (("A", "12"), ("B", "12"), ("C", "many")):
        account(name, traits={"seats": value}, t01=value)
    preview = preview_type(seats, "number")
    assert (preview.kept, preview.lost, [one[0] for one in preview.refused]) == (2, 1, ["many"])

    change_type(seats, "number", by=inside.olga, now=MONDAY)
    first, last = Account.objects.get(name="A"), Account.objects.get(name="C")
    assert (first.traits, first.n01, first.t01) == ({"seats": 12}, 12.0, None)
    assert (last.traits, last.n01, last.t01) == ({}, None, None)
    assert (seats.type, seats.slot) == ("number", "n01")
    [cleared] = load_history(last).changes
    assert cleared.after is None


def test_what_feeds_a_field_or_is_fast_keeps_its_type(inside: Workspace) -> None:
    for definition in (trait("tier", column="plan"), trait("size", is_fast=True), trait("guide", "person")):
        with pytest.raises(CannotChange):
            preview_type(definition, "number")


def test_a_trait_can_feed_a_built_in_field_and_stop(inside: Workspace) -> None:
    tier = trait("tier")
    account("A", traits={"tier": "Gold"}, t01="Gold", plan="Old")
    feed_column(tier, "plan", by=inside.jonah, now=MONDAY)
    assert (Account.objects.get().plan, tier.column, tier.slot) == ("Gold", "plan", None)

    stop_feeding(tier, by=inside.jonah, now=MONDAY)
    assert (Account.objects.get().plan, Account.objects.get().t01, tier.column) == ("Gold", "Gold", "")
    with pytest.raises(CannotChange, match="type"):
        feed_column(tier, "mrr_cents", by=inside.jonah, now=MONDAY)


def test_names_and_choices_are_checked(inside: Workspace) -> None:
    stage = trait("stage", "choice")
    describe_trait(stage, label=" Phase ", description="How far", choices=["A", "B", "A"], by=inside.jonah, now=MONDAY)
    assert (stage.label, stage.choices) == ("Phase", ["A", "B"])
    with pytest.raises(CannotChange):
        describe_trait(stage, label=" ", description="", choices=[], by=inside.jonah, now=MONDAY)


def test_values_are_counted(inside: Workspace) -> None:
    stage, other = trait("stage"), trait("other")
    account("A", traits={"stage": "x"})

    assert usage_of([stage, other]) == {stage.pk: 1, other.pk: 0}


@pytest.mark.parametrize(("path", "other"), [("segments/", "settings/traits/"), ("settings/traits/", "segments/")])
def test_segments_and_traits_are_one_place_that_leads_from_one_to_the_other(
    inside: Workspace, path: str, other: str
) -> None:
    page = text(Visitor(inside.maya).page(path))
    [here] = re.findall(r'<a class="nav-item"[^>]*aria-current="page"[^>]*>.*?</a>', page)

    assert "Segments and traits" in here
    assert f'href="/w/orbiton/{other}"' in page.partition("<main")[2]


def test_an_archived_trait_leaves_the_account_page(inside: Workspace) -> None:
    stage, at = trait("stage", label="Renewal stage"), account("A")
    maya = Visitor(inside.maya)
    assert "Renewal stage" in text(maya.page(f"accounts/{at.pk}/"))
    maya.submit(f"settings/traits/{stage.pk}/archive/")

    assert "Renewal stage" in text(maya.page("settings/traits/"))
    assert "Renewal stage" not in text(maya.page(f"accounts/{at.pk}/"))


def test_a_type_is_tried_by_a_job_and_changed_by_another_if_no_more_is_lost_than_was_shown(inside: Workspace) -> None:
    seats, maya = trait("seats"), Visitor(inside.maya)
    account("A", traits={"seats": "many"}, t01="many")
    page, change = f"settings/traits/{seats.pk}/", f"settings/traits/{seats.pk}/type/"
    maya.submit(change, type="number")
    assert maya.submit(change, type="number").status_code == 422  # one at a time
    run_jobs()
    shown = text(maya.page(page))
    assert "1 would be cleared" in shown
    assert "“many” is not a number. 1 has it." in shown

    account("B", traits={"seats": "few"}, t01="few")
    maya.submit(change, type="number", clearing="1")
    run_jobs()
    refused = Job.objects.latest("pk")
    assert (refused.state, "2 values would be cleared" in refused.error) == ("failed", True)
    assert set(Account.objects.values_list("t01", flat=True)) == {"many", "few"}

    maya.submit(change, type="number", clearing="2")
    run_jobs()
    seats.refresh_from_db()
    assert (seats.type, set(Account.objects.values_list("t01", flat=True))) == ("number", {None})
    assert "2 cleared" in text(maya.page(f"jobs/{Job.objects.latest('pk').pk}/"))


def test_a_trait_becomes_fast_and_fills_a_field_by_jobs(inside: Workspace) -> None:
    tier, maya = trait("tier"), Visitor(inside.maya)
    account("A", traits={"tier": "Gold"}, t01="Gold")
    maya.submit(f"settings/traits/{tier.pk}/fast/")
    run_jobs()
    tier.refresh_from_db()
    assert (tier.is_fast, Account.objects.get().t16) == (True, "Gold")

    maya.submit(f"settings/traits/{tier.pk}/column/", column="plan")
    run_jobs()
    assert Account.objects.get().plan == "Gold"
    maya.submit(f"settings/traits/{tier.pk}/column/", column="")
    run_jobs()
    tier.refresh_from_db()
    assert (tier.column, Job.objects.exclude(state="done").count()) == ("", 0)
    assert "none of" not in text(maya.submit(f"settings/traits/{tier.pk}/column/", column="mrr_cents"))


def test_a_step_that_rewrites_everything_is_held_for_longer_than_a_lease(inside: Workspace, monkeypatch: Any) -> None:
    tier = trait("tier")
    job = trait_jobs.make_fast(tier, by=inside.maya, now=MONDAY)
    claim = claim_job(tenant_id=inside.tenant.pk, now=MONDAY)
    assert claim
    leases = []

    def step(kind: Any, job: Job, *, now: Any) -> Slice:
        leases.append(job.lease_until)
        return Slice(None)

    monkeypatch.setattr(trait_jobs.MakeFast, "step", step)
    work_on(claim, tenant_id=inside.tenant.pk, now=MONDAY)

    assert leases == [MONDAY + trait_jobs.MakeFast.lasts]
    assert Job.objects.get(pk=job.pk).state == "done"
