"""What accounts and users look like from outside. Every field is named here; none follows a model by itself."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.archiving import LEAVE, PLAYBOOKS_THERE
from accounts.models import (
    Account,
    AccountUser,
    Conversation,
    EndUser,
    EventType,
    Indicator,
    Message,
    TimelineEntry,
    TraitDefinition,
    TraitProblem,
)
from accounts.models.account import Lifecycle
from accounts.models.traits import TraitType
from accounts.trait_settings import MAPPABLE
from cs_platform.rest.fields import IdField, MemberField, StrictSerializer

MAX_BULK = 1_000
TRAITS = {
    "type": "object",
    "additionalProperties": {},
    "description": "By key. Currency in cents; dates YYYY-MM-DD; moments YYYY-MM-DDTHH:MM:SSZ; a person's member id.",
}


@extend_schema_field(TRAITS)
class TraitsField(serializers.DictField):
    """Typed one by one, against the workspace's definitions, by whoever writes them."""


class HeldRolesField(serializers.DictField):
    child = serializers.IntegerField()

    def to_representation(self, value: Any) -> dict[str, int]:
        return {held.role.key: held.member_id for held in value.all() if held.role.archived_at is None}


class AccountSerializer(serializers.ModelSerializer[Account]):
    traits = TraitsField(read_only=True)
    roles = HeldRolesField(source="key_roles", read_only=True, help_text="Members' ids by the key of their role.")

    class Meta:
        model = Account
        fields = (
            "id",
            "external_id",
            "name",
            "plan",
            "lifecycle",
            "mrr_cents",
            "renewal_on",
            "trial_end_on",
            "timezone",
            "csm",
            "ae",
            "roles",
            "parent",
            "known_cause",
            "known_cause_until",
            "health",
            "last_seen_at",
            "user_count",
            "traits",
            "created_at",
            "updated_at",
            "archived_at",
            "archived_by",
        )
        read_only_fields = fields


class TieSerializer(serializers.ModelSerializer[AccountUser]):
    """A user at one account."""

    class Meta:
        model = AccountUser
        fields = ("account", "role", "is_key_contact", "last_seen_at")
        read_only_fields = fields


class UserSerializer(serializers.ModelSerializer[EndUser]):
    traits = TraitsField(read_only=True)
    accounts = TieSerializer(source="account_users", many=True, read_only=True)

    class Meta:
        model = EndUser
        fields = (
            "id",
            "external_id",
            "email",
            "name",
            "last_seen_at",
            "unsubscribed_at",
            "accounts",
            "traits",
            "created_at",
            "updated_at",
            "archived_at",
            "archived_by",
        )
        read_only_fields = fields


class PutAwaySerializer(StrictSerializer):
    playbooks = serializers.ChoiceField(
        PLAYBOOKS_THERE, default=LEAVE, help_text="What becomes of those that are under way."
    )


class TraitSerializer(serializers.ModelSerializer[TraitDefinition]):
    sortable = serializers.SerializerMethodField(help_text="Whether lists and rules can use an index for it.")

    class Meta:
        model = TraitDefinition
        fields = (
            "id",
            "scope",
            "key",
            "label",
            "type",
            "source",
            "column",
            "choices",
            "sortable",
            "description",
            "archived_at",
        )
        read_only_fields = fields

    def get_sortable(self, definition: TraitDefinition) -> bool:
        return bool(definition.slot or definition.column)


class NewTraitSerializer(StrictSerializer):
    scope = serializers.ChoiceField(TraitDefinition.Scope.choices)
    key = serializers.RegexField(
        r"^[A-Za-z][A-Za-z0-9_]{0,99}$",
        error_messages={"invalid": "Use letters, digits and underscores, beginning with a letter; 100 at most."},
    )
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]  # Field has an attribute of that name
    type = serializers.ChoiceField(TraitType.choices)
    choices = serializers.ListField(child=serializers.CharField(max_length=200), max_length=200, default=list)


class TraitDescriptionSerializer(StrictSerializer):
    """What is left out stays."""

    label = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    description = serializers.CharField(max_length=1_000, required=False, allow_blank=True)
    choices = serializers.ListField(child=serializers.CharField(max_length=200), max_length=200, required=False)


class TraitTypeSerializer(StrictSerializer):
    type = serializers.ChoiceField(TraitType.choices)
    preview = serializers.BooleanField(default=False, help_text="Only say what it would come to.")
    clearing = serializers.IntegerField(
        default=0, min_value=0, help_text="How many values may be cleared. With more the job is refused."
    )


class FedFieldSerializer(StrictSerializer):
    field = serializers.ChoiceField(MAPPABLE, allow_null=True, help_text="A built-in field of accounts.")


class SpeedSerializer(StrictSerializer):
    fast = serializers.BooleanField()


class EventTypeSerializer(serializers.ModelSerializer[EventType]):
    class Meta:
        model = EventType
        fields = ("id", "name")
        read_only_fields = fields


class IndicatorSerializer(serializers.ModelSerializer[Indicator]):
    class Meta:
        model = Indicator
        fields = (
            "id",
            "account",
            "kind",
            "title",
            "note",
            "assignee",
            "state",
            "raised_at",
            "raised_by",
            "settled_at",
            "settled_by",
            "reason",
        )
        read_only_fields = fields


