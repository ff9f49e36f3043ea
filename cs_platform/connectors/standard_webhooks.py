"""Signatures by Standard Webhooks 1.0: over id, moment and body, with every secret that is still good."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE = timedelta(minutes=5)


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(body: bytes, *, message_id: str, at: datetime, secrets: Iterable[str]) -> dict[str, str]:
    moment = str(int(at.timestamp()))
    signatures = " ".join(_signature(secret, message_id, moment, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": moment, "webhook-signature": signatures}


def is_signed_by(secret: str, body: bytes, headers: dict[str, str], *, now: datetime) -> bool:
    """What a receiver does; with this, a story can be told from the other side."""
    try:
        age = abs(now.timestamp() - int(headers["webhook-timestamp"]))
        wanted = _signature(secret, headers["webhook-id"], headers["webhook-timestamp"], body)
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    return age <= TOLERANCE.total_seconds() and any(hmac.compare_digest(wanted, one) for one in given)


def _signature(secret: str, message_id: str, moment: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{moment}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
