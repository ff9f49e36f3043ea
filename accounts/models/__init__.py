from accounts.conversations.models import Conversation, Message, SendingPolicy, Suppression
from accounts.models.account import Account, AccountUser, EndUser
from accounts.models.events import EventCount, EventType
from accounts.models.health import HealthMeasure, HealthReading, HealthScore, LifecycleRule
from accounts.models.history import TraitChange
from accounts.models.indicators import Indicator, IndicatorClaim
from accounts.models.ingest import IngestedMessage, TraitProblem
from accounts.models.notes import Note
from accounts.models.nps import NpsEligibility, NpsResponse, NpsShowing, NpsSurvey
from accounts.models.roles import AccountRole, KeyRole, RoleTurn, Workload
from accounts.models.segments import Segment, SegmentBar, SegmentClaim, SegmentMembership
from accounts.models.sources import CsvImport, CsvPart, DataSource, ReceivedBatch
from accounts.models.timeline import TimelineEntry
from accounts.models.traits import TraitDefinition

__all__ = [
    "Account",
    "AccountRole",
    "AccountUser",
    "Conversation",
    "CsvImport",
    "CsvPart",
    "DataSource",
    "EndUser",
    "EventCount",
    "EventType",
    "HealthMeasure",
    "HealthReading",
    "HealthScore",
    "Indicator",
    "IndicatorClaim",
    "IngestedMessage",
    "KeyRole",
    "LifecycleRule",
    "Message",
    "Note",
    "NpsEligibility",
    "NpsResponse",
    "NpsShowing",
    "NpsSurvey",
    "ReceivedBatch",
    "RoleTurn",
    "Segment",
    "SegmentBar",
    "SegmentClaim",
    "SegmentMembership",
    "SendingPolicy",
    "Suppression",
    "TimelineEntry",
    "TraitChange",
    "TraitDefinition",
    "TraitProblem",
    "Workload",
]
