"""What drf-spectacular cannot see for itself: the key, the errors every operation may answer, and the headers."""

from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from cs_platform.rest.filters import DeepParameter
from cs_platform.rest.idempotency import HEADER
from cs_platform.rest.problems import MEDIA_TYPE

UNSAFE = ("post", "put", "patch", "delete")
ERRORS = {
    "400": "The request is not valid; `errors` points at each part to mend.",
    "401": "There is no key, or it is not valid.",
    "403": "The key lacks the scope for this.",
    "404": "There is no such thing in this workspace.",
    "409": "Not possible in the present state.",
    "412": "It has changed since you read it (If-Match).",
    "415": "Bodies are application/json.",
    "422": "The Idempotency-Key was used for a different request.",
    "429": "Too many requests; Retry-After says when to go on.",
    "503": "Try again in a moment; Retry-After says when.",
}
ONLY_UNSAFE = ("409", "412", "415", "422")
FAULT = {
    "type": "object",
    "required": ["pointer", "message", "code"],
    "properties": {
        "pointer": {"type": "string", "description": "JSON Pointer into the body, or `?name` for a query parameter."},
        "message": {"type": "string"},
        "code": {"type": "string"},
    },
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Decide by `code`; `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "Name it when you ask about this answer."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "cs_platform.rest.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "`Authorization: Bearer cs_live_…`. Keys belong to one workspace and carry scopes."
        return {"type": "http", "scheme": "bearer", "description": description}


class FilterParameters(DjangoFilterExtension):  # type: ignore[no-untyped-call]
    """The library's own asks the model's manager first, which raises outside a workspace."""

    target_class = "cs_platform.rest.filters.Filters"
    priority = 1

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        view = auto_schema.view
        filterset = getattr(view, "filterset_class", None)
        found = filterset.base_filters.items() if filterset else ()
        described = [
            parameter
            for name, field in found
            for parameter in self.resolve_filter_field(auto_schema, view.model, filterset, name, field)
        ]
        deep: DeepParameter | None = getattr(filterset, "deep", None)
        return [*described, *([_deep(deep)] if deep else [])]


def _deep(parameter: DeepParameter) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    shape = {"name": parameter.name, "in": "query", "style": "deepObject", "explode": True, "schema": schema}
    return shape | {"description": parameter.description}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Post-processing hook: problems, sparse fields and request headers on every operation."""
    result["components"]["schemas"] |= {"Problem": PROBLEM, "Fault": FAULT}
    for path, operations in result["paths"].items():
        for verb, operation in operations.items():
            _add_problems(operation, verb)
            _add_parameters(operation, verb, single="{" in path)
    return result


def _add_problems(operation: dict[str, Any], verb: str) -> None:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, description in ERRORS.items():
        if verb in UNSAFE or status not in ONLY_UNSAFE:
            operation["responses"].setdefault(status, {"description": description, "content": content})


def _add_parameters(operation: dict[str, Any], verb: str, *, single: bool) -> None:
    parameters = operation.setdefault("parameters", [])
    if verb == "get":
        parameters.append(_parameter("fields", "query", "Only these fields, separated by commas."))
    else:
        required = operation.pop("x-needs-idempotency-key", False)
        parameters.append(_parameter(HEADER, "header", "The same key gives the same answer, once.", required=required))
    if verb in UNSAFE and single:
        parameters.append(_parameter("If-Match", "header", "The ETag this change is based on; 412 if it has changed."))


def _parameter(name: str, place: str, description: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": place, "required": required, "schema": schema, "description": description}
