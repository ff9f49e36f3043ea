"""Where in a list, newest first, somebody has read to."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q


@dataclass(frozen=True, slots=True)
class Place:
    """The last entry shown so far."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """None for anything that is no place: the list then starts at its newest entry."""
        moment, _, id = text.partition("~")
        try:
            at = datetime.fromisoformat(moment)
            return cls(at, int(id)) if at.tzinfo and id.isascii() and len(id) < 19 else None
        except ValueError:
            return None


def older_than(place: Place, column: str = "at") -> Q:
    return Q(**{f"{column}__lt": place.at}) | Q(**{column: place.at}, pk__lt=place.id)