class NewIndicatorSerializer(StrictSerializer):
    account = IdField(lambda: Account.objects.filter(archived_at__isnull=True))
    kind = serializers.ChoiceField(Indicator.Kind.choices)
    title = serializers.CharField(max_length=200)
    note = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    assignee = MemberField(required=False, allow_null=True, default=None)


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)
    written_by = serializers.CharField(read_only=True, help_text="Who wrote it by hand; empty: a playbook did.")
    problem = serializers.CharField(read_only=True, help_text="Why it waits, or did not leave, where it was by hand.")

    class Meta:
        model = Conversation
        fields = (
            "id",
            "account",
            "user",
            "sender",
            "channel",
            "state",
            "subject",
            "body",
            "to_email",
            "to_name",
            "send_at",
            "sent_at",
            "replied_at",
            "edited_at",
            "created_at",
            "written_by",
            "problem",
        )
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message as it left, or came in."""

    class Meta:
        model = Message
        fields = ("id", "outgoing", "message_id", "from_email", "to_email", "subject", "body", "at")
        read_only_fields = fields


class ConversationEditSerializer(StrictSerializer):
    subject = serializers.CharField(max_length=998, required=False)
    body = serializers.CharField(max_length=64_000, required=False, trim_whitespace=False)
    send_at = serializers.DateTimeField(required=False, help_text="Another moment, of what was written by hand.")


class TimelineEntrySerializer(serializers.ModelSerializer[TimelineEntry]):
    user = serializers.PrimaryKeyRelatedField[EndUser](source="end_user", read_only=True)

    class Meta:
        model = TimelineEntry
        fields = ("id", "at", "kind", "actor", "text", "subject", "user", "detail")
        read_only_fields = fields


class TraitProblemSerializer(serializers.ModelSerializer[TraitProblem]):
    class Meta:
        model = TraitProblem
        fields = ("id", "source", "scope", "key", "outcome", "reason", "sample", "count", "first_at", "last_at")
        read_only_fields = fields


# --- writing accounts and users ---------------------------------------------------------------------------------------


class AccountFactsSerializer(StrictSerializer):
    """Built-in facts by name, and traits by key. What is left out stays; null clears."""

    name = serializers.CharField(max_length=500, required=False)
    plan = serializers.CharField(max_length=500, required=False, allow_null=True)
    lifecycle = serializers.ChoiceField(Lifecycle.choices, required=False)
    mrr_cents = serializers.IntegerField(required=False, allow_null=True)
    renewal_on = serializers.DateField(required=False, allow_null=True)
    trial_end_on = serializers.DateField(required=False, allow_null=True)
    timezone = serializers.CharField(max_length=64, required=False, allow_null=True)
    csm = serializers.IntegerField(required=False, allow_null=True, help_text="A member's id.")
    ae = serializers.IntegerField(required=False, allow_null=True, help_text="A member's id.")
    health = serializers.FloatField(required=False, allow_null=True)
    traits = TraitsField(required=False)


class NewAccountSerializer(AccountFactsSerializer):
    external_id = serializers.CharField(max_length=255)


class UserPlaceSerializer(StrictSerializer):
    external_id = serializers.CharField(max_length=255, help_text="Of an account that exists.")
    role = serializers.CharField(max_length=500, required=False, allow_null=True)


class UserFactsSerializer(StrictSerializer):
    """Built-in facts by name, traits by key, and the accounts to add the user to."""

    name = serializers.CharField(max_length=500, required=False, allow_blank=True)
    email = serializers.CharField(max_length=500, required=False, allow_null=True)
    traits = TraitsField(required=False)
    accounts = serializers.ListField(child=UserPlaceSerializer(), required=False, max_length=100)


class NewUserSerializer(UserFactsSerializer):
    external_id = serializers.CharField(max_length=255)


class TraitEditsSerializer(StrictSerializer):
    traits = TraitsField(help_text="Custom traits only; null clears one.")


class KeyContactSerializer(StrictSerializer):
    account = serializers.IntegerField(help_text="One the user belongs to.")
    is_key_contact = serializers.BooleanField(default=True)


class LeaveSerializer(StrictSerializer):
    account = serializers.IntegerField(help_text="One the user belongs to.")


class BulkSerializer(StrictSerializer):
    """Items are judged one by one, so they are not checked as a whole."""

    items = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MAX_BULK)


class BulkAccountsSerializer(serializers.Serializer[Any]):
    """For the description only."""

    items = serializers.ListField(child=NewAccountSerializer(), min_length=1, max_length=MAX_BULK)


class BulkUsersSerializer(serializers.Serializer[Any]):
    """For the description only."""

    items = serializers.ListField(child=NewUserSerializer(), min_length=1, max_length=MAX_BULK)


class FaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    message = serializers.CharField()
    code = serializers.CharField()


class BulkResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(["created", "updated", "unchanged", "refused"])
    id = serializers.IntegerField(allow_null=True)
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # Serializer has an attribute of that name


class BulkAnswerSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BulkResultSerializer(many=True)
