from accounts.conversations.models import Conversation, Message, Suppression
from accounts.models.account import Account, AccountUser, EndUser
from accounts.models.events import EventCount, EventType
from accounts.models.indicators import Indicator, IndicatorClaim
from accounts.models.ingest import IngestedMessage, TraitProblem
from accounts.models.timeline import TimelineEntry
from accounts.models.traits import TraitDefinition

__all__ = [
    "Account",
    "AccountUser",
    "Conversation",
    "EndUser",
    "EventCount",
    "EventType",
    "Indicator",
    "IndicatorClaim",
    "IngestedMessage",
    "Message",
    "Suppression",
    "TimelineEntry",
    "TraitDefinition",
    "TraitProblem",
]
