"""How the API writes what is reported of health."""

from typing import Any

from rest_framework import serializers

from accounts.health.report import Group
from cs_platform.dashboard.reports.figures import YEAR


class BandsSerializer(serializers.Serializer[Any]):
    accounts = serializers.IntegerField(source="bands.accounts", help_text="Tracked ones.")
    average = serializers.FloatField(
        source="bands.average", allow_null=True, help_text="0 to the workspace's scale, of those with a reading."
    )
    healthy = serializers.IntegerField(source="bands.good", help_text="From three quarters of the scale.")
    to_watch = serializers.IntegerField(source="bands.watch", help_text="From half of it.")
    at_risk = serializers.IntegerField(source="bands.risk")
    without_reading = serializers.IntegerField(source="bands.unknown")


class HealthStepSerializer(BandsSerializer):
    begins = serializers.DateField(help_text="First day of the month, or of the week where `months` is 3 or less.")
    until = serializers.DateField(help_text="How it was at the end of this day; of today, now.")


class _GroupSerializer(BandsSerializer):
    name = serializers.CharField()
    arr_cents = serializers.SerializerMethodField()

    def get_arr_cents(self, group: Group) -> int:
        return group.mrr_cents * YEAR


class SegmentHealthSerializer(_GroupSerializer):
    segment = serializers.IntegerField(source="id")


class PlanHealthSerializer(_GroupSerializer):
    pass


class MoverSerializer(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account.pk")
    name = serializers.CharField(source="account.name")
    csm = serializers.IntegerField(source="account.csm_id", allow_null=True)
    arr_cents = serializers.IntegerField(source="account.arr_cents", allow_null=True)
    health_then = serializers.FloatField(
        source="before", help_text="When the time began; the first one in it where there was none."
    )
    health_now = serializers.FloatField(source="after")
    change = serializers.FloatField()


class MeasureCostSerializer(serializers.Serializer[Any]):
    measure = serializers.IntegerField(source="measure.pk")
    name = serializers.CharField(source="measure.name")
    score = serializers.IntegerField(source="measure.score_id")
    score_name = serializers.CharField(source="measure.score.name")
    points = serializers.FloatField(help_text="Of the average health; with it, all of them add up to the scale.")
    healthy = serializers.IntegerField(help_text="Accounts that are graded so.")
    concerning = serializers.IntegerField()
    poor = serializers.IntegerField()
    unknown = serializers.IntegerField()
