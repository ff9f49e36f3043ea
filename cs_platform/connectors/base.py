"""How something leaves the platform, and what can be known about it afterwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a provider recognises a repeat: by a key for so long, by looking it up, or not at all.

    `key` is "header", "field" or None. Without key and lookup, an unknown outcome is settled by a person.
    """

    key: str | None
    window: timedelta | None
    lookup: bool
    proves_not_done: frozenset[int] = frozenset()  # statuses that say that nothing was done


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider said yes; `reference` is its word for it."""

    reference: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """The provider proved that nothing happened: it may be tried again."""

    reason: str
    not_before: datetime | None = None
    counts: bool = True  # as a try; being asked to slow down is none


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider refuses for good; `unreachable`: because there is nobody at this address."""

    reason: str
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened, and nobody can tell."""

    reason: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """We are no longer welcome, whatever we send: a person has to mend that."""

    reason: str


Outcome = Sent | NotNow | Rejected | Unknown
HttpOutcome = Outcome | Revoked
