"""Net promoter score: answers, their score, the survey's settings, and tokens for users."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import nps_serializers as serializers
from accounts.api.serializers import BulkAnswerSerializer, BulkSerializer
from accounts.api.upserting import BULK_COST
from accounts.models import Account, AccountUser, EndUser, NpsResponse, NpsSurvey, Segment
from accounts.nps.answers import Brought, Outcome, bring_in
from accounts.nps.scores import Group, answers_in, in_group, tally
from accounts.nps.survey import CannotUse, change_survey, complete_theme, refuse_without_origins, the_survey
from accounts.nps.tokens import issue_token
from cs_platform.rest.filters import NumberInFilter
from cs_platform.rest.json import MAX_BULK_BYTES
from cs_platform.rest.problems import Fault, Invalid, flattened, pointer
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed, Retrieved
from cs_platform.tenancy.roles import Ability


class NpsResponseFilters(filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    user = NumberInFilter(field_name="end_user_id", label="Ids of users.")
    segment = filters.NumberFilter(method="of_segment", label="The id of a segment: answers of, or at, its members.")
    group = filters.ChoiceFilter(method="of_group", choices=[(group.value, group.value) for group in Group])
    answered_since = filters.IsoDateTimeFilter(field_name="answered_at", lookup_expr="gte")
    answered_before = filters.IsoDateTimeFilter(field_name="answered_at", lookup_expr="lt")

    class Meta:
        model = NpsResponse
        fields: ClassVar[list[str]] = []

    def of_segment(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        segment = Segment.objects.filter(pk=value, archived_at__isnull=True).first()
        if segment is None:
            raise Invalid.parameter("segment", "There is none with this id.")
        return queryset & answers_in(segment)

    def of_group(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return in_group(queryset, Group(value))


@extend_schema_view(
    list=documented("List NPS answers", answers=serializers.NpsResponseSerializer, many=True),
    retrieve=documented("Read an NPS answer", answers=serializers.NpsResponseSerializer),
)
class NpsResponseViewSet(Listed, Retrieved, ApiViewSet):
    """Answers given in the survey or brought in from another tool."""

    model = NpsResponse
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.NpsResponseSerializer
    filterset_class = NpsResponseFilters
    orderings: ClassVar = {"id": "id", "answered_at": "answered_at"}
    default_ordering = "-answered_at"

    @documented(
        "Bring in an NPS answer by its external id",
        request=serializers.NewNpsResponseSerializer,
        answers=serializers.NpsResponseSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewNpsResponseSerializer)
        if faults := _too_late(checked, now=self.now):
            raise Invalid(faults=faults)
        [outcome] = bring_in([Brought(**checked)], by=self.caller)
        if outcome.faults:
            raise Invalid(faults=_faults(outcome))
        status = HTTPStatus.CREATED if outcome.outcome == "created" else HTTPStatus.OK
        return self.answer(self.get_queryset().get(pk=outcome.id), status=status)

    @documented(
        "Bring in up to 1,000 NPS answers",
        request=serializers.BulkNpsResponsesSerializer,
        answers=BulkAnswerSerializer,
        needs_key=True,
    )
    @action(
        detail=False, methods=["post"], needs_idempotency_key=True, throttle_cost=BULK_COST, max_bytes=MAX_BULK_BYTES
    )
    def bulk(self, request: Request) -> Response:
        bodies = self.valid(BulkSerializer)["items"]
        good, results = _checked(bodies, now=self.now)
        outcomes = bring_in(list(good.values()), by=self.caller)
        results += [_shown(at, outcome) for at, outcome in zip(good, outcomes, strict=True)]
        results.sort(key=lambda result: result["index"])
        counts = Counter(result["outcome"] for result in results)
        named = {name: counts[name] for name in ("created", "updated", "unchanged", "refused")}
        return Response(named | {"results": results})

    @documented("Read the net promoter score", answers=serializers.NpsScoreSerializer)
    @action(detail=False)
    def score(self, request: Request) -> Response:
        """Of the answers the filters leave, each user's last one."""
        found = tally(self.filter_queryset(self.get_queryset()))
        return Response(serializers.NpsScoreSerializer(found).data)


