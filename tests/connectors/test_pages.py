"""Settings, Connectors: set up, its secret shown once, tested by a worker, refused, renewed; and the same over REST."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from cs_platform.chaos import hooks
from cs_platform.chaos.hooks import MoodyHooks
from cs_platform.connectors.models import Connector
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from playbooks.pump import pump
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, workspace

ROOT = "settings/connectors/"


@pytest.fixture
def server(settings: Settings) -> Iterator[MoodyHooks]:
    server = MoodyHooks()
    server.mood = hooks.TAKE
    settings.OUTBOUND_TRUSTED = [server.host]
    server.start()
    yield server
    server.stop()


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        yield home


def test_a_webhook_is_set_up_tested_renewed_and_put_away(orbiton: Workspace, server: MoodyHooks) -> None:
    olga = Visitor(orbiton.olga)
    form = {"kind": "webhook", "name": "Our hook", "key": "hook", "secret": ""}
    assert "This name is not on the public internet" in text(olga.submit(ROOT, url="https://x.internal/", **form))
    made = text(olga.submit(ROOT, url=f"{server.url}/in", **form))
    assert "It is shown this once" in made
    assert "whsec_" in made

    connector = Connector.objects.get()
    page = f"{ROOT}{connector.pk}/"
    assert "whsec_" not in text(olga.page(page))
    olga.submit(f"{page}test/")
    assert server.arrivals == []
    assert "A message is on its way" in text(olga.fragment(page, "connector"))
    pump("deliver", clock=database_now)
    assert server.arrivals[0].message["type"] == "test"
    assert "It answered as it should" in text(olga.fragment(page, "connector"))

    server.mood = hooks.REVOKE
    olga.submit(f"{page}test/")
    pump("deliver", clock=database_now)
    assert "It refuses us" in text(olga.page(page))
    assert "shown this once" in text(olga.submit(f"{page}renew/", secret=""))
    assert "It refuses us" not in text(olga.page(page))
    olga.submit(f"{page}archive/")
    assert "Nothing is connected yet" in text(olga.page(ROOT))


def test_only_owners_and_admins_see_them(orbiton: Workspace) -> None:
    people = (orbiton.jonah, orbiton.maya, orbiton.priya)
    assert [Visitor(who).page(ROOT).status_code for who in people] == [200, 403, 403]


def test_the_api_does_the_same_and_answers_a_secret_once(orbiton: Workspace, server: MoodyHooks) -> None:
    api = Api.with_key(orbiton.tenant)
    made = api.post("/connectors/", {"kind": "webhook", "key": "hook", "name": "Hook", "url": f"{server.url}/in"})
    path = f"/connectors/{made.json['id']}/"
    assert (made.status, made.json["secret"][:6]) == (201, "whsec_")
    assert "secret" not in api.get(path).json
    assert api.post("/connectors/", {"kind": "segment", "key": "s", "name": "S"}).errors == {"/secret": "invalid"}
    assert api.patch(path, {"name": "Renamed"}).json["url"] == f"{server.url}/in"
    assert api.post(f"{path}renew/", {}).json["former_until"]

    assert api.post(f"{path}test/").status == 202
    pump("deliver", clock=database_now)
    assert api.get(path).json["test_worked"] is True
    assert api.post(f"{path}archive/").status == 204
    assert api.get(path).status == 404


def test_the_form_asks_for_what_a_kind_needs_in_the_words_of_the_other_side(orbiton: Workspace) -> None:
    olga = Visitor(orbiton.olga)
    slack = text(olga.page(f"{ROOT}?kind=slack"))
    assert "Webhook address</label>" in slack
    assert 'name="url"' not in slack
    assert "Access token</label>" in text(olga.fragment(f"{ROOT}?kind=intercom", "new-connector"))
    refused = olga.submit(ROOT, kind="slack", name="Team", key="team", secret="")
    assert (refused.status_code, "Webhook address</label>" in text(refused)) == (422, True)
    assert 'Signing secret <span class="opt">optional' in text(olga.page(f"{ROOT}?kind=nonsense"))
