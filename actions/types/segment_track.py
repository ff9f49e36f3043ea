"""Send a track call to Segment, so that every tool behind it hears of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from actions.base import Batch, Config, Run
from actions.calls import CallAction, CallForm, ConnectorField, PropertiesField, Subject, UndoEventField, repeat_window
from actions.forms import TemplateField

EVENT_LIMIT = 200


class SegmentTrackForm(CallForm):
    connector = ConnectorField("segment")
    event = TemplateField(label="Event", max_length=EVENT_LIMIT)
    properties = PropertiesField(required=False, label="Own properties")
    undo_event = UndoEventField()


class SegmentTrack(CallAction):
    key = "segment_track"
    label = "Send a Segment track"
    icon = "send"
    summary = "An event for the tools behind Segment"
    form = SegmentTrackForm
    sample = {"connector": "sample-segment", "event": "New customer", "properties": {"name": "{{ account.name }}"}}
    kind = "segment"
    what = "an event"
    repeat_window = repeat_window("segment")

    def describe(self, config: Config) -> str:
        return f"Send the Segment event “{config['event']}” to {config['connector']}"

    def short(self, config: Config, message: Mapping[str, Any] | None) -> str:
        return f"Segment event “{message['event'] if message else config['event']}”"

    def texts(self, config: Config) -> dict[str, str]:
        return {"event": config["event"], **{f"property {name}": text for name, text in config["properties"].items()}}

    def message(self, batch: Batch, run: Run, subject: Subject, texts: Mapping[str, str]) -> dict[str, Any]:
        """An account has no user, and Segment wants somebody: its group id stands for an anonymous one."""
        group = subject.account["external_id"]
        who = {"userId": subject.user["external_id"]} if subject.user else {"anonymousId": group}
        own = {name: texts[f"property {name}"] for name in batch.config["properties"]}
        return {
            "type": "track",
            "event": texts["event"],
            **who,
            "groupId": group,
            "context": {"groupId": group, "library": {"name": "cs-platform", "version": "1"}},
            "properties": own | {"playbook": batch.playbook_name},
            "timestamp": _moment(batch.now),
        }

    def retracting(self, batch: Batch, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        properties = {**message["properties"], "original_message_id": str(run.id)}
        return {
            **message,
            "event": batch.config["undo_event"],
            "properties": properties,
            "timestamp": _moment(batch.now),
        }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