def _checked(bodies: Sequence[Mapping[str, Any]], *, now: datetime) -> tuple[dict[int, Brought], list[dict[str, Any]]]:
    """The good ones by their place, and results of the others. One serializer serves all: making one is the cost."""
    serializer = serializers.NewNpsResponseSerializer()
    good, refused = {}, []
    for at, body in enumerate(bodies):
        try:
            checked = serializer.run_validation(body)
            faults = _too_late(checked, now=now)
        except ValidationError as error:
            faults = list(flattened(error.detail))
        if faults:
            refused.append(_refused(at, body.get("external_id"), faults))
        else:
            good[at] = Brought(**checked)
    return good, refused


def _too_late(checked: Mapping[str, Any], *, now: datetime) -> list[Fault]:
    late = checked["answered_at"] > now + timedelta(minutes=5)  # their clock may be fast
    return [Fault("/answered_at", "This moment has not come yet.")] if late else []


def _refused(index: int, external_id: Any, faults: Sequence[Fault]) -> dict[str, Any]:
    shown = external_id if isinstance(external_id, str) else None
    errors = [fault.shown() for fault in faults]
    return {"index": index, "external_id": shown, "outcome": "refused", "id": None, "errors": errors}


def _shown(index: int, outcome: Outcome) -> dict[str, Any]:
    if outcome.faults:
        return _refused(index, outcome.external_id, _faults(outcome))
    known = {"external_id": outcome.external_id, "outcome": outcome.outcome, "id": outcome.id}
    return {"index": index, **known, "errors": []}


def _faults(outcome: Outcome) -> list[Fault]:
    return [Fault(pointer(name), message) for name, message in outcome.faults]


class NpsSurveyViewSet(ApiViewSet):
    """The workspace's one survey."""

    model = NpsSurvey
    writes = Ability.MANAGE_DATA
    serializer_class = serializers.NpsSurveySerializer

    @documented("Read the NPS survey", answers=serializers.NpsSurveySerializer)
    def read(self, request: Request) -> Response:
        return self.answer(_whole(the_survey()))

    @documented(
        "Change the NPS survey",
        request=serializers.NpsSurveyEditsSerializer,
        answers=serializers.NpsSurveySerializer,
    )
    def edit(self, request: Request) -> Response:
        changes, before = self.valid(serializers.NpsSurveyEditsSerializer), the_survey()
        if "theme" in changes:
            changes["theme"] = complete_theme(before.theme) | changes["theme"]
        try:
            refuse_without_origins(
                is_on=changes.get("is_on", before.is_on), origins=changes.get("origins", before.origins)
            )
        except CannotUse as refusal:
            raise Invalid(faults=[Fault("/origins", str(refusal))]) from None
        return self.answer(_whole(change_survey(**changes, by=self.caller, now=self.now)))


def _whole(survey: NpsSurvey) -> NpsSurvey:
    survey.theme = complete_theme(survey.theme)
    return survey


class NpsTokenViewSet(ApiViewSet):
    """Tokens with which a page of yours shows the survey to one user. Nothing is stored."""

    model = NpsSurvey
    writes = Ability.EDIT_ACCOUNTS
    serializer_class = serializers.NpsTokenSerializer

    @documented(
        "Issue an NPS token for a user",
        request=serializers.NewNpsTokenSerializer,
        answers=serializers.NpsTokenSerializer,
        status=201,
    )
    def create(self, request: Request) -> Response:
        checked = self.valid(serializers.NewNpsTokenSerializer)
        user, account = _user(checked["user"]), None
        if checked["account"] is not None:
            account = _account(checked["account"], user)
        life = timedelta(seconds=checked["expires_in"])
        token = issue_token(user, account, now=self.now, life=life)
        shown = {"token": str(token), "expires_at": token.expires_at}
        return Response(serializers.NpsTokenSerializer(shown).data, status=HTTPStatus.CREATED)


def _user(external_id: str) -> EndUser:
    found = EndUser.objects.filter(external_id=external_id, archived_at__isnull=True).first()
    if found is None:
        raise Invalid(faults=[Fault("/user", "There is no user with this external id.")])
    return found


def _account(external_id: str, user: EndUser) -> Account:
    mine = AccountUser.objects.filter(end_user=user).values("account_id")
    found = Account.objects.present().filter(external_id=external_id, pk__in=mine).first()
    if found is None:
        message = "The user is at no account with this external id."
        raise Invalid(faults=[Fault("/account", message)])
    return found
