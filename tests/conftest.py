"""Fixtures every test may use. The servers behind them come from tests/plugin.py."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from pytest_django.plugin import DjangoDbBlocker

from cs_platform.embedded.templates import create_fresh_database

from . import databases


def pytest_configure() -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Ordinary tests run as the application role and are rolled back; after the others the owner empties the tables."""
    owner_url = os.environ["DATABASE_OWNER_URL"]
    create_fresh_database(databases.servers(), settings.DATABASES["default"]["NAME"])
    keep = databases.occupied_tables(owner_url)
    original = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda test: databases.empty(owner_url, keep=keep)  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]
    with django_db_blocker.unblock():
        connections.close_all()
