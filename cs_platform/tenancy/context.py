"""The tenant in force: set once at the edge, read by managers in Python and by row-level security in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

_current: ContextVar[int | None] = ContextVar("tenant_id", default=None)


class NoTenant(RuntimeError):
    """A query on a workspace's data was made outside `tenant_context`."""

    def __init__(self) -> None:
        super().__init__("No workspace is set. Wrap the work in tenant_context(tenant_id).")


def current_tenant_id() -> int:
    """Raises NoTenant outside a tenant context; never guesses."""
    tenant_id = _current.get()
    if tenant_id is None:
        raise NoTenant
    return tenant_id


@contextmanager
def tenant_context(tenant_id: int) -> Iterator[None]:
    """One transaction in which only this tenant's rows exist.

    The setting is transaction-local, so it dies with the transaction; inside another transaction the former
    value is put back by hand, because releasing a savepoint does not undo a SET LOCAL (a rollback does).
    """
    outer = _current.get()
    with transaction.atomic():
        _set_local(str(tenant_id))
        token = _current.set(tenant_id)
        try:
            yield
        finally:
            _current.reset(token)
    if connection.in_atomic_block:
        _set_local("" if outer is None else str(outer))


def _set_local(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [value])
