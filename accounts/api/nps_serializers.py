"""What answers, the survey's settings and user tokens look like from outside."""

from typing import Any, ClassVar

from rest_framework import serializers

from accounts.models import NpsResponse, NpsSurvey
from accounts.nps import survey as settings
from accounts.nps.scores import group_of
from accounts.nps.tokens import LIFE, LONGEST_LIFE
from cs_platform.rest.fields import StrictSerializer

HOUR = 3600
MAX_BROUGHT_COMMENT = 10_000
MAX_BULK = 1_000


class NpsResponseSerializer(serializers.ModelSerializer[NpsResponse]):
    user = serializers.PrimaryKeyRelatedField[Any](source="end_user", read_only=True)
    group = serializers.SerializerMethodField(help_text="promoter (9, 10), passive (7, 8) or detractor (0 to 6).")

    class Meta:
        model = NpsResponse
        fields: ClassVar = (
            "id",
            "external_id",
            "user",
            "account",
            "score",
            "group",
            "comment",
            "answered_at",
            "source",
        )
        read_only_fields = fields

    def get_group(self, answer: NpsResponse) -> str:
        return group_of(answer.score)


class NewNpsResponseSerializer(StrictSerializer):
    external_id = serializers.CharField(
        max_length=100, help_text="Your own id of the answer: a repeat changes nothing."
    )
    user = serializers.CharField(max_length=255, help_text="External id of a user who exists.")
    account = serializers.CharField(
        max_length=255,
        required=False,
        allow_null=True,
        default=None,
        help_text="External id of an account. Left out: where the user was seen last.",
    )
    score = serializers.IntegerField(min_value=0, max_value=10)
    comment = serializers.CharField(max_length=MAX_BROUGHT_COMMENT, allow_blank=True, default="")
    answered_at = serializers.DateTimeField()


class BulkNpsResponsesSerializer(serializers.Serializer[Any]):
    """For the description only."""

    items = serializers.ListField(child=NewNpsResponseSerializer(), min_length=1, max_length=MAX_BULK)


class NpsScoreSerializer(serializers.Serializer[Any]):
    score = serializers.IntegerField(allow_null=True, help_text="−100 to 100; null while nobody has answered.")
    answers = serializers.IntegerField(help_text="Users who have answered; each counts by the last answer.")
    promoters = serializers.IntegerField()
    passives = serializers.IntegerField()
    detractors = serializers.IntegerField()


class ThemeSerializer(StrictSerializer):
    accent = serializers.CharField(max_length=7, required=False, help_text="#rrggbb")
    position = serializers.ChoiceField(settings.POSITIONS, required=False)
    appearance = serializers.ChoiceField(settings.APPEARANCES, required=False)

    def validate_accent(self, accent: str) -> str:
        try:
            return settings.checked_accent(accent)
        except settings.CannotUse as refusal:
            raise serializers.ValidationError(str(refusal)) from None


class NpsSurveySerializer(serializers.ModelSerializer[NpsSurvey]):
    theme = ThemeSerializer()

    class Meta:
        model = NpsSurvey
        fields: ClassVar = (
            "is_on",
            "question",
            "follow_up",
            "thanks",
            "theme",
            "origins",
            "min_user_age_days",
            "months_between",
            "max_showings",
            "requires_playbook",
        )
        read_only_fields = fields


class NpsSurveyEditsSerializer(StrictSerializer):
    is_on = serializers.BooleanField(required=False)
    question = serializers.CharField(max_length=200, required=False)
    follow_up = serializers.CharField(max_length=200, required=False)
    thanks = serializers.CharField(max_length=200, required=False)
    theme = ThemeSerializer(required=False)
    origins = serializers.ListField(
        child=serializers.CharField(max_length=300), required=False, help_text="Like https://app.example.com."
    )
    min_user_age_days = serializers.IntegerField(min_value=0, max_value=settings.MAX_AGE_DAYS, required=False)
    months_between = serializers.IntegerField(min_value=1, max_value=settings.MAX_MONTHS, required=False)
    max_showings = serializers.IntegerField(min_value=1, max_value=settings.MAX_SHOWINGS, required=False)
    requires_playbook = serializers.BooleanField(required=False)

    def validate_origins(self, origins: list[str]) -> list[str]:
        try:
            return settings.checked_origins(origins)
        except settings.CannotUse as refusal:
            raise serializers.ValidationError(str(refusal)) from None


class NewNpsTokenSerializer(StrictSerializer):
    user = serializers.CharField(max_length=255, help_text="External id of the user who is signed in at your side.")
    account = serializers.CharField(
        max_length=255, required=False, allow_null=True, default=None, help_text="External id of the user's account."
    )
    expires_in = serializers.IntegerField(
        min_value=HOUR // 12,
        max_value=int(LONGEST_LIFE.total_seconds()),
        default=int(LIFE.total_seconds()),
        help_text="Seconds.",
    )


class NpsTokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
