"""Short words for documenting endpoints; what is the same for all of them is added by cs_platform.rest.openapi."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiResponse, extend_schema

View = TypeVar("View", bound=Callable[..., Any])


def documented(
    summary: str,
    *,
    request: Any = None,
    answers: Any = None,
    status: int = 200,
    needs_key: bool = False,
    many: bool = False,
) -> Callable[[View], View]:
    """`answers` is the serializer of success; nothing for 204."""
    described = OpenApiResponse(description="Done.") if answers is None else answers(many=many) if many else answers
    extensions: dict[str, Any] = {"x-needs-idempotency-key": True} if needs_key else {}
    decorate: Callable[[View], View] = extend_schema(
        summary=summary, request=request, responses={status: described}, extensions=extensions
    )
    return decorate
