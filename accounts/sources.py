"""Where data comes in over HTTP: sources, their write keys, what waits of them and what was wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum

from accounts.models import DataSource, ReceivedBatch, TraitProblem
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer

LIMIT = 100
SHOWN_PROBLEMS = 200
SHOWN_BATCHES = 20
# The name under which `import_segment` lists what it met: exports have no source of their own.
EXPORTS = "import"


class TooManySources(Exception):
    """The text is for a person."""


def open_source(*, name: str, by: Doer, now: datetime) -> tuple[DataSource, str]:
    """The source and its write key, which nobody can show again."""
    if DataSource.objects.filter(revoked_at__isnull=True).count() >= LIMIT:
        raise TooManySources(f"A workspace has at most {LIMIT} data sources. Close one that is not used any more.")
    source, key = DataSource.open(name=name, by=by, now=now)
    _write_down("opened", source, after={"last_four": source.last_four}, by=by, now=now)
    return source, key


def rotate_key(source: DataSource, *, by: Doer, now: datetime) -> str:
    before = {"last_four": source.last_four}
    key = source.rotate()
    _write_down("key_rotated", source, before=before, after={"last_four": source.last_four}, by=by, now=now)
    return key


def rename_source(source: DataSource, *, name: str, by: Doer, now: datetime) -> None:
    before = {"name": source.name}
    source.name = name
    source.save(update_fields=["name"])
    if before != {"name": name}:
        _write_down("renamed", source, before=before, after={"name": name}, by=by, now=now)


def close_source(source: DataSource, *, by: Doer, now: datetime) -> bool:
    closed = source.revoke(now=now)
    if closed:
        _write_down("closed", source, before={"last_four": source.last_four}, by=by, now=now)
    return closed


def _write_down(verb: str, source: DataSource, *, by: Doer, now: datetime, **change: Any) -> None:
    about: dict[str, Any] = {"subject_type": "data_source", "subject_id": source.pk, "name": source.name}
    record(verb=f"data_source.{verb}", **about, **change, by=by, now=now)


# --- what to show -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with one source; `source` is None for exports."""

    name: str
    source: DataSource | None
    waiting: int = 0  # calls
    set_aside: int = 0  # batches
    refused: int = 0
    coerced: int = 0


def load_standings() -> list[Standing]:
    """Open sources by name, closed ones after them, exports last if they ever met a problem."""
    sources = DataSource.objects.order_by("-revoked_at", "name", "pk")[: 2 * LIMIT]
    ordered = sorted(sources, key=lambda one: (one.revoked_at is not None, one.name.lower(), one.pk))
    kept = {row.pop("source"): row for row in _kept()}
    wrong = {row.pop("source"): row for row in _wrong()}
    found = [Standing(one.name, one, **kept.get(one.pk, {}), **wrong.get(one.actor, {})) for one in ordered]
    return found + ([Standing(EXPORTS, None, **wrong[EXPORTS])] if EXPORTS in wrong else [])


def standing_of(source: DataSource | None) -> Standing:
    actor = source.actor if source else EXPORTS
    wrong = next(({**row} for row in _wrong().filter(source=actor)), {"source": actor})
    kept = next(({**row} for row in _kept().filter(source=source)), {}) if source else {}
    parts = {key: value for key, value in {**kept, **wrong}.items() if key != "source"}
    return Standing(source.name if source else EXPORTS, source, **parts)


def _kept() -> Any:
    waiting, aside = Q(failed_at__isnull=True), Q(failed_at__isnull=False)
    rows = ReceivedBatch.objects.order_by().values("source")
    return rows.annotate(waiting=Sum("calls", filter=waiting, default=0), set_aside=Count("pk", filter=aside))


def _wrong() -> Any:
    outcomes = TraitProblem.Outcome
    return (
        TraitProblem.objects.order_by()
        .values("source")
        .annotate(
            refused=Sum("count", filter=Q(outcome=outcomes.REFUSED), default=0),
            coerced=Sum("count", filter=Q(outcome=outcomes.COERCED), default=0),
        )
    )


@dataclass(frozen=True, slots=True)
class ShownProblem:
    problem: TraitProblem
    advice: str


def load_problems(source: str) -> list[ShownProblem]:
    """What was refused before what was mended, the most frequent first."""
    rows = TraitProblem.objects.from_source(source).order_by("-outcome", "-count", "pk")[:SHOWN_PROBLEMS]
    return [ShownProblem(row, _advice(row)) for row in rows]


def clear_problems(source: str) -> int:
    """They come back if the sender goes on as before."""
    return int(TraitProblem.objects.from_source(source).delete()[0])


def load_set_aside(source: DataSource) -> Sequence[ReceivedBatch]:
    waiting = ReceivedBatch.objects.set_aside().filter(source=source)
    return list(waiting.defer("body").order_by("pk")[:SHOWN_BATCHES])


_SENDER, _IN_FILE = "Correct it where it is sent.", "Correct it in the file, and import these rows again."
_ADVICE = {
    "nested objects are not kept": "Send what you need of the object as traits of their own.",
    "no team member has this address": "Invite the person, or send the address they sign in with.",
    "none of the choices": "Send one of the trait's choices, or add this one to the trait.",
    "edited here: integrations do not write it": "Stop sending it, or give the trait up to the integration.",
    "no userId: anonymous visitors are not kept": "Nothing, if visitors who never signed in are meant.",
    "neither a userId nor a groupId: anonymous visitors are not kept": "Nothing, if nobody has signed in.",
    "names no account, and its user belongs to several: counted for the user only": (
        "Send context.groupId with the event, so that it counts for the right account."
    ),
    "no value a trait could have": "Send a text, a number, yes or no, a date or a list.",
}


def _advice(problem: TraitProblem) -> str:
    if problem.outcome == TraitProblem.Outcome.COERCED:
        return "Nothing is lost. Send it in the trait's own type to be rid of this line."
    if problem.scope == "call" and problem.key == "alias":
        return "Send the lasting userId in every call; ids are never merged."
    return _ADVICE.get(problem.reason, _IN_FILE if problem.source.startswith("import:") else _SENDER)
