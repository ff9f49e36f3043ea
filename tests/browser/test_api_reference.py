from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer


def test_the_reference_of_the_api_is_rendered_within_the_policy(page: Page, live_server: LiveServer) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: complaints.append(request.url) if live_server.url not in request.url else None)
    page.goto(f"{live_server.url}/api/v1/docs/")

    expect(page.get_by_text("/api/v1/accounts/{id}/", exact=True).first).to_be_visible()  # those in view are rendered
    assert [one for one in complaints if not one.startswith("data:")] == []
