"""Debian's Chromium and a live server that runs as the application role: the fixtures `page` and `live_server`."""

import shutil

import pytest
from playwright.sync_api import expect

# How long a page may take to show what is expected of it: a busy machine is no fault of the page.
expect.set_options(timeout=20_000)

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.fail("Browser tests need Chromium: apt-get install chromium (Debian), or put google-chrome on PATH.")
    return browser_type_launch_args | {"executable_path": found, "args": list(ARGUMENTS)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, object]) -> dict[str, object]:
    """A page that is left before it has faded in says so as an error; on a busy machine most are."""
    return browser_context_args | {"reduced_motion": "reduce"}
