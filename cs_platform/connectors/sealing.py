"""Secrets of connectors at rest: each sealed under a key of its own, that key under one the database never sees.

The workspace is part of what is authenticated, so a sealed text that was copied to another workspace opens nowhere.
CONNECTOR_KEYS lists the outer keys, the present one first. What was sealed under another one is brought under that by
itself (cs_platform/connectors/managing.py), so a former key can go a while after.
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

FORMAT = "v1"
_NONCE = 12
DERIVED = "derived"


class CannotOpen(Exception):
    """The key is missing, or this was sealed for another workspace, or altered."""


def seal(secrets: Mapping[str, Any], *, tenant_id: int) -> str:
    key_id, outer = next(iter(_keys().items()))
    inner = AESGCM.generate_key(256)
    parts = (_sealed(outer, inner, tenant_id), _sealed(inner, json.dumps(secrets).encode(), tenant_id))
    return ".".join((FORMAT, key_id, *parts))


def present_prefix() -> str:
    """How everything begins that was sealed under the present key."""
    return f"{FORMAT}.{next(iter(_keys()))}."


def unseal(sealed: str, *, tenant_id: int) -> dict[str, Any]:
    try:
        _format, key_id, wrapped, content = sealed.split(".")
        inner = _opened(_keys()[key_id], wrapped, tenant_id)
        found: dict[str, Any] = json.loads(_opened(inner, content, tenant_id))
    except (KeyError, ValueError, InvalidTag):
        raise CannotOpen("The connector’s secret cannot be opened. Enter it again.") from None
    return found


def _sealed(key: bytes, content: bytes, tenant_id: int) -> str:
    nonce = os.urandom(_NONCE)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, content, _about(tenant_id))).decode()


def _opened(key: bytes, sealed: str, tenant_id: int) -> bytes:
    raw = base64.urlsafe_b64decode(sealed)
    return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _about(tenant_id))


def _about(tenant_id: int) -> bytes:
    return f"connector of workspace {tenant_id}".encode()


def _keys() -> dict[str, bytes]:
    """By id, the present one first. Last one derived from SECRET_KEY, which is outside the database, too: what was
    sealed before there were others stays readable."""
    derive = HKDF(SHA256(), 32, salt=None, info=b"connector secrets")
    pairs = (entry.partition(":") for entry in settings.CONNECTOR_KEYS)
    named = {key_id: base64.b64decode(key) for key_id, _, key in pairs}
    return {**named, DERIVED: derive.derive(settings.SECRET_KEY.encode())}
