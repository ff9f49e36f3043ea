"""One transaction per API request, rendering included; every answer below /api/ is JSON."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse

from cs_platform.rest.authentication import Call, remember_use, tenant_of, usable_key, use_is_due
from cs_platform.rest.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, plain_problem
from cs_platform.tenancy.audit import calling_from, client_address
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context

logger = logging.getLogger(__name__)

API_PATH = "/api/"
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


class ApiMiddleware:
    """Sets request.api, with a good key also its workspace, key and clock.

    Success commits; any answer from 400 up, and any exception, leaves nothing behind.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PATH):
            return self.get_response(request)
        request.api = call = Call(id=uuid4().hex)  # type: ignore[attr-defined]
        response = _in_one_shape(request, self._guarded(request, call))
        response["X-Request-Id"] = call.id
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _guarded(self, request: HttpRequest, call: Call) -> HttpResponse:
        try:
            return self._answer(request, call)
        except (DatabaseError, InterfaceError):
            # Outside any view: the look-up of the key, or the commit itself.
            logger.exception("The database did not answer request %s", call.id)
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return plain_problem(request, status=HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)

    def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return plain_problem(request, status=400, detail="The address holds a character that cannot be stored.")
        found = tenant_of(request)
        if found is None:
            return self.get_response(request)
        tenant, token_hash = found
        with calling_from(client_address(request)), tenant_context(tenant.pk):
            call.tenant, call.now = tenant, database_now()
            call.key = usable_key(token_hash, now=call.now)
            response = self.get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                transaction.set_rollback(True)
        if call.key is not None and use_is_due(call.key, now=call.now):
            # In a transaction of its own: a refused request counts too, and a long one must not hold the key's row.
            with tenant_context(tenant.pk):
                remember_use(call.key, now=call.now)
        return response


def _in_one_shape(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Django's own error pages (unknown path, refused host, crash) as problems."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.get("Content-Type", "").startswith(MEDIA_TYPE):
        return response
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    return plain_problem(request, status=response.status_code, headers=headers)
