"""What may take so long and no longer: the database gives up, the transaction goes on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg2 import errors

from cs_platform.common.statements import fetch

# As set at the factory, the server takes rows that pass between its processes for so dear that it looks through all
# accounts on one processor. Whoever has few rows to look through stays on one.
SHARED_OUT = {"parallel_tuple_cost": "0.005"}


class TooLong(Exception):
    """The database was told to give up."""


@contextmanager
def at_most(milliseconds: int, *, shared_out: bool = False) -> Iterator[None]:
    """A savepoint, so that a statement that is cut short leaves the transaction usable.

    `shared_out`: a person waits for it, so several processors may work on it.
    """
    wanted = {"statement_timeout": str(milliseconds)} | (SHARED_OUT if shared_out else {})
    usual = _settings(wanted)
    try:
        with transaction.atomic():
            _set(wanted)
            yield
            _set(usual)
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooLong from None
        raise


def _settings(names: Mapping[str, str]) -> dict[str, str]:
    [row] = fetch(f"SELECT {', '.join(['current_setting(%s)'] * len(names))}", list(names))
    return dict(zip(names, row, strict=True))


def _set(values: Mapping[str, str]) -> None:
    pairs = [part for pair in values.items() for part in pair]
    fetch(f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(values))}", pairs)
