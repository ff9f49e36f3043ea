"""The API's own description: the committed openapi.yaml, and a page that shows it."""

from functools import cache
from pathlib import Path
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_committed(), content_type="application/yaml")


@cache
def _committed() -> bytes:
    return (Path(settings.BASE_DIR) / "openapi.yaml").read_bytes()


@method_decorator(csp_update({"style-src": "'unsafe-inline'"}), name="dispatch")
class Reference(SpectacularSwaggerSplitView):  # type: ignore[misc]
    """Swagger UI, whose own styles are inline; nothing else about it leaves the policy."""

    url_name = "api-schema"
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []
