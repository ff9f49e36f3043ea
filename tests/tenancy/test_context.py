"""The transaction that carries a workspace: what it restores, what ends with it, two of them on one connection."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.models import Account, EventType
from cs_platform.tenancy.context import NoTenant, current_tenant_id, tenant_context
from cs_platform.tenancy.models import Tenant
from tests.world import MONDAY, Workspace, account

Sql = Callable[..., list[Any]]

SETTING = "SELECT current_setting('app.tenant_id', true)"


def in_force(sql: Sql) -> tuple[int | None, str]:
    """What Python and PostgreSQL each take for the workspace; '' is none."""
    try:
        in_python = current_tenant_id()
    except NoTenant:
        in_python = None
    return in_python, sql(SETTING)[0][0] or ""


def both(home: Workspace) -> tuple[int, str]:
    return home.tenant.pk, str(home.tenant.pk)


NOTHING = (None, "")


def test_the_workspace_before_is_back_after_an_inner_one(orbiton: Workspace, halyard: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        with tenant_context(halyard.tenant.pk):
            with tenant_context(orbiton.tenant.pk):
                assert in_force(sql) == both(orbiton)
            assert in_force(sql) == both(halyard)
        assert in_force(sql) == both(orbiton)
    assert in_force(sql) == NOTHING


def test_an_inner_one_that_fails_restores_too(orbiton: Workspace, halyard: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        with pytest.raises(ZeroDivisionError), tenant_context(halyard.tenant.pk):
            raise ZeroDivisionError
        assert in_force(sql) == both(orbiton)


def test_an_inner_one_that_is_rolled_back_restores_too(orbiton: Workspace, halyard: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        with tenant_context(halyard.tenant.pk):
            account("Half done")
            transaction.set_rollback(True)
        assert in_force(sql) == both(orbiton)
    with tenant_context(halyard.tenant.pk):
        assert not Account.objects.exists()


def test_a_database_error_inside_restores_too(orbiton: Workspace, halyard: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        with pytest.raises(IntegrityError), tenant_context(halyard.tenant.pk):
            EventType.objects.bulk_create([EventType(name="Twice"), EventType(name="Twice")])
        assert in_force(sql) == both(orbiton)


def test_a_transaction_around_it_is_left_without_a_workspace(orbiton: Workspace, sql: Sql) -> None:
    with transaction.atomic():
        with tenant_context(orbiton.tenant.pk):
            pass
        assert in_force(sql) == NOTHING


def test_rolling_back_a_savepoint_inside_keeps_the_workspace(orbiton: Workspace, sql: Sql) -> None:
    with tenant_context(orbiton.tenant.pk):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            raise ZeroDivisionError
        assert in_force(sql) == both(orbiton)


def test_a_query_made_inside_and_asked_outside_is_an_error(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        later = Account.objects.filter(name="Harbourline")
    with pytest.raises(DatabaseError, match=r"app\.tenant_id|bigint"), transaction.atomic():
        list(later)


def test_a_query_made_in_one_workspace_finds_nothing_in_another(orbiton: Workspace, halyard: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Ours")
        ours = Account.objects.all()
    with tenant_context(halyard.tenant.pk):
        account("Theirs")
        assert list(ours) == []


def test_an_object_of_one_workspace_cannot_be_saved_in_another(orbiton: Workspace, halyard: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        ours = account("Ours")
    with tenant_context(halyard.tenant.pk), pytest.raises(DatabaseError, match="row-level security"):
        ours.save()


def test_threads_begin_without_a_workspace(orbiton: Workspace) -> None:
    def ask() -> None:
        with pytest.raises(NoTenant):
            current_tenant_id()

    with tenant_context(orbiton.tenant.pk), ThreadPoolExecutor(1) as threads:
        threads.submit(ask).result()


# --- on real transactions --------------------------------------------------------------------------------------------


@pytest.fixture
def two(transactional_db: None) -> list[Tenant]:
    return [Tenant.objects.create(slug=slug, name=slug, created_at=MONDAY) for slug in ("orbiton", "halyard")]


def test_what_runs_after_the_commit_has_no_workspace(two: list[Tenant], sql: Sql) -> None:
    found: list[Any] = []
    with tenant_context(two[0].pk):
        transaction.on_commit(lambda: found.append(in_force(sql)))

    assert found == [NOTHING]


def test_a_failed_commit_leaves_no_workspace(two: list[Tenant], sql: Sql) -> None:
    with pytest.raises(DatabaseError), tenant_context(two[0].pk):
        sql("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()

    assert in_force(sql) == NOTHING


def test_two_workspaces_take_turns_on_one_connection(two: list[Tenant], sql: Sql) -> None:
    """Some turns fail, some nest, some are rolled back; each sees its own rows and leaves nothing in force."""
    dice = random.Random(7)
    backend, kept = sql("SELECT pg_backend_pid()"), {tenant.pk: set[str]() for tenant in two}
    for turn in range(400):
        tenant = dice.choice(two)
        end = dice.choice(("commit", "commit", "raise", "roll back", "nest"))
        if _take_turn(tenant, two, f"turn {turn}", end):
            kept[tenant.pk].add(f"turn {turn}")
        assert in_force(sql) == NOTHING

    assert sql("SELECT pg_backend_pid()") == backend
    for tenant in two:
        with tenant_context(tenant.pk):
            assert set(EventType.objects.values_list("name", flat=True)) == kept[tenant.pk]


def _take_turn(tenant: Tenant, two: list[Tenant], name: str, end: str) -> bool:
    """Whether what it wrote stays."""
    try:
        with tenant_context(tenant.pk):
            EventType.objects.create(name=name)
            assert not EventType.objects.exclude(tenant_id=tenant.pk).exists()
            if end == "nest":
                _look_into_the_other(tenant, two)
                assert EventType.objects.filter(name=name).exists()
            if end == "raise":
                raise ZeroDivisionError
            transaction.set_rollback(end == "roll back")
    except ZeroDivisionError:
        return False
    return end != "roll back"


def _look_into_the_other(tenant: Tenant, two: list[Tenant]) -> None:
    (other,) = (one for one in two if one != tenant)
    with tenant_context(other.pk):
        assert not EventType.objects.exclude(tenant_id=other.pk).exists()
