"""What is looked up again and again in its workspace, such as names of traits and entries of lists, asked for once.

Only within `looked_up_once()`, which whoever shows or checks much puts round itself, and changes nothing of that.
Anything else asks as it goes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from cs_platform.tenancy.context import current_tenant_id

Found = TypeVar("Found")
_known: ContextVar[dict[tuple[int, str], Any] | None] = ContextVar("known", default=None)


@contextmanager
def looked_up_once() -> Iterator[None]:
    """Also a decorator."""
    outer = _known.get()
    token = _known.set({} if outer is None else outer)
    try:
        yield
    finally:
        _known.reset(token)


def once(what: str, load: Callable[[], Found]) -> Found:
    known = _known.get()
    if known is None:
        return load()
    key = (current_tenant_id(), what)
    if key not in known:
        known[key] = load()
    return known[key]  # type: ignore[no-any-return]


def all_of(what: str, load: Callable[[], Found]) -> Found | None:
    """All things of a kind, where many will be asked for; None where one is cheaper by itself."""
    return None if _known.get() is None else once(what, load)
