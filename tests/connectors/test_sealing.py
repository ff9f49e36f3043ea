"""Secrets at rest: a dump holds none, another workspace opens none, and a lost key says so."""

import base64

import pytest
from django.db import connection
from pytest_django import Settings

from cs_platform.connectors.managing import CannotConnect, connect, put_away, renew_secret, reseal
from cs_platform.connectors.models import Connector
from cs_platform.connectors.sealing import CannotOpen, seal, unseal
from cs_platform.tenancy.context import tenant_context
from tests.world import MONDAY, Workspace, workspace

SECRET = "write-key-zqsecretqz"


def key(letter: str) -> str:
    return f"{letter}:{base64.b64encode(letter.encode() * 32).decode()}"


def test_what_one_workspace_sealed_another_cannot_open() -> None:
    sealed = seal({"secret": SECRET}, tenant_id=1)

    assert unseal(sealed, tenant_id=1) == {"secret": SECRET}
    for altered in (sealed, sealed[:-6] + "AAAAAA", "v1.x.y.z", ""):
        with pytest.raises(CannotOpen):
            unseal(altered, tenant_id=2)


def test_a_former_key_opens_what_it_sealed_and_the_present_one_seals(settings: Settings) -> None:
    settings.CONNECTOR_KEYS = [key("a")]
    sealed = seal({"secret": SECRET}, tenant_id=1)
    settings.CONNECTOR_KEYS = [key("b"), key("a")]

    assert unseal(sealed, tenant_id=1) == {"secret": SECRET}
    assert seal({}, tenant_id=1).startswith("v1.b.")
    settings.CONNECTOR_KEYS = [key("b")]
    with pytest.raises(CannotOpen):
        unseal(sealed, tenant_id=1)


@pytest.fixture
def orbiton(db: None) -> Workspace:
    return workspace("orbiton")


def test_no_dump_and_no_audit_log_holds_a_secret_and_one_put_away_is_forgotten(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        made, _ = connect(kind="segment", key="seg", name="S", secret=SECRET, by=orbiton.olga, now=MONDAY)
        renew_secret(made, secret=f"{SECRET}-2", by=orbiton.olga, now=MONDAY)
        with connection.cursor() as cursor:
            for table in ("connectors_connector", "tenancy_auditentry"):
                cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%%zqsecretqz%%'")
                assert cursor.fetchone() == (0,)
        put_away(made, by=orbiton.olga, now=MONDAY)
        assert not Connector.objects.get().sealed


def test_a_new_key_takes_over_what_former_ones_sealed(orbiton: Workspace, settings: Settings) -> None:
    with tenant_context(orbiton.tenant.pk):
        made, _ = connect(kind="segment", key="seg", name="S", secret=SECRET, by=orbiton.olga, now=MONDAY)
        assert made.sealed.startswith("v1.derived.")
        settings.CONNECTOR_KEYS = [key("b")]

        assert [reseal(), reseal()] == [1, 0]

        made.refresh_from_db()
        assert made.sealed.startswith("v1.b.")
        assert made.secrets(now=MONDAY) == {"secret": SECRET}
        settings.CONNECTOR_KEYS = [key("c")]
        assert reseal() == 0  # no key opens it any more: it stays until somebody enters it again


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("url", {"kind": "webhook", "url": "https://169.254.169.254/"}),
        ("url", {"kind": "webhook", "url": ""}),
        ("url", {"kind": "segment", "url": "http://api.segment.io", "secret": SECRET}),
        ("secret", {"kind": "slack", "secret": "http://hooks.slack.com/x"}),
        ("secret", {"kind": "segment", "secret": ""}),
        ("secret", {"kind": "webhook", "url": "https://h.example.com/", "secret": "whsec_short"}),
        ("key", {"kind": "segment", "key": "No spaces", "secret": SECRET}),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_typed(orbiton: Workspace, field: str, parts: dict[str, str]) -> None:
    with tenant_context(orbiton.tenant.pk), pytest.raises(CannotConnect) as refused:
        connect(**({"key": "k", "name": "N"} | parts), by=orbiton.olga, now=MONDAY)

    assert refused.value.field == field
