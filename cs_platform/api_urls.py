"""The REST API, version 1: one router per app."""

from django.urls import include, path

from cs_platform.rest.documents import Reference, schema

urlpatterns = [
    path("openapi.yaml", schema, name="api-schema"),
    path("docs/", Reference.as_view(), name="api-docs"),
    path("", include("cs_platform.rest.urls")),
    path("", include("accounts.api.urls")),
    path("", include("ctas.api.urls")),
    path("", include("success_plans.api.urls")),
    path("", include("playbooks.api.urls")),
    path("", include("cs_platform.dashboard.api_urls")),
]
