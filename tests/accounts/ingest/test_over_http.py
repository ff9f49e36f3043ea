"""A real web process: fed by Segment's own library, killed in the middle, and asked to do it all again."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from segment.analytics.client import Client as Library

from accounts.ingest.draining import drain
from accounts.models import Account, DataSource, EndUser, EventCount, IngestedMessage, ReceivedBatch, TraitProblem
from cs_platform.bench.calls import batches
from cs_platform.bench.door import HOST, Delivery, Door, open_door
from cs_platform.tenancy.context import tenant_context
from tests.accounts.ingest.state import hashes
from tests.world import Workspace, workspace

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = 10_000
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def door(django_db_setup: None) -> Iterator[Door]:
    with open_door(os.environ) as opened:
        yield opened


@pytest.fixture
def home(transactional_db: None) -> Workspace:
    return workspace("orbiton")


@pytest.fixture
def key(home: Workspace) -> str:
    with tenant_context(home.tenant.pk):
        return DataSource.open(name="Backend", by=home.olga, now=NOON)[1]


def say_everything(door: Door, key: str, *, gzip: bool) -> list[Any]:
    """As an application would: groups, people, what they do. Returns what the library complained about."""
    complaints: list[Any] = []
    library = Library(key, host=door.url, gzip=gzip, on_error=lambda error, items: complaints.append(error))
    for number in range(CALLS):
        at, user = {"groupId": f"acc-{number % 7}"}, f"u-{number % 50}"
        said: dict[str, Any] = {"message_id": f"m-{number}", "timestamp": NOON}
        if number < 7:
            library.group(user, f"acc-{number}", {"name": f"Account {number}", "seats": number}, **said)
        elif number < 57:
            library.identify(user, {"name": f"User {user}"}, context=at, **said)
        else:
            library.track(user, "Report Created", {"n": number}, context=at, **said)
    library.flush()
    library.join()
    return complaints


def test_segments_own_library_feeds_us_and_a_repeat_changes_nothing(door: Door, home: Workspace, key: str) -> None:
    assert say_everything(door, key, gzip=True) == []
    drain()
    with tenant_context(home.tenant.pk):
        assert IngestedMessage.objects.count() == CALLS
        assert Account.objects.count() == 7
        assert EndUser.objects.count() == 50
        assert sum(EventCount.objects.values_list("count", flat=True)) == CALLS - 57
        assert not TraitProblem.objects.exists()
        assert set(Account.objects.values_list("traits__seats", flat=True)) == set(range(7))

    before = hashes(home.tenant)
    assert say_everything(door, key, gzip=False) == []
    drain()
    assert hashes(home.tenant) == before
    with tenant_context(home.tenant.pk):
        assert not ReceivedBatch.objects.exists()


def test_a_killed_web_process_loses_no_call_that_it_answered(door: Door, home: Workspace, key: str) -> None:
    delivery = Delivery(door, list(batches(CALLS)), key, kills=1).send()
    assert (delivery.accepted, delivery.killed) == (CALLS // 100, 1)
    with tenant_context(home.tenant.pk):
        assert sum(ReceivedBatch.objects.values_list("calls", flat=True)) >= CALLS  # one cut off may have come twice

    drain()
    with tenant_context(home.tenant.pk):
        assert IngestedMessage.objects.count() == CALLS
        assert sum(EventCount.objects.values_list("count", flat=True)) == CALLS * 16 // 20


def test_a_body_is_not_believed_what_it_claims_of_its_size(door: Door, key: str) -> None:
    """A gigabyte announced and two bytes sent: refused, or answered as two bytes are; others are served as before."""
    for path, claimed in product(("/v1/batch", "/api/v1/imports/", "/w/orbiton/imports/"), ("1000000000", "-1", "x")):
        with socket.create_connection((HOST, door.port), timeout=20) as sender:
            sender.sendall(
                f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {claimed}\r\n\r\n{{}}".encode()
            )
            sender.shutdown(socket.SHUT_WR)
            said = sender.recv(65_536)
        assert said == b"" or said.split()[1] in {b"302", b"400", b"401", b"403", b"413"}, (path, claimed)

    assert Delivery(door, list(batches(1)), key).send(senders=1).accepted == 1
