"""Conversations of one account, and starting one: in the name of somebody who holds a role at the account."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import uuid4

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import ConversationFilters
from accounts.api.serializers import ConversationSerializer
from accounts.models import Account, Conversation, EndUser
from accounts.writing import MESSAGE_LIMIT, SUBJECT_LIMIT, CannotWrite, Way, Written, start
from cs_platform.rest.fields import IdField, MemberField, StrictSerializer
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.rest.schema import documented
from cs_platform.rest.viewsets import ApiViewSet, Listed
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability

Channel = Conversation.Channel
FIELDS = {"to": "user"}  # as the page calls them: as the API does


class NewConversationSerializer(StrictSerializer):
    user = IdField(lambda: EndUser.objects.filter(archived_at=None), help_text="One of the account’s, with an address.")
    subject = serializers.CharField(max_length=SUBJECT_LIMIT)
    body = serializers.CharField(max_length=MESSAGE_LIMIT, trim_whitespace=False)
    sender = MemberField(required=False, help_text="Who holds a role at the account. Left out: its CSM, else its AE.")
    channel = serializers.ChoiceField(
        [Channel.SMTP, Channel.INTERCOM], default=Channel.SMTP.value, help_text="A mailbox is its owner’s alone."
    )
    connector = serializers.CharField(default="", allow_blank=True, max_length=40, help_text="The key of the Intercom.")
    send_at = serializers.DateTimeField(required=False, help_text="Until then it can be changed. Left out: now.")


@extend_schema_view(list=documented("List an account’s conversations", answers=ConversationSerializer, many=True))
class AccountConversationViewSet(Listed, ApiViewSet):
    """What was written to users of one account, newest first."""

    model = Conversation
    writes = Ability.WORK_CTAS
    serializer_class = ConversationSerializer
    filterset_class = ConversationFilters
    orderings: ClassVar = {"id": "id", "send_at": "send_at", "created_at": "created_at"}
    default_ordering = "-created_at"
    keyed_actions = frozenset({"create"})

    def rows(self) -> QuerySet[Conversation]:
        return Conversation.objects.filter(account=get_object_or_404(Account, pk=self.kwargs["account_id"]))

    @documented(
        "Start a conversation",
        request=NewConversationSerializer,
        answers=ConversationSerializer,
        status=201,
        needs_key=True,
    )
    def create(self, request: Request, account_id: str) -> Response:
        """It leaves at its time, whatever the hour; a repeat with the same key starts no other."""
        present = Account.objects.present().select_related("csm", "ae")
        account = get_object_or_404(present, pk=account_id)
        asked = self.valid(NewConversationSerializer)
        try:
            made = start(account, _written(account, asked, now=self.now), by=self.caller, now=self.now)
        except CannotWrite as refusal:
            raise _invalid(refusal) from None
        return self.answer(made, status=HTTPStatus.CREATED)


def _written(account: Account, asked: dict[str, Any], *, now: datetime) -> Written:
    return Written(
        hand_id=uuid4(),
        to=asked["user"],
        sender=asked.get("sender") or _first_holder(account),
        way=Way(asked["channel"], "", asked["connector"]).key,
        subject=asked["subject"],
        body=asked["body"],
        send_at=max(asked.get("send_at") or now, now),
    )


def _first_holder(account: Account) -> Membership:
    for member in (account.csm, account.ae):
        if member and member.deactivated_at is None:
            return member
    raise CannotWrite("sender", "Say who sends it: the account has neither a CSM nor an AE.")


def _invalid(refusal: CannotWrite) -> Invalid:
    return Invalid(faults=[Fault(f"/{FIELDS.get(refusal.field, refusal.field)}", str(refusal))])
