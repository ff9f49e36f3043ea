"""What calls become: accounts, users, ties, roles, daily counts."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.ingest import run
from accounts.models import Account, AccountUser, EndUser, EventCount, EventType, IngestedMessage, TraitProblem
from cs_platform.tenancy.context import tenant_context
from tests.accounts.ingest.calls import group, identify, track
from tests.accounts.ingest.conftest import NOW, Ingest, reasons
from tests.accounts.ingest.state import facts, hashes, wrong_mirrors
from tests.world import Workspace

pytestmark = pytest.mark.django_db

DAY_1, DAY_2, DAY_3 = (f"2026-11-0{day}T08:00:00Z" for day in (1, 2, 3))


def morning(day: int) -> datetime:
    return datetime(2026, 11, day, 8, tzinfo=UTC)


def values(subject: Account | EndUser, *names: str) -> list[Any]:
    return [getattr(subject, name) for name in names]


def account(world: Workspace, external_id: str) -> Account:
    with tenant_context(world.tenant.pk):
        return Account.objects.get(external_id=external_id)


def end_user(world: Workspace, external_id: str) -> EndUser:
    with tenant_context(world.tenant.pk):
        return EndUser.objects.get(external_id=external_id)


def tie(world: Workspace, user: str, group: str) -> AccountUser:
    with tenant_context(world.tenant.pk):
        return AccountUser.objects.get(end_user__external_id=user, account__external_id=group)


def counts(world: Workspace) -> dict[tuple[str, str | None, str | None], int]:
    with tenant_context(world.tenant.pk):
        rows = EventCount.objects.values_list(
            "event_type__name", "account__external_id", "end_user__external_id", "count"
        )
        return {tuple(row[:3]): row[3] for row in rows}


class TestGroups:
    def test_a_group_becomes_an_account_with_its_columns_and_slots(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(
            group(
                "acc_1",
                name="Argon Travel",
                plan="Team",
                mrr="1,048.90",
                status="trialing",
                renewal_date="26/12/2026",
                trial_ends_at="2026-11-27T06:00:00.000Z",
                createdAt="2024-12-07T04:00:22+00:00",
                health_score=7.5,
                csm_email="priya@orbiton.example",
                seats=4,
                products=["api"],
            )
        )
        found = account(orbiton, "acc_1")

        assert (found.name, found.plan, found.mrr_cents, found.lifecycle) == (
            "Argon Travel",
            "Team",
            104890,
            "trialing",
        )
        assert (found.renewal_on, found.trial_end_on) == (date(2026, 12, 26), date(2026, 11, 27))
        assert (found.created_at, found.health) == (datetime(2024, 12, 7, 4, 0, 22, tzinfo=UTC), 7.5)
        assert found.csm_id == found.traits["csm_email"] == orbiton.priya.pk
        assert values(found, "n01", "l01") == [4, ["api"]]
        assert wrong_mirrors(orbiton.tenant) == []

    def test_an_account_only_spoken_of_is_there_under_its_id(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(track("u_1", "Signed In", DAY_2, of="acc_1"), track("u_1", "Signed In", DAY_1, of="acc_1"))
        found = account(orbiton, "acc_1")

        assert (found.name, found.lifecycle, found.user_count) == ("acc_1", "subscribed", 1)
        assert found.created_at == morning(1)

    def test_a_null_removes_the_value_but_never_the_name(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, name="Argon", plan="Team", country="SE", createdAt="2024-12-07"))
        ingest(group("acc_1", DAY_2, name=None, plan=None, country=None, createdAt=None))
        found = account(orbiton, "acc_1")

        assert values(found, "traits", "plan", "t01") == [{}, None, None]
        assert (found.name, found.created_at.year) == ("Argon", 2024)

    def test_a_late_call_does_not_overwrite_newer_values(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_2, plan="Business"))
        ingest(group("acc_1", DAY_1, plan="Team", country="SE"))

        assert account(orbiton, "acc_1").traits == {"plan": "Business", "country": "SE"}
        assert account(orbiton, "acc_1").plan == "Business"

    def test_what_was_set_here_stays_until_the_integration_says_something_new(
        self, ingest: Ingest, orbiton: Workspace
    ) -> None:
        ingest(group("acc_1", DAY_1, csm_email="priya@orbiton.example", ae_email=None), group("acc_2", DAY_1))
        with tenant_context(orbiton.tenant.pk):
            Account.objects.update(csm=orbiton.tom, ae=orbiton.maya)
        ingest(group("acc_1", DAY_2, csm_email="priya@orbiton.example", ae_email=None), group("acc_2", ae_email=None))
        assert (account(orbiton, "acc_1").csm, account(orbiton, "acc_1").ae) == (orbiton.tom, orbiton.maya)
        assert account(orbiton, "acc_2").ae == orbiton.maya

        ingest(group("acc_1", DAY_3, csm_email="jonah@orbiton.example"))
        assert account(orbiton, "acc_1").csm == orbiton.jonah

    def test_updated_at_moves_with_what_people_see_and_not_with_moments(
        self, ingest: Ingest, orbiton: Workspace
    ) -> None:
        later = NOW + timedelta(hours=1)
        ingest(group("acc_1", DAY_1, plan="Team"))
        ingest(group("acc_1", DAY_2, plan="Team"), now=later)
        assert account(orbiton, "acc_1").updated_at == NOW

        ingest(group("acc_1", DAY_3, plan="Business"), now=later)
        assert account(orbiton, "acc_1").updated_at == later


class TestUsers:
    def test_identify_makes_a_user_and_ties_it_to_the_account(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(
            identify("u_1", DAY_1, of="acc_1", name="Ben Novak", email="ben@yarrow.example", role="admin", title="CTO")
        )
        found = end_user(orbiton, "u_1")

        assert values(found, "name", "email", "t01") == ["Ben Novak", "ben@yarrow.example", "CTO"]
        assert "role" not in found.traits
        assert tie(orbiton, "u_1", "acc_1").role == "admin"
        assert account(orbiton, "acc_1").user_count == 1

    def test_a_user_of_two_accounts_has_a_role_and_a_last_seen_at_each(
        self, ingest: Ingest, orbiton: Workspace
    ) -> None:
        ingest(identify("u_1", DAY_1, of="acc_1", role="admin"), identify("u_1", DAY_2, of="acc_2", role="member"))

        assert [tie(orbiton, "u_1", at).role for at in ("acc_1", "acc_2")] == ["admin", "member"]
        assert [tie(orbiton, "u_1", at).last_seen_at for at in ("acc_1", "acc_2")] == [morning(1), morning(2)]
        assert end_user(orbiton, "u_1").last_seen_at == morning(2)

    def test_a_late_role_does_not_overwrite_a_newer_one(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(identify("u_1", DAY_2, of="acc_1", role="owner"))
        ingest(identify("u_1", DAY_1, of="acc_1", role="member"))
        assert tie(orbiton, "u_1", "acc_1").role == "owner"

        ingest(identify("u_1", DAY_3, of="acc_1", role=None))
        assert tie(orbiton, "u_1", "acc_1").role is None

    @pytest.mark.parametrize("tied_first", [True, False])
    def test_a_role_without_an_account_holds_at_all_of_them(
        self, ingest: Ingest, orbiton: Workspace, tied_first: bool
    ) -> None:
        calls = [track("u_1", "Signed In", DAY_2, of="acc_1"), identify("u_1", DAY_1, role="owner")]
        for call in calls if tied_first else reversed(calls):
            ingest(call)
        assert tie(orbiton, "u_1", "acc_1").role == "owner"

        ingest(identify("u_1", DAY_3, of="acc_1", role="member"))
        assert tie(orbiton, "u_1", "acc_1").role == "member"

    def test_a_group_call_that_names_a_user_ties_it(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", name="Argon") | {"userId": "u_1"})

        assert tie(orbiton, "u_1", "acc_1").last_seen_at is None
        assert account(orbiton, "acc_1").user_count == 1

    def test_unsubscribed_sets_and_clears_the_moment(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(identify("u_1", DAY_1, unsubscribed="true"), identify("u_1", DAY_2, unsubscribed=True))
        assert end_user(orbiton, "u_1").unsubscribed_at == morning(1)

        ingest(identify("u_1", DAY_3, unsubscribed=False))
        assert end_user(orbiton, "u_1").unsubscribed_at is None


class TestEvents:
    def test_events_are_counted_by_day_of_the_workspace(self, ingest: Ingest, orbiton: Workspace) -> None:
        late_evening = "2026-11-01T23:30:00Z"  # already the second in Berlin
        ingest(*(track("u_1", "Signed In", at, of="acc_1") for at in (DAY_1, DAY_1, late_evening)))
        with tenant_context(orbiton.tenant.pk):
            found = EventCount.objects.values_list("day", "count").order_by("day")

            assert list(found) == [(date(2026, 11, 1), 2), (date(2026, 11, 2), 1)]

    def test_later_calls_add_to_the_day(self, ingest: Ingest, orbiton: Workspace) -> None:
        for _ in range(2):
            ingest(track("u_1", "Signed In", DAY_1, of="acc_1"))

        assert counts(orbiton) == {("Signed In", "acc_1", "u_1"): 2}

    def test_an_event_without_group_counts_for_the_users_only_account(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(identify("u_1", of="acc_1"), track("u_1", "Signed In"), track("u_1", "Signed In", of="acc_1"))

        assert counts(orbiton) == {("Signed In", "acc_1", "u_1"): 2}

    def test_with_several_accounts_it_counts_for_none_and_is_listed(self, ingest: Ingest, orbiton: Workspace) -> None:
        report = ingest(identify("u_1", of="acc_1"), identify("u_1", of="acc_2"), track("u_1", "Signed In"))

        assert counts(orbiton) == {("Signed In", None, "u_1"): 1}
        assert reasons(report) == {
            "event.Signed In": "names no account, and its user belongs to several: counted for the user only"
        }

    def test_a_user_of_no_account_and_an_account_without_user_count_alone(
        self, ingest: Ingest, orbiton: Workspace
    ) -> None:
        nobody = track("u_1", "Invoice Paid", of="acc_1")
        del nobody["userId"]
        report = ingest(track("u_lone", "Signed In"), nobody)

        assert counts(orbiton) == {("Signed In", None, "u_lone"): 1, ("Invoice Paid", "acc_1", None): 1}
        assert reasons(report) == {}

    def test_names_beyond_the_limit_are_left_out(
        self, ingest: Ingest, orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("accounts.ingest.events.NAMES_LIMIT", 2)
        report = ingest(*(track("u_1", f"Event {n}", of="acc_1") for n in range(4)))
        with tenant_context(orbiton.tenant.pk):
            assert EventType.objects.count() == 2
        assert set(reasons(report)) == {"event.(others)"}


class TestOnce:
    def test_a_message_counts_once_within_a_batch_and_across_batches(
        self, ingest: Ingest, orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run, "BATCH_CALLS", 2)
        call = track("u_1", "Signed In", of="acc_1")
        report = ingest(call, call, call, call)

        assert (report.calls, report.taken, report.repeated) == (4, 1, 3)
        assert counts(orbiton) == {("Signed In", "acc_1", "u_1"): 1}

    def test_a_refused_call_is_listed_once(self, ingest: Ingest, orbiton: Workspace) -> None:
        broken = [{"type": "alias"}, 5, group("")]
        for _ in range(2):
            ingest(*broken)
        with tenant_context(orbiton.tenant.pk):
            found = TraitProblem.objects.refused().values_list("scope", "key", "count")

            assert set(found) == {("call", "alias", 1), ("call", "group", 1), ("call", "unreadable", 1)}

    def test_a_batch_that_fails_leaves_nothing_and_can_be_sent_again(
        self, ingest: Ingest, orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call = track("u_1", "Signed In", of="acc_1")
        with monkeypatch.context() as patch:
            patch.setattr("accounts.ingest.events.write", lambda *args, **kwargs: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ingest(call)
        with tenant_context(orbiton.tenant.pk):
            assert not IngestedMessage.objects.exists()
            assert not Account.objects.exists()

        ingest(call)
        assert counts(orbiton) == {("Signed In", "acc_1", "u_1"): 1}

    def test_batches_are_bounded_by_weight_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "BATCH_BYTES", 1_000)
        calls = [run.read_call(group("a", x="y" * 400), now=NOW) for _ in range(6)]

        assert [len(batch) for batch in run._batches(iter(calls))] == [2, 2, 2]


class TestTenants:
    def test_the_same_messages_are_new_to_another_workspace(
        self, ingest: Ingest, orbiton: Workspace, halyard: Workspace
    ) -> None:
        calls = [group("acc_1", plan="Team"), identify("u_1", of="acc_1"), track("u_1", "Signed In", of="acc_1")]
        ingest(*calls)
        before = hashes(orbiton.tenant)
        report = ingest(*calls, group("acc_2", plan=5), into=halyard)

        assert report.taken == 4
        assert hashes(orbiton.tenant) == before
        assert facts(halyard.tenant)["events"] == facts(orbiton.tenant)["events"]
        assert account(halyard, "acc_1").pk != account(orbiton, "acc_1").pk

    def test_a_team_members_address_means_nothing_elsewhere(self, ingest: Ingest, halyard: Workspace) -> None:
        report = ingest(group("acc_1", csm_email="priya@orbiton.example"), into=halyard)

        assert reasons(report) == {"account.csm_email": "no team member has this address"}


class TestShift:
    def test_moments_and_dates_move_together(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(
            group(
                "acc_1", DAY_1, renewal_date="2026-12-01", trial_ends_at="2026-11-27T06:00:00Z", createdAt="2024-01-01"
            ),
            track("u_1", "Signed In", DAY_1, of="acc_1"),
            shift=timedelta(days=10),
        )
        found = account(orbiton, "acc_1")

        assert (found.renewal_on, found.trial_end_on) == (date(2026, 12, 11), date(2026, 12, 7))
        assert (found.created_at.date(), found.last_seen_at) == (date(2024, 1, 10), morning(11))
