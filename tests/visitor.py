"""Somebody of the cast at the browser: whole pages, fragments as htmx asks for them, forms with and without scripts."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from cs_platform.tenancy.models import Membership


@dataclass(slots=True)
class Visitor:
    member: Membership
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        self.client.force_login(self.member.user)

    def at(self, path: str) -> str:
        return f"/w/{self.member.tenant.slug}/{path}"

    def page(self, path: str) -> HttpResponse:
        return self.client.get(self.at(path))

    def fragment(self, path: str, target: str) -> HttpResponse:
        return self.client.get(self.at(path), headers=_htmx(target))

    def submit(self, path: str, **data: Any) -> HttpResponse:
        """Without scripts."""
        return self.client.post(self.at(path), data)

    def send(self, path: str, *, target: str = "body", **data: Any) -> HttpResponse:
        """By htmx."""
        return self.client.post(self.at(path), data, headers=_htmx(target))


def _htmx(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": f"div#{target}"}


def text(response: HttpResponse) -> str:
    return " ".join(response.content.decode().split())


def is_whole(response: HttpResponse) -> bool:
    return b"<html" in response.content
