"""The same Idempotency-Key gives the same answer, and never a second effect.

The row goes in first, in the request's own transaction: a concurrent duplicate waits on the unique index, and a request
that fails leaves nothing, so that it can be repeated under the same key.
"""

import hashlib
import re
from datetime import datetime, timedelta

from django.db import OperationalError, connection
from django.http import HttpResponse
from psycopg2 import errors
from rest_framework.request import Request

from cs_platform.rest.models import IdempotencyKey
from cs_platform.rest.problems import Conflict, Fault, Invalid, Problem
from cs_platform.tenancy.models import ApiKey

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_FOR = timedelta(hours=24)
WAIT = "3s"
FORGOTTEN_AT_ONCE = 20  # old rows removed with each new one, so the table needs no job of its own
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
_SHAPE = re.compile(r"[!-~]{1,255}")


class Replay(Exception):
    """Carries the stored answer out of the view."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def begin(request: Request, *, caller: ApiKey, required: bool, now: datetime) -> IdempotencyKey | None:
    """The row to fill when the answer is known; raises Replay when it was known already."""
    key = request.headers.get(HEADER, "")
    if not key and not required:
        return None
    if not _SHAPE.fullmatch(key):
        raise _refused_header(missing=not key)
    fingerprint = fingerprint_of(request)
    row_id = _insert(caller, key, fingerprint, now)
    if row_id is None:
        raise Replay(_answer_of_twin(caller, key, fingerprint))
    _forget_old(caller, now)
    return IdempotencyKey(pk=row_id)


def keep(row: IdempotencyKey, response: HttpResponse) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    IdempotencyKey.objects.filter(pk=row.pk).update(
        status=response.status_code, headers=headers, body=response.content.decode()
    )


def fingerprint_of(request: Request) -> str:
    """Method, address and body, byte for byte."""
    parts = (str(request.method).encode(), request.get_full_path().encode(), request._request.body)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def _insert(api_key: ApiKey, key: str, fingerprint: str, now: datetime) -> int | None:
    """None when a request under this key was answered in the last day. Waits for one that is still under way."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT])
            cursor.execute(
                "INSERT INTO rest_idempotencykey AS kept"
                " (tenant_id, api_key_id, key, fingerprint, headers, body, created_at)"
                " VALUES (%s, %s, %s, %s, '{}', '', %s) ON CONFLICT (tenant_id, api_key_id, key)"
                " DO UPDATE SET fingerprint = EXCLUDED.fingerprint, created_at = EXCLUDED.created_at, status = NULL"
                " WHERE kept.created_at <= %s RETURNING id",
                [api_key.tenant_id, api_key.pk, key, fingerprint, now, now - KEPT_FOR],
            )
            found = cursor.fetchone()
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.LockNotAvailable):
            raise
        message = "The first request with this Idempotency-Key is still under way. Repeat it in a moment."
        raise Conflict(message, code="idempotency_in_progress") from None
    return found[0] if found else None


def _answer_of_twin(api_key: ApiKey, key: str, fingerprint: str) -> HttpResponse:
    twin = IdempotencyKey.objects.get(api_key=api_key, key=key)
    if twin.fingerprint != fingerprint:
        message = "This Idempotency-Key was used for a different request. Choose a new one."
        raise Problem(message, code="idempotency_key_reused", status=422)
    return HttpResponse(twin.body, status=twin.status, headers=twin.headers | {REPLAYED: "true"})


def _forget_old(api_key: ApiKey, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM rest_idempotencykey WHERE tenant_id = %s AND id IN (SELECT id FROM rest_idempotencykey"
            " WHERE tenant_id = %s AND created_at <= %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)",
            [api_key.tenant_id, api_key.tenant_id, now - KEPT_FOR, FORGOTTEN_AT_ONCE],
        )


def _refused_header(*, missing: bool) -> Invalid:
    if missing:
        message, code = f"Send an {HEADER} header, so that repeating this request is safe.", "idempotency_key_required"
    else:
        message, code = f"{HEADER} takes 1 to 255 visible ASCII characters.", "idempotency_key_invalid"
    return Invalid(message, code=code, faults=[Fault("", message, code)])
