"""Loaded by `-p` before anything else: servers of the run's own, and the environment that leads the settings to them.

Only the process that starts the run starts servers; its workers inherit the environment and pick a database each.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cs_platform.common.garbage import settle_in
from cs_platform.embedded.homes import first_free_home
from cs_platform.embedded.postgres import DISPOSABLE
from cs_platform.embedded.processes import CannotStart
from cs_platform.embedded.servers import VAR, Servers, known, running
from cs_platform.embedded.templates import ensure_template

ENVIRONMENT = {
    "SECRET_KEY": "only-for-tests",
    "DEBUG": "1",  # plain static files and cookies without TLS; pytest-django itself then switches debugging off
    "LOG_LEVEL": "WARNING",
    "EMAIL_URL": "smtp://localhost:1",
    "MAIL_SINK_DIR": "",
    "DEMO": "",
    # Once a browser test has run, Playwright keeps an event loop in this thread, and Django would refuse every query.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--walks", action="store_true", help="the long walks too, as on the build server")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    os.environ.update(ENVIRONMENT)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    servers = known(Path(os.environ["TEST_SERVERS"]), settings=DISPOSABLE) if worker else _start(early_config)
    number = int(worker.removeprefix("gw")) if worker else 15
    os.environ.update(servers.environment(database=f"test_{worker or 'main'}", redis_number=number % 16))
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:  # to workers every path looks like one that somebody named
        named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
        os.environ["TEST_WALKS"] = "1" if named or config.getoption("walks") else ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    walks = [] if os.environ["TEST_WALKS"] else [item for item in items if item.get_closest_marker("walk")]
    if walks:
        config.hook.pytest_deselected(items=walks)
        items[:] = [item for item in items if not item.get_closest_marker("walk")]


def pytest_collection_finish() -> None:
    """As web and worker do, once they have loaded what they keep."""
    settle_in()


def _start(config: pytest.Config) -> Servers:
    stack = ExitStack()
    config.add_cleanup(stack.close)
    try:
        home = stack.enter_context(first_free_home(VAR / "test"))
        os.environ["TEST_SERVERS"], os.environ["STATIC_ROOT"] = str(home), str(home / "static")
        (home / "static").mkdir(exist_ok=True)
        servers = stack.enter_context(running(home, settings=DISPOSABLE))
        if not config.known_args_namespace.collectonly:
            ensure_template(servers)  # here, where no test's time is running
        return servers
    except CannotStart as refusal:
        raise pytest.UsageError(str(refusal)) from refusal
