"""A client of the REST API with one key, and short words for its five verbs."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from redis import Redis

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import ApiKey, Tenant
from cs_platform.tenancy.roles import SCOPES
from tests.world import MONDAY

BASE = "/api/v1"


def refill_buckets() -> None:
    """The limits of all keys as if nobody had asked yet."""
    redis = Redis.from_url(settings.REDIS_URL)
    for bucket in redis.scan_iter("rate:*"):
        redis.delete(bucket)


@dataclass(slots=True)
class Answer:
    response: HttpResponse

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def json(self) -> Any:
        return orjson.loads(self.response.content)

    @property
    def results(self) -> list[Any]:
        return self.json["results"]

    @property
    def errors(self) -> dict[str, str]:
        """pointer -> code."""
        return {error["pointer"]: error["code"] for error in self.json["errors"]}

    def __getitem__(self, header: str) -> str:
        return self.response.headers[header]


@dataclass(slots=True)
class Api:
    token: str = ""
    key: ApiKey | None = None
    tenant_id: int = 0
    raise_exceptions: bool = True

    @classmethod
    def with_key(cls, tenant: Tenant, *scopes: str) -> "Api":
        with tenant_context(tenant.pk):
            key, token = ApiKey.issue(name="Test", scopes=list(scopes or SCOPES), created_by=None, now=MONDAY)
        return cls(token, key, tenant.pk)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("post", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("put", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("patch", path, body, **headers)

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Bytes are sent as they are; header names have underscores for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        client = Client(raise_request_exception=self.raise_exceptions)
        response = client.generic(verb.upper(), BASE + path, data, "application/json", headers=sent)
        return Answer(response)  # type: ignore[arg-type]  # the stubs give the test client a class of its own
