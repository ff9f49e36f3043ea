"""Segment's HTTP Tracking API: what its libraries talk to when their host is ours. No session, no cookie, no form."""

import base64
import binascii
import logging

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts.ingest.bodies import BATCH, BATCH_BYTES, BodyRefused, read_body
from accounts.ingest.receiving import RETRY_SECONDS, TooMuchWaiting, UnknownWriteKey, receive

logger = logging.getLogger(__name__)

# The browser library says them by their first letter.
KINDS = {
    "identify": "identify",
    "group": "group",
    "track": "track",
    "page": "page",
    "screen": "screen",
    "alias": "alias",
    "batch": BATCH,
    "import": BATCH,
    "i": "identify",
    "g": "group",
    "t": "track",
    "p": "page",
    "s": "screen",
    "a": "alias",
    "b": BATCH,
}
VERBS = ("POST", "OPTIONS")
# Any page may send: the key names a source, and no cookie is asked for. So the answer may be read anywhere, too.
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": ", ".join(VERBS),
    "Access-Control-Allow-Headers": "Authorization, Content-Encoding, Content-Type",
    "Access-Control-Max-Age": "86400",
}


@csrf_exempt
def receive_calls(request: HttpRequest, kind: str) -> HttpResponse:
    response = _answered(request, KINDS[kind])
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _answered(request: HttpRequest, kind: str) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": ", ".join(VERBS)} | PREFLIGHT)
    if request.method != "POST":
        return HttpResponseNotAllowed(VERBS)
    try:
        body = read_body(_raw(request), encoding=request.headers.get("Content-Encoding", ""), kind=kind)
        receive(body.lines, write_key=_basic_user(request) or body.write_key)
    except BodyRefused as refusal:
        return _refused(400, str(refusal))
    except UnknownWriteKey:
        return _refused(401, "No data source has this write key, or it was closed.")
    except TooMuchWaiting:
        return _refused(429, "Too many calls are waiting to be taken in. Send these again later.")
    except (DatabaseError, InterfaceError):
        logger.exception("calls could not be kept")
        return _refused(503, "The calls could not be kept. Send them again.")
    return JsonResponse({"success": True})


def _raw(request: HttpRequest) -> bytes:
    """Never more than a byte beyond the limit; Django's own would be other, and refuse in other words."""
    try:
        return request.read(BATCH_BYTES + 1)
    except UnreadablePostError:
        raise BodyRefused("The body ended too early.") from None


def _basic_user(request: HttpRequest) -> str:
    """The write key with an empty password; without the colon as well, as old senders have it."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0].strip()
    except (binascii.Error, ValueError):
        return ""


def _refused(status: int, message: str) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}
    return JsonResponse({"success": False, "message": message}, status=status, headers=headers)
