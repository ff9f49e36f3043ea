"""A workspace after a busy day, its owner at the browser and a key that may do everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.test import Client

from accounts.models import Note
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Comment
from tests.rest.client import Answer, Api
from tests.rest.routes import Route as Endpoint
from tests.tenancy.routes import id_of
from tests.tenancy.story import API_IDS, Story
from tests.world import Workspace

from .doors import OF


@dataclass
class Scene:
    home: Workspace
    story: Story
    browser: Client = field(init=False)
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.browser = Client(raise_request_exception=False)
        self.browser.force_login(self.home.olga.user)
        self.api = Api.with_key(self.home.tenant)
        assert self.api.key
        self.story = self.story | {
            "user_id": self.story["end_user"].external_id,
            "subject": self.story["indicator"].subject,
        }
        with tenant_context(self.home.tenant.pk):  # who wrote a note may change it
            Note.objects.filter(pk=self.story["note"].pk).update(author=self.api.key.actor)
            Comment.objects.filter(pk=self.story["comment"].pk).update(author=self.api.key.actor)

    @contextmanager
    def undone(self) -> Iterator[None]:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)

    def ask(self, endpoint: Endpoint, body: Any) -> Answer:
        return self.api.ask(endpoint.verb, self._path(endpoint), body, Idempotency_Key="k")

    def get(self, endpoint: Endpoint, query: str) -> Answer:
        return self.api.get(f"{self._path(endpoint)}?{query}")

    def _path(self, endpoint: Endpoint) -> str:
        return f"/{endpoint.address(**self._ids(endpoint)).strip('/')}/"

    def _ids(self, endpoint: Endpoint) -> dict[str, str]:
        return {
            "pk": id_of(self.story[OF.get(str(endpoint), API_IDS.get(endpoint.basename, "account"))]),
            "account_id": id_of(self.story["account"]),
            "user_id": id_of(self.story["end_user"]),
            "indicator_id": id_of(self.story["indicator"]),
            "segment_id": id_of(self.story["segment"]),
            "conversation_id": id_of(self.story["conversation"]),
            "job_id": id_of(self.story["job"]),
            "source_id": id_of(self.story["source"]),
            "playbook_id": id_of(self.story["playbook"]),
            "external_id": self.story["account"].external_id,
        }
