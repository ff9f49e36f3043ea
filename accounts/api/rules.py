"""Rules over the API: is it one, who is it about now, who nearly, and why."""

from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.fields import workspace_fields
from accounts.matching import Asking, Found, Near, One
from accounts.models import Account, AccountUser, EndUser
from accounts.models.account import Lifecycle
from accounts.rule_field import people_of
from accounts.rules.compile import Audience
from accounts.rules.explain import Explained
from accounts.rules.grammar import RuleErrors, parse_pair
from accounts.rules.sql import Clock
from cs_platform.rest.fields import IdField, StrictSerializer
from cs_platform.rest.problems import Fault, Invalid, pointer_of_path
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet
from cs_platform.tenancy.roles import Ability

AUDIENCES: Final = (("accounts", "accounts"), ("users", "users"))
RULE_SCHEMA: Final = {"type": ["object", "null"], "additionalProperties": {}}


@extend_schema_field(RULE_SCHEMA)
class RuleJson(serializers.JSONField):
    """A tree as docs/rules.md has it; the grammar itself judges it."""


class RulePairSerializer(StrictSerializer):
    account = RuleJson(required=False, allow_null=True, default=None)
    user = RuleJson(required=False, allow_null=True, default=None)


class RuleQuestionSerializer(StrictSerializer):
    rules = RulePairSerializer()
    audience = serializers.ChoiceField(AUDIENCES, default="accounts")
    lifecycles = serializers.ListField(
        child=serializers.ChoiceField(Lifecycle.choices),
        required=False,
        allow_empty=False,
        help_text="Accounts of these lifecycles only. Left out: of any.",
    )


class RuleSubjectSerializer(RuleQuestionSerializer):
    account = IdField(Account.objects.all, required=False)
    account_external_id = serializers.CharField(max_length=500, required=False)
    user = IdField(EndUser.objects.all, required=False)
    user_external_id = serializers.CharField(max_length=500, required=False)


class NamedAccountSerializer(serializers.ModelSerializer[Account]):
    class Meta:
        model = Account
        fields = ("id", "external_id", "name")
        read_only_fields = fields


class NamedUserSerializer(serializers.ModelSerializer[EndUser]):
    class Meta:
        model = EndUser
        fields = ("id", "external_id", "name", "email")
        read_only_fields = fields


class MatchSerializer(serializers.Serializer[One]):
    account = NamedAccountSerializer()
    user = NamedUserSerializer(allow_null=True)


class ConditionSerializer(serializers.Serializer[Explained]):
    sentence = serializers.CharField()
    value = serializers.CharField(help_text="What is there now, in words.")


class NearMissSerializer(serializers.Serializer[Near]):
    account = NamedAccountSerializer(source="one.account")
    user = NamedUserSerializer(source="one.user", allow_null=True)
    missing = ConditionSerializer(many=True, help_text="The one condition; of alternatives, each that would do.")


class RuleAnswerSerializer(serializers.Serializer[Found]):
    sentence = serializers.CharField()
    count = serializers.IntegerField(allow_null=True, help_text="null: too many to count in a request.")
    examples = MatchSerializer(many=True)
    near_misses = NearMissSerializer(source="near", many=True)
    is_complete = serializers.BooleanField(help_text="false: looking for examples or near misses took too long.")


class ExplainedSerializer(serializers.Serializer[Explained]):
    sentence = serializers.CharField()
    holds = serializers.BooleanField()
    value = serializers.CharField()
    mode = serializers.CharField(source="mode.value", allow_null=True, default=None)
    children = serializers.SerializerMethodField(help_text="The same shape, a line per condition or group.")

    @extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": {}}})
    def get_children(self, line: Explained) -> list[Any]:
        return [ExplainedSerializer(child).data for child in line.children]


class RuleViewSet(ApiViewSet):
    """Questions about a rule that is stored nowhere yet. They change nothing; a rule is too long for an address."""

    model = Account
    writes = Ability.READ
    serializer_class = RuleAnswerSerializer
    orderings: ClassVar = {"id": "id"}

    @documented(
        "Check a rule: its sentence, who matches now, and near misses",
        request=RuleQuestionSerializer,
        answers=RuleAnswerSerializer,
    )
    @action(detail=False, methods=["post"], throttle_cost=5)
    def check(self, request: Request) -> Response:
        asking = self._asking(self.valid(RuleQuestionSerializer))
        return Response(RuleAnswerSerializer(asking.found()).data)

    @documented(
        "Explain a rule's verdict on one account, or one of its users",
        request=RuleSubjectSerializer,
        answers=ExplainedSerializer,
    )
    @action(detail=False, methods=["post"])
    def explain(self, request: Request) -> Response:
        question = self.valid(RuleSubjectSerializer)
        asking, account = self._asking(question), _account(question)
        user = _user(question, account)
        if asking.about_users and user is None:
            raise _refused("user", "Say which user of the account, or ask about accounts.")
        why = asking.why(account, user)
        assert why is not None  # the account is here, and the user is one of it
        return Response(ExplainedSerializer(why).data)

    def _asking(self, question: dict[str, Any]) -> Asking:
        lifecycles = tuple(question["lifecycles"]) if "lifecycles" in question else None
        try:
            account, user = parse_pair(**question["rules"], fields=workspace_fields())
        except RuleErrors as errors:
            faults = [Fault(pointer_of_path(error.path), error.message) for error in errors.errors]
            raise Invalid("This rule cannot be asked.", code="invalid_rule", faults=faults) from None
        return Asking(
            Audience(account, user, lifecycles),
            about_users=question["audience"] == "users",
            tenant_id=self.tenant.pk,
            clock=Clock.at(self.now, ZoneInfo(self.tenant.timezone)),
            people=people_of(self.tenant.pk),
        )


def _account(question: dict[str, Any]) -> Account:
    if "account" in question:
        found: Account = question["account"]
        return found
    if "account_external_id" not in question:
        raise _refused("account", "Say which account: its id, or its account_external_id.")
    try:
        return Account.objects.get(external_id=question["account_external_id"])
    except Account.DoesNotExist:
        raise _refused("account_external_id", "There is none with this id.") from None


def _user(question: dict[str, Any], account: Account) -> EndUser | None:
    name = next((name for name in ("user", "user_external_id") if name in question), None)
    if name is None:
        return None
    wanted = {"end_user": question[name]} if name == "user" else {"end_user__external_id": question[name]}
    tie = AccountUser.objects.select_related("end_user").filter(account=account, **wanted).first()
    if tie is None:
        raise _refused(name, "The account has no such user.")
    return tie.end_user


def _refused(name: str, message: str) -> Invalid:
    return Invalid(faults=[Fault(f"/{name}", message)])
