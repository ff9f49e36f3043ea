"""Drafts over the API: begun, read, replaced, checked, compared; what they would do tonight; imports with a plan."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.fields import workspace_fields
from accounts.models import AccountUser
from cs_platform.rest import preconditions
from cs_platform.rest.problems import Conflict, Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet
from cs_platform.tenancy.roles import Ability
from playbooks import drafts, transfer
from playbooks.ahead import look_ahead
from playbooks.api import serializers
from playbooks.comparing import differences
from playbooks.conflicts import find_conflicts
from playbooks.definition import DefinitionErrors
from playbooks.gallery import find_template, templates
from playbooks.models import Playbook, PlaybookVersion
from playbooks.proposing import decline, propose
from playbooks.trying import try_on
from playbooks.versions import NotPossible, exported


class Drafting(ApiViewSet):
    """The part of the playbooks' endpoint that writes no version anybody follows."""

    about_drafts = False  # of an @action: reading takes READ, everything else DRAFT_PLAYBOOKS

    @property
    def ability(self) -> Ability:
        if not self.about_drafts:
            return super().ability
        return Ability.READ if self.request.method in SAFE_METHODS else Ability.DRAFT_PLAYBOOKS

    @documented(
        "Begin a new playbook as a draft",
        request=serializers.BeginSerializer,
        answers=serializers.DraftSerializer,
        status=201,
    )
    @action(detail=False, methods=["post"], about_drafts=True)
    def begin(self, request: Request) -> Response:
        given = self.valid(serializers.BeginSerializer)
        template = find_template(given["template"]) if given["template"] else None
        if given["template"] and template is None:
            raise Invalid("There is no such template. GET /playbooks/templates/ lists them.")
        content = given["content"] or (template.content_for(self.tenant.health_scale) if template else None)
        name = given["name"] or (template.name if template else "")
        return self._draft(drafts.begin(name=name, content=content, by=self.caller, now=self.now), HTTPStatus.CREATED)

    @documented("List the templates to begin with", answers=serializers.PlaybookTemplateSerializer, many=True)
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def templates(self, request: Request) -> Response:
        scale = self.tenant.health_scale
        offered = [replace(one, content=one.content_for(scale)) for one in templates()]
        return Response(serializers.PlaybookTemplateSerializer(offered, many=True).data)

    @documented("Read the draft, and what is still wrong with it", answers=serializers.DraftSerializer)
    @action(detail=True, methods=["get"], about_drafts=True)
    def draft(self, request: Request, pk: str) -> Response:
        return self._draft(self._open_draft())

    @documented(
        "Begin a draft of the published version, or of an earlier one",
        request=serializers.ReviseSerializer,
        answers=serializers.DraftSerializer,
    )
    @draft.mapping.post
    def begin_draft(self, request: Request, pk: str) -> Response:
        playbook = self.get_object()
        number = self.valid(serializers.ReviseSerializer)["version"]
        source = get_object_or_404(_published(playbook), number=number) if number else None
        try:
            return self._draft(drafts.revise(playbook, source=source, by=self.caller, now=self.now))
        except NotPossible as refusal:
            raise Conflict(str(refusal)) from None

    @documented(
        "Replace what the draft says, finished or not",
        request=serializers.DEFINITION,
        answers=serializers.DraftSerializer,
    )
    @draft.mapping.put
    def replace_draft(self, request: Request, pk: str) -> Response:
        if not isinstance(request.data, dict):
            raise Invalid("A playbook is a JSON object.")
        found = self._open_draft()
        if preconditions.asks_for_match(request):
            preconditions.refuse_mismatch(request, preconditions.etag_of(serializers.DraftSerializer(found).data))
        content = {**drafts.EMPTY, **request.data}
        return self._draft(drafts.change(found, content, revision=None, by=self.caller, now=self.now))

    @documented("Discard the draft", status=204)
    @draft.mapping.delete
    def discard_draft(self, request: Request, pk: str) -> Response:
        self._open_draft()
        drafts.discard(self.get_object(), by=self.caller, now=self.now)
        return Response(status=HTTPStatus.NO_CONTENT)

    @documented(
        "Ask those who may to set the draft live",
        request=serializers.AskSerializer,
        answers=serializers.DraftSerializer,
    )
    @action(detail=True, methods=["post"], url_path="draft/ask", about_drafts=True)
    def ask(self, request: Request, pk: str) -> Response:
        """They are told, and publishing the draft answers it."""
        return self._answered(propose)

    @documented(
        "Answer that the draft is not set live yet",
        request=serializers.AskSerializer,
        answers=serializers.DraftSerializer,
    )
    @action(detail=True, methods=["post"], url_path="draft/not-yet", ability_of_action=Ability.PUBLISH_PLAYBOOKS)
    def not_yet(self, request: Request, pk: str) -> Response:
        """Whoever asked is told why, and the draft stays."""
        return self._answered(decline)

    def _answered(self, act: Callable[..., Any]) -> Response:
        found, note = self._open_draft(), self.valid(serializers.AskSerializer)["note"]
        try:
            act(found, note=note, by=self.caller, now=self.now)
        except NotPossible as refusal:
            raise Conflict(str(refusal)) from None
        return self._draft(self._open_draft())

    @documented("Begin a new playbook that says the same", answers=serializers.DraftSerializer, status=201)
    @action(detail=True, methods=["post"], about_drafts=True)
    def duplicate(self, request: Request, pk: str) -> Response:
        try:
            copy = drafts.duplicate(self.get_object(), by=self.caller, now=self.now)
        except NotPossible as refusal:
            raise Conflict(str(refusal)) from None
        return self._draft(copy, HTTPStatus.CREATED)

    @documented("Whom the draft, or else what is published, would enroll now", answers=serializers.PreviewSerializer)
    @action(detail=True, methods=["get"])
    def preview(self, request: Request, pk: str) -> Response:
        playbook, fields = self.get_object(), workspace_fields()
        version = drafts.open_draft(playbook) or playbook.version
        if version is None:
            raise Http404
        definition, problems = drafts.read(exported(playbook, version), fields=fields)
        asked: dict[str, Any] = {"tenant": self.tenant, "fields": fields, "now": self.now}
        shown = {
            "version": version.number,
            "problems": problems,
            "ahead": look_ahead(definition, playbook, **asked) if definition else None,
            "findings": find_conflicts(definition, playbook, **asked) if definition else [],
        }
        return Response(serializers.PreviewSerializer(shown).data)

    @documented(
        "Say what the draft would do on one account, and keep nothing of it",
        request=serializers.SubjectSerializer,
        answers=serializers.TriedSerializer,
        many=True,
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="draft/try",
        about_drafts=True,
        pagination_class=None,
        filter_backends=[],
    )
    def try_draft(self, request: Request, pk: str) -> Response:
        """As if it were applied today and nothing changed until each day. Nothing is sent."""
        playbook, asked = self._open_draft().playbook, self.valid(serializers.SubjectSerializer)
        user = asked["user"]
        if user and not AccountUser.objects.filter(account=asked["account"], end_user=user).exists():
            raise Invalid(faults=[Fault("/user", "The account has no such user.")])
        try:
            tried = try_on(playbook, asked["account"], user and user.pk, by=self.caller, now=self.now)
        except DefinitionErrors:
            raise Conflict("The draft is not finished. GET /playbooks/{id}/draft/ says what is missing.") from None
        except NotPossible as refusal:
            raise Conflict(str(refusal)) from None
        return Response(serializers.TriedSerializer(tried, many=True).data)

    @documented("Compare two versions", answers=serializers.DifferenceSerializer, many=True)
    @action(
        detail=True,
        methods=["get"],
        url_path="versions/(?P<before>[0-9]{1,9})/compare/(?P<after>[0-9]{1,9})",
        pagination_class=None,
        filter_backends=[],
    )
    def compare(self, request: Request, pk: str, before: str, after: str) -> Response:
        playbook = self.get_object()
        one, other = (get_object_or_404(playbook.versions, number=int(number)) for number in (before, after))
        found = differences(exported(playbook, one), exported(playbook, other))
        return Response(serializers.DifferenceSerializer(found, many=True).data)

    @documented(
        "Say what an import would change, and write nothing",
        request=serializers.DefinitionsSerializer,
        answers=serializers.PlannedSerializer,
        many=True,
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import-plan",
        ability_of_action=Ability.DRAFT_PLAYBOOKS,
        pagination_class=None,
    )
    def import_plan(self, request: Request) -> Response:
        found = self.valid(serializers.DefinitionsSerializer)["playbooks"]
        return Response(serializers.PlannedSerializer(transfer.plan_import(found), many=True).data)

    def _open_draft(self) -> PlaybookVersion:
        found = drafts.open_draft(get_object_or_404(Playbook, pk=self.kwargs["pk"]))
        if found is None:
            raise Http404
        return found

    def _draft(self, draft: PlaybookVersion, status: int = HTTPStatus.OK) -> Response:
        shown = serializers.DraftSerializer(draft).data
        return Response(shown, status=status, headers={"ETag": preconditions.etag_of(shown)})


def _published(playbook: Playbook) -> Any:
    return playbook.versions.filter(published_at__isnull=False)
