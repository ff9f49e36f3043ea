"""The pictures a saved view can be known by in the sidebar. One without its own has that of its page."""

from collections.abc import Mapping

ICONS: Mapping[str, str] = {
    "calendar-clock": "Renewals",
    "triangle-alert": "Risk",
    "rocket": "Onboarding",
    "trending-up": "Growth",
    "trending-down": "Falling use",
    "heart-pulse": "Health",
    "circle-dollar-sign": "Money",
    "timer": "Trials",
    "user-x": "Somebody left",
    "undo-2": "Win back",
    "users": "People",
    "tag": "Plan",
}
OF_PAGE: Mapping[str, str] = {
    "accounts": "building-2",
    "users": "users",
    "cockpit": "square-check-big",
    "plans": "flag",
}


def icon_of(page: str, chosen: str) -> str:
    return chosen or OF_PAGE.get(page, "rows-3")
