"""ETag, If-None-Match and If-Match: a tag stands for everything a resource shows, however few fields were asked for."""

import hashlib
from typing import Any

import orjson
from django.utils.http import parse_etags
from rest_framework.request import Request

from cs_platform.rest.problems import PreconditionFailed


def etag_of(shown: Any) -> str:
    packed = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return f'"{hashlib.sha256(packed).hexdigest()[:24]}"'


def is_unchanged(request: Request, etag: str) -> bool:
    """Whether the reader has this already. Weak tags count as equal: proxies make them when they compress."""
    wanted = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in wanted or etag in {tag.removeprefix("W/") for tag in wanted}


def asks_for_match(request: Request) -> bool:
    return "If-Match" in request.headers


def refuse_mismatch(request: Request, etag: str) -> None:
    wanted = parse_etags(request.headers["If-Match"])
    if "*" not in wanted and etag not in {tag.removeprefix("W/") for tag in wanted}:
        raise PreconditionFailed
