"""Every error of the API in one shape: problem+json (RFC 9457) with a stable code and a pointer to the part to mend."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
PARAMETER = "?"  # errors about a query parameter point at "?name"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `pointer` is a JSON Pointer into the body, or "?name" for a parameter."""

    pointer: str
    message: str
    code: str = "invalid"

    def shown(self) -> dict[str, str]:
        return {"pointer": self.pointer, "message": self.message, "code": self.code}


class Problem(exceptions.APIException):
    """An error with a code of its own. Raise a subclass, or this one with a status."""

    status_code: int = HTTPStatus.BAD_REQUEST
    default_code = "invalid"
    default_detail = "The request cannot be understood."

    def __init__(
        self, detail: str | None = None, *, code: str | None = None, faults: Sequence[Fault] = (), status: int = 0
    ) -> None:
        super().__init__(detail, code)
        self.code = code or self.default_code
        self.faults = tuple(faults)
        self.status_code = status or self.status_code


class Invalid(Problem):
    default_detail = "Some values are not valid."

    @classmethod
    def parameter(cls, name: str, message: str, *, code: str = "invalid") -> "Invalid":
        return cls(message, faults=[Fault(f"{PARAMETER}{name}", message, code)])


class Conflict(Problem):
    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"
    default_detail = "This is not possible in the present state."


class PreconditionFailed(Problem):
    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "It has changed since you read it. Read it again, then repeat the change."


def pointer(*parts: str | int) -> str:
    """RFC 6901: `pointer("traits", 0)` is "/traits/0"."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def pointer_of_path(path: str) -> str:
    """The pointer for a dotted path as rules and playbooks write it: "rules.all[0].value"."""
    return pointer(*(part for part in path.replace("[", ".").replace("]", "").split(".") if part))


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. The middleware rolls back; what is unknown here becomes its plain 500."""
    known = _as_api_exception(error)
    if known is None:
        return None
    request = context["request"]
    body = problem_body(
        status=known.status_code, code=_code(known), detail=_detail(known), faults=_faults(known), request=request
    )
    return Response(body, status=known.status_code, headers=_headers(known), content_type=MEDIA_TYPE)


def plain_problem(
    request: HttpRequest, *, status: int, detail: str = "", headers: Mapping[str, str] = {}
) -> HttpResponse:
    """For errors that never reach a view. Says nothing about the inside."""
    body = problem_body(status=status, code=_code_of_status(status), detail=detail, faults=(), request=request)
    return HttpResponse(orjson.dumps(body), status=status, content_type=MEDIA_TYPE, headers=dict(headers))


def problem_body(*, status: int, code: str, detail: str, faults: Sequence[Fault], request: Any) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {"type": f"urn:problem:{code}", "title": title, "status": int(status), "code": code}
    body["detail"] = detail or f"{title}."
    body["request_id"] = request.api.id
    if faults:
        body["errors"] = [fault.shown() for fault in faults]
    return body


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, DjangoPermissionDenied):
        return exceptions.PermissionDenied()
    return _of_database(error)


def _of_database(error: Exception) -> exceptions.APIException | None:
    """Races and outages are answered, not hidden: the log keeps what PostgreSQL said."""
    if isinstance(error, IntegrityError):
        logger.warning("Refused by a constraint", exc_info=error)
        return Conflict("Somebody else made a conflicting change at the same moment. Read it again, then repeat.")
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("The database did not answer", exc_info=error)
        return Problem("Try again in a moment.", code="unavailable", status=HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(error, DataError):
        logger.warning("Refused by a column's type", exc_info=error)
        return Invalid("A value is out of range.", code="out_of_range")
    return None


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _code(error: exceptions.APIException) -> str:
    if isinstance(error, Problem):
        return error.code
    return _code_of_status(error.status_code)


def _code_of_status(status: int) -> str:
    return _CODES.get(status, "error")


_CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}


def _detail(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ValidationError):
        return Invalid.default_detail
    if isinstance(error, exceptions.NotFound):
        return "There is no such thing here."
    return str(error.detail)


def _faults(error: exceptions.APIException) -> tuple[Fault, ...]:
    if isinstance(error, Problem):
        return error.faults
    if isinstance(error, exceptions.ValidationError):
        return tuple(flattened(error.detail))
    return ()


def flattened(detail: Any, path: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """DRF nests errors as the body is nested; lists hold either messages or one entry per item."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from flattened(inner, path if key == "non_field_errors" else (*path, key))
    elif isinstance(detail, list):
        for at, inner in enumerate(detail):
            yield from flattened(inner, path if isinstance(inner, str) else (*path, at))
    else:
        yield Fault(pointer(*path), str(detail), getattr(detail, "code", "invalid"))
