"""Tell an address of the customer's choice, signed by Standard Webhooks."""

from collections.abc import Mapping
from typing import Any

from actions.base import Batch, Config, Run
from actions.calls import CallAction, CallForm, ConnectorField, PropertiesField, Subject, UndoEventField, repeat_window
from actions.forms import TemplateField

TYPE = "playbook.step"


class CallWebhookForm(CallForm):
    connector = ConnectorField("webhook")
    event = TemplateField(label="Event", required=False, initial=TYPE, max_length=100)
    properties = PropertiesField(required=False, label="Own properties")
    undo_event = UndoEventField()


class CallWebhook(CallAction):
    key = "call_webhook"
    label = "Call a webhook"
    icon = "plug-zap"
    summary = "Signed JSON to another system"
    form = CallWebhookForm
    sample = {
        "connector": "sample-webhook",
        "event": "playbook.step",
        "properties": {"plan": '{{ account.plan | default: "none" }}'},
    }
    kind = "webhook"
    what = "a call"
    repeat_window = repeat_window("webhook")

    def describe(self, config: Config) -> str:
        return f"Call the webhook “{config['connector']}” with “{config['event'] or TYPE}”"

    def short(self, config: Config, message: Mapping[str, Any] | None) -> str:
        return f"webhook “{message['type'] if message else config['event'] or TYPE}” to {config['connector']}"

    def texts(self, config: Config) -> dict[str, str]:
        own = {f"property {name}": text for name, text in config["properties"].items()}
        return {"event": config["event"] or TYPE, **own}

    def message(self, batch: Batch, run: Run, subject: Subject, texts: Mapping[str, str]) -> dict[str, Any]:
        own = {name: texts[f"property {name}"] for name in batch.config["properties"]}
        data: dict[str, Any] = {
            "playbook": {"name": batch.playbook_name},
            "enrollment": run.enrollment_id,
            "run": str(run.id),
            "due_on": run.due_on.isoformat() if run.due_on else None,
            "account": subject.account,
            "user": subject.user,
            "properties": own,
        }
        return {"type": texts["event"], "timestamp": batch.now.isoformat(), "data": data}

    def retracting(self, batch: Batch, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        """The same data under another name, and which message it is about."""
        data = {**message["data"], "original_message_id": f"msg_{run.id}"}
        return {"type": batch.config["undo_event"], "timestamp": batch.now.isoformat(), "data": data}
