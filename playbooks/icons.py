"""The pictures a playbook can be known by, each with its tone and what it is usually chosen for."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Icon:
    name: str
    label: str
    tone: str


USUAL = "workflow"
ICONS: Mapping[str, Icon] = {
    icon.name: icon
    for icon in (
        Icon(USUAL, "Playbook", "acc"),
        Icon("rocket", "Onboarding", "ok"),
        Icon("refresh-cw", "Renewal", "info"),
        Icon("timer", "Trial", "plan"),
        Icon("trending-up", "Growth", "plan"),
        Icon("trending-down", "Falling use", "bad"),
        Icon("heart-pulse", "Health", "bad"),
        Icon("triangle-alert", "Risk", "bad"),
        Icon("user-x", "Somebody left", "bad"),
        Icon("undo-2", "Win back", "warn"),
        Icon("circle-dollar-sign", "Payment", "warn"),
        Icon("gauge", "Survey", "info"),
        Icon("message-circle", "Talk", "info"),
        Icon("users", "People", "info"),
        Icon("user-plus", "Assignment", "ok"),
        Icon("calendar-clock", "Meeting", "plan"),
        Icon("tag", "Data", "plan"),
    )
}
