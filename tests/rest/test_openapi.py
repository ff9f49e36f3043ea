"""The committed description is the API as it is, and says everything about every operation."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from tests.rest.client import Api
from tests.rest.description import COMMITTED, description
from tests.rest.routes import Route, routes

DOCS = Path(settings.BASE_DIR) / "docs" / "api.md"


def operation(route: Route) -> dict[str, Any]:
    path = "/api/v1" + route.path.replace("{pk}", "{id}")
    found: dict[str, Any] = description()["paths"][path][route.verb]
    return found


def test_the_committed_description_is_up_to_date() -> None:
    """Run `manage.py spectacular --validate --fail-on-warn --file openapi.yaml` when it is not; bin/lint validates."""
    written = StringIO()
    call_command("spectacular", "--fail-on-warn", stdout=written)

    assert written.getvalue().rstrip() == COMMITTED.read_text().rstrip()


def test_every_operation_has_a_summary_of_its_own_and_says_what_can_go_wrong() -> None:
    summaries = [operation(route)["summary"] for route in routes()]

    assert len(summaries) == len(set(summaries))
    for route in routes():
        assert {"400", "401", "403", "404", "429", "503"} <= set(operation(route)["responses"]), route


def test_the_idempotency_key_is_required_where_the_description_says_so() -> None:
    for route in (route for route in routes() if route.verb != "get"):
        parameters = {one["name"]: one for one in operation(route)["parameters"]}
        view = route.view(**route.options)
        view.action = route.action
        assert parameters["Idempotency-Key"]["required"] is view._needs_key, str(route)


def test_every_path_is_in_the_guide() -> None:
    guide = DOCS.read_text()
    paths = {"/" + route.path.replace("{pk}", "{id}").strip("/") + "/" for route in routes()}

    assert [path for path in sorted(paths) if f"`{path}`" not in guide] == []


def test_every_problem_code_is_in_the_guide() -> None:
    guide = DOCS.read_text()
    sources = [path.read_text() for app in ("cs_platform/rest", "*/api") for path in Path().glob(f"{app}/*.py")]
    codes = {piece.partition('"')[0] for source in sources for piece in source.split('code="')[1:]}

    assert [code for code in sorted(codes) if f"`{code}`" not in guide] == []


def test_the_description_and_its_page_are_open_to_everybody(client: Client) -> None:
    served = client.get("/api/v1/openapi.yaml")
    page = client.get("/api/v1/docs/")

    assert served.content == COMMITTED.read_bytes()
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page["Content-Security-Policy"].split("script-src")[1].partition(";")[0]


@pytest.mark.parametrize("path", ["/accounts/", "/ctas/", "/playbooks/", "/enrollments/", "/evaluations/", "/users/"])
def test_what_is_answered_has_the_described_fields(api: Api, path: str) -> None:
    schema = description()["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    name = schema["$ref"].rpartition("/")[2]

    assert set(api.get(path).json) == set(description()["components"]["schemas"][name]["properties"])
