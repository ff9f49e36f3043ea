"""Bodies of accounts and users into items of the bulk upsert, and its results back, item by item."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from accounts.api import serializers
from accounts.ingest.upsert import Item, ItemFault, Result, Tie, upsert_accounts, upsert_users
from cs_platform.rest.problems import Fault, Invalid, flattened, pointer
from cs_platform.tenancy.models import Doer, Tenant

# Names of facts that differ from the columns behind them.
_COLUMNS = {"csm": "csm_id", "ae": "ae_id"}
_NAMES = {column: name for name, column in _COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class Kind:
    item: type[Serializer[Any]]
    upsert: Callable[..., list[Result]]


ACCOUNTS = Kind(serializers.NewAccountSerializer, upsert_accounts)
USERS = Kind(serializers.NewUserSerializer, upsert_users)


def upsert_one(kind: Kind, checked: Mapping[str, Any], *, tenant: Tenant, by: Doer, now: datetime) -> Result:
    """Raises Invalid when it is refused."""
    (result,) = kind.upsert([_item(checked)], tenant=tenant, by=by, now=now)
    if result.faults:
        raise Invalid(faults=[_fault(fault) for fault in result.faults])
    return result


def upsert_many(
    kind: Kind, bodies: Sequence[Mapping[str, Any]], *, tenant: Tenant, by: Doer, now: datetime
) -> dict[str, Any]:
    """Every item gets a result of its own; the good ones are written together."""
    good, results = _checked(kind, bodies)
    written = kind.upsert([_item(checked) for checked in good.values()], tenant=tenant, by=by, now=now)
    results += [_shown(at, result) for at, result in zip(good, written, strict=True)]
    results.sort(key=lambda result: result["index"])
    counts = Counter(result["outcome"] for result in results)
    return {outcome: counts[outcome] for outcome in ("created", "updated", "unchanged", "refused")} | {
        "results": results
    }


def _checked(
    kind: Kind, bodies: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, Mapping[str, Any]], list[dict[str, Any]]]:
    """The good ones by their place, and results of the others. One serializer serves all: making one is the cost."""
    serializer = kind.item()
    good: dict[int, Mapping[str, Any]] = {}
    refused = []
    for at, body in enumerate(bodies):
        try:
            good[at] = serializer.run_validation(body)
        except ValidationError as error:
            refused.append(_refused(at, body, error.detail))
    return good, refused


def _item(checked: Mapping[str, Any]) -> Item:
    facts = {
        _COLUMNS.get(name, name): value.isoformat() if isinstance(value, date) else value
        for name, value in checked.items()
        if name not in ("external_id", "traits", "accounts")
    }
    ties = [Tie(place["external_id"], place.get("role")) for place in checked.get("accounts", ())]
    return Item(checked["external_id"], facts, checked.get("traits", {}), ties)


def _refused(index: int, body: Mapping[str, Any], errors: Any) -> dict[str, Any]:
    external_id = body.get("external_id")
    faults = [fault.shown() for fault in flattened(errors)]
    shown = external_id if isinstance(external_id, str) else None
    return {"index": index, "external_id": shown, "outcome": "refused", "id": None, "errors": faults}


def _shown(index: int, result: Result) -> dict[str, Any]:
    return {
        "index": index,
        "external_id": result.external_id,
        "outcome": result.outcome,
        "id": result.id,
        "errors": [_fault(fault).shown() for fault in result.faults],
    }


def _fault(fault: ItemFault) -> Fault:
    first, *rest = fault.path
    return Fault(pointer(_NAMES.get(str(first), first), *rest), fault.message, "invalid")


def trait_faults(faults: Mapping[str, str]) -> Invalid:
    return Invalid(faults=[Fault(pointer("traits", key), message) for key, message in faults.items()])
