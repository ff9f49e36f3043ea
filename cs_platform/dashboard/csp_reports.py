"""What browsers tell about pages that asked for something the policy refuses: one line of the log each.

Anybody can send here, so it reads little, keeps nothing, and says no more than a bounded number of times a minute.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

logger = logging.getLogger(__name__)

MOST_BYTES = 16_384
MOST_REPORTS = 10  # of one request
LINES_A_MINUTE = 60  # of one web process, whoever sends
LONGEST = 200  # characters of one part

# What is logged of a report, as it is called in the older form and in the newer one. No sample of the page's content.
PARTS = {
    "document": ("document-uri", "documentURL"),
    "directive": ("effective-directive", "effectiveDirective"),
    "blocked": ("blocked-uri", "blockedURL"),
    "source": ("source-file", "sourceFile"),
    "line": ("line-number", "lineNumber"),
    "disposition": ("disposition", "disposition"),
}


@dataclass(slots=True)
class Minute:
    """So many lines in each minute, counted in this process's memory: it works without Redis."""

    most: int
    clock: Callable[[], float] = time.monotonic
    _began: float = float("-inf")
    _taken: int = 0
    _lock: Lock = field(default_factory=Lock)

    def take(self) -> bool:
        now = self.clock()
        with self._lock:
            if now - self._began >= 60:
                self._began, self._taken = now, 0
            self._taken += 1
            return self._taken <= self.most


LINES = Minute(LINES_A_MINUTE)


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """204 whatever came: a browser does nothing with an answer. Browsers send neither cookie nor token along."""
    for report in _reports(request):
        if not LINES.take():
            break
        logger.warning("csp-violation %s", json.dumps(report))
    return HttpResponse(status=204)


def _reports(request: HttpRequest) -> Iterator[dict[str, str]]:
    body = _body(request)
    found = body if isinstance(body, list) else [body]
    for one in found[:MOST_REPORTS]:
        said = one.get("csp-report", one.get("body")) if isinstance(one, dict) else None
        if isinstance(said, dict):
            yield {part: _short(said.get(old, said.get(new))) for part, (old, new) in PARTS.items()}


def _body(request: HttpRequest) -> Any:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdecimal()) or int(length) > MOST_BYTES:
        return None
    try:
        return json.loads(request.read(MOST_BYTES))
    except (ValueError, RecursionError):
        return None


def _short(value: Any) -> str:
    """Addresses without what stands after "?" and "#": that may be somebody's."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    return text.partition("?")[0].partition("#")[0][:LONGEST]
