"""Reports over the API: what the page shows, as numbers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cs_platform.dashboard.reports import health
from cs_platform.dashboard.reports.asked import PERIODS, USUAL_PERIOD, Asked
from cs_platform.dashboard.reports.figures import YEAR
from cs_platform.dashboard.reports.health_api import (
    HealthStepSerializer,
    MeasureCostSerializer,
    MoverSerializer,
    PlanHealthSerializer,
    SegmentHealthSerializer,
)
from cs_platform.dashboard.reports.overview import BOOKS_SHOWN, books_of, retention_of
from cs_platform.dashboard.reports.plans import (
    STANDINGS,
    STATES,
    coverage_of,
    needing_of,
    plan_owners_of,
    plans_of,
)
from cs_platform.dashboard.reports.playbooks import applied_of, effects_of, failures_of
from cs_platform.dashboard.reports.renewals import MOST_ACCOUNTS, due_accounts_of, rates_of, renewals_of
from cs_platform.dashboard.reports.work import ORIGINS, origins_of, owners_of, types_of, work_of
from cs_platform.rest.problems import Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet
from playbooks.models import Playbook
from success_plans.plan_report import Covered


class RetainedMonthSerializer(serializers.Serializer[Any]):
    month = serializers.DateField(source="first_day", help_text="Its first day; the last one is not over yet.")
    net = serializers.FloatField(source="whole.net_share", allow_null=True, help_text="Per cent of the revenue then.")
    gross = serializers.FloatField(source="whole.gross_share", allow_null=True, help_text="Without what it grew by.")
    base_mrr_cents = serializers.IntegerField(source="whole.base", help_text="Of those who paid then.")
    net_mrr_cents = serializers.IntegerField(source="whole.net", help_text="What the same accounts pay now.")


class Yearly(serializers.IntegerField):
    """Of what a month comes to."""

    def to_representation(self, value: int) -> int:
        return value * YEAR


class RenewingSerializer(serializers.Serializer[Any]):
    month = serializers.DateField(source="first_day")
    accounts = serializers.IntegerField()
    renewed_arr_cents = Yearly(source="renewed", help_text="Their date was moved on already.")
    forecast_arr_cents = Yearly(source="forecast")
    at_risk_arr_cents = Yearly(source="at_risk", help_text="In bad health.")
    accounts_at_risk = serializers.IntegerField()


class DueMonthSerializer(serializers.Serializer[Any]):
    """Sums are of what accounts paid when the month began; null before what the workspace keeps of its history."""

    month = serializers.DateField(source="first_day")
    rate = serializers.FloatField(source="fell.rate", allow_null=True, help_text="Per cent of what was due.")
    accounts = serializers.IntegerField(source="fell.accounts", allow_null=True)
    due_arr_cents = Yearly(source="fell.due", allow_null=True)
    renewed_arr_cents = Yearly(source="fell.renewed", allow_null=True, help_text="Their date was moved on.")
    left_arr_cents = Yearly(source="fell.left", allow_null=True, help_text="They subscribe no more.")
    open_arr_cents = Yearly(source="fell.open", allow_null=True, help_text="Neither yet.")


class RenewingAccountSerializer(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account.pk")
    external_id = serializers.CharField(source="account.external_id")
    name = serializers.CharField(source="account.name")
    csm = serializers.IntegerField(source="account.csm_id", allow_null=True)
    renewal_on = serializers.DateField(source="account.renewal_on")
    arr_cents = serializers.IntegerField()
    health = serializers.FloatField(source="account.health", allow_null=True)
    expected = serializers.ChoiceField(choices=["overdue", "forecast", "at_risk"])


class BookSerializer(serializers.Serializer[Any]):
    csm = serializers.IntegerField(source="member.pk", allow_null=True, default=None, help_text="Null: nobody's.")
    name = serializers.CharField()
    accounts = serializers.IntegerField()
    arr_cents = serializers.IntegerField()
    at_risk_arr_cents = serializers.IntegerField(source="risk_arr_cents", help_text="Of those in bad health.")
    healthy = serializers.IntegerField(source="good")
    to_watch = serializers.IntegerField(source="watch")
    at_risk = serializers.IntegerField(source="risk")
    open_ctas = serializers.IntegerField(source="work.open")
    late_ctas = serializers.IntegerField(source="work.late")
    tasks_done = serializers.IntegerField(source="work.tasks_done", help_text="In the last 30 days.")
    net_retention = serializers.FloatField(source="net_share", allow_null=True)


class ComparedGroupSerializer(serializers.Serializer[Any]):
    compared = serializers.IntegerField(help_text="Those whose days are over.")
    reached = serializers.IntegerField(help_text="Of these, how many reached the outcome.")
    percent = serializers.FloatField(allow_null=True)


class PointsSerializer(serializers.Serializer[Any]):
    points = serializers.FloatField(source="value", help_text="Of per cent: how many more reach it with the playbook.")
    low = serializers.FloatField(help_text="Where its 95 % interval begins.")
    high = serializers.FloatField()


class ComparedSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField(source="name")
    days = serializers.IntegerField(help_text="Within how many of being applied.")
    holdout = serializers.IntegerField(help_text="Per cent of those who match that are left out now.")
    with_playbook = ComparedGroupSerializer(source="with_it")
    without_playbook = ComparedGroupSerializer(source="without", help_text="Those that were left out.")
    difference = PointsSerializer(allow_null=True, help_text="Null where either group has fewer than ten.")


class EffectSerializer(serializers.Serializer[Any]):
    playbook = serializers.IntegerField(source="playbook.pk")
    key = serializers.CharField(source="playbook.key")
    name = serializers.CharField(source="playbook.name")
    applied = serializers.IntegerField(help_text="Enrollments that began in the time; the rest is about these.")
    active = serializers.IntegerField()
    finished = serializers.IntegerField()
    stopped = serializers.IntegerField()
    tasks = serializers.IntegerField()
    tasks_done = serializers.IntegerField()
    messages = serializers.IntegerField(help_text="Conversations that were sent.")
    replies = serializers.IntegerField(help_text="Of these, how many were answered.")
    nps_answers = serializers.IntegerField(source="nps.answers", help_text="Of users it showed the survey to.")
    nps = serializers.IntegerField(source="nps.score", allow_null=True)
    days_to_finish = serializers.FloatField(allow_null=True, help_text="In which half of the finished were through.")
    compared = ComparedSerializer(allow_null=True, help_text="Null: no outcome was chosen.")


class AppliedSerializer(serializers.Serializer[Any]):
    begins = serializers.DateField(help_text="First day of the month, or of the week where `months` is 3 or less.")
    applied = serializers.IntegerField(source="applied.total", help_text="Enrollments that began in it.")
    finished = serializers.IntegerField(source="applied.finished", help_text="Of these, by what they are now.")
    under_way = serializers.IntegerField(source="applied.under_way")
    stopped = serializers.IntegerField(source="applied.stopped")


class FailuresSerializer(serializers.Serializer[Any]):
    playbook = serializers.IntegerField(source="playbook.pk")
    key = serializers.CharField(source="playbook.key")
    name = serializers.CharField(source="playbook.name")
    failed = serializers.IntegerField()
    uncertain = serializers.IntegerField(help_text="Whether it happened is not known.")
    undo_failed = serializers.IntegerField()
    accounts = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(help_text="What most of them failed of.")


class WorkEndedSerializer(serializers.Serializer[Any]):
    opened = serializers.IntegerField()
    closed = serializers.IntegerField()
    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    on_time = serializers.FloatField(
        source="on_time_share", allow_null=True, help_text="Per cent of the won and lost that had a due date."
    )
    median_days_to_close = serializers.FloatField(
        source="median_days", allow_null=True, help_text="Of the won and lost."
    )


class WorkSerializer(WorkEndedSerializer):
    open = serializers.IntegerField(help_text="Now.")
    late = serializers.IntegerField(help_text="Of these, by the day of their owner.")


class WorkStepSerializer(serializers.Serializer[Any]):
    begins = serializers.DateField(help_text="First day of the month, or of the week where `months` is 3 or less.")
    work = WorkEndedSerializer()


class WorkOfTypeSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    type_name = serializers.CharField()
    reason = serializers.CharField(allow_null=True, help_text="Null: all of the type. Empty: those without one.")
    reason_name = serializers.CharField()
    work = WorkSerializer()


class WorkOfOwnerSerializer(serializers.Serializer[Any]):
    owner = serializers.IntegerField(source="member.pk", allow_null=True, default=None, help_text="Null: nobody's.")
    name = serializers.CharField()
    tasks_done = serializers.IntegerField(source="sums.tasks_done")
    work = WorkSerializer(source="sums")


class WorkOfOriginSerializer(serializers.Serializer[Any]):
    origin = serializers.ChoiceField([(origin.value, name) for origin, name in ORIGINS.items()])
    name = serializers.CharField()
    work = WorkSerializer()


class PlansMovedSerializer(serializers.Serializer[Any]):
    begun = serializers.IntegerField()
    closed = serializers.IntegerField()
    objectives_reached = serializers.IntegerField(source="reached", help_text="Won in time, or without a due date.")
    objectives_reached_late = serializers.IntegerField(source="reached_late")
    objectives_lost = serializers.IntegerField(source="lost")


class PlansSerializer(PlansMovedSerializer):
    active = serializers.IntegerField()
    on_track = serializers.IntegerField()
    at_risk = serializers.IntegerField()
    overdue = serializers.IntegerField()
    standing_still = serializers.IntegerField(source="still", help_text="Of the active ones: nothing done in 30 days.")
    progress = serializers.FloatField(allow_null=True, help_text="Per cent, of the active ones on average.")


class PlanStepSerializer(serializers.Serializer[Any]):
    begins = serializers.DateField(help_text="First day of the month, or of the week where `months` is 3 or less.")
    plans = PlansMovedSerializer()


class PlansOfOwnerSerializer(serializers.Serializer[Any]):
    owner = serializers.IntegerField(source="member.pk", allow_null=True, default=None, help_text="Null: nobody's.")
    name = serializers.CharField()
    plans = PlansSerializer(source="sums")


class PlanNeedingSerializer(serializers.Serializer[Any]):
    plan = serializers.IntegerField(source="plan.pk")
    name = serializers.CharField(source="plan.name")
    account = serializers.IntegerField(source="plan.account_id")
    account_name = serializers.CharField(source="plan.account.name")
    owner = serializers.IntegerField(source="plan.owner_id", allow_null=True)
    due_on = serializers.DateField(source="plan.due_on", allow_null=True)
    standing = serializers.ChoiceField([(key, name) for key, (name, _tone) in STANDINGS.items()])
    stands_still = serializers.BooleanField(source="is_still", help_text="Nothing done in 30 days.")
    progress = serializers.IntegerField(source="percent")
    last_done_at = serializers.DateTimeField(help_text="When it was begun, while nothing is done.")


class CoveredSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(list(STATES.items()))
    accounts = serializers.IntegerField()
    arr_cents = serializers.SerializerMethodField()

    def get_arr_cents(self, one: Covered) -> int:
        return one.mrr_cents * YEAR


LOOKS_BACK = "How many months it looks back, this one included: 1 is this month so far."
_ASKED = [
    OpenApiParameter("months", int, enum=PERIODS, default=USUAL_PERIOD, description=LOOKS_BACK),
    OpenApiParameter("team", int, description="The id of a team: the accounts of its members only."),
    OpenApiParameter("csm", int, description="The id of a team member: their accounts only. Not with `team`."),
]


class ReportViewSet(ApiViewSet):
    """A method per file, named by its key (with _ for -): tabs.FILES says which there are."""

    model = Playbook  # none of its own
    pagination_class = None
    filter_backends = []

    @extend_schema(parameters=_ASKED)
    @documented("Revenue retention by month", answers=RetainedMonthSerializer, many=True)
    def retention(self, request: Request) -> Response:
        return Response(RetainedMonthSerializer(retention_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Renewals of this month and the next five", answers=RenewingSerializer, many=True)
    def renewals(self, request: Request) -> Response:
        return Response(RenewingSerializer(renewals_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("What became of renewals, by the month in which they fell due", answers=DueMonthSerializer, many=True)
    def renewal_rates(self, request: Request) -> Response:
        return Response(DueMonthSerializer(rates_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED[1:], description=f"By their day, the {MOST_ACCOUNTS:,} first ones.")
    @documented("Accounts overdue or up for renewal", answers=RenewingAccountSerializer, many=True)
    def renewing_accounts(self, request: Request) -> Response:
        return Response(RenewingAccountSerializer(due_accounts_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Accounts and work by CSM", answers=BookSerializer, many=True)
    def books(self, request: Request) -> Response:
        asked = self._asked
        return Response(BookSerializer(books_of(asked, retention_of(asked))[:BOOKS_SHOWN], many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("What playbooks led to", answers=EffectSerializer, many=True)
    def playbooks(self, request: Request) -> Response:
        return Response(EffectSerializer(effects_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("CTAs opened and closed by month or week", answers=WorkStepSerializer, many=True)
    def ctas(self, request: Request) -> Response:
        asked = self._asked
        steps = zip(asked.steps, work_of(asked).steps, strict=True)
        return Response(WorkStepSerializer([{"begins": day, "work": work} for day, work in steps], many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("CTAs by type and reason", answers=WorkOfTypeSerializer, many=True)
    def cta_types(self, request: Request) -> Response:
        return Response(WorkOfTypeSerializer(types_of(work_of(self._asked)), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("CTAs and tasks by owner", answers=WorkOfOwnerSerializer, many=True)
    def cta_owners(self, request: Request) -> Response:
        return Response(WorkOfOwnerSerializer(owners_of(work_of(self._asked)), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("CTAs by who made them", answers=WorkOfOriginSerializer, many=True)
    def cta_origins(self, request: Request) -> Response:
        return Response(WorkOfOriginSerializer(origins_of(work_of(self._asked)), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Success plans and objectives by month or week", answers=PlanStepSerializer, many=True)
    def plans(self, request: Request) -> Response:
        asked = self._asked
        steps = zip(asked.steps, plans_of(asked).steps, strict=True)
        return Response(PlanStepSerializer([{"begins": day, "plans": sums} for day, sums in steps], many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Success plans that need attention", answers=PlanNeedingSerializer, many=True)
    def plans_needing_attention(self, request: Request) -> Response:
        return Response(PlanNeedingSerializer(needing_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Success plans by owner", answers=PlansOfOwnerSerializer, many=True)
    def plan_owners(self, request: Request) -> Response:
        return Response(PlansOfOwnerSerializer(plan_owners_of(plans_of(self._asked)), many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Accounts with and without a success plan", answers=CoveredSerializer, many=True)
    def plan_coverage(self, request: Request) -> Response:
        return Response(CoveredSerializer(coverage_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Enrollments that began, by month or week", answers=AppliedSerializer, many=True)
    def applied(self, request: Request) -> Response:
        asked = self._asked
        steps = zip(asked.steps, applied_of(asked), strict=True)
        return Response(AppliedSerializer([{"begins": day, "applied": one} for day, one in steps], many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Actions that failed and that nobody has settled", answers=FailuresSerializer, many=True)
    def failed_actions(self, request: Request) -> Response:
        return Response(FailuresSerializer(failures_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Accounts by health at the end of each month or week", answers=HealthStepSerializer, many=True)
    def health(self, request: Request) -> Response:
        asked = self._asked
        steps = zip(asked.steps, health.history_of(asked, health.standing_of(asked).bands).steps, strict=True)
        found = [{"begins": day, "until": one.day, "bands": one.bands} for day, one in steps]
        return Response(HealthStepSerializer(found, many=True).data)

    @extend_schema(parameters=_ASKED)
    @documented("Whose health moved the furthest, each way", answers=MoverSerializer, many=True)
    def health_movers(self, request: Request) -> Response:
        moves = health.movers_of(self._asked)
        return Response(MoverSerializer([*moves.fallen, *moves.risen], many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Which measures of health cost the most points", answers=MeasureCostSerializer, many=True)
    def health_measures(self, request: Request) -> Response:
        return Response(MeasureCostSerializer(health.costs_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Health of the accounts of each segment", answers=SegmentHealthSerializer, many=True)
    def health_segments(self, request: Request) -> Response:
        return Response(SegmentHealthSerializer(health.segments_of(self._asked), many=True).data)

    @extend_schema(parameters=_ASKED[1:])
    @documented("Health of the accounts on each plan", answers=PlanHealthSerializer, many=True)
    def health_plans(self, request: Request) -> Response:
        return Response(PlanHealthSerializer(health.plans_of(self._asked), many=True).data)

    @property
    def _asked(self) -> Asked:
        asked, problems = Asked.read(self.tenant, self.now, self.request.query_params.dict())
        for name, message in problems.items():
            raise Invalid.parameter(name, message)
        return asked
