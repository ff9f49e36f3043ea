"""Say something in a Slack channel, by its incoming webhook."""

from collections.abc import Mapping
from typing import Any

from actions.base import Batch, Config, Run
from actions.calls import CallAction, CallForm, ConnectorField, Subject
from actions.forms import TemplateField
from cs_platform.common.message_templates import single_line

LIMIT = 3_000
SHOWN = 80


class PostToSlackForm(CallForm):
    connector = ConnectorField("slack")
    text = TemplateField(label="Message", single_line=False, max_length=LIMIT)


class PostToSlack(CallAction):
    key = "post_to_slack"
    label = "Post to Slack"
    icon = "message-square"
    summary = "A message in a channel"
    form = PostToSlackForm
    sample = {"connector": "sample-slack", "text": "{{ account.name }} needs a look."}
    kind = "slack"
    what = "a message"
    holds_late = True  # people read it

    def describe(self, config: Config) -> str:
        return f"Post “{_short(config['text'])}” to {config['connector']} in Slack"

    def short(self, config: Config, message: Mapping[str, Any] | None) -> str:
        return f"Slack message “{_short(_plain(message['text']) if message else config['text'])}”"

    def texts(self, config: Config) -> dict[str, str]:
        return {"text": config["text"]}

    def message(self, batch: Batch, run: Run, subject: Subject, texts: Mapping[str, str]) -> dict[str, Any]:
        """A value cannot mention a channel or pretend to be a link: Slack's three signs are written out."""
        text = texts["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": text, "unfurl_links": False}


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _short(text: str) -> str:
    line = single_line(text)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1].rstrip()}…"
