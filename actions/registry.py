"""All actions, written out: one new kind of action is one new file and one line here."""

from actions.base import Action
from actions.retired import RetiredAction
from actions.types.add_note import AddNote
from actions.types.assign import Assign
from actions.types.call_webhook import CallWebhook
from actions.types.change_segment import ChangeSegment
from actions.types.create_cta import CreateCta
from actions.types.create_indicator import CreateIndicator
from actions.types.create_task import CreateTask
from actions.types.post_to_slack import PostToSlack
from actions.types.segment_track import SegmentTrack
from actions.types.set_up_tasks import SetUpTasks
from actions.types.show_nps import ShowNps
from actions.types.start_conversation import StartConversation
from actions.types.start_success_plan import StartSuccessPlan
from actions.types.update_trait import UpdateTrait

ACTIONS: tuple[Action, ...] = (
    Assign(),
    CreateCta(),
    CreateTask(),
    StartConversation(),
    ShowNps(),
    CreateIndicator(),
    ChangeSegment(),
    StartSuccessPlan(),
    SetUpTasks(),
    UpdateTrait(),
    AddNote(),
    PostToSlack(),
    SegmentTrack(),
    CallWebhook(),
)
_BY_KEY = {action.key: action for action in ACTIONS}


def action_for(key: str) -> Action:
    """An unknown key is a retired kind of action: it can still be described, and refuses to apply."""
    return _BY_KEY.get(key) or RetiredAction(key)
