"""The workspace's one survey: how it starts out, and what its settings may be."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from accounts.models import NpsSurvey
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer

QUESTION = "How likely are you to recommend us to a friend or colleague?"
FOLLOW_UP = "What is the main reason for your score?"
THANKS = "Thank you. We read every answer."
THEME = {"accent": "#2f54d0", "position": "right", "appearance": "system"}
POSITIONS = (("right", "Bottom right"), ("left", "Bottom left"), ("center", "Bottom centre"))
APPEARANCES = (("system", "As the person's device"), ("light", "Light"), ("dark", "Dark"))
MAX_ORIGINS = 20
MAX_AGE_DAYS, MAX_MONTHS, MAX_SHOWINGS = 3_650, 24, 30

_ACCENT = re.compile(r"#[0-9a-fA-F]{6}")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class CannotUse(ValueError):
    """A setting that cannot be used; says what to write instead."""


def the_survey() -> NpsSurvey:
    """Of the tenant in force; where nobody has touched the settings yet, as it starts out and not saved."""
    return NpsSurvey.objects.first() or NpsSurvey(
        tenant_id=current_tenant_id(), question=QUESTION, follow_up=FOLLOW_UP, thanks=THANKS, theme=dict(THEME)
    )


def change_survey(*, by: Doer, now: datetime, **changes: Any) -> NpsSurvey:
    """Sets what is named; the rest stays."""
    started = {"question": QUESTION, "follow_up": FOLLOW_UP, "thanks": THANKS, "theme": dict(THEME)}
    held = the_survey()
    before = {name: getattr(held, name) for name in changes}
    survey, _made = NpsSurvey.objects.update_or_create(
        tenant_id=current_tenant_id(), defaults=changes, create_defaults=started | changes
    )
    if before != changes:
        about = {"subject_type": "nps_survey", "subject_id": survey.pk, "name": "NPS survey"}
        record(verb="nps_survey.changed", **about, before=before, after=changes, by=by, now=now)
    return survey


def complete_theme(theme: Any) -> dict[str, str]:
    """What a theme leaves out is as in the standard one; what was stored by older hands cannot break the page."""
    given = theme if isinstance(theme, dict) else {}
    return {name: given[name] if isinstance(given.get(name), str) else value for name, value in THEME.items()}


def checked_accent(text: str) -> str:
    if not _ACCENT.fullmatch(text):
        raise CannotUse("Write the colour as # and six hexadecimal digits, for example #2f54d0.")
    return text.lower()


def checked_origins(texts: Iterable[str]) -> list[str]:
    """Each once, as browsers send it."""
    found = list(dict.fromkeys(_origin(text.strip()) for text in texts if text.strip()))
    if len(found) > MAX_ORIGINS:
        raise CannotUse(f"Name {MAX_ORIGINS} origins at most.")
    return found


def refuse_without_origins(*, is_on: bool, origins: list[str]) -> None:
    if is_on and not origins:
        raise CannotUse("Name at least one origin, for example https://app.example.com. Elsewhere it is not shown.")


def _origin(text: str) -> str:
    shown = text[:100]
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, _ascii(parts.hostname or ""), parts.port
    except ValueError:
        raise CannotUse(f"“{shown}” is no origin. Write it like https://app.example.com.") from None
    if scheme not in _DEFAULT_PORTS or parts.username is not None or not (host in _LOCAL or _HOST.fullmatch(host)):
        raise CannotUse(f"“{shown}” is no origin. Write it like https://app.example.com, without wildcards.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise CannotUse(f"“{shown}” is an address. Leave out what comes after the host.")
    if scheme == "http" and host not in _LOCAL:
        raise CannotUse(f"“{shown}” is not encrypted. Only https is possible, except on localhost.")
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}")


def _ascii(host: str) -> str:
    """As browsers write it; UnicodeError is a ValueError."""
    if ":" in host:
        return f"[{host}]"
    return host if host.isascii() else host.encode("idna").decode()
