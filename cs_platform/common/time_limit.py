"""What may take so long and no longer: the database gives up, the transaction goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg2 import errors

from cs_platform.common.statements import fetch


class TooLong(Exception):
    """The database was told to give up."""


@contextmanager
def at_most(milliseconds: int) -> Iterator[None]:
    """A savepoint, so that a statement that is cut short leaves the transaction usable."""
    [[usual]] = fetch("SELECT current_setting('statement_timeout')", ())
    try:
        with transaction.atomic():
            _set_timeout(str(milliseconds))
            yield
            _set_timeout(usual)
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooLong from None
        raise


def _set_timeout(value: str) -> None:
    fetch("SELECT set_config('statement_timeout', %s, true)", (value,))
